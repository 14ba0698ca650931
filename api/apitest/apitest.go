// Package apitest is a node without a core, for tests of what stands on package api: its chains have real keys, signed
// certificates and real transactions, and go on when the test says so. It is no reference for how a ledger behaves.
package apitest

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/sdk/params"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Node is an api.Node and an api.Admin.
type Node struct {
	mu      sync.Mutex
	status  api.NodeStatus
	chains  []api.Chain
	stopped []string
	follows [][]byte
	links   api.Links
}

// NewNode makes a node that has chains.
func NewNode(name string, chains ...*Chain) *Node {
	n := &Node{status: api.NodeStatus{Name: name, ID: sha256.Sum256([]byte(name)), Version: "test"}}
	for _, c := range chains {
		n.chains = append(n.chains, c)
	}
	return n
}

// Add adds a chain, which may be one of another kind.
func (n *Node) Add(c api.Chain) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.chains = append(n.chains, c)
}

// SetStatus replaces what the node says of itself; the chains are added to it.
func (n *Node) SetStatus(s api.NodeStatus) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.status = s
}

// Status implements api.Node.
func (n *Node) Status(ctx context.Context) (api.NodeStatus, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.status
	s.Chains = nil
	for _, c := range n.chains {
		s.Chains = append(s.Chains, c.Status())
	}
	return s, ctx.Err()
}

// SetLinks replaces what the node says of its links.
func (n *Node) SetLinks(l api.Links) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links = l
}

// Links implements api.Node.
func (n *Node) Links(ctx context.Context) (api.Links, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.links, ctx.Err()
}

// Chains implements api.Node.
func (n *Node) Chains() []api.Chain {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.chains)
}

// Stop implements api.Admin.
func (n *Node) Stop(_ context.Context, reason string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stopped = append(n.stopped, reason)
	return nil
}

// Stopped returns the reasons for which Stop was called.
func (n *Node) Stopped() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.stopped)
}

// Follow implements api.Admin.
func (n *Node) Follow(_ context.Context, genesis []byte) (types.ChainID, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.follows = append(n.follows, genesis)
	return sha256.Sum256(genesis), nil
}

// RestartPlugin implements api.Admin.
func (n *Node) RestartPlugin(_ context.Context, name string) error {
	return fmt.Errorf("%w: restart %q: this node has no plugins", api.ErrUnsupported, name)
}

// SetLogLevel implements api.Admin.
func (n *Node) SetLogLevel(context.Context, string) error { return nil }

// Probe implements api.Admin: the link to a peer that SetLinks has named loses nothing, and has a round trip of a millisecond.
func (n *Node) Probe(_ context.Context, peer string, datagrams int) (api.Probe, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.links.Links {
		if l.Name == peer || l.Node.String() == peer {
			return api.Probe{Node: l.Node, Name: l.Name, Min: time.Millisecond, P50: time.Millisecond, P99: time.Millisecond, Sent: datagrams}, nil
		}
	}
	return api.Probe{}, fmt.Errorf("%w: %q", api.ErrUnknownPeer, peer)
}

// Key returns a key pair that is the same for the same name. It implements the Signer of package client.
func Key(name string) Signer {
	seed := sha256.Sum256([]byte("apitest " + name))
	return Signer{ed25519.NewKeyFromSeed(seed[:])}
}

// Signer signs with a key.
type Signer struct{ private ed25519.PrivateKey }

// Public returns the public key.
func (s Signer) Public() types.PublicKey {
	return types.Ed25519Key(s.private.Public().(ed25519.PublicKey))
}

// Sign signs msg.
func (s Signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.private, msg), nil }

// Chain is an api.Chain. Nothing moves but by Advance.
type Chain struct {
	name    string
	genesis *chainspec.Genesis
	id      types.ChainID
	params  api.Params
	buffer  int

	mu       sync.Mutex
	keys     []Signer // of set, in the order of its seats
	set      *types.Set
	epochs   []api.Epoch // by number
	state    state       // after the newest block
	before   state       // after its parent
	tracked  types.AccountID
	blocks   []*api.Block // by height; blocks[0] stands for genesis
	included map[types.TxID]api.Tx
	pool     []types.TxID
	waiting  map[types.TxID][]byte
	accounts map[types.AccountID]api.Account
	subs     map[*subscription]bool
	slot     uint64
	halted   string
	trouble  string
	bulk     int
	ended    bool
}

// SubscriptionBuffer is how many blocks a subscription of a chain holds.
const SubscriptionBuffer = 8

// Trusting is how long the producers of a chain are believed by its genesis document.
const Trusting = time.Hour

// NewChain makes a chain with four producers at height 0.
func NewChain(name string) *Chain {
	c := &Chain{
		name: name, included: map[types.TxID]api.Tx{}, waiting: map[types.TxID][]byte{},
		accounts: map[types.AccountID]api.Account{}, subs: map[*subscription]bool{}, buffer: SubscriptionBuffer,
		params: api.Params{
			Token: "ALTO", GenesisTimeMs: 1_000_000, SlotMs: 500, TxLifetime: 120, Fees: api.Fees{PerByte: 1, PerGas: 0, Floor: 100},
			Limits: api.ChainLimits{BlockBytes: 4 << 20, TxBytes: 64 << 10, BlockGas: 40_000_000}, Modules: []string{"account", "bank"},
		},
	}
	p := &c.params
	c.genesis = &chainspec.Genesis{Format: chainspec.GenesisFormat, Name: name, Token: p.Token, Supply: 1, TimeMs: p.GenesisTimeMs, SlotMs: p.SlotMs,
		Consensus:   chainspec.Rules{Plugin: "apitest", Rules: "1", Config: fmt.Appendf(nil, `{"trusting":%d}`, Trusting.Nanoseconds())},
		Limits:      chainspec.Limits{BlockBytes: p.Limits.BlockBytes, TxBytes: p.Limits.TxBytes, BlockGas: p.Limits.BlockGas},
		Fees:        chainspec.Fees{PerByte: p.Fees.PerByte, PerGas: p.Fees.PerGas, Floor: p.Fees.Floor},
		Allocations: []chainspec.Allocation{{Name: "all", Account: types.AccountID{1}, Amount: 1}}}
	c.keys, c.set = c.elect(0)
	for i, s := range c.set.Seats {
		c.genesis.Producers = append(c.genesis.Producers, chainspec.Producer{Name: fmt.Sprintf("p%d", i), Key: s.Key})
	}
	c.id = c.genesis.ID()
	h := &types.Header{Chain: c.id, NextSet: c.set.Hash()}
	c.blocks = []*api.Block{{ID: h.ID(), Header: h}}
	c.epochs = []api.Epoch{{Set: c.set, Opened: h}}
	return c
}

// elect returns the producers of an epoch.
func (c *Chain) elect(epoch uint64) ([]Signer, *types.Set) {
	signers, keys := make([]Signer, 4), make([]types.PublicKey, 4)
	for i := range signers {
		signers[i] = Key(fmt.Sprintf("%s producer %d of epoch %d", c.name, i, epoch))
		keys[i] = signers[i].Public()
	}
	return signers, types.EqualSet(epoch, keys)
}

// SetAccount gives an account what it should have.
func (c *Chain) SetAccount(a api.Account) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.accounts[a.ID] = a
}

// Bulk makes the bodies of further blocks n bytes of nothing, for tests of slow readers.
func (c *Chain) Bulk(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bulk = n
}

// Halt makes the chain halt.
func (c *Chain) Halt(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.halted = reason
}

// Trouble makes something wrong with the node's part in the chain.
func (c *Chain) Trouble(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trouble = what
}

// Advance makes n further blocks, the first with what waits, and makes them final at once. Only every second height, and the last,
// has a certificate of its own, and only the last is announced, as when a certificate makes several blocks final.
func (c *Chain) Advance(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range n {
		c.slot++
		c.add(i == n-1, nil)
	}
	c.publish(c.blocks[len(c.blocks)-1])
}

// Close makes a further block, which closes the epoch, with what waits. It is final by its own certificate or, if suffix is more
// than 0, by that of the last of so many blocks above it that are dropped. The producers of the next epoch are others.
func (c *Chain) Close(suffix int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slot++
	keys, next := c.elect(c.set.Epoch + 1)
	c.add(false, next)
	x := c.blocks[len(c.blocks)-1]
	x.Finality = c.prove(x, suffix)
	if x.Certificate = nil; suffix == 0 {
		x.Certificate = x.Finality.Cert
	}
	c.slot += uint64(suffix)
	c.keys, c.set = keys, next
	c.epochs = append(c.epochs, api.Epoch{Set: next, Opened: x.Header, Proof: x.Finality})
	c.publish(x)
}

// Certify returns a certificate for a header by the producers of its epoch.
func (c *Chain) Certify(h *types.Header) *types.Certificate {
	keys, set := c.elect(h.Epoch)
	return c.certify(h, keys, set)
}

// suffix returns n empty blocks of the epoch in force above one.
func (c *Chain) suffix(x *api.Block, n int) (out []*types.Header) {
	parent, receipts := x.Header, x.Receipts
	for i := range n {
		h := &types.Header{Chain: c.id, Height: parent.Height + 1, Slot: c.slot + uint64(i) + 1, Epoch: c.set.Epoch, Parent: parent.ID(),
			Producer: c.set.Seats[0].Key.Hash(), BodyRoot: (&types.Body{}).BodyRoot(nil), StateRoot: c.state.root(), ReceiptsRoot: types.ReceiptsRoot(receipts)}
		out = append(out, h)
		parent, receipts = h, nil
	}
	return out
}

func (c *Chain) prove(x *api.Block, suffix int) *types.Finality {
	f := &types.Finality{Suffix: c.suffix(x, suffix)}
	top := x.Header
	if suffix > 0 {
		top = f.Suffix[suffix-1]
	}
	f.Cert = c.certify(top, c.keys, c.set)
	return f
}

// Now returns when the slot began that the chain's clock is in.
func (c *Chain) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.UnixMilli(int64(c.params.GenesisTimeMs + c.slot*c.params.SlotMs))
}

// Skip lets slots pass without a block.
func (c *Chain) Skip(slots uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slot += slots
}

// Include puts what waits into a block that is not final; the next Advance makes it final.
func (c *Chain) Include() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, id := range c.pool {
		c.included[id] = api.Tx{ID: id, Stage: api.Included, Height: uint64(len(c.blocks)), Index: i, Envelope: c.waiting[id]}
	}
}

// add makes a block, which closes the epoch if next is not nil.
func (c *Chain) add(certified bool, next *types.Set) {
	parent := c.blocks[len(c.blocks)-1]
	body := &types.Body{}
	b := &api.Block{}
	for _, id := range c.pool {
		b.TxIDs = append(b.TxIDs, id)
		body.Txs = append(body.Txs, c.waiting[id])
		b.Receipts = append(b.Receipts, types.Receipt{ID: id, Status: types.StatusOK, Fee: 100, Gas: types.GasTransfer,
			Events: []types.Event{{Module: "bank", Name: "transfer", Data: []byte(`{"n":1}`), Accounts: []types.AccountID{{1}}, Item: []byte{2}}}})
	}
	h := &types.Header{Chain: c.id, Height: parent.Header.Height + 1, Slot: c.slot, Epoch: c.set.Epoch, Parent: parent.ID, StateRoot: c.state.root(), Producer: c.set.Seats[0].Key.Hash(),
		Clock: types.NextClock(parent.Header.Clock, parent.Header.Slot, c.slot), BodyRoot: body.BodyRoot(b.TxIDs),
		ReceiptsRoot: types.ReceiptsRoot(parent.Receipts)}
	if next != nil {
		h.NextSet = next.Hash()
	}
	c.before, c.state = c.state, c.state.after(c, h.Height)
	b.ID, b.Header, b.Body = h.ID(), h, body.Encode()
	if certified || h.Height%2 == 0 {
		b.Certificate = c.certify(h, c.keys, c.set)
		b.Finality = &types.Finality{Cert: b.Certificate}
	}
	if c.bulk > 0 {
		b.Body = make([]byte, c.bulk)
	}
	for i, id := range b.TxIDs {
		c.included[id] = api.Tx{ID: id, Stage: api.Final, Height: h.Height, Block: b.ID, Index: i, Envelope: c.waiting[id], Receipt: &b.Receipts[i]}
		delete(c.waiting, id)
	}
	c.pool = nil
	c.blocks = append(c.blocks, b)
}

func (c *Chain) certify(h *types.Header, keys []Signer, set *types.Set) *types.Certificate {
	cert := &types.Certificate{Scheme: types.CertEd25519List, SetHash: set.Hash(), Epoch: h.Epoch, Slot: h.Slot, Height: h.Height, Block: h.ID(), Bitmap: []byte{0b1011}}
	msg := types.SignBytes(c.id, types.PurposeCommit, types.CommitPayload(cert.SetHash, cert.Epoch, cert.Slot, cert.Height, cert.Block))
	for _, i := range []int{0, 1, 3} {
		sig, _ := keys[i].Sign(msg)
		cert.Signatures = append(cert.Signatures, sig)
	}
	return cert
}

// Name implements api.Chain.
func (c *Chain) Name() string { return c.name }

// ID implements api.Chain.
func (c *Chain) ID() types.ChainID { return c.id }

// Genesis implements api.Chain.
func (c *Chain) Genesis() []byte { return c.genesis.Encode() }

// Set implements api.Chain.
func (c *Chain) Set() *types.Set {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.set
}

// Params implements api.Chain.
func (c *Chain) Params() api.Params { return c.params }

// Status implements api.Chain.
func (c *Chain) Status() api.ChainStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	final := c.blocks[len(c.blocks)-1]
	return api.ChainStatus{Name: c.name, ID: c.id, Head: final.Header.Height, Final: final.Header.Height, FinalID: final.ID, FinalSlot: final.Header.Slot,
		Slot: c.slot, Producers: len(c.keys), Producer: true, Produced: 3, Skipped: 1, Waiting: len(c.pool), Halted: c.halted, Trouble: c.trouble}
}

// Reference implements api.Chain.
func (c *Chain) Reference(ctx context.Context) (api.Reference, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	final := c.blocks[len(c.blocks)-1]
	return api.Reference{Height: final.Header.Height, ID: final.ID, Clock: final.Header.Clock, Slot: c.slot}, ctx.Err()
}

// Submit implements api.Chain. It verifies signatures and expiry, and knows what it has seen.
func (c *Chain) Submit(_ context.Context, envelopes [][]byte) ([]types.TxID, []error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids, errs := make([]types.TxID, len(envelopes)), make([]error, len(envelopes))
	for i, raw := range envelopes {
		ids[i], errs[i] = c.admit(raw)
	}
	return ids, errs
}

func (c *Chain) admit(raw []byte) (id types.TxID, err error) {
	env, err := types.DecodeEnvelope(raw)
	if err != nil {
		return id, fmt.Errorf("ErrMalformed: %w", err)
	}
	t, err := types.DecodeTransaction(env.Raw)
	if err != nil {
		return id, fmt.Errorf("ErrMalformed: %w", err)
	}
	id = types.TxIDOf(c.id, env.Raw)
	for _, s := range env.Signatures {
		if err := types.VerifySignature(s.Key, types.TxSignBytes(c.id, env.Raw), s.Sig); err != nil {
			return id, fmt.Errorf("ErrSignature: %w", err)
		}
	}
	least := c.params.Fees.Of(len(raw), 0)
	switch {
	case c.halted != "":
		return id, fmt.Errorf("%w: %s", api.ErrHalted, c.halted)
	case t.Expires < c.slot:
		return id, fmt.Errorf("%w: at slot %d, it is %d", api.ErrExpired, t.Expires, c.slot)
	case t.MaxFee < least:
		return id, fmt.Errorf("ErrFee: max_fee %d is below %d", t.MaxFee, least)
	case c.waiting[id] != nil:
		return id, fmt.Errorf("%w: %s", api.ErrKnown, id)
	case c.included[id].Stage == api.Final:
		return id, fmt.Errorf("%w: %s", api.ErrDuplicate, id)
	}
	c.waiting[id] = raw
	c.pool = append(c.pool, id)
	return id, nil
}

// Forget drops what waits, as a node does that is started again.
func (c *Chain) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.waiting)
	c.pool = nil
}

// Tx implements api.Chain.
func (c *Chain) Tx(ctx context.Context, id types.TxID) (api.Tx, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t, ok := c.included[id]; ok {
		return t, ctx.Err()
	}
	if raw, ok := c.waiting[id]; ok {
		return api.Tx{ID: id, Stage: api.Waiting, Envelope: raw}, ctx.Err()
	}
	return api.Tx{}, ctx.Err()
}

// Block implements api.Chain.
func (c *Chain) Block(ctx context.Context, height uint64) (*api.Block, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if height == 0 || height >= uint64(len(c.blocks)) {
		return nil, fmt.Errorf("%w: block %d; the newest final one is %d", api.ErrNotFound, height, len(c.blocks)-1)
	}
	return c.blocks[height], ctx.Err()
}

// Epoch implements api.Chain.
func (c *Chain) Epoch(ctx context.Context, number uint64) (api.Epoch, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if number >= uint64(len(c.epochs)) {
		return api.Epoch{}, fmt.Errorf("%w: epoch %d", api.ErrNotFound, number)
	}
	return c.epochs[number], ctx.Err()
}

// Account implements api.Chain. There are proofs for the account that [Chain.Track] has named, and those that [Chain.SetAccount]
// was given.
func (c *Chain) Account(ctx context.Context, id types.AccountID, prove bool) (api.Account, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.accounts[id]
	a.Height = uint64(len(c.blocks) - 1)
	if prove && a.Proofs == nil && c.before.account == id {
		a.ProofHeight, a.Height = a.Height, a.Height-1
		a.Balance, a.Proofs = c.before.balance, c.before.proofs()
	}
	return a, ctx.Err()
}

// Registry is what every Chain says of its parameters.
func Registry() *params.Registry {
	by := types.AccountID{9}
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	return &params.Registry{Authority: &by, Epochs: true, Params: []params.Entry{
		{Name: "bank.mode", Type: "string", Value: raw(`"fast"`), Genesis: raw(`"slow"`), OneOf: []string{"fast", "slow"}, ChangedAt: 4, Description: "how fast"},
		{Name: "fees.floor", Type: "amount", Value: raw("5"), Genesis: raw("5"), Min: raw("0"), Max: raw("9"), Step: raw("2")},
		{Name: "limits.tx_bytes", Type: "size", Value: raw("7"), Genesis: raw("7"), Fixed: true},
	}, Pending: &params.PendingView{Changes: []params.ChangeView{{Name: "fees.floor", From: raw("5"), To: raw("6")}}, By: by, Height: 2, NotBefore: 8, Note: "why"}}
}

// Query implements api.Chain: the module bank echoes the argument of the path echo, whoami tells who asks, and params lists
// [Registry]. The path balance rests on the item of the account that [Chain.Track] has named, which is all that can be proven.
func (c *Chain) Query(ctx context.Context, q api.QueryRequest) (a api.QueryAnswer, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.Caller, err = c.caller(q); err != nil {
		return api.QueryAnswer{}, err
	}
	at, state := c.blocks[len(c.blocks)-1].Header, c.state
	if q.Prove {
		if at.Height < 2 {
			return api.QueryAnswer{}, fmt.Errorf("%w: no final block has the root of a state yet", api.ErrNotFound)
		}
		a.ProofHeight = at.Height
		at, state = c.blocks[at.Height-1].Header, c.before
	}
	a.Height, a.Clock = at.Height, at.Clock
	switch {
	case q.Module == params.Module && q.Path == params.PathList:
		a.JSON, err = json.Marshal(Registry())
	case q.Module == BalanceModule && q.Path == "balance":
		a.JSON = fmt.Appendf(nil, "{\"balance\":%d}", state.balance)
		if q.Prove {
			a.Proofs = state.proofs()[:1]
		}
	case q.Module != "bank":
		err = fmt.Errorf("%w: %q; this chain has bank", api.ErrUnknownModule, q.Module)
	case q.Path == "echo":
		a.JSON = fmt.Appendf(nil, "{\"echo\":%q}", q.Argument)
	case q.Path == "whoami" && a.Caller != nil:
		a.JSON = fmt.Appendf(nil, "{\"caller\":%q}", a.Caller)
	case q.Path == "whoami":
		a.JSON = []byte("{}")
	default:
		err = fmt.Errorf("%w: %q", api.ErrUnknownPath, q.Path)
	}
	if err = errors.Join(err, ctx.Err()); err != nil {
		return api.QueryAnswer{}, err
	}
	return a, nil
}

// BalanceModule is the module whose items a chain can prove.
const BalanceModule = "ledger.balance"

// caller verifies the signatures of a right to ask, and what it is for; it knows no permissions.
func (c *Chain) caller(q api.QueryRequest) (*types.AccountID, error) {
	if q.Auth == nil {
		return nil, nil
	}
	s, err := types.DecodeSignedQuery(q.Auth)
	if err != nil {
		return nil, fmt.Errorf("ErrMalformed: %w", err)
	}
	x, err := types.DecodeQueryAuth(s.Raw)
	if err != nil {
		return nil, fmt.Errorf("ErrMalformed: %w", err)
	}
	if x.Module != q.Module || x.Path != q.Path || x.Argument != types.QueryArgumentHash(q.Argument) {
		return nil, errors.New("ErrUnauthorised: it is for another question")
	}
	if x.Expires < c.slot || x.Expires > c.slot+c.params.TxLifetime {
		return nil, fmt.Errorf("%w: at slot %d, it is %d", api.ErrExpired, x.Expires, c.slot)
	}
	for _, sig := range s.Signatures {
		if err := types.VerifySignature(sig.Key, types.QuerySignBytes(c.id, s.Raw), sig.Sig); err != nil {
			return nil, fmt.Errorf("ErrSignature: %w", err)
		}
		if types.SingleKeyAuthority(sig.Key).ID() == x.Account {
			return &x.Account, nil
		}
	}
	return nil, errors.New("ErrUnauthorised: none of the account's keys has signed")
}

type subscription struct {
	c  *Chain
	ch chan *api.Block
}

// Subscribe implements api.Chain.
func (c *Chain) Subscribe() (api.Subscription, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return nil, fmt.Errorf("%w: chain %s", api.ErrStopped, c.name)
	}
	s := &subscription{c: c, ch: make(chan *api.Block, c.buffer)}
	c.subs[s] = true
	return s, nil
}

// Subscribers returns how many subscriptions are open.
func (c *Chain) Subscribers() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.subs)
}

// End ends all subscriptions for good.
func (c *Chain) End() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	for s := range maps.Clone(c.subs) {
		c.drop(s)
	}
}

func (c *Chain) publish(b *api.Block) {
	for s := range maps.Clone(c.subs) {
		select {
		case s.ch <- b:
		default:
			c.drop(s)
		}
	}
}

func (c *Chain) drop(s *subscription) {
	if c.subs[s] {
		delete(c.subs, s)
		close(s.ch)
	}
}

// Next implements api.Subscription.
func (s *subscription) Next(ctx context.Context) (*api.Block, error) {
	select {
	case b, ok := <-s.ch:
		if ok {
			return b, nil
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.c.ended {
		return nil, fmt.Errorf("%w: chain %s", api.ErrStopped, s.c.name)
	}
	return nil, api.ErrSlow
}

// Close implements api.Subscription.
func (s *subscription) Close() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.c.drop(s)
}
