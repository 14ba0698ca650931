package chain

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/journal"
	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/mempool"
	"github.com/paloalto-chain/paloalto/core/signer"
	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Purposes of messages between the nodes of a chain.
const (
	MsgConsensus byte = 'c'
	MsgBody      byte = 'b'
	MsgShort     byte = 's' // a body in short form
	MsgTxs       byte = 't'
	MsgFinal     byte = 'f'
	ReqBody      byte = 'B'
	ReqTxs       byte = 'T' // transactions of a block
	ReqRange     byte = 'R'
)

// Network is how a chain talks to the same chain on other nodes.
type Network interface {
	// Broadcast sends to all peers of the chain; urgent messages do not wait behind bulk.
	Broadcast(purpose byte, payload []byte)
	Send(to []types.Hash, purpose byte, payload []byte)
	// Request asks one peer and waits for its answer.
	Request(ctx context.Context, peer types.Hash, purpose byte, payload []byte) ([]byte, error)
	Peers() []types.Hash
}

// Signer is the core's signer with this node's key, whether or not the key has a seat.
type Signer interface {
	Public() types.PublicKey
	SignAll(chain types.Hash, position uint64, reqs []signer.Request) ([]signer.Result, error)
	// ProveVRF returns a proof of consensus.VRFBytes bytes.
	ProveVRF(input []byte) ([]byte, error)
}

// Clock tells Unix time.
type Clock interface{ Now() time.Time }

// Config is what a chain is made from.
type Config struct {
	Name    string
	Genesis *chainspec.Genesis
	Store   storage.Store
	Engine  consensus.Engine
	Ledger  *ledger.Ledger
	Pool    *mempool.Pool
	Journal *journal.Journal
	Signer  Signer // nil: the node only follows
	Network Network
	Clock   Clock
	Log     *slog.Logger
	Metrics *Metrics
	State   state.Options // the zero value is good
	// Checkpoint, if there is one, is a block that is known to be of the chain.
	Checkpoint *chainspec.Checkpoint
	// Calls is what the ledger tells of calls to; nil: the status names no module.
	Calls *Calls
	// Foreign are the modules that are plugins, or ask one: an own block with a part for one of them is executed before it is
	// proposed.
	Foreign map[string]bool
	// Probe, if there is one, opens another instance of such a module, to find out what of a block it does not survive.
	Probe Probe
	// Progress is called at each new final block; the plugin host forgives earlier crashes then.
	Progress func()
}

// Errors.
var (
	ErrHalted   = errors.New("the chain has halted")
	ErrClosed   = errors.New("the chain is closed")
	ErrNotFound = errors.New("not found")
)
