// Package module is on-chain rules: what a module's transactions mean, which state they change, what falls due when. The
// core has a few modules of its own; plugins bring others. All go through this interface.
//
// The life of a module. Transactions are shown to Check when a node admits them; the answer must rest on nothing but the
// transaction, not even on the others that are shown with it: the core keeps it, and does not ask again when the transaction comes in
// a block, unless it is told of another MaxGas. For each block that has anything for the module, the core calls Execute once: with the block, its
// transactions for this module in order, what fell due, the extensions that producers put in, and the values of the items
// that Check had named. Execute may read more through the Reader, one call after the other, charged to the transaction that
// it names. It returns a result for each transaction. Results build on each other: the Reader shows the state at the start
// of the block, so what an earlier transaction of the block changed the module must remember itself until it returns.
//
// A transaction may fail by the module's own word, with a named error; that includes one that cannot be done within its
// MaxGas. Anything that the core's guarantees forbid (a source of tokens that is not the item's own escrow or the signer up
// to max_spend, a result count that does not match, a malformed item, more gas than MaxGas) is a fault of the module: the
// whole group's results in that block are dropped, on every node alike, and the fees kept. A fault wraps [ErrFault]; see
// there for what else can go wrong.
//
// Execute must be deterministic, sees one block at a time, and keeps nothing between blocks: the same block may be
// executed again, or never become final. Check, Query and Extend may be called while a block is being executed. A call whose
// context ends should return soon; the core stops waiting for it. Items are {place, key} in the module's own namespace; the
// core adds the module.
//
// A module may read what another one exports, which is what lies under keys that begin with certain prefixes, by naming that
// module in the item: declared by Check, or through the Reader of Execute. Everything else of others is closed to it. What it is shown
// is the state at the start of the block, and another module's business: it may be missing, or in a form that is not known yet. A chain
// that lacks the other module exports nothing of it, and to declare such a read is a fault, so a module has to be told by its
// configuration whether the chain has it.
//
// A node may be told not to trust a module's determinism. It then asks every question that decides a block twice, perhaps
// of two instances, and halts the chain if the answers differ in anything that [Outcome.Digest] or [TxCheck.Digest] names.
//
// [NewClient] is a Module at the other end of a gRPC connection, [RegisterServer] serves open instances, [Guard] puts the
// same checks around a module in process, and the package moduletest is the suite that every module passes.
package module

import (
	"context"
	"errors"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Errors.
var (
	ErrClosed      = errors.New("module: closed")
	ErrUnknownPath = errors.New("module: unknown path")
	ErrBadParams   = errors.New("module: bad parameters")
	ErrReadLimit   = errors.New("module: too many reads for one transaction")
	ErrUnsupported = errors.New("module: not supported")
	ErrInvalid     = errors.New("module: invalid call")
	// ErrFault says that a module's answer breaks a rule that no transaction can excuse. It is deterministic: every node
	// finds the same, and drops the results of the module's whole group in that block. It rests on what the module answered
	// and on nothing else; a module that is lost, late, out of memory or says itself that it failed is no fault in this
	// sense, and is asked again.
	ErrFault = errors.New("module: fault")
)

// WholeEscrow, as the amount of a transfer from an escrow, stands for all that the escrow holds.
const WholeEscrow = ^uint64(0)

// Limits that the core enforces.
const (
	MaxKeyBytes    = 256
	MaxValueBytes  = 64 << 10
	MaxDuePerBlock = 64
	MaxReadsPerTx  = 256
	MaxErrorBytes  = 64
)

// BlockTx, as the tx of a read, charges a read to the block: for due items and extensions.
const BlockTx = -1

// Item is a key in the module's own namespace. Place decides where in the state tree it lies: use the place of the account
// or id that the item belongs to.
//
// Module, if not empty, names another module, whose item is read: one whose key begins with a prefix that this module exports.
// It may be set in [TxCheck].Reads and in what [Reader].Read is asked for during Execute, and nowhere else. The value is always
// that at the start of the block, whatever the block has done to it, so that the order of modules within a block decides nothing.
type Item struct {
	Place  types.Place
	Key    string
	Module string
}

// Tx is a transaction as a module sees it. Signatures and fees are the core's business.
type Tx struct {
	ID      types.TxID
	Account types.AccountID
	Actions []types.Action
	MaxGas  uint64
	Bytes   int // size of its envelope
}

// Facet is something about a transaction that permissions can be predicated on. The core reads none yet.
type Facet struct {
	Name    string
	Amount  uint64
	Account *types.AccountID
}

// TxCheck is what Check says of one transaction. Error is empty if it is well formed.
type TxCheck struct {
	Error  string
	Reads  []Item
	Facets []Facet
	Gas    uint64 // upper bound; 0 if unknown
}

// Due is a scheduled entry that has fallen due.
type Due struct {
	ID   [32]byte
	Item Item
	Data []byte
}

// Value is what the state holds for an item. Data is nil if there is none.
type Value struct {
	Item Item
	Data []byte
}

// Block is what Execute is about.
type Block struct {
	Chain      types.ChainID
	Height     uint64
	Slot       uint64
	Clock      uint64
	Producer   types.Hash
	Parent     types.BlockID
	Txs        []Tx
	Due        []Due
	Extensions [][]byte
	Values     []Value           // of the items that Check declared and due entries named
	Params     map[string][]byte // JSON values
	Consensus  *ConsensusInfo    // for the module of the consensus plugin, which executes every block; else nil
	// Producers are the keys of those who make blocks in this block's epoch, in the order of the set. Nobody changes it.
	Producers []types.PublicKey
}

// ConsensusInfo is what the module of the consensus plugin sees of each block.
type ConsensusInfo struct {
	Epoch       uint64
	Header      []byte // the plugin's own header bytes
	Certificate []byte // encoded, that the block carries; may be nil
	Set         []byte // encoded types.Set of the epoch
	ParentSlot  uint64
	Closes      bool // the block closes its epoch
}

// Reader reads the state as it was at the start of the block. A read that is one too many fails with ErrReadLimit; one of an
// item that no other module exports, and a scan in another module, with ErrInvalid. Both are for the module to handle: they
// depend on what it asked for and on nothing else.
type Reader interface {
	// Read returns the values of items, nil where there is none. tx is an index into Block.Txs, or BlockTx.
	Read(ctx context.Context, tx int, items []Item) ([][]byte, error)
	// Scan returns up to limit items in [start, end) in the order of place, then key. more tells whether there are further ones.
	Scan(ctx context.Context, tx int, start, end Item, limit int) (values []Value, more bool, err error)
}

// Write sets or, if Data is nil, deletes an item.
type Write struct {
	Item Item
	Data []byte
}

// Party is one end of a transfer: an account, or the escrow that lies with one of the module's items.
type Party struct {
	Account *types.AccountID
	Escrow  *Item
}

// Transfer moves Amount of the smallest unit. If From is an account it must be the transaction's signer, and Action says
// whose MaxSpend pays. Burning is a transfer to types.BurnAccount.
type Transfer struct {
	From, To Party
	Amount   uint64
	Action   int
}

// Schedule asks for an entry in the queue at a clock, or removes one.
type Schedule struct {
	Clock  uint64
	ID     [32]byte
	Item   Item
	Data   []byte
	Cancel bool
}

// Event is told to the world when the block is final. Data is a JSON object.
type Event struct {
	Name     string
	Data     []byte
	Accounts []types.AccountID
	Item     []byte
}

// Result is the effect of one transaction, or of the block's due entries. If Error is set, only Error and Gas count.
type Result struct {
	Error     string // named and stable
	Detail    string // for humans
	Gas       uint64
	Writes    []Write
	Transfers []Transfer
	Schedule  []Schedule
	Events    []Event
}

// Outcome is what Execute returns. Block is applied before Txs[0].
type Outcome struct {
	Txs   []Result
	Block Result
}

// Query is a question of a client.
type Query struct {
	Caller   *types.AccountID // nil: anybody
	Height   uint64
	Clock    uint64
	Path     string
	Argument []byte
}

// Answer is JSON, and the items that it rests on.
type Answer struct {
	JSON    []byte
	RestsOn []Item
}

// Module is one instance's rules.
type Module interface {
	Check(ctx context.Context, txs []Tx) ([]TxCheck, error)
	Execute(ctx context.Context, b *Block, r Reader) (*Outcome, error)
	// Extend returns what this node's producer puts into its own block at slot, at most types.MaxExtensionBytes; nil for
	// nothing. Where the extensions of all modules do not fit a block, one is left out and asked for again for the next. One that
	// comes too late for its block goes into this producer's next one.
	Extend(ctx context.Context, slot uint64, r Reader) ([]byte, error)
	// Query fails with ErrUnknownPath.
	Query(ctx context.Context, q Query, r Reader) (Answer, error)
	// ValidateParams fails with ErrBadParams, saying which is wrong and why.
	ValidateParams(ctx context.Context, params map[string][]byte) error
	// Migrate returns the writes that turn state under rules from into state under rules to.
	Migrate(ctx context.Context, from, to string, r Reader) ([]Write, error)
}
