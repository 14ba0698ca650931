package chain

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/journal"
	"github.com/paloalto-chain/paloalto/core/journal/disk/disktest"
	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/ledger/account"
	"github.com/paloalto-chain/paloalto/core/ledger/bank"
	"github.com/paloalto-chain/paloalto/core/ledger/chains"
	"github.com/paloalto-chain/paloalto/core/mempool"
	"github.com/paloalto-chain/paloalto/core/signer"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to come. It decides nothing but how a failure ends.
const patience = 60 * time.Second

type key struct {
	priv ed25519.PrivateKey
	pub  types.PublicKey
}

func newKey(name string) key {
	seed := sha256.Sum256([]byte(name))
	priv := ed25519.NewKeyFromSeed(seed[:])
	return key{priv, types.Ed25519Key(priv.Public().(ed25519.PublicKey))}
}

func (k key) id() types.AccountID { return types.SingleKeyAuthority(k.pub).ID() }

var producer, alice, bob = newKey("producer"), newKey("alice"), newKey("bob")

func testGenesis() *chainspec.Genesis {
	return &chainspec.Genesis{
		Format: 1, Name: "test", Token: "TST", Supply: 1_000_000_000, SlotMs: 20,
		Consensus: chainspec.Rules{Plugin: "solo", Rules: "1", Config: []byte(`{}`)},
		Limits:    chainspec.Limits{BlockBytes: 64 << 10, TxBytes: 16 << 10, BlockGas: 40_000_000},
		Fees:      chainspec.Fees{PerByte: 1, PerGas: 1, Floor: 500, BurnPPM: 500_000},
		Producers: []chainspec.Producer{{Name: "p", Key: producer.pub, Stake: 1}},
		Allocations: []chainspec.Allocation{{Name: "alice", Account: alice.id(), Amount: 600_000_000},
			{Name: "bob", Account: bob.id(), Amount: 400_000_000}},
	}
}

// stopped is a clock that stands still.
type stopped struct{ at time.Time }

func (c stopped) Now() time.Time { return c.at }

// fakeNet is a chain's network whose peers are functions.
type fakeNet struct {
	mu    sync.Mutex
	peers map[types.Hash]func(ctx context.Context, purpose byte, payload []byte) ([]byte, error)
	asked map[types.Hash]int
	sent  func(purpose byte, payload []byte)
}

func newFakeNet() *fakeNet {
	return &fakeNet{peers: map[types.Hash]func(context.Context, byte, []byte) ([]byte, error){}, asked: map[types.Hash]int{}}
}

func (n *fakeNet) Broadcast(purpose byte, payload []byte) {
	if n.sent != nil {
		n.sent(purpose, payload)
	}
}
func (n *fakeNet) Send(_ []types.Hash, purpose byte, payload []byte) { n.Broadcast(purpose, payload) }

func (n *fakeNet) Request(ctx context.Context, peer types.Hash, purpose byte, payload []byte) ([]byte, error) {
	n.mu.Lock()
	f := n.peers[peer]
	n.asked[peer]++
	n.mu.Unlock()
	if f == nil {
		return nil, errors.New("not connected")
	}
	return f(ctx, purpose, payload)
}

func (n *fakeNet) Peers() (out []types.Hash) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for p := range n.peers {
		out = append(out, p)
	}
	return out
}

func (n *fakeNet) times(peer types.Hash) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked[peer]
}

func (n *fakeNet) join(peer types.Hash, f func(context.Context, byte, []byte) ([]byte, error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.peers[peer] = f
}

// keySigner signs without a guard.
type keySigner struct{ k key }

func (s keySigner) Public() types.PublicKey { return s.k.pub }

func (s keySigner) SignAll(chain types.Hash, _ uint64, reqs []signer.Request) ([]signer.Result, error) {
	out := make([]signer.Result, len(reqs))
	for i, r := range reqs {
		out[i].Sig = ed25519.Sign(s.k.priv, types.SignBytes(chain, r.Purpose, r.Payload))
	}
	return out, nil
}

// session is a conversation of which the test, or solo, is the engine.
type session struct {
	start  *consensus.Start
	events chan consensus.Event
	ready  chan *consensus.Ready
	fail   chan error
	done   chan struct{}
	once   sync.Once
}

func newSession(start *consensus.Start) *session {
	return &session{start: start, events: make(chan consensus.Event, 64), ready: make(chan *consensus.Ready, 64), fail: make(chan error, 1),
		done: make(chan struct{})}
}

func (s *session) Step(ctx context.Context, e consensus.Event) error {
	select {
	case s.events <- e:
		return nil
	case <-s.done:
		return consensus.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *session) Next(ctx context.Context) (*consensus.Ready, error) {
	select {
	case r := <-s.ready:
		return r, nil
	case err := <-s.fail:
		return nil, err
	case <-s.done:
		return nil, consensus.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *session) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}

// script is an engine that the test speaks for. Each run is handed to the test.
type script struct{ runs chan *session }

func newScript() *script { return &script{make(chan *session, 64)} }

func (e *script) Run(_ context.Context, start *consensus.Start) (consensus.Session, error) {
	s := newSession(start)
	e.runs <- s
	return s, nil
}

func (s keySigner) ProveVRF(input []byte) ([]byte, error) {
	return append(make([]byte, consensus.VRFBytes-len(input)), input...), nil
}

// solo is the engine of a chain with one producer: it makes a block a slot, without waiting for the time, until it has reached a
// height. Without a key it does nothing. A closing block is made final by the certificate of the suffix-th block after it.
type solo struct {
	target uint64
	suffix int
	mu     sync.Mutex
	starts []*consensus.Start
}

func (e *solo) Run(_ context.Context, start *consensus.Start) (consensus.Session, error) {
	e.mu.Lock()
	e.starts = append(e.starts, start)
	e.mu.Unlock()
	s := newSession(start)
	set := start.Set
	if start.Next != nil {
		set = start.Next
	}
	ask := func(parent *types.Header) {
		if start.Key != nil && set.Index(start.Key.Hash()) >= 0 && parent.Height < e.target {
			s.ready <- &consensus.Ready{Build: &consensus.Build{Slot: parent.Slot + 1, Parent: parent.ID(), Epoch: set.Epoch}}
		}
	}
	ask(start.Final)
	go func() {
		var closing *consensus.Built
		var suffix []*types.Header
		for {
			select {
			case <-s.done:
				return
			case ev := <-s.events:
				b, ok := ev.(*consensus.Built)
				if !ok || b.Header == nil {
					continue
				}
				if closing != nil {
					suffix = append(suffix, b.Header)
				} else if b.Header.Closes() {
					closing = b
				}
				if closing != nil && len(suffix) < e.suffix {
					s.ready <- &consensus.Ready{Build: &consensus.Build{Slot: b.Header.Slot + 1, Parent: b.Header.ID(), Epoch: set.Epoch}}
					continue
				}
				h := b.Header
				if closing != nil {
					h = closing.Header
				}
				id := h.ID()
				r := &consensus.Ready{Persist: [][]byte{id[:]}, Head: &id, Final: []consensus.Final{{Block: id, Proof: prove(set, h, suffix...)}}}
				if closing != nil {
					set, r.Epoch = closing.Next, closing.Next
					closing, suffix = nil, nil
				}
				if h.Height%8 == 0 {
					r.Snapshot = []byte{byte(h.Height)}
				}
				s.ready <- r
				ask(h)
			}
		}
	}()
	return s, nil
}

// prove makes the proof of a block whose certificate names the last of the blocks after it.
func prove(set *types.Set, h *types.Header, suffix ...*types.Header) *types.Finality {
	tip := h
	if len(suffix) > 0 {
		tip = suffix[len(suffix)-1]
	}
	return &types.Finality{Cert: certify(set, tip), Suffix: suffix}
}

// certify makes the certificate of a block that the only producer gives.
func certify(set *types.Set, h *types.Header) *types.Certificate {
	msg := types.SignBytes(h.Chain, types.PurposeCommit, types.CommitPayload(set.Hash(), set.Epoch, h.Slot, h.Height, h.ID()))
	return &types.Certificate{Scheme: types.CertEd25519List, SetHash: set.Hash(), Epoch: set.Epoch, Slot: h.Slot, Height: h.Height, Block: h.ID(), Bitmap: []byte{1},
		Signatures: [][]byte{ed25519.Sign(producer.priv, msg)}}
}

// kit is a chain, and what it is made from.
type kit struct {
	*Chain
	t       testing.TB
	g       *chainspec.Genesis
	fs      *disktest.FS
	store   storage.Store
	net     *fakeNet
	journal *journal.Journal
	pool    *mempool.Pool
	stop    func() error
	salt    uint64
	seats   seats // not nil: there is a module that ends epochs
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// newKit opens a chain with an engine; seat tells whether the node has the producer's key.
func newKit(t testing.TB, engine consensus.Engine, seat bool, change ...func(*Config)) *kit {
	t.Helper()
	k := &kit{t: t, g: testGenesis(), fs: disktest.New(rand.New(rand.NewPCG(1, 1))), store: newMapStore(), net: newFakeNet()}
	k.open(engine, seat, change...)
	return k
}

func (k *kit) open(engine consensus.Engine, seat bool, change ...func(*Config)) {
	k.t.Helper()
	if err := k.tryOpen(engine, seat, change...); err != nil {
		k.t.Fatal(err)
	}
}

func (k *kit) tryOpen(engine consensus.Engine, seat bool, change ...func(*Config)) error {
	id := k.g.ID()
	modules := []ledger.Named{
		{Name: types.ModuleAccount, Module: account.New(ledger.TillItem, ledger.AuthorityItem)},
		{Name: types.ModuleBank, Module: bank.New()}, {Name: types.ModuleChains, Module: chains.New(id)}}
	if k.seats != nil {
		modules = append(modules, ledger.Named{Name: types.ModuleConsensus, Module: elections{seats: k.seats}})
	}
	l, err := ledger.New(ledger.Config{Genesis: k.g, Modules: modules, Consensus: types.ModuleConsensus})
	if err != nil {
		return err
	}
	if k.journal, err = journal.Open("/journal", journal.Options{FS: k.fs, SegmentBytes: 16 << 10}); err != nil {
		return err
	}
	k.pool = mempool.New(l, mempool.Options{})
	cfg := Config{Name: "test", Genesis: k.g, Store: k.store, Engine: engine, Ledger: l, Pool: k.pool, Journal: k.journal, Network: k.net,
		Clock: stopped{time.UnixMilli(0)}, Log: quiet()}
	if seat {
		cfg.Signer = keySigner{producer}
	}
	for _, f := range change {
		f(&cfg)
	}
	if k.Chain, err = Open(context.Background(), cfg); err != nil {
		_ = k.journal.Close()
	}
	return err
}

// run lets the chain run until the end of the test, or stop.
func (k *kit) run() {
	k.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	var once sync.Once
	var err error
	k.stop = func() error {
		once.Do(func() {
			cancel()
			err = <-ended
			_ = k.journal.Close()
		})
		return err
	}
	k.t.Cleanup(func() { _ = k.stop() })
}

// await waits until f is true; it looks after each final block and now and then.
func await(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come", what)
		}
	}
}

func (k *kit) final(height uint64) {
	k.t.Helper()
	await(k.t, "a final height", func() bool {
		if s := k.Status(); s.Halted != "" {
			k.t.Fatalf("halted: %s", s.Halted)
		}
		return k.FinalHeight() >= height
	})
}

// transfer makes a transaction that refers to the newest final block and expires late.
func (k *kit) transfer(from key, to types.AccountID, amount uint64) ([]byte, types.TxID) {
	height, id, _, _ := k.Reference()
	k.salt++
	t := &types.Transaction{Module: types.ModuleBank, Account: from.id(), Authority: types.SingleKeyAuthority(from.pub).Encode(), Expires: 120,
		Actions:   []types.Action{{Name: "transfer", Body: types.TransferBody{To: to, Amount: amount}.Encode(), MaxSpend: amount}},
		RefHeight: height, RefHash: [16]byte(id[:16]), Salt: k.salt, MaxGas: 100_000, MaxFee: 200_000}
	env := types.Envelope{Raw: t.Encode()}
	env.Signatures = []types.Signature{{Key: from.pub, Sig: ed25519.Sign(from.priv, types.TxSignBytes(k.g.ID(), env.Raw))}}
	return env.Encode(), types.TxIDOf(k.g.ID(), env.Raw)
}

func (k *kit) submit(envs ...[]byte) {
	k.t.Helper()
	_, errs := k.Submit(context.Background(), envs)
	if err := errors.Join(errs...); err != nil {
		k.t.Fatal(err)
	}
}

// claimOf is what a peer announces.
func claimOf(height uint64) []byte {
	e := types.NewEncoder(48)
	e.Uint(height)
	e.Hash(types.Hash{1})
	return e.Bytes()
}

// mapStore is a store in memory whose every version counts as durable.
type mapStore struct {
	mu      sync.RWMutex
	m       map[string][]byte
	version uint64
}

func newMapStore() *mapStore { return &mapStore{m: map[string][]byte{}} }

func (s *mapStore) Get(_ context.Context, keys [][]byte) ([][]byte, uint64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([][]byte, len(keys))
	for i, k := range keys {
		if v, ok := s.m[string(k)]; ok {
			out[i] = append([]byte{}, v...)
		}
	}
	return out, s.version, nil
}

func (s *mapStore) Scan(_ context.Context, start, end []byte, limit int) (storage.Page, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var keys []string
	for k := range s.m {
		if k >= string(start) && (len(end) == 0 || k < string(end)) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	p := storage.Page{Version: s.version, More: len(keys) > limit}
	for _, k := range keys[:min(limit, len(keys))] {
		p.Items = append(p.Items, storage.KV{Key: []byte(k), Value: append([]byte{}, s.m[k]...)})
	}
	return p, nil
}

func (s *mapStore) Apply(_ context.Context, b storage.Batch) (storage.Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.To != s.version && b.From != s.version {
		return storage.Status{}, storage.ErrWrongVersion
	}
	if b.To != s.version {
		for _, kv := range b.Puts {
			s.m[string(kv.Key)] = append([]byte{}, kv.Value...)
		}
		for _, k := range b.Deletes {
			delete(s.m, string(k))
		}
		s.version = b.To
	}
	return storage.Status{Version: s.version, Durable: s.version}, nil
}

func (s *mapStore) Status(context.Context, bool) (storage.Status, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return storage.Status{Version: s.version, Durable: s.version}, nil
}
