package transport

import (
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	transportv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/transport/v1"
)

// ErrMisbehaved is returned by a client whose plugin gave an answer that no transport can give. It never crosses the wire.
var ErrMisbehaved = errors.New("transport: the plugin's answer makes no sense")

// errorMap is the only place that knows how the sentinel errors of the kind are numbered on the wire.
func errorMap() plugin.ErrorMap {
	return plugin.ErrorMap{Kind: plugin.Transport, Codes: map[int32]error{
		int32(transportv1.Error_ERROR_CLOSED):        ErrClosed,
		int32(transportv1.Error_ERROR_UNKNOWN_PEER):  ErrUnknownPeer,
		int32(transportv1.Error_ERROR_NOT_CONNECTED): ErrNotConnected,
		int32(transportv1.Error_ERROR_TOO_LARGE):     ErrTooLarge,
		int32(transportv1.Error_ERROR_ADDRESS):       ErrAddress,
		int32(transportv1.Error_ERROR_BUSY):          ErrBusy,
		int32(transportv1.Error_ERROR_INVALID):       ErrInvalid,
	}}
}

func misbehaved(call, format string, args ...any) error {
	return fmt.Errorf("%s: %w: %s", call, ErrMisbehaved, fmt.Sprintf(format, args...))
}
