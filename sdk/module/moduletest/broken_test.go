package moduletest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/internal/serve"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// broken is a Tally that does one thing wrong. Where a fault would be seen in any block, it is limited to blocks of the size
// that the case in question executes.
type broken struct {
	*Tally
	check   func(txs []module.Tx, out []module.TxCheck) []module.TxCheck
	enter   func(ctx context.Context, b *module.Block, r module.Reader) (module.Reader, error)
	leave   func(ctx context.Context, b *module.Block, out *module.Outcome, err error) (*module.Outcome, error)
	block   func(b *module.Block) *module.Block
	extend  func() []byte
	ask     func(q module.Query) module.Query
	query   func(q module.Query, a module.Answer, err error) (module.Answer, error)
	params  func(err error) error
	migrate func(err error) error
}

func (m *broken) Check(ctx context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	out, err := m.Tally.Check(ctx, txs)
	if err == nil && m.check != nil {
		out = m.check(txs, out)
	}
	return out, err
}

func (m *broken) Execute(ctx context.Context, b *module.Block, r module.Reader) (out *module.Outcome, err error) {
	if m.enter != nil {
		if r, err = m.enter(ctx, b, r); err != nil {
			return nil, err
		}
	}
	seen := b
	if m.block != nil {
		seen = m.block(b)
	}
	out, err = m.Tally.Execute(ctx, seen, r)
	if m.leave != nil {
		out, err = m.leave(ctx, b, out, err)
	}
	return out, err
}

func (m *broken) Extend(ctx context.Context, slot uint64, r module.Reader) ([]byte, error) {
	x, err := m.Tally.Extend(ctx, slot, r)
	if err == nil && m.extend != nil {
		x = m.extend()
	}
	return x, err
}

func (m *broken) Query(ctx context.Context, q module.Query, r module.Reader) (module.Answer, error) {
	if m.ask != nil {
		q = m.ask(q)
	}
	a, err := m.Tally.Query(ctx, q, r)
	if m.query != nil {
		a, err = m.query(q, a, err)
	}
	return a, err
}

func (m *broken) ValidateParams(ctx context.Context, params map[string][]byte) error {
	err := m.Tally.ValidateParams(ctx, params)
	if m.params != nil {
		err = m.params(err)
	}
	return err
}

func (m *broken) Migrate(ctx context.Context, from, to string, r module.Reader) ([]module.Write, error) {
	w, err := m.Tally.Migrate(ctx, from, to, r)
	if m.migrate != nil {
		err = m.migrate(err)
	}
	return w, err
}

// onSize is a leave for blocks of n transactions whose outcome is whole.
func onSize(n int, f func(b *module.Block, out *module.Outcome)) func(*broken) {
	return func(m *broken) {
		m.leave = func(_ context.Context, b *module.Block, out *module.Outcome, err error) (*module.Outcome, error) {
			if err == nil && len(b.Txs) == n {
				f(b, out)
			}
			return out, err
		}
	}
}

// wrongReader does something else than the Reader that it was given.
type wrongReader struct {
	module.Reader
	read func(err error) error
	tx   func(tx int) int
	scan func(values []module.Value, more bool) ([]module.Value, bool)
}

func (w *wrongReader) Read(ctx context.Context, tx int, items []module.Item) ([][]byte, error) {
	if w.tx != nil {
		tx = w.tx(tx)
	}
	values, err := w.Reader.Read(ctx, tx, items)
	if err != nil && w.read != nil {
		err = w.read(err)
		values = make([][]byte, len(items))
	}
	return values, err
}

func (w *wrongReader) Scan(ctx context.Context, tx int, start, end module.Item, limit int) ([]module.Value, bool, error) {
	if w.tx != nil {
		tx = w.tx(tx)
	}
	values, more, err := w.Reader.Scan(ctx, tx, start, end, limit)
	if w.read != nil && err != nil {
		err = w.read(err)
	}
	if w.scan != nil {
		values, more = w.scan(values, more)
	}
	return values, more, err
}

func readingOnSize(n int, w wrongReader) func(*broken) {
	return func(m *broken) {
		m.enter = func(_ context.Context, b *module.Block, r module.Reader) (module.Reader, error) {
			if len(b.Txs) == n {
				c := w
				c.Reader = r
				return &c, nil
			}
			return r, nil
		}
	}
}

func isMalformed(t *module.Tx) bool {
	for _, a := range t.Actions {
		if _, problem := tallyParse(a); problem != "" {
			return true
		}
	}
	return false
}

// brokenModules has a module for each case that only this case fails.
var brokenModules = map[string]func(*broken){
	"one-check-a-transaction": func(m *broken) {
		m.check = func(txs []module.Tx, out []module.TxCheck) []module.TxCheck {
			if len(txs) == 11 {
				out = out[:10]
			}
			return out
		}
	},
	"valid-is-accepted": func(m *broken) {
		m.check = func(txs []module.Tx, out []module.TxCheck) []module.TxCheck {
			if len(txs) == 29 && txs[0].ID != TallyTxs(2, 1)[0].ID {
				out[28] = module.TxCheck{Error: "ErrMood"}
			}
			return out
		}
	},
	"malformed-is-refused-by-name": func(m *broken) {
		m.check = func(txs []module.Tx, out []module.TxCheck) []module.TxCheck {
			for i := range out {
				if out[i].Error != "" {
					out[i].Error = "that won't do"
				}
			}
			return out
		}
	},
	"check-sees-each-alone": func(m *broken) {
		m.check = func(txs []module.Tx, out []module.TxCheck) []module.TxCheck {
			if len(txs) == 9 {
				out[8].Gas++
			}
			return out
		}
	},
	"check-is-stateless": func(m *broken) {
		var done sync.Map
		m.leave = func(_ context.Context, b *module.Block, out *module.Outcome, err error) (*module.Outcome, error) {
			if len(b.Txs) == 13 {
				done.Store(b.Txs[12].ID, true)
			}
			return out, err
		}
		m.check = func(txs []module.Tx, out []module.TxCheck) []module.TxCheck {
			for i := range txs {
				if _, ok := done.Load(txs[i].ID); ok {
					out[i].Gas++
				}
			}
			return out
		}
	},
	"parameters-are-validated": func(m *broken) {
		m.params = func(err error) error {
			if errors.Is(err, module.ErrBadParams) {
				return nil
			}
			return err
		}
	},
	"valid-takes-effect": onSize(10, func(b *module.Block, out *module.Outcome) {
		out.Txs[9] = module.Result{Error: "ErrTen"}
	}),
	"one-result-a-transaction": onSize(35, func(b *module.Block, out *module.Outcome) { out.Txs = out.Txs[:34] }),
	"a-failure-leaves-no-trace": func(m *broken) {
		m.leave = func(_ context.Context, b *module.Block, out *module.Outcome, err error) (*module.Outcome, error) {
			if err == nil && len(b.Txs) == 29 && out.Txs[0].Error != "" {
				out.Txs[1].Writes = append(out.Txs[1].Writes, module.Write{Item: module.Item{Key: "failures"}, Data: []byte{1}})
			}
			return out, err
		}
	},
	"malformed-fails-alone": func(m *broken) {
		m.leave = func(_ context.Context, b *module.Block, out *module.Outcome, err error) (*module.Outcome, error) {
			if err != nil || len(b.Txs) > 20 {
				return out, err
			}
			for i := range b.Txs {
				if isMalformed(&b.Txs[i]) && i+1 < len(out.Txs) && out.Txs[i+1].Error == "" {
					out.Txs[i+1].Events = append(out.Txs[i+1].Events, module.Event{Name: "after-nonsense"})
				}
			}
			return out, err
		}
	},
	"failures-have-names": func(m *broken) {
		m.leave = func(_ context.Context, b *module.Block, out *module.Outcome, err error) (*module.Outcome, error) {
			for i := range b.Txs {
				if err == nil && out.Txs[i].Error != "" {
					out.Txs[i].Error = "something went wrong"
				}
			}
			return out, err
		}
	},
	"garbage-does-no-harm": func(m *broken) {
		m.leave = func(_ context.Context, b *module.Block, out *module.Outcome, err error) (*module.Outcome, error) {
			for i := range b.Txs {
				if len(b.Txs[i].Actions) == 0 {
					var none []int
					_ = none[len(b.Txs[i].Actions)]
				}
			}
			return out, err
		}
	},
	"outcome-within-limits": onSize(18, func(b *module.Block, out *module.Outcome) {
		out.Txs[3].Writes = []module.Write{{Item: module.Item{Key: strings.Repeat("k", module.MaxKeyBytes+1)}}}
	}),
	"large-block": func(m *broken) {
		m.leave = func(_ context.Context, b *module.Block, out *module.Outcome, err error) (*module.Outcome, error) {
			if err == nil && len(b.Txs) > 4096 {
				out.Txs = out.Txs[:4096]
			}
			return out, err
		}
	},
	"garbage-extension-is-a-failed-item": func(m *broken) {
		m.enter = func(_ context.Context, b *module.Block, r module.Reader) (module.Reader, error) {
			if len(b.Extensions) > 0 {
				return nil, errors.New("an extension that makes no sense")
			}
			return r, nil
		}
	},
	"same-block-twice": func(m *broken) {
		var last atomic.Uint64
		onSize(33, func(b *module.Block, out *module.Outcome) {
			if last.Swap(b.Height) == b.Height {
				out.Txs[0].Gas--
			}
		})(m)
	},
	"same-in-two-instances": func(m *broken) {
		me := fmt.Appendf(nil, `"%p"`, m)
		onSize(6, func(b *module.Block, out *module.Outcome) {
			out.Txs[0].Events = append(out.Txs[0].Events, module.Event{Name: "me", Data: me})
		})(m)
	},
	"nothing-kept-between-blocks": func(m *broken) {
		var last atomic.Int64
		m.leave = func(_ context.Context, b *module.Block, out *module.Outcome, err error) (*module.Outcome, error) {
			if before := last.Swap(int64(len(b.Txs))); err == nil && before == 24 && len(b.Txs) == 7 {
				out.Txs[0].Gas--
			}
			return out, err
		}
	},
	"one-block-or-many": func(m *broken) { // forgets what the block changed
		onSize(27, func(b *module.Block, out *module.Outcome) {
			for i := range out.Txs {
				for j := range out.Txs[i].Writes {
					if out.Txs[i].Writes[j].Item == TallyItem("shared") {
						out.Txs[i].Writes[j].Data = []byte{0, 0, 0, 0, 0, 0, 0, 1}
					}
				}
			}
		})(m)
	},
	"calls-may-overlap": func(m *broken) {
		var busy atomic.Bool
		m.enter = func(_ context.Context, b *module.Block, r module.Reader) (module.Reader, error) {
			busy.Store(true)
			return r, nil
		}
		m.leave = func(_ context.Context, _ *module.Block, out *module.Outcome, err error) (*module.Outcome, error) {
			busy.Store(false)
			return out, err
		}
		m.query = func(q module.Query, a module.Answer, err error) (module.Answer, error) {
			if err == nil && busy.Load() {
				return a, errors.New("not now")
			}
			return a, err
		}
	},
	"a-cancelled-call-fails-or-is-whole": func(m *broken) {
		m.leave = func(ctx context.Context, b *module.Block, out *module.Outcome, err error) (*module.Outcome, error) {
			if err != nil && ctx.Err() != nil {
				return &module.Outcome{Txs: make([]module.Result, len(b.Txs))}, nil
			}
			return out, err
		}
	},
	"spends-within-max-spend": func(m *broken) {
		m.block = func(b *module.Block) *module.Block {
			if len(b.Txs) != 14 {
				return b
			}
			c := *b
			c.Txs = TallyTxs(1, 14)
			return &c
		}
	},
	"takes-what-is-there": onSize(16, func(b *module.Block, out *module.Outcome) {
		to := b.Txs[0].Account
		out.Txs[0].Transfers = append(out.Txs[0].Transfers, module.Transfer{From: module.Party{Escrow: &module.Item{Key: "mint"}}, To: module.Party{Account: &to}, Amount: 1})
	}),
	"gas-within-max-gas": func(m *broken) {
		m.block = func(b *module.Block) *module.Block {
			if len(b.Txs) != 17 {
				return b
			}
			c := *b
			c.Txs = slices.Clone(b.Txs)
			for i := range c.Txs {
				c.Txs[i].MaxGas = 1 << 40
			}
			return &c
		}
	},
	"gas-within-what-check-says": func(m *broken) {
		m.check = func(txs []module.Tx, out []module.TxCheck) []module.TxCheck {
			if len(txs) == 19 {
				out[0].Gas--
			}
			return out
		}
	},
	"reads-are-charged-to-who-asks": readingOnSize(21, wrongReader{tx: func(int) int { return module.BlockTx }}),
	"a-refused-read-fails-its-transaction": readingOnSize(22, wrongReader{read: func(error) error {
		return errors.New("no more reads")
	}}),
	"a-lost-state-ends-the-call": readingOnSize(23, wrongReader{read: func(err error) error { return nil }}),
	"short-pages-change-nothing": readingOnSize(34, wrongReader{scan: func(v []module.Value, _ bool) ([]module.Value, bool) { return v, false }}),
	"queries-are-answered": func(m *broken) {
		m.query = func(q module.Query, a module.Answer, err error) (module.Answer, error) {
			if q.Path == "all" && q.Height == 1 {
				a.JSON = []byte(`{'sum': 1}`)
			}
			return a, err
		}
	},
	"unknown-paths-are-named": func(m *broken) {
		m.query = func(q module.Query, a module.Answer, err error) (module.Answer, error) {
			if errors.Is(err, module.ErrUnknownPath) {
				err = fmt.Errorf("404: %q", q.Path)
			}
			return a, err
		}
	},
	"hostile-queries-do-no-harm": func(m *broken) {
		m.query = func(q module.Query, a module.Answer, err error) (module.Answer, error) {
			if i := strings.IndexByte(q.Path, '?'); i > 0 && q.Path[i+1:] == "limit=-1" {
				_ = make([]byte, i-2*i)
			}
			return a, err
		}
	},
	"strangers-see-what-anybody-sees": func(m *broken) {
		m.query = func(q module.Query, a module.Answer, err error) (module.Answer, error) {
			if err == nil && q.Caller != nil && len(a.JSON) > 0 && a.JSON[0] != '{' {
				a.JSON = fmt.Appendf(nil, `"%x asks"`, *q.Caller)
			}
			return a, err
		}
	},
	"rights-are-seen": func(m *broken) {
		m.ask = func(q module.Query) module.Query {
			q.Caller = nil
			return q
		}
	},
	"any-number-of-producers": func(m *broken) {
		m.enter = func(_ context.Context, b *module.Block, r module.Reader) (module.Reader, error) {
			if n := len(b.Producers); n > 0 && n < 3 {
				return nil, errors.New("too few producers")
			}
			return r, nil
		}
	},
	"foreign-reads-are-exported": func(m *broken) {
		m.check = func(txs []module.Tx, out []module.TxCheck) []module.TxCheck {
			if len(txs) == 12 {
				out[11].Reads = append(out[11].Reads, module.Item{Module: Neighbour, Key: "closed/rate"})
			}
			return out
		}
	},
	"foreign-values-may-be-missing": func(m *broken) {
		m.enter = func(_ context.Context, b *module.Block, r module.Reader) (module.Reader, error) {
			for _, v := range b.Values {
				if v.Item.Module != "" && v.Data == nil && len(b.Txs) == 36 {
					return nil, errors.New("the neighbour is out")
				}
			}
			return r, nil
		}
	},
	"foreign-garbage-does-no-harm": func(m *broken) {
		m.enter = func(_ context.Context, b *module.Block, r module.Reader) (module.Reader, error) {
			for _, v := range b.Values {
				if v.Item.Module != "" && len(v.Data) > 0 && v.Data[0] == 0xff {
					_ = v.Data[:255-int(v.Data[0])][3]
				}
			}
			return r, nil
		}
	},
	"a-foreign-read-that-is-refused-fails-its-transaction": func(m *broken) {
		m.leave = func(_ context.Context, b *module.Block, out *module.Outcome, err error) (*module.Outcome, error) {
			for i := range b.Txs {
				if err == nil && out.Txs[i].Error == "ErrNotExported" {
					return nil, module.ErrInvalid
				}
			}
			return out, err
		}
	},
	"scheduled-work-is-done": func(m *broken) {
		m.leave = func(_ context.Context, b *module.Block, out *module.Outcome, err error) (*module.Outcome, error) {
			if n := len(b.Due); err == nil && len(b.Txs) == 0 && n > 0 && n < 10 && b.Clock < 1_000_000 && len(b.Due[0].Data) == 32 {
				out.Block.Error = "ErrNotToday"
			}
			return out, err
		}
	},
	"late-work-is-done": func(m *broken) {
		m.leave = func(_ context.Context, b *module.Block, out *module.Outcome, err error) (*module.Outcome, error) {
			if err == nil && len(b.Due) > 0 && b.Clock > 1_000_000 {
				out.Block.Schedule = append(out.Block.Schedule, module.Schedule{Clock: 2_000, ID: [32]byte{1}})
			}
			return out, err
		}
	},
	"much-is-due-at-once": func(m *broken) {
		m.leave = func(_ context.Context, b *module.Block, out *module.Outcome, err error) (*module.Outcome, error) {
			if err == nil && len(b.Due) == module.MaxDuePerBlock {
				return nil, errors.New("too much work")
			}
			return out, err
		}
	},
	"work-and-transactions-in-one-block": func(m *broken) {
		m.leave = func(_ context.Context, b *module.Block, out *module.Outcome, err error) (*module.Outcome, error) {
			if err == nil && len(b.Due) > 0 && len(b.Txs) > 0 {
				out.Txs = append(out.Txs, out.Block)
			}
			return out, err
		}
	},
	"stray-work-does-nothing": func(m *broken) {
		m.enter = func(_ context.Context, b *module.Block, r module.Reader) (module.Reader, error) {
			for _, d := range b.Due {
				if len(d.Data) != 32 {
					return nil, errors.New("not my work")
				}
			}
			return r, nil
		}
	},
	"extension-within-limit":          func(m *broken) { m.extend = func() []byte { return make([]byte, types.MaxExtensionBytes+1) } },
	"no-migration-from-unknown-rules": func(m *broken) { m.migrate = func(error) error { return nil } },
	"calls-after-close-fail": func(m *broken) {
		m.params = func(err error) error {
			if errors.Is(err, module.ErrClosed) {
				return nil
			}
			return err
		}
	},
}

// wrongTables are servers that take the wrong instance for the handle, for cases that are about handles.
var wrongTables = map[string]serve.Instances{
	"an-unknown-instance-is-named": {OtherKindHandle: struct{}{}, UnknownHandle: NewTally()},
	"another-kind-is-named":        {OtherKindHandle: NewTally()},
}

// record is a T that notes whether a case failed.
type record struct {
	t       *testing.T
	mu      sync.Mutex
	failed  bool
	message string
}

func (r *record) Helper()                  {}
func (r *record) Logf(string, ...any)      {}
func (r *record) Context() context.Context { return r.t.Context() }
func (r *record) Skipf(string, ...any)     { runtime.Goexit() }
func (r *record) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.failed {
		r.failed, r.message = true, fmt.Sprintf(format, args...)
	}
}
func (r *record) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// fails tells whether a factory fails a case, and how.
func fails(t *testing.T, c Case, f Factory) (bool, string) {
	r := &record{t: t}
	done := make(chan struct{})
	go func() { // Fatalf ends its goroutine
		defer close(done)
		c.Run(r, f)
	}()
	<-done
	return r.failed, r.message
}

func TestEachCaseHasItsBrokenModule(t *testing.T) {
	for _, c := range Cases() {
		breakIt := brokenModules[c.Name]
		table, wrong := wrongTables[c.Name]
		if breakIt == nil && !wrong {
			t.Errorf("case %q has no broken module", c.Name)
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			f := TallyFactory()
			if breakIt != nil {
				f.Open = func() (Instance, error) {
					m := &broken{Tally: &Tally{Neighbour: true}}
					breakIt(m)
					return Instance{Module: m, Close: m.Close}, nil
				}
			} else {
				f = Remote(f)
				inner := f.Open
				f.Open = func() (Instance, error) { return withTable(t, inner, table) }
			}
			for _, other := range Cases() {
				if other.Name == "large-block" && c.Name != other.Name {
					continue // it takes as long as all others, and is like valid-takes-effect
				}
				failed, message := fails(t, other, f)
				switch {
				case other.Name == c.Name && !failed:
					t.Errorf("the broken module passes")
				case other.Name == c.Name:
					t.Logf("fails as it should: %.200s", message)
				case failed:
					t.Errorf("it fails %q too: %.600s", other.Name, message)
				}
			}
		})
	}
}

// withTable opens an instance whose Dial leads to a server with another table of instances.
func withTable(t *testing.T, inner func() (Instance, error), table serve.Instances) (Instance, error) {
	in, err := inner()
	if err != nil {
		return in, err
	}
	other, err := serveModule(table)
	if err != nil {
		return in, errors.Join(err, in.Close())
	}
	closeInner := in.Close
	in.Dial = other.Dial
	in.Close = func() error { return errors.Join(other.Close(), closeInner()) }
	return in, nil
}
