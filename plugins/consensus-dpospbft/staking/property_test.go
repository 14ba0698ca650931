package staking

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// player makes random operations.
type player struct {
	*rand.Rand
	c *chain
	m *model
	n int
}

const (
	playerAccounts = 8
	playerKeys     = 30
)

// memoised signatures: the same few keys and accounts come again and again.
var possession = map[[2]string][]byte{}

func (g *player) who() types.AccountID {
	if g.IntN(3) == 0 && g.m.begun {
		return g.m.keys[g.c.set.Seats[g.IntN(len(g.c.set.Seats))].Key.Hash()]
	}
	return account(g.IntN(playerAccounts))
}

func (g *player) someone() types.AccountID {
	a := g.who()
	if _, ok := g.m.producers[a]; !ok && g.IntN(4) > 0 {
		var all []types.AccountID
		for id := range g.m.producers {
			all = append(all, id)
		}
		slices.SortFunc(all, func(a, b types.AccountID) int { return bytes.Compare(a[:], b[:]) })
		if len(all) > 0 {
			a = all[g.IntN(len(all))]
		}
	}
	return a
}

func (g *player) key(a types.AccountID) (types.PublicKey, []byte) {
	i := 10 + g.IntN(playerKeys)
	k := public(i)
	who := [2]string{string(k.Key), string(a[:])}
	sig, ok := possession[who]
	if !ok {
		sig = proofOf(i, a)
		possession[who] = sig
	}
	if g.IntN(12) == 0 {
		sig = bytes.Clone(sig)
		sig[g.IntN(64)] ^= 1
	}
	return k, sig
}

// proof is evidence against somebody, of this or another epoch, mostly good.
func (g *player) proof() []byte {
	var epochs []uint64
	for n := range g.c.sets {
		epochs = append(epochs, n)
	}
	slices.Sort(epochs)
	n := epochs[len(epochs)-1-min(len(epochs)-1, g.IntN(5))]
	set := g.c.sets[n]
	slot := g.c.slot
	if g.IntN(8) == 0 {
		slot = g.Uint64N(g.c.slot + 1)
	}
	if g.IntN(10) == 0 {
		set = &types.Set{Epoch: n + uint64(g.IntN(3)), Threshold: set.Threshold, Seats: set.Seats}
	}
	raw := twice(set, g.IntN(len(set.Seats)), slot)
	if g.IntN(8) == 0 {
		raw[g.IntN(len(raw))] ^= 1 << g.IntN(8)
	}
	return raw
}

func (g *player) action(from types.AccountID) types.Action {
	switch p := g.IntN(40); {
	case p < 8:
		return stakeOf(1 + g.Uint64N(120))
	case p < 12:
		o := g.m.owners[from]
		if g.IntN(4) == 0 && o.Stake > 0 {
			return unstakeOf(o.Stake)
		}
		return unstakeOf(1 + g.Uint64N(o.Stake+5))
	case p < 22:
		var list []types.AccountID
		for range g.IntN(int(g.c.cfg.Params.Approvals) + 2) {
			if a := g.someone(); !slices.Contains(list, a) {
				list = append(list, a)
			}
		}
		slices.SortFunc(list, func(a, b types.AccountID) int { return bytes.Compare(a[:], b[:]) })
		return voteFor(list...)
	case p < 29:
		k, sig := g.key(from)
		return types.Action{Name: types.ActionRegisterProducer, Body: types.RegisterBody{Key: k, Proof: sig, Name: "n"}.Encode()}
	case p < 31:
		k, sig := g.key(from)
		return types.Action{Name: types.ActionRotateKey, Body: types.RotateBody{Key: k, Proof: sig}.Encode()}
	case p < 34:
		return plain(types.ActionReactivate)
	case p < 36:
		return plain(types.ActionRetire)
	case p < 37:
		return evidenceOf(g.proof())
	}
	return stakeOf(60)
}

func (g *player) block() testBlock {
	tb := testBlock{gap: 1, vrf: g.IntN(12) == 0, noHeader: g.IntN(40) == 0}
	if g.IntN(3) == 0 {
		tb.gap = 1 + g.Uint64N(12)
	}
	if g.IntN(30) == 0 {
		tb.gap = 1 + g.Uint64N(300)
	}
	tb.final = g.c.height
	if g.c.cfg.Turn == 2 && g.IntN(2) == 0 {
		tb.final = g.c.height - min(g.c.height, g.Uint64N(60))
	} else if g.IntN(6) == 0 {
		tb.final = g.c.prevFinal
	}
	if g.IntN(3) == 0 {
		tb.absent = []int{}
		for i := range g.c.set.Seats { // of the block before, mostly the same
			if g.IntN(4) == 0 {
				tb.absent = append(tb.absent, i)
			}
		}
	}
	for range g.IntN(4) {
		g.n++
		from := g.who()
		var actions []types.Action
		for range 1 + g.IntN(2)*g.IntN(3) {
			actions = append(actions, g.action(from))
		}
		tb.txs = append(tb.txs, tx(g.n, from, actions...))
	}
	if g.IntN(25) == 0 {
		tb.ext = [][]byte{encodeExtension([][]byte{g.proof(), g.proof()})}
	}
	if g.IntN(40) == 0 {
		tb.ext = append(tb.ext, []byte{1, 2, 3})
	}
	return tb
}

func (g *player) config() Config {
	c := small()
	c.Turn = 1 + g.Uint64N(2)
	c.Decay = g.IntN(2) == 0
	p := &c.Params
	p.Seats = 1 + g.Uint64N(5)
	p.MinSet = g.Uint64N(p.Seats + 1)
	p.EpochSlots = 4 + g.Uint64N(12)
	p.Approvals = 1 + g.Uint64N(3)
	p.UnbondingTicks = 6 + g.Uint64N(60)
	p.MinStake = 50 * g.Uint64N(2)
	p.SlashPPM = []uint64{0, 50_000, 333_333, 1_000_000}[g.IntN(4)]
	p.SilenceTicks = 2*p.Seats*c.Turn + g.Uint64N(20)
	p.JailMissedTurns = MinJailTurns + g.Uint64N(4)
	return c
}

// TestRandomSequences plays thousands of random sequences against the model, which must agree about every item of the state
// and every error after every block.
func TestRandomSequences(t *testing.T) {
	sequences := uint64(2000)
	if raceEnabled {
		sequences = 60
	}
	seen, states := map[string]int{}, map[Status]int{}
	closings := map[bool]int{}
	for seed := range sequences {
		g := &player{Rand: rand.New(rand.NewPCG(seed, 7))}
		cfg := g.config()
		g.c = newChain(t, cfg, 1+g.IntN(5))
		g.m = newModel(cfg)
		blocks := 13
		if seed%50 == 0 {
			blocks = 100
		}
		for i := range playerAccounts {
			g.c.core.Fund(account(i), 1000)
		}
		for range blocks {
			tb := g.block()
			g.c.core.FundAll(tb.txs)
			before := g.c.height
			e := g.c.step(tb)
			b := g.c.block
			g.m.begin(b, g.c.k)
			for i := range tb.txs {
				next := g.m.clone()
				var want Error
				for _, a := range tb.txs[i].Actions {
					if want = next.apply(&tb.txs[i], a); want != "" {
						break
					}
				}
				if want == "" {
					*g.m = *next
				}
				if got := e.Txs[i].Error; got != string(want) {
					t.Fatalf("seed %d, %v: transaction %d: %q (%s), want %q", seed, g.c, i, got, e.Txs[i].Detail, want)
				}
				seen[string(want)]++
			}
			g.m.end(b.Consensus.Closes)
			if err := g.m.differs(g.c); err != nil {
				t.Fatalf("seed %d, %v, after height %d: %v", seed, g.c, before, err)
			}
			if g.m.next != nil {
				closings[g.m.early]++
			}
			for _, p := range g.m.producers {
				states[p.Status]++
			}
		}
	}
	if raceEnabled {
		return
	}
	// A sequence that never gets anywhere shows nothing.
	for _, name := range []Error{"", ErrExists, ErrKeyUsed, ErrPossession, ErrMinStake, ErrNotProducer, ErrTombstoned, ErrRetired, ErrActive, ErrUnknownProducer,
		ErrApprovals, ErrNoStake, ErrStake, ErrBadEvidence, ErrKnownEvidence, ErrUnknownEpoch, ErrExpired} {
		if seen[string(name)] < 20 {
			t.Errorf("error %q was seen %d times", name, seen[string(name)])
		}
	}
	for s := Active; s <= Tombstoned; s++ {
		if states[s] < 500 {
			t.Errorf("status %s was seen %d times", s, states[s])
		}
	}
	if closings[true] < 300 || closings[false] < 1000 {
		t.Errorf("%d early and %d regular closings", closings[true], closings[false])
	}
	t.Logf("errors %v, states %v, closings %v", seen, states, closings)
}

// TestManyWaysOneResult plays the same blocks in one instance, in a fresh one each, and through gRPC: what an instance keeps
// must not count, nor how it is reached.
func TestManyWaysOneResult(t *testing.T) {
	for seed := range uint64(15) {
		var states [3]string
		for way := range states {
			g := &player{Rand: rand.New(rand.NewPCG(seed, 8))}
			cfg := g.config()
			g.c, g.m = newChain(t, cfg, 4), newModel(cfg)
			if way == 2 {
				f := moduletest.Remote(moduletest.Factory{Chain: testChain, Open: func() (moduletest.Instance, error) {
					m := New(cfg)
					return moduletest.Instance{Module: m, Close: m.Close}, nil
				}})
				in, err := f.Open()
				if err != nil {
					t.Fatal(err)
				}
				g.c.m = in.Module
				defer in.Close()
			}
			for range 25 {
				if way == 1 {
					g.c.m = New(cfg)
				}
				tb := g.block()
				g.c.core.FundAll(tb.txs)
				g.c.step(tb)
			}
			states[way] = g.c.core.State()
		}
		if states[0] != states[1] || states[0] != states[2] {
			t.Fatalf("seed %d: a fresh instance agrees: %t, one through gRPC: %t", seed, states[0] == states[1], states[0] == states[2])
		}
	}
}
