// Package moduletest is the conformance suite of the module kind: named cases that every module passes, in process and
// behind a gRPC connection.
//
// A module's own test calls [Run] with a [Factory], which says how to open an instance and which transactions are valid;
// [Remote] turns one factory into another whose instances are reached through gRPC over a unix socket. [Core] is the
// smallest core that a module can live in, for tests of modules; [Tally] is the smallest module that uses everything, for
// tests of those who drive modules; [Dishonest] breaks the rules in the ways that a core has to survive. Each case comes
// with a module, in this package's tests, that only this case fails.
package moduletest

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"testing"

	"google.golang.org/grpc"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// T is what a case needs of a *testing.T. A runner outside of go test can implement it: Fatalf and Skipf must not return.
type T interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
	Context() context.Context
}

// Instance is an open module under test.
type Instance struct {
	Module module.Module
	Close  func() error // nil if it cannot be closed
	// Dial returns what a client sees that asks for another handle: one that is unknown, or of an instance that is no
	// module. Nil in process.
	Dial func(handle uint64) grpc.ClientConnInterface
	// NoOtherKind says that OtherKindHandle is unknown as well, since the plugin's process has modules only.
	NoOtherKind bool
}

// Factory opens instances of a module and knows its transactions.
type Factory struct {
	Open  func() (Instance, error)
	Chain types.ChainID
	// Valid returns n transactions that succeed one after the other, in one block at clock [Clock] or in consecutive ones, on
	// a state in which nothing is yet but what Valid with other seeds has made. Signers have whatever they may spend.
	// The same arguments give the same transactions; other seeds give transactions with other ids. The more of what the
	// module can do is among the first five, the more the suite sees.
	Valid func(seed uint64, n int) []module.Tx
	// Malformed are transactions that Check must refuse.
	Malformed []module.Tx
	// Paths are queries that are answered once Valid([QuerySeed], 5) has been executed.
	Paths []string
	// Params go with every block. GoodParams must pass ValidateParams; BadParams must not, unless it is nil.
	Params, GoodParams, BadParams map[string][]byte
	// Private are paths of Paths whose answer says more to one account than to anybody, and that account.
	Private map[string]types.AccountID
	// Foreign is nil for a module that reads nothing of others.
	Foreign *Foreign
	// ByHeight says that the state which transactions leave depends on the height of their block.
	ByHeight bool
}

// Foreign is what a module reads of others.
type Foreign struct {
	Exports map[string][]string // prefixes, by the other module
	Values  []module.Value      // what others hold there, for Txs to succeed
	// Txs returns transactions that read it. With Values they succeed like those of Valid; without they may fail.
	Txs func(seed uint64, n int) []module.Tx
}

// Clock is the clock of blocks with valid transactions, and QuerySeed the seed of those that queries are about.
const (
	Clock     = 1_000
	QuerySeed = 77
)

// Case is one property of a module.
type Case struct {
	Name string
	Why  string // what goes wrong in a chain whose module does not have it
	Run  func(t T, f Factory)
}

// Cases returns all cases.
func Cases() []Case {
	var out []Case
	out = append(out, checkCases()...)
	out = append(out, executeCases()...)
	out = append(out, sameCases()...)
	out = append(out, spendCases()...)
	out = append(out, readCases()...)
	out = append(out, queryCases()...)
	out = append(out, foreignCases()...)
	out = append(out, scheduleCases()...)
	out = append(out, callCases()...)
	return out
}

// Run runs all cases as subtests.
func Run(t *testing.T, f Factory) {
	t.Helper()
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) { c.Run(t, f) })
	}
}

// opened is an instance under test.
type opened struct {
	module.Module
	Instance
	t T
	f Factory
}

func open(t T, f Factory) *opened {
	t.Helper()
	in, err := f.Open()
	if err != nil {
		t.Fatalf("open an instance: %v", err)
	}
	return &opened{Module: &caught{in.Module}, Instance: in, t: t, f: f}
}

// done closes the instance; cases defer it.
func (o *opened) done() {
	if c := o.Instance.Close; c != nil {
		o.Instance.Close = nil
		if err := c(); err != nil {
			o.t.Errorf("close: %v", err)
		}
	}
}

// core returns a core without any state, in which others export what the factory says, and hold nothing.
func (o *opened) core() *Core {
	c := NewCore(o.f.Chain, o.f.Params)
	if o.f.Foreign != nil {
		for mod, prefixes := range o.f.Foreign.Exports {
			c.Export(mod, prefixes...)
		}
	}
	return c
}

// valid returns n valid transactions.
func (o *opened) valid(seed uint64, n int) []module.Tx {
	o.t.Helper()
	txs := o.f.Valid(seed, n)
	if len(txs) != n {
		o.t.Fatalf("the factory gives %d valid transactions, want %d", len(txs), n)
	}
	return txs
}

// block makes a block of transactions with all that the core adds, without executing it.
func (o *opened) block(c *Core, clock uint64, txs []module.Tx) *module.Block {
	o.t.Helper()
	b, refused, err := c.Prepare(o.t.Context(), o.Module, clock, txs)
	if err != nil {
		o.t.Fatalf("check %d transactions: %v", len(txs), err)
	}
	for i, why := range refused {
		o.t.Fatalf("check refuses valid transaction %d: %s", i, why)
	}
	return b
}

// execute executes a block that has to be legal.
func (o *opened) execute(b *module.Block, r module.Reader) *module.Outcome {
	o.t.Helper()
	out, err := o.Execute(o.t.Context(), b, r)
	if err != nil {
		o.t.Fatalf("execute a block of %d transactions: %v", len(b.Txs), err)
	}
	if err := module.CheckOutcome(b, out); err != nil {
		o.t.Fatalf("execute a block of %d transactions: %v", len(b.Txs), err)
	}
	return out
}

// run executes transactions in a block on a core, which takes over the effects. The signers get what they may spend.
func (o *opened) run(c *Core, clock uint64, txs []module.Tx) *Effect {
	o.t.Helper()
	c.FundAll(txs)
	e, err := c.Block(o.t.Context(), o.Module, clock, txs)
	if err != nil {
		o.t.Fatalf("block of %d transactions at clock %d: %v", len(txs), clock, err)
	}
	if e.Fault != nil {
		o.t.Fatalf("block of %d transactions at clock %d: %v", len(txs), clock, e.Fault)
	}
	if err := c.Conserved(); err != nil {
		o.t.Fatalf("block of %d transactions at clock %d: %v", len(txs), clock, err)
	}
	return e
}

// succeed is run for transactions that all have to take effect.
func (o *opened) succeed(c *Core, clock uint64, txs []module.Tx) *Effect {
	o.t.Helper()
	e := o.run(c, clock, txs)
	for i := range e.Txs {
		if e.Txs[i].Error != "" {
			o.t.Fatalf("valid transaction %d fails: %s (%s)", i, e.Txs[i].Error, e.Txs[i].Detail)
		}
	}
	return e
}

// caught turns a panic of a module in process into an error, so that a case fails rather than the whole suite.
type caught struct{ m module.Module }

var errPanic = errors.New("the module panicked")

func catch(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v\n%s", errPanic, p, debug.Stack())
	}
}

func (c *caught) Check(ctx context.Context, txs []module.Tx) (out []module.TxCheck, err error) {
	defer catch(&err)
	return c.m.Check(ctx, txs)
}

func (c *caught) Execute(ctx context.Context, b *module.Block, r module.Reader) (out *module.Outcome, err error) {
	defer catch(&err)
	return c.m.Execute(ctx, b, r)
}

func (c *caught) Extend(ctx context.Context, slot uint64, r module.Reader) (out []byte, err error) {
	defer catch(&err)
	return c.m.Extend(ctx, slot, r)
}

func (c *caught) Query(ctx context.Context, q module.Query, r module.Reader) (out module.Answer, err error) {
	defer catch(&err)
	return c.m.Query(ctx, q, r)
}

func (c *caught) ValidateParams(ctx context.Context, params map[string][]byte) (err error) {
	defer catch(&err)
	return c.m.ValidateParams(ctx, params)
}

func (c *caught) Migrate(ctx context.Context, from, to string, r module.Reader) (out []module.Write, err error) {
	defer catch(&err)
	return c.m.Migrate(ctx, from, to, r)
}
