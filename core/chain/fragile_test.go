package chain

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/core/journal/disk/disktest"
	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/ledger/account"
	"github.com/paloalto-chain/paloalto/core/ledger/bank"
	"github.com/paloalto-chain/paloalto/core/mempool"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// fragile stands for a module in a process that is lost when it executes a transaction whose first action is named "die", does not
// answer to "hang", and takes a while for each "slow". It counts what it is asked.
type fragile struct {
	module.Module
	mu       sync.Mutex
	executed int // calls of Execute
	extended int
	mended   bool
	slow     time.Duration
	extend   func(ctx context.Context) ([]byte, error)
	held     chan struct{} // not nil: Execute waits for it
}

func (*fragile) Check(_ context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	return make([]module.TxCheck, len(txs)), nil
}

func (f *fragile) Execute(ctx context.Context, b *module.Block, _ module.Reader) (*module.Outcome, error) {
	f.mu.Lock()
	f.executed++
	mended, slow, held := f.mended, f.slow, f.held
	f.mu.Unlock()
	if held != nil {
		<-held
	}
	for _, t := range b.Txs {
		switch t.Actions[0].Name {
		case "die":
			if !mended {
				return nil, fmt.Errorf("module.Execute: %w: exit status 2", host.ErrPluginLost)
			}
		case "hang":
			<-ctx.Done()
			return nil, ctx.Err()
		case "slow":
			select {
			case <-time.After(slow):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}
	return &module.Outcome{Txs: make([]module.Result, len(b.Txs))}, nil
}

func (f *fragile) Extend(ctx context.Context, _ uint64, _ module.Reader) ([]byte, error) {
	f.mu.Lock()
	f.extended++
	extend := f.extend
	f.mu.Unlock()
	if extend == nil {
		return nil, nil
	}
	return extend(ctx)
}

func (f *fragile) counts() (executed, extended int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.executed, f.extended
}

// long is a slot in which all has time, in milliseconds.
const long = 60_000

// fragileKit is a chain with such a module, and with one that only ever puts something into blocks.
func fragileKit(t *testing.T, e consensus.Engine, f *fragile, slotMs uint64, change func(*Config)) *kit {
	t.Helper()
	k := &kit{t: t, g: testGenesis(), fs: disktest.New(rand.New(rand.NewPCG(1, 1))), store: newMapStore(), net: newFakeNet()}
	k.g.SlotMs = slotMs // a quarter of it is the time that there is to execute an own block
	k.g.Limits.BlockBytes, k.g.Limits.BlockGas = 4<<20, 400_000_000
	k.open(e, true, func(cfg *Config) {
		cfg.Calls = NewCalls("test", nil)
		var err error
		cfg.Ledger, err = ledger.New(ledger.Config{Genesis: k.g, Called: cfg.Calls.Called, Modules: []ledger.Named{
			{Name: types.ModuleAccount, Module: account.New(ledger.TillItem, ledger.AuthorityItem)}, {Name: types.ModuleBank, Module: bank.New()},
			{Name: "fragile", Module: f}, {Name: "talker", Module: talker{bytes: 10}}}})
		if err != nil {
			t.Fatal(err)
		}
		k.pool = mempool.New(cfg.Ledger, mempool.Options{})
		cfg.Pool, cfg.Foreign = k.pool, map[string]bool{"fragile": true}
		cfg.Probe = func(context.Context, string) (module.Module, func(), error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			return &fragile{mended: f.mended}, func() {}, nil
		}
		if change != nil {
			change(cfg)
		}
	})
	return k
}

// call makes a transaction for the fragile module.
func (k *kit) call(name string) ([]byte, types.TxID) {
	height, id, _, _ := k.Reference()
	k.salt++
	t := &types.Transaction{Module: "fragile", Account: alice.id(), Authority: types.SingleKeyAuthority(alice.pub).Encode(), Expires: 120,
		Actions: []types.Action{{Name: name}}, RefHeight: height, RefHash: [16]byte(id[:16]), Salt: k.salt, MaxGas: 100_000, MaxFee: 200_000}
	env := types.Envelope{Raw: t.Encode()}
	env.Signatures = []types.Signature{{Key: alice.pub, Sig: ed25519.Sign(alice.priv, types.TxSignBytes(k.g.ID(), env.Raw))}}
	return env.Encode(), types.TxIDOf(k.g.ID(), env.Raw)
}

// calls submits transactions for the fragile module, and returns their ids.
func (k *kit) calls(names ...string) (ids []types.TxID) {
	k.t.Helper()
	for _, name := range names {
		env, id := k.call(name)
		k.submit(env)
		ids = append(ids, id)
	}
	return ids
}

// built has the engine ask for a block at a slot on genesis, and returns the block as the chain has it.
func (k *kit) built(s *session, slot uint64) *node {
	k.t.Helper()
	s.ready <- &consensus.Ready{Build: &consensus.Build{Slot: slot, Parent: k.genesis.ID()}}
	b := next[*consensus.Built](k.t.(*testing.T), s)
	if b.Header == nil {
		k.t.Fatalf("no block at slot %d", slot)
	}
	n := k.node(b.Header.ID())
	if n == nil || n.id != b.Header.ID() {
		k.t.Fatalf("the block of slot %d is not known", slot)
	}
	body, err := types.DecodeBody(n.body)
	if err != nil {
		k.t.Fatal(err)
	}
	if o, err := k.openBody(n.header, n.body); err != nil || len(o.txs) != len(n.txs) || len(body.Txs) != len(n.txs) {
		k.t.Fatalf("the body of slot %d does not fit its header: %v", slot, err)
	}
	return n
}

func has(n *node, id types.TxID) bool {
	_, ok := n.ids[id]
	return ok
}

// settled waits until the worker has nothing to do, and no search is under way.
func (k *kit) settled() {
	k.t.Helper()
	await(k.t, "the end of a search", func() bool {
		done := make(chan bool)
		k.do(func(context.Context) error {
			quiet := true
			for _, m := range k.manners {
				quiet = quiet && !m.searching
			}
			done <- quiet
			return nil
		})
		return <-done
	})
}

// A producer leaves out what its own plugin does not survive, finds the transaction, drops it, and goes on with the others.
func TestOwnBlockLeavesOutWhatKills(t *testing.T) {
	e, f := newScript(), &fragile{}
	k := fragileKit(t, e, f, long, nil)
	k.run()
	pay, paid := k.transfer(alice, bob.id(), 5)
	k.submit(pay)
	good := k.calls("one", "two")
	bad := k.calls("die")[0]
	good = append(good, k.calls("three")...)
	s := <-e.runs
	n := k.built(s, 1)
	if len(n.txs) != 1 || !has(n, paid) {
		t.Errorf("the first block has %d transactions; the transfer alone is good for sure", len(n.txs))
	}
	if len(n.extended) != 1 || n.extended[0] != "talker" {
		t.Errorf("extensions of %v", n.extended)
	}
	k.settled()
	if k.pool.Has(bad) {
		t.Error("the transaction that kills is still in the pool")
	}
	n = k.built(s, 2)
	for i, id := range good {
		if !has(n, id) {
			t.Errorf("transaction %d, which is good, is not in the next block", i)
		}
	}
	if has(n, bad) || len(n.txs) != 4 {
		t.Errorf("%d transactions, with the one that kills: %t", len(n.txs), has(n, bad))
	}
	before, _ := f.counts()
	if n.result == nil {
		t.Error("a block with a part for a plugin is not executed when it is proposed")
	}
	k.do(func(ctx context.Context) error { return k.execute(ctx, n) }) // as when the proposal has left
	k.settled()
	if after, _ := f.counts(); after != before {
		t.Errorf("it is executed %d times more", after-before)
	}
}

// A block that no plugin has a part in is proposed before it is executed.
func TestNativeBlockIsNotRehearsed(t *testing.T) {
	e := newScript()
	k := fragileKit(t, e, &fragile{}, long, nil)
	k.run()
	pay, _ := k.transfer(alice, bob.id(), 5)
	k.submit(pay)
	s := <-e.runs
	if n := k.built(s, 1); n.result != nil || len(n.txs) != 1 {
		t.Errorf("%d transactions, executed: %t", len(n.txs), n.result != nil)
	}
}

// A block with much for native modules is not executed whole before it is proposed, and what a plugin does not survive is left out all
// the same.
func TestLargeOwnBlock(t *testing.T) {
	e, f := newScript(), &fragile{}
	k := fragileKit(t, e, f, long, nil)
	var envs [][]byte
	for range maxNative + 1 {
		env, _ := k.transfer(alice, bob.id(), 1)
		envs = append(envs, env)
	}
	k.submit(envs...)
	good := k.calls("one")[0]
	k.run()
	s := <-e.runs
	n := k.built(s, 1)
	if x, _ := f.counts(); !has(n, good) || len(n.txs) != maxNative+2 || n.result != nil || x != 1 {
		t.Errorf("%d transactions, executed whole: %t, the module %d times", len(n.txs), n.result != nil, x)
	}
	bad := k.calls("die")[0]
	if n = k.built(s, 2); has(n, bad) || len(n.txs) != maxNative+1 {
		t.Errorf("%d transactions, with the one that kills: %t", len(n.txs), has(n, bad))
	}
	k.settled()
	if n = k.built(s, 3); has(n, bad) || !has(n, good) || len(n.txs) != maxNative+2 {
		t.Errorf("%d transactions, with the one that kills: %t, with the good one: %t", len(n.txs), has(n, bad), has(n, good))
	}
}

// Where nothing is found to blame, the module has no part in the next own blocks, more of them each time; then it is tried again.
func TestOwnBlockWithoutCulprit(t *testing.T) {
	e, f := newScript(), &fragile{}
	k := fragileKit(t, e, f, long, func(cfg *Config) { cfg.Probe = nil })
	k.run()
	ids := k.calls("die", "good")
	s := <-e.runs
	tried := 0
	for slot := uint64(1); slot <= 9; slot++ {
		if n := k.built(s, slot); len(n.txs) != 0 {
			t.Errorf("slot %d: %d transactions", slot, len(n.txs))
		}
		if x, _ := f.counts(); x > tried {
			if want := map[uint64]bool{1: true, 4: true, 9: true}; !want[slot] {
				t.Errorf("it is tried at slot %d", slot)
			}
			tried = x
		}
	}
	if tried != 3 {
		t.Errorf("tried %d times", tried)
	}
	f.mu.Lock()
	f.mended = true
	f.mu.Unlock()
	for slot := uint64(10); slot <= 17; slot++ {
		if n := k.built(s, slot); len(n.txs) != 0 {
			t.Errorf("slot %d: %d transactions", slot, len(n.txs))
		}
	}
	if n := k.built(s, 18); !has(n, ids[0]) || !has(n, ids[1]) {
		t.Error("the module is not tried again")
	}
}

// A part that takes too long is left out and halved, until what is left is done in time or is a single transaction, which is left to
// others.
func TestOwnBlockLeavesOutWhatIsSlow(t *testing.T) {
	e, f := newScript(), &fragile{}
	k := fragileKit(t, e, f, 2400, nil)
	k.run()
	hang := k.calls("hang")[0]
	good := k.calls("one", "two", "three")
	s := <-e.runs
	sizes := []int{}
	for slot := uint64(1); slot <= 4; slot++ {
		n := k.built(s, slot)
		sizes = append(sizes, len(n.txs))
		if has(n, hang) {
			t.Errorf("slot %d has the transaction that hangs", slot)
		}
	}
	// 4 are too many, 2 are, 1 is and is shunned; then comes as much as went well before, at least one.
	if fmt.Sprint(sizes[:3]) != "[0 0 0]" || sizes[3] == 0 {
		t.Errorf("blocks have %v of its transactions", sizes)
	}
	for slot := uint64(5); slot <= 9; slot++ {
		if n := k.built(s, slot); len(n.txs) == len(good) {
			return
		}
	}
	t.Error("the limit does not go away")
}

// A module that does not say in time what it puts into a block costs one block some time, and does not cost the others their part. What it
// says later goes into the next block.
func TestExtendHangs(t *testing.T) {
	e, f := newScript(), &fragile{}
	release, said := make(chan struct{}), make(chan struct{})
	f.extend = func(context.Context) ([]byte, error) { // whatever its context says
		<-release
		defer close(said)
		return []byte("late"), nil
	}
	k := fragileKit(t, e, f, 4000, nil)
	k.run()
	s := <-e.runs
	for slot := uint64(1); slot <= 5; slot++ {
		if n := k.built(s, slot); len(n.extended) != 1 || n.extended[0] != "talker" {
			t.Errorf("slot %d: extensions of %v", slot, n.extended)
		}
	}
	if _, x := f.counts(); x != 1 {
		t.Errorf("it was asked %d times while it had not answered", x)
	}
	f.mu.Lock()
	f.extend = func(context.Context) ([]byte, error) { return nil, nil }
	f.mu.Unlock()
	close(release)
	<-said
	for slot := uint64(6); ; slot++ { // the answer comes a moment after the module has returned
		n := k.built(s, slot)
		if len(n.extended) == 2 {
			break
		}
		if slot == 50 {
			t.Fatal("what it said late is in no block")
		}
	}
	if n := k.built(s, 51); len(n.extended) != 1 {
		t.Errorf("what it said late is in two blocks: %v", n.extended)
	}
}

// A chain whose module does not survive a block halts, and says which module, which block, which transaction, why, and what to do.
func TestHaltNamesTheTransaction(t *testing.T) {
	f := &fragile{}
	k := fragileKit(t, &solo{target: 3}, f, long, func(cfg *Config) { cfg.Foreign = nil })
	ids := k.calls("one", "two", "die", "four")
	k.run()
	await(t, "the halt", func() bool { return k.Status().Halted != "" })
	why := k.Status().Halted
	for _, want := range []string{`"fragile"`, "block 1", ids[2].String(), "exit status 2", "alto plugin lock", "start the node again"} {
		if !strings.Contains(why, want) {
			t.Errorf("%q is not in: %s", want, why)
		}
	}
	for i, id := range ids {
		if i != 2 && strings.Contains(why, id.String()) {
			t.Errorf("transaction %d is named: %s", i, why)
		}
	}
	if err := k.stop(); err == nil {
		t.Error("it has halted without an error")
	}
}

// If nothing is found to blame, the chain halts all the same and says that.
func TestHaltWithoutCulprit(t *testing.T) {
	for name, c := range map[string]struct {
		probe Probe
		want  string
	}{
		"it survives elsewhere": {func(context.Context, string) (module.Module, func(), error) {
			return &fragile{mended: true}, func() {}, nil
		}, "a fresh instance of it survives its part of that block, 2 transactions"},
		"it cannot be opened": {func(context.Context, string) (module.Module, func(), error) {
			return nil, nil, fmt.Errorf("no process: %w", host.ErrFailed)
		}, "which of its transactions (2) is to blame could not be found out (probe 1: no process"},
		"nothing to open it with": {nil, "this node cannot open another instance of it"},
	} {
		t.Run(name, func(t *testing.T) {
			k := fragileKit(t, &solo{target: 3}, &fragile{}, long, func(cfg *Config) { cfg.Foreign, cfg.Probe = nil, c.probe })
			k.calls("die", "one")
			k.run()
			await(t, "the halt", func() bool { return k.Status().Halted != "" })
			if why := k.Status().Halted; !strings.Contains(why, c.want) || !strings.Contains(why, "exit status 2") {
				t.Errorf("it says %s", why)
			}
		})
	}
}

// While a module takes long, the chain's status says which, and for which block.
func TestStatusTellsOfSlowExecution(t *testing.T) {
	f := &fragile{held: make(chan struct{})}
	k := fragileKit(t, &solo{target: 3}, f, long, func(cfg *Config) { cfg.Foreign = nil })
	k.calls("one")
	k.run()
	await(t, "word of it", func() bool { return k.Status().Stalled != "" })
	if got, want := k.Status().Stalled, `module "fragile" executes block 1 since 00:00:00 UTC`; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	close(f.held)
	k.final(3)
	if got := k.Status().Stalled; got != "" {
		t.Errorf("it still says %q", got)
	}
}
