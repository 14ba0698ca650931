package storage

import (
	"errors"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	storagev1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/storage/v1"
)

// ErrMisbehaved is returned by a client whose plugin gave an answer that no store can give. It never crosses the wire.
var ErrMisbehaved = errors.New("storage: the plugin's answer makes no sense")

// errorMap is the only place that knows how the sentinel errors of the kind are numbered on the wire.
func errorMap() plugin.ErrorMap {
	return plugin.ErrorMap{Kind: plugin.Storage, Codes: map[int32]error{
		int32(storagev1.Error_ERROR_WRONG_VERSION): ErrWrongVersion,
		int32(storagev1.Error_ERROR_CLOSED):        ErrClosed,
		int32(storagev1.Error_ERROR_CORRUPT):       ErrCorrupt,
		int32(storagev1.Error_ERROR_NO_SPACE):      ErrNoSpace,
		int32(storagev1.Error_ERROR_TOO_LARGE):     ErrTooLarge,
		int32(storagev1.Error_ERROR_INVALID):       ErrInvalid,
	}}
}
