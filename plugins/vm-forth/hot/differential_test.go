package hot

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/engine"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// packed runs programs that share one module.
type packed struct {
	t       *Tier
	m       *Module
	entries map[*bytecode.Program]int
	done    bool
}

// Run implements engine.Accelerator.
func (p *packed) Run(s *engine.Segment) bool {
	entry, ok := p.entries[s.Program()]
	if !ok {
		return false
	}
	p.done, _ = p.t.run(p.m, s, entry)
	return p.done
}

// Ran implements engine.Accelerator.
func (p *packed) Ran(*bytecode.Program, int64) {}

// testLimits are small, so that they are reached.
func testLimits() bytecode.Limits {
	l := bytecode.DefaultLimits()
	l.StackDepth, l.ReturnDepth, l.ArenaBytes, l.DataBytes = 64, 24, 4<<10, 4<<10
	return l
}

func shapeOfEvidence(code []byte, l *bytecode.Limits) (string, bool) {
	p := &bytecode.Program{}
	if p.Load(code, l, true) != nil {
		return "", false
	}
	out := ""
	for _, in := range p.Ins[p.Main:] {
		switch in.Op {
		case bytecode.OpInt:
			out += "n"
		case bytecode.OpBytes:
			out += "b"
		}
	}
	return out, len(p.Hashes) > 0
}

// tally is what a comparison has seen.
type tally struct {
	programs, loaded, verified, suitable int
	twenty, completed, byTier, succeeded int
	statuses                             map[vm.Status]int
}

func (c *tally) String() string {
	share := func(n, of int) string { return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(max(of, 1))) }
	return fmt.Sprintf("%d programs compared, zero differences; 20 operations or more executed: %s; verified: %s; of the verified, ended well: %s, completed by the hot tier: %s; completed by it in all: %d; by status: %v",
		c.programs, share(c.twenty, c.programs), share(c.verified, c.programs), share(c.succeeded, c.verified), share(c.completed, c.verified), c.byTier, c.statuses)
}

// compare runs samples on both engines, all in one module.
func compare(t testing.TB, tier *Tier, l *bytecode.Limits, from, count uint64, c *tally) {
	type item struct {
		sample
		p        *bytecode.Program
		verified bool
	}
	b := newBuilder(l)
	acc := &packed{t: tier, entries: map[*bytecode.Program]int{}}
	items := make([]item, 0, count)
	for seed := from; seed < from+count; seed++ {
		it := item{sample: randomSample(seed), p: &bytecode.Program{}}
		c.programs++
		if it.p.Load(it.code, l, false) != nil {

			items = append(items, it)
			continue
		}
		it.p.Seal()
		c.loaded++
		_, it.verified = it.p.Infer(l)
		if it.verified {
			c.verified++
		}
		shape, words := shapeOfEvidence(it.evidence, l)
		hashes, err := b.add(it.p, kindsOf(shape))
		if err != nil && !errors.Is(err, ErrUnsuitable) {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if err == nil {
			c.suitable++
		}
		if err == nil && !(hashes && words) {
			acc.entries[it.p] = len(b.exports) - 1
		}
		items = append(items, it)
	}
	var err error
	if acc.m, err = tier.compile(t.Context(), b); err != nil {
		t.Fatalf("seeds from %d: %v", from, err)
	}
	acc.m.shapes = "packed"
	defer acc.m.retire()
	plain, err := engine.New(l)
	if err != nil {
		t.Fatal(err)
	}
	fast, err := engine.New(l)
	if err != nil {
		t.Fatal(err)
	}
	fast.Accelerate(acc)
	enough := errors.New("twenty")
	for i, it := range items {
		r := vm.Run{Code: it.code, Evidence: it.evidence, GasLimit: it.gas}
		want := plain.Run(&r, nil, it.env, make([]int64, engine.ResultCount))
		kept := it.p
		if len(kept.Code) == 0 || len(kept.Ins) == 0 || want.Status == bytecode.BadCode {
			c.statuses[want.Status]++
			continue
		}
		again := make([]int64, engine.ResultCount)
		acc.done = false
		got := fast.Run(&r, kept, it.env, again)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: hot tier (%t) %+v, interpreter %+v\n%s", from+uint64(i), acc.done, got, want, it.sample)
		}
		c.statuses[want.Status]++
		if acc.done {
			c.byTier++
		}
		if it.verified && want.Status == vm.OK {
			c.succeeded++
		}
		if it.verified && acc.done {
			c.completed++
		}
		steps := 0
		err := plain.Trace(t.Context(), &r, nil, it.env, func(vm.Step) error {
			if steps++; steps == 20 {
				return enough
			}
			return nil
		})
		if errors.Is(err, enough) {
			c.twenty++
		}
	}
}

// TestDifferential compares the two engines on random programs. Set VMFORTH_FUZZ to how many; 3,000 otherwise.
// VMFORTH_FUZZ_FROM is the first seed.
func TestDifferential(t *testing.T) {
	programs, from := uint64(3000), uint64(0)
	if testing.Short() {
		programs = 768
	}
	for name, to := range map[string]*uint64{"VMFORTH_FUZZ": &programs, "VMFORTH_FUZZ_FROM": &from} {
		if s := os.Getenv(name); s != "" {
			n, err := strconv.ParseUint(s, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			*to = n
		}
	}
	l := testLimits()
	tier := newTier(t, &l, Default())
	c := &tally{statuses: map[vm.Status]int{}}
	const pack = 128
	for at := uint64(0); at < programs; at += pack {
		compare(t, tier, &l, from+at, min(pack, programs-at), c)
		if at/pack%100 == 99 {
			t.Log(c)
		}
	}
	t.Log(c)
	if c.twenty*2 < c.programs {
		t.Errorf("only %d of %d programs execute 20 operations or more", c.twenty, c.programs)
	}
	if c.completed*10 < c.verified*7 {
		t.Errorf("the hot tier completed only %d of %d verified programs", c.completed, c.verified)
	}
}

func newTier(t testing.TB, l *bytecode.Limits, o Options) *Tier {
	t.Helper()
	tier, err := New(l, o)
	if errors.Is(err, ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tier.Close(); err != nil {
			t.Error(err)
		}
	})
	return tier
}
