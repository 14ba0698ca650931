package vm

import (
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	vmv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/vm/v1"
)

// ErrMisbehaved is returned by a client whose plugin gave an answer that no VM can give. It never crosses the wire.
var ErrMisbehaved = errors.New("vm: the plugin's answer makes no sense")

// errorMap is the only place that knows how the sentinel errors of the kind are numbered on the wire.
func errorMap() plugin.ErrorMap {
	return plugin.ErrorMap{Kind: plugin.VM, Codes: map[int32]error{
		int32(vmv1.Error_ERROR_CLOSED):       ErrClosed,
		int32(vmv1.Error_ERROR_TOO_LARGE):    ErrTooLarge,
		int32(vmv1.Error_ERROR_SYNTAX):       ErrSyntax,
		int32(vmv1.Error_ERROR_UNKNOWN_CODE): ErrUnknownCode,
		int32(vmv1.Error_ERROR_INVALID):      ErrInvalid,
		int32(vmv1.Error_ERROR_UNSUPPORTED):  ErrUnsupported,
	}}
}

func misbehaved(op, format string, args ...any) error {
	return fmt.Errorf("%s: %s: %w", op, fmt.Sprintf(format, args...), ErrMisbehaved)
}
