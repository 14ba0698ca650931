package consensus

import (
	"errors"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	consensusv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/consensus/v1"
)

// ErrMisbehaved is returned by a client whose plugin sent a Ready that cannot be read. It never crosses the wire.
var ErrMisbehaved = errors.New("consensus: the plugin's answer makes no sense")

// errorMap is the only place that knows how the sentinel errors of the kind are numbered on the wire.
func errorMap() plugin.ErrorMap {
	return plugin.ErrorMap{Kind: plugin.Consensus, Codes: map[int32]error{
		int32(consensusv1.Error_ERROR_CLOSED):    ErrClosed,
		int32(consensusv1.Error_ERROR_BAD_STATE): ErrBadState,
		int32(consensusv1.Error_ERROR_CONFLICT):  ErrConflict,
		int32(consensusv1.Error_ERROR_INVALID):   ErrInvalid,
	}}
}
