package moduletest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Trick is a way of breaking the rules.
type Trick string

// The tricks. Those under Faults break a rule in what they answer, and every core finds the same; those under Failures end
// in an error that says nothing about the block; those under Lies are for others to find, by asking twice. Those under Deferred
// come later, in the block in which something is due; those under Asides are played where no block is executed.
const (
	// Faults.
	Mint             Trick = "mint"               // takes tokens from an escrow that is empty
	Overspend        Trick = "overspend"          // takes one unit more than the first action's max_spend
	Rob              Trick = "rob"                // takes tokens from an account that did not sign
	SpendAction      Trick = "spend-action"       // spends for an action that the transaction does not have
	BlockSpends      Trick = "block-spends"       // scheduled work takes tokens from a signer
	Overflow         Trick = "overflow"           // two transfers whose sum wraps around
	NoParty          Trick = "no-party"           // a transfer from nowhere
	BothParties      Trick = "both-parties"       // a transfer to an account and an escrow
	LongKey          Trick = "long-key"           // writes under a key that is too long
	LargeValue       Trick = "large-value"        // writes a value that is too large
	PastSchedule     Trick = "past-schedule"      // schedules for a clock that has passed
	BadEvent         Trick = "bad-event"          // an event that is not JSON
	ManyEvents       Trick = "many-events"        // more events than a receipt holds
	TooMuch          Trick = "too-much"           // a result that is too large
	TooFew           Trick = "too-few"            // a result is missing
	TooMany          Trick = "too-many"           // a result more than transactions
	NilOutcome       Trick = "nil-outcome"        // no outcome
	Gas              Trick = "gas"                // uses more gas than max_gas
	BlockFails       Trick = "block-fails"        // scheduled work fails
	ReadsForOthers   Trick = "reads-for-others"   // reads for a transaction that there is not
	ReadsOn          Trick = "reads-on"           // goes on reading after reads were refused
	RefusalIsFailure Trick = "refusal-is-failure" // takes a refused read for a failure of the block
	CheckTooFew      Trick = "check-too-few"      // Check leaves one out
	CheckForeign     Trick = "check-foreign"      // Check declares an item that no other module exports
	ForeignWrite     Trick = "foreign-write"      // writes an item of another module
	ForeignEscrow    Trick = "foreign-escrow"     // takes tokens from another module's escrow
	ForeignGift      Trick = "foreign-gift"       // gives tokens to another module's escrow
	ForeignSchedule  Trick = "foreign-schedule"   // schedules for an item of another module
	ForeignRead      Trick = "foreign-read"       // takes it for a failure of the block that it may not read another module's item
	// Failures.
	Hang       Trick = "hang"        // Execute answers only when its context ends
	Crash      Trick = "crash"       // Execute panics
	Fail       Trick = "fail"        // Execute fails
	CheckFail  Trick = "check-fail"  // Check fails
	CheckCrash Trick = "check-crash" // Check panics
	// Lies.
	Differs      Trick = "differs"       // each execution gives another result
	CheckDiffers Trick = "check-differs" // each Check gives another answer
	// Deferred. With these each transaction schedules an entry for the next clock.
	DueFault Trick = "due-fault" // whenever something is due, the answer breaks the rules
	DueCrash Trick = "due-crash" // whenever something is due, Execute panics
	// Asides.
	ExtendLong  Trick = "extend-long"  // an extension that is too long
	ExtendHang  Trick = "extend-hang"  // Extend answers only when its context ends
	ExtendFail  Trick = "extend-fail"  // Extend fails
	QueryLong   Trick = "query-long"   // an answer that is too long
	QueryRests  Trick = "query-rests"  // an answer that rests on too many items
	QueryOthers Trick = "query-others" // an answer that rests on an item of another module
	QueryHang   Trick = "query-hang"   // Query answers only when its context ends
	QueryCrash  Trick = "query-crash"  // Query panics
	ParamsHang  Trick = "params-hang"  // ValidateParams answers only when its context ends
	ParamsCrash Trick = "params-crash" // ValidateParams panics
	// Neither: these are put in order, or affect nobody else.
	Unnamed Trick = "unnamed" // fails with something that is no name
	Deny    Trick = "deny"    // a transaction fails that could succeed
)

// Faults, Failures and Lies are the tricks by what a core has to make of them.
func Faults() []Trick {
	return []Trick{Mint, Overspend, Rob, SpendAction, BlockSpends, Overflow, NoParty, BothParties, LongKey, LargeValue, PastSchedule, BadEvent,
		ManyEvents, TooMuch, TooFew, TooMany, NilOutcome, Gas, BlockFails, ReadsForOthers, ReadsOn, RefusalIsFailure, CheckTooFew,
		CheckForeign, ForeignWrite, ForeignEscrow, ForeignGift, ForeignSchedule, ForeignRead}
}

// Failures are tricks that end in an error which is no fault.
func Failures() []Trick { return []Trick{Hang, Crash, Fail, CheckFail, CheckCrash} }

// Lies are tricks that no single answer gives away.
func Lies() []Trick { return []Trick{Differs, CheckDiffers} }

// Deferred are tricks that come when something is due, and Asides those that are played where no block is executed.
func Deferred() []Trick { return []Trick{DueFault, DueCrash} }

// Asides are tricks that are played where no block is executed. They must not harm one.
func Asides() []Trick {
	return []Trick{ExtendLong, ExtendHang, ExtendFail, QueryLong, QueryRests, QueryOthers, QueryHang, QueryCrash, ParamsHang, ParamsCrash}
}

// Dishonest is a module that breaks the rules: a core must survive each of its tricks without losing a token, a block or
// another module's transactions. Where it plays no trick it accepts every transaction; each writes one item, escrows the
// max_spend of its first action there, and schedules nothing but for the tricks under Deferred. It may be used concurrently, and Trick may be changed between
// calls only.
type Dishonest struct {
	Trick Trick
	// When says in which blocks the trick is played; nil: in those that have a transaction. What is not about one block is
	// always played, and what is about due entries whenever there are some.
	When func(*module.Block) bool

	runs atomic.Uint64
}

// DishonestItem is the item that a transaction writes.
func DishonestItem(tx *module.Tx) module.Item {
	it := module.Item{Key: "d/" + string(tx.ID[:])}
	copy(it.Place[:], tx.ID[:8])
	return it
}

// Check implements module.Module.
func (d *Dishonest) Check(_ context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	out := make([]module.TxCheck, len(txs))
	switch d.Trick {
	case CheckTooFew:
		return out[:max(len(out), 1)-1], nil
	case CheckFail:
		return nil, errors.New("dishonest: check fails")
	case CheckCrash:
		panic("dishonest: check crashes")
	case CheckForeign:
		for i := range out {
			out[i].Reads = []module.Item{foreignItem()}
		}
	case CheckDiffers:
		run := d.runs.Add(1)
		for i := range out {
			out[i].Gas = run
		}
	}
	return out, nil
}

// Execute implements module.Module.
func (d *Dishonest) Execute(ctx context.Context, b *module.Block, r module.Reader) (*module.Outcome, error) {
	out := &module.Outcome{Txs: make([]module.Result, len(b.Txs))}
	for i := range b.Txs {
		t := &b.Txs[i]
		it, from := DishonestItem(t), t.Account
		out.Txs[i] = module.Result{Gas: min(100, t.MaxGas), Writes: []module.Write{{Item: it, Data: []byte{1}}}}
		if len(t.Actions) > 0 && t.Actions[0].MaxSpend > 0 {
			out.Txs[i].Transfers = []module.Transfer{{From: module.Party{Account: &from}, To: module.Party{Escrow: &it}, Amount: t.Actions[0].MaxSpend}}
		}
		if d.Trick == DueFault || d.Trick == DueCrash {
			out.Txs[i].Schedule = []module.Schedule{{Clock: b.Clock + 1, ID: t.ID, Item: it}}
		}
	}
	if len(b.Due) > 0 {
		switch d.Trick {
		case DueFault:
			out.Block.Error = "ErrNever"
		case DueCrash:
			panic("dishonest: execute crashes when something is due")
		}
	}
	run := d.runs.Add(1)
	if d.When != nil && !d.When(b) || d.When == nil && len(b.Txs) == 0 {
		return out, nil
	}
	switch d.Trick {
	case Hang:
		<-ctx.Done()
		return nil, fmt.Errorf("dishonest: %w", ctx.Err())
	case Crash:
		panic("dishonest: execute crashes")
	case Fail:
		return nil, errors.New("dishonest: execute fails")
	case NilOutcome:
		return nil, nil
	case TooMany:
		out.Txs = append(out.Txs, module.Result{})
	case BlockFails:
		out.Block.Error = "ErrNever"
	}
	if len(b.Txs) == 0 {
		return out, nil
	}
	return d.trick(ctx, b, r, out, run)
}

// trick spoils the outcome of a block that has transactions; mostly in the result of the last.
func (d *Dishonest) trick(ctx context.Context, b *module.Block, r module.Reader, out *module.Outcome, run uint64) (*module.Outcome, error) {
	last := len(b.Txs) - 1
	t, res := &b.Txs[last], &out.Txs[last]
	me, it := t.Account, DishonestItem(t)
	signer, empty := module.Party{Account: &me}, module.Party{Escrow: &module.Item{Key: "nothing here"}}
	move := func(from, to module.Party, amount uint64, action int) {
		res.Transfers = append(res.Transfers, module.Transfer{From: from, To: to, Amount: amount, Action: action})
	}
	switch d.Trick {
	case Mint:
		move(empty, signer, 1_000_000, 0)
	case Overspend:
		move(signer, empty, 1, 0)
	case Rob:
		other := types.AccountID{0xbb}
		if other == me {
			other[1] = 1
		}
		move(module.Party{Account: &other}, signer, 1, 0)
	case SpendAction:
		move(signer, empty, 0, len(t.Actions))
	case BlockSpends:
		out.Block.Transfers = []module.Transfer{{From: signer, To: empty, Amount: 0}}
	case Overflow:
		move(signer, empty, ^uint64(0)-1, 0)
		move(signer, empty, 3, 0)
	case NoParty:
		move(module.Party{}, signer, 1, 0)
	case BothParties:
		move(empty, module.Party{Account: &me, Escrow: &it}, 0, 0)
	case LongKey:
		res.Writes = append(res.Writes, module.Write{Item: module.Item{Key: strings.Repeat("k", module.MaxKeyBytes+1)}})
	case LargeValue:
		res.Writes = append(res.Writes, module.Write{Item: it, Data: make([]byte, module.MaxValueBytes+1)})
	case PastSchedule:
		res.Schedule = append(res.Schedule, module.Schedule{Clock: b.Clock, ID: [32]byte{1}, Item: it})
	case BadEvent:
		res.Events = append(res.Events, module.Event{Name: "lie", Data: []byte("{")})
	case ManyEvents:
		res.Events = make([]module.Event, types.MaxEvents+1)
	case TooMuch:
		for i := range module.MaxResultBytes/module.MaxValueBytes + 1 {
			it.Key = fmt.Sprint(i)
			res.Writes = append(res.Writes, module.Write{Item: it, Data: make([]byte, module.MaxValueBytes)})
		}
	case ForeignWrite:
		res.Writes = append(res.Writes, module.Write{Item: foreignItem(), Data: []byte("mine")})
	case ForeignEscrow:
		it = foreignItem()
		move(module.Party{Escrow: &it}, signer, module.WholeEscrow, 0)
	case ForeignGift:
		it = foreignItem()
		move(signer, module.Party{Escrow: &it}, 0, 0)
	case ForeignSchedule:
		res.Schedule = append(res.Schedule, module.Schedule{Clock: b.Clock + 1, Item: foreignItem()})
	case ForeignRead:
		if _, err := r.Read(ctx, last, []module.Item{foreignItem()}); err != nil {
			return nil, fmt.Errorf("dishonest: %w", err)
		}
	case TooFew:
		out.Txs = out.Txs[:last]
	case Gas:
		res.Gas = t.MaxGas + 1
	case ReadsForOthers:
		_, _ = r.Read(ctx, len(b.Txs), []module.Item{it})
	case ReadsOn, RefusalIsFailure:
		var err error
		for range module.MaxReadsPerTx + module.MaxRefusals + 8 {
			if _, err = r.Read(ctx, last, []module.Item{it}); err != nil && d.Trick == RefusalIsFailure {
				return nil, fmt.Errorf("dishonest: %w", err)
			}
		}
	case Differs:
		res.Writes = append(res.Writes, module.Write{Item: module.Item{Key: "runs"}, Data: fmt.Append(nil, run)})
	case Unnamed:
		*res = module.Result{Error: "this is not\x00a name, but " + strings.Repeat("long", 300)}
	case Deny:
		*res = module.Result{Error: "ErrDenied"}
	}
	return out, nil
}

// foreignItem is one that no other module exports.
func foreignItem() module.Item { return module.Item{Module: "bank", Key: "nobody exports this"} }

// Extend implements module.Module.
func (d *Dishonest) Extend(ctx context.Context, _ uint64, _ module.Reader) ([]byte, error) {
	switch d.Trick {
	case ExtendLong:
		return make([]byte, types.MaxExtensionBytes+1), nil
	case ExtendHang:
		<-ctx.Done()
		return nil, fmt.Errorf("dishonest: %w", ctx.Err())
	case ExtendFail:
		return nil, errors.New("dishonest: extend fails")
	}
	return nil, nil
}

// Query implements module.Module. It knows the path "trick" while it plays one.
func (d *Dishonest) Query(ctx context.Context, q module.Query, _ module.Reader) (module.Answer, error) {
	a := module.Answer{JSON: []byte("1")}
	switch d.Trick {
	case QueryLong:
		a.JSON = append(bytes.Repeat([]byte{' '}, module.MaxAnswerBytes), '1')
	case QueryRests:
		a.RestsOn = make([]module.Item, module.MaxRestsOn+1)
	case QueryOthers:
		a.RestsOn = []module.Item{foreignItem()}
	case QueryHang:
		<-ctx.Done()
		return module.Answer{}, fmt.Errorf("dishonest: %w", ctx.Err())
	case QueryCrash:
		panic("dishonest: query crashes")
	default:
		return module.Answer{}, fmt.Errorf("%w: %.80q", module.ErrUnknownPath, q.Path)
	}
	return a, nil
}

// ValidateParams implements module.Module.
func (d *Dishonest) ValidateParams(ctx context.Context, _ map[string][]byte) error {
	switch d.Trick {
	case ParamsHang:
		<-ctx.Done()
		return fmt.Errorf("dishonest: %w", ctx.Err())
	case ParamsCrash:
		panic("dishonest: validation crashes")
	}
	return nil
}

// Migrate implements module.Module.
func (d *Dishonest) Migrate(context.Context, string, string, module.Reader) ([]module.Write, error) {
	return nil, module.ErrUnsupported
}
