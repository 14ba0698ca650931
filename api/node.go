package api

import (
	"context"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Node is what the API needs of a node. All methods may be called concurrently and must heed their context.
type Node interface {
	// Status tells how the node is. It should be cheap: health checks call it.
	Status(ctx context.Context) (NodeStatus, error)
	// Links tells the state of the links to other nodes, those of the configuration first. It sends nothing.
	Links(ctx context.Context) (Links, error)
	// Chains returns the chains that run on the node, in a stable order.
	Chains() []Chain
}

// Chain is what the API needs of one chain. All methods may be called concurrently and must heed their context. Errors should
// wrap the sentinels of this package, or any whose text starts with a stable name ("ErrInsufficient: …").
type Chain interface {
	Name() string
	ID() types.ChainID
	Status() ChainStatus
	// Genesis returns the canonical genesis document. The caller does not change it.
	Genesis() []byte
	// Set returns the producers in force. The caller does not change it.
	Set() *types.Set
	// Params returns the chain's measures and its price list, which alone may change, see package sdk/params.
	Params() Params
	// Reference returns what a new transaction refers to.
	Reference(ctx context.Context) (Reference, error)
	// Submit admits transactions. errs[i] is nil if envelopes[i] waits for a block now; ids[i] is set where the envelope could be
	// read. Both have the length of envelopes. Envelopes are kept by the chain.
	Submit(ctx context.Context, envelopes [][]byte) (ids []types.TxID, errs []error)
	// Tx returns what the node knows of a transaction; an unknown one is no error. It reflects all blocks that Status had
	// reported final before the call.
	Tx(ctx context.Context, id types.TxID) (Tx, error)
	// Block returns the final block at a height, or an error that wraps ErrNotFound.
	Block(ctx context.Context, height uint64) (*Block, error)
	// Epoch returns an epoch that has begun, or an error that wraps ErrNotFound.
	Epoch(ctx context.Context, number uint64) (Epoch, error)
	// Account returns an account as of the newest final block; one that does not exist has no balance and is no error. If prove is
	// true, proofs are wanted, and the answer is as of the newest block whose state root is in a final header, which is the one
	// before; a chain that cannot make them leaves them out.
	Account(ctx context.Context, id types.AccountID, prove bool) (Account, error)
	// Query asks a module about the state after the newest final block, or the one before if proofs are wanted; a chain that cannot
	// make them fails with ErrUnsupported. It fails with ErrUnknownModule, and ErrUnknownPath or module.ErrUnknownPath, and names what
	// is wrong with the right to ask in somebody's name.
	Query(ctx context.Context, q QueryRequest) (QueryAnswer, error)
	// Subscribe returns the final blocks from now on. A block that it tells of can be read with Block.
	Subscribe() (Subscription, error)
}

// Subscription is a sequence of final blocks in ascending order, with a bounded buffer.
type Subscription interface {
	// Next waits for the next block. It fails with ErrSlow if the buffer overflowed, ErrStopped if the chain has ended, and with
	// the context's error, in which case no block is lost.
	Next(ctx context.Context) (*Block, error)
	// Close ends the subscription. It may be called more than once.
	Close()
}

// Admin is what administration needs of a node. What a node does not offer fails with ErrUnsupported.
type Admin interface {
	// Stop begins a graceful stop and returns at once.
	Stop(ctx context.Context, reason string) error
	// Follow makes the node run the chain of a resolved genesis document.
	Follow(ctx context.Context, genesis []byte) (types.ChainID, error)
	// RestartPlugin restarts the processes of a plugin.
	RestartPlugin(ctx context.Context, name string) error
	// SetLogLevel changes what the node logs: debug, info, warn or error.
	SetLogLevel(ctx context.Context, level string) error
	// Probe measures the link to a peer, by its name or id, with 1 to [MaxProbe] datagrams. It fails with ErrBusy while another probe
	// is made, with ErrUnknownPeer, and with ErrNotConnected.
	Probe(ctx context.Context, peer string, datagrams int) (Probe, error)
}

// NodeStatus is how a node is.
type NodeStatus struct {
	Name    string
	ID      types.Hash // hash of the node's key
	Version string
	Listen  string // where peers reach it
	Started time.Time
	Peers   []Peer
	Chains  []ChainStatus
	Plugins []Plugin
}

// Peer is another node.
type Peer struct {
	Name      string // as the configuration has it; empty for a stranger
	ID        types.Hash
	Address   string
	Connected bool
}

// ChainStatus is where a chain stands on a node.
type ChainStatus struct {
	Name        string
	ID          types.ChainID
	Parent      types.ChainID // zero for a root
	Head, Final uint64
	FinalID     types.BlockID
	FinalSlot   uint64
	Slot        uint64     // that the clock is in
	StateRoot   types.Hash // after the newest proven block, which is at StateHeight
	StateHeight uint64
	Producers   int
	Producer    bool // this node is one of them
	Produced    uint64
	Skipped     uint64
	Waiting     int // transactions in the pool
	Burned      uint64
	Halted      string // why it will not go on; empty if it runs
	Stalled     string // what it waits for; empty if it runs
	Trouble     string // what is wrong with this node's part in the chain, which may go on all the same; empty if nothing
}

// Plugin is one process of the operating system.
type Plugin struct {
	Name      string
	Chain     string // the chain that it is for, if for one alone
	Kinds     []string
	Version   string
	Digest    string // SHA-256 of an external plugin's file
	Path      string // "built in" or the binary's
	PID       int    // 0 while there is none
	State     string // starting, ready, restarting, stopping or stopped
	Restarts  int
	RSS       int64 // resident memory in bytes
	Started   time.Time
	LastError string
	Instances []Instance
}

// Instance is one chain's use of a plugin.
type Instance struct {
	Chain   string
	Kind    string
	Ready   bool
	Crashes int    // without progress since
	Failed  string // why it has failed for good; empty if it has not
}

// Params is what does not change in the life of a chain's rules, and the fees of the next block. Amounts are in the smallest
// unit.
type Params struct {
	Token         string
	GenesisTimeMs uint64 // Unix time of slot 0
	SlotMs        uint64
	TxLifetime    uint64 // in slots: a transaction may expire this far ahead
	Fees          Fees
	Limits        ChainLimits
	Modules       []string // in the order of execution
}

// SlotTimeMs returns the Unix time at which a slot starts.
func (p *Params) SlotTimeMs(slot uint64) uint64 { return p.GenesisTimeMs + slot*p.SlotMs }

// Fees says what a transaction pays: the larger of Floor and bytes × PerByte + gas × PerGas.
type Fees struct{ PerByte, PerGas, Floor, BurnPPM uint64 }

// Of returns the fee of a transaction whose envelope has size bytes and which uses gas. It saturates.
func (f Fees) Of(size int, gas uint64) uint64 {
	return max(f.Floor, satAdd(satMul(uint64(size), f.PerByte), satMul(gas, f.PerGas)))
}

func satAdd(a, b uint64) uint64 {
	if a+b < a {
		return ^uint64(0)
	}
	return a + b
}

func satMul(a, b uint64) uint64 {
	if c := a * b; a == 0 || c/a == b {
		return c
	}
	return ^uint64(0)
}

// ChainLimits bound a chain's blocks and transactions.
type ChainLimits struct{ BlockBytes, TxBytes, BlockGas uint64 }

// Reference is what a new transaction refers to.
type Reference struct {
	Height uint64 // of the newest final block
	ID     types.BlockID
	Clock  uint64 // the chain's clock in that block
	Slot   uint64 // that the node's clock is in
}

// Stage says how far a transaction has come.
type Stage int

// The stages, in ascending order.
const (
	Unknown Stage = iota
	Waiting
	Included // in a block that is not final
	Final
)

// String returns the stage's name.
func (s Stage) String() string {
	switch s {
	case Waiting:
		return "waiting"
	case Included:
		return "included"
	case Final:
		return "final"
	}
	return "unknown"
}

// Tx is what a node knows of a transaction.
type Tx struct {
	ID       types.TxID
	Stage    Stage
	Height   uint64 // set from Included on, like Block and Index
	Block    types.BlockID
	Index    int
	Envelope []byte
	Receipt  *types.Receipt // set when final
}

// Block is a final block. On the client's side, what was not asked for is nil.
type Block struct {
	ID          types.BlockID
	Header      *types.Header
	Certificate *types.Certificate // of this very block; nil if a descendant's made it final
	TxCount     int                // only read from a client's answer; a Chain need not set it
	TxIDs       []types.TxID
	Receipts    []types.Receipt // the first len(TxIDs) belong to them, others to scheduled work
	Body        []byte          // encoded
	Finality    *types.Finality // proof that is for this very block; nil if a descendant's made it final
}

// Account is an account as of a final block. Amounts are in the smallest unit.
type Account struct {
	ID        types.AccountID
	Balance   uint64
	Locked    uint64           // not vested yet
	Free      uint64           // may be spent
	Authority *types.Authority // nil until the account's first transaction has revealed it
	Height    uint64
	Clock     uint64
	Proofs    []ItemProof
	// ProofHeight is the height of the final block whose state root the proofs lead to; 0 without proofs.
	ProofHeight uint64
}

// ItemProof shows what the state tree holds for an item. Value is nil if it holds nothing.
type ItemProof struct {
	Module string
	Place  types.Place
	Key    []byte
	Value  []byte
	Proof  *types.StateProof
}
