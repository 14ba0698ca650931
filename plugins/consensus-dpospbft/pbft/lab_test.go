package pbft

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// lab is a few machines with the smallest core around each, real signatures, and a network that delivers at once what the
// test lets pass. Epochs end with the first block from a slot on, and the sets are the test's.
type lab struct {
	t       *testing.T
	sets    []*types.Set
	ends    []uint64 // of each epoch but the last: the slot from which a block closes it
	genesis *types.Header
	nodes   []*labNode
	drop    func(from, to int, msg Message) bool
	slot    uint64
	queue   []labMessage
	salt    byte   // of the bodies
	suffix  uint64 // largest length, or 0
	tree    int    // most blocks above the final one, or 0
	memo    memoVerifier
}

// memoVerifier does each check once for all machines.
type memoVerifier struct {
	errs   map[[32]byte]error
	proofs map[[32]byte][]byte
}

func newMemo() memoVerifier { return memoVerifier{map[[32]byte]error{}, map[[32]byte][]byte{}} }

func (v memoVerifier) once(f func() error, parts ...[]byte) error {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	k := [32]byte(h.Sum(nil))
	if _, ok := v.errs[k]; !ok {
		v.errs[k] = f()
	}
	return v.errs[k]
}

func (v memoVerifier) prove(priv ed25519.PrivateKey, input []byte) []byte {
	k := sha256.Sum256(append(bytes.Clone(priv), input...))
	if v.proofs[k] == nil {
		v.proofs[k] = ecvrf.Prove(priv, input)
	}
	return v.proofs[k]
}

func (v memoVerifier) Signature(key types.PublicKey, msg, sig []byte) error {
	return v.once(func() error { return plainVerifier{}.Signature(key, msg, sig) }, key.Key, msg, sig)
}

func (v memoVerifier) Certificate(c *types.Certificate, chain types.Hash, set *types.Set) error {
	return v.once(func() error { return plainVerifier{}.Certificate(c, chain, set) }, c.Encode(), chain[:], set.Encode())
}

func (v memoVerifier) Batch(keys []types.PublicKey, msgs, sigs [][]byte) error {
	var parts [][]byte
	for i := range keys {
		parts = append(parts, keys[i].Key, msgs[i], sigs[i])
	}
	return v.once(func() error { return plainVerifier{}.Batch(keys, msgs, sigs) }, parts...)
}

func (v memoVerifier) VRF(key types.PublicKey, input, proof []byte) error {
	return v.once(func() error { return plainVerifier{}.VRF(key, input, proof) }, key.Key, input, proof)
}

type labMessage struct {
	from, to int
	raw      []byte
}

type labEntry struct{ record, snapshot []byte }

type labNode struct {
	i       int
	priv    ed25519.PrivateKey
	pub     types.PublicKey
	m       *Machine
	journal []labEntry
	bodies  map[types.BlockID]*types.Header
	final   *types.Header // as the core has made durable
	proof   *types.Finality
	opened  *types.Header // by epochs
	shown   *types.Finality
	epochs  []uint64 // as told
	finals  []types.BlockID
	trouble []string
	found   [][]byte
	halt    string
	skew    int64 // of the clock, in milliseconds
	deaf    bool  // the core does not make finality durable any more
	signed  map[string][]byte
	over    uint64 // the first epoch that is not over by its records
	readies int
	dies    int  // with this Ready
	whole   bool // its records are durable, and nothing else is done
}

const labGenesisMs = 1_000_000

func labKey(i int) (ed25519.PrivateKey, types.PublicKey) {
	seed := sha256.Sum256([]byte{byte(i), 'l'})
	priv := ed25519.NewKeyFromSeed(seed[:])
	return priv, types.PublicKey{Scheme: types.SchemeEd25519, Key: []byte(priv.Public().(ed25519.PublicKey))}
}

// newLab makes one node for each key that a set names; a set is a list of keys.
func newLab(t *testing.T, ends []uint64, sets ...[]int) *lab {
	l := &lab{t: t, ends: ends, memo: newMemo()}
	most := 0
	for e, s := range sets {
		var keys []types.PublicKey
		for _, i := range s {
			_, pub := labKey(i)
			keys = append(keys, pub)
			most = max(most, i)
		}
		l.sets = append(l.sets, types.EqualSet(uint64(e), keys))
	}
	l.genesis = &types.Header{Chain: types.Sum("test", []byte("lab")), NextSet: l.sets[0].Hash()}
	for i := range most + 1 {
		n := &labNode{i: i, final: l.genesis, opened: l.genesis, bodies: map[types.BlockID]*types.Header{l.genesis.ID(): l.genesis},
			signed: map[string][]byte{}}
		n.priv, n.pub = labKey(i)
		l.nodes = append(l.nodes, n)
	}
	return l
}

func (l *lab) now(n *labNode) uint64 { return uint64(int64(labGenesisMs+l.slot*500) + n.skew) }

func (l *lab) setOf(epoch uint64) *types.Set {
	if epoch >= uint64(len(l.sets)) {
		l.t.Fatalf("epoch %d has begun, there are %d", epoch, len(l.sets))
	}
	return l.sets[epoch]
}

// start starts a node from what it has made durable.
func (l *lab) start(n *labNode) {
	st := &consensus.Start{Genesis: l.genesis, Set: l.setOf(n.final.Epoch), Key: &n.pub, Final: n.final, FinalProof: n.proof, EpochStart: n.opened,
		EpochProof: n.shown, NowMs: l.now(n), GenesisTimeMs: labGenesisMs}
	if n.final.Closes() {
		st.Next = l.setOf(n.final.Epoch + 1)
	}
	for _, e := range n.journal {
		if e.snapshot != nil {
			st.Snapshot, st.Records = bytes.Clone(e.snapshot), nil
		} else {
			st.Records = append(st.Records, bytes.Clone(e.record))
		}
	}
	m, err := New(Config{SlotMs: 500, Turn: 1, Verifier: l.memo, maxSuffix: l.suffix, maxTree: l.tree}, st)
	if err != nil {
		l.t.Fatalf("node %d does not start: %v", n.i, err)
	}
	n.m = m
	l.drain(n)
}

func (l *lab) startAll() {
	for _, n := range l.nodes {
		l.start(n)
	}
	l.deliver()
}

func (l *lab) step(n *labNode, e consensus.Event) {
	if n.m == nil {
		return
	}
	if err := n.m.Step(e); err != nil {
		l.t.Fatal(err)
	}
	l.drain(n)
}

func (l *lab) drain(n *labNode) {
	for n.m != nil && n.m.HasReady() {
		l.carryOut(n, n.m.Ready())
	}
}

// persist is the first part of a Ready, carryOut the whole.
func (n *labNode) persist(r *consensus.Ready) {
	if r.Snapshot != nil {
		n.journal = append(n.journal, labEntry{snapshot: r.Snapshot})
	}
	for _, p := range r.Persist {
		if d, err := decodeRecord(p); err == nil && d.kind == recEpoch {
			n.over = d.header.Epoch + 1
		}
		n.journal = append(n.journal, labEntry{record: p})
	}
}

func (l *lab) carryOut(n *labNode, r *consensus.Ready) {
	if n.readies++; n.readies == n.dies {
		if n.whole {
			n.persist(r)
		}
		n.m = nil
		return
	}
	n.persist(r)
	for _, u := range r.Sign {
		key := fmt.Sprint(u.Purpose, u.Ordinal)
		if old := n.signed[key]; old != nil && !bytes.Equal(old, u.Payload) {
			l.t.Fatalf("node %d signs twice: %s", n.i, key)
		}
		n.signed[key] = u.Payload
		if e := epochOf(l.t, u); e < n.over {
			l.t.Fatalf("node %d signs in epoch %d, which it knows to be over", n.i, e)
		}
		raw := append(bytes.Clone(u.Message), ed25519.Sign(n.priv, types.SignBytes(l.genesis.Chain, u.Purpose, u.Payload))...)
		l.send(n, u.To, raw)
		l.queue = append(l.queue, labMessage{-1, n.i, raw})
	}
	for _, o := range r.Send {
		l.send(n, o.To, o.Payload)
	}
	if b := r.Build; b != nil {
		h := l.build(n, b)
		ev := &consensus.Built{Slot: b.Slot, Parent: b.Parent, Header: h, NowMs: l.now(n)}
		if h.Closes() {
			ev.Next = l.setOf(h.Epoch + 1)
		}
		defer l.step(n, ev)
	}
	for _, k := range r.Check {
		if n.bodies[k.Header.Parent] == nil {
			l.t.Fatalf("node %d checks a block before its parent", n.i)
		}
		n.bodies[k.Header.ID()] = k.Header
		ev := &consensus.Checked{Block: k.Header.ID(), OK: true, NowMs: l.now(n)}
		if k.Header.Closes() {
			ev.Next = l.setOf(k.Header.Epoch + 1)
		}
		defer l.step(n, ev)
	}
	for _, f := range r.Final {
		l.final(n, f)
	}
	n.found = append(n.found, r.Evidence...)
	if r.Epoch != nil {
		n.epochs = append(n.epochs, r.Epoch.Epoch)
	}
	if r.Trouble != nil {
		n.trouble = append(n.trouble, *r.Trouble)
	}
	if r.Halt != "" {
		n.halt = r.Halt
	}
}

func (l *lab) final(n *labNode, f consensus.Final) {
	h := n.bodies[f.Block]
	if h == nil {
		l.t.Fatalf("node %d: a block is final that was not checked", n.i)
	}
	n.finals = append(n.finals, f.Block)
	if f.Proof == nil {
		return
	}
	if err := f.Proof.Verify(l.setOf(h.Epoch), h); err != nil {
		l.t.Fatalf("node %d: the proof for height %d: %v", n.i, h.Height, err)
	}
	if n.deaf {
		return
	}
	for b := h; b.Height > n.final.Height; b = n.bodies[b.Parent] {
		if p := n.bodies[b.Parent]; p.Closes() && p.Epoch < h.Epoch {
			n.opened = p
		}
	}
	if n.final.Closes() {
		n.opened, n.shown = n.final, n.proof
	}
	n.final, n.proof = h, f.Proof
}

// epochOf returns the epoch of what is to be signed.
func epochOf(t *testing.T, u consensus.Unsigned) uint64 {
	msg, err := DecodeMessage(append(bytes.Clone(u.Message), make([]byte, sigBytes)...))
	if err != nil {
		t.Fatal(err)
	}
	switch v := msg.(type) {
	case *Proposal:
		return v.Header.Epoch
	case *Prepare:
		return v.Epoch
	case *Commit:
		return v.Epoch
	}
	t.Fatalf("%T is to be signed", msg)
	return 0
}

// build is the core's part: the state says when the epoch ends.
func (l *lab) build(n *labNode, b *consensus.Build) *types.Header {
	p := n.bodies[b.Parent]
	if p == nil {
		l.t.Fatalf("node %d builds on a block that it does not have", n.i)
	}
	l.salt++
	h := &types.Header{Chain: l.genesis.Chain, Height: p.Height + 1, Slot: b.Slot, Epoch: b.Epoch, Clock: types.NextClock(p.Clock, p.Slot, b.Slot),
		Parent: b.Parent, Producer: n.pub.Hash(), BodyRoot: types.Sum("test", []byte{l.salt}),
		Consensus: append(bytes.Clone(b.Consensus), l.memo.prove(n.priv, b.VRFInput)...)}
	if b.Certificate != nil {
		c, err := types.DecodeCertificate(b.Certificate)
		if err != nil {
			l.t.Fatal(err)
		}
		h.CertHeight = c.Height
	}
	closed := false
	for a := p; a != nil && a.Epoch == b.Epoch; a = n.bodies[a.Parent] {
		closed = closed || a.Closes()
	}
	if !closed && b.Epoch < uint64(len(l.ends)) && b.Slot >= l.ends[b.Epoch] {
		h.NextSet = l.setOf(b.Epoch + 1).Hash()
	}
	if closed && !b.Empty {
		l.t.Fatalf("node %d wants a body after the closing block", n.i)
	}
	return h
}

func (l *lab) send(n *labNode, to []types.Hash, raw []byte) {
	msg, err := DecodeMessage(raw)
	if err != nil {
		l.t.Fatalf("node %d sends what nobody can read: %v", n.i, err)
	}
	for _, d := range l.nodes {
		if d == n || len(to) > 0 && !slices.Contains(to, d.pub.Hash()) || l.drop != nil && l.drop(n.i, d.i, msg) {
			continue
		}
		l.queue = append(l.queue, labMessage{n.i, d.i, raw})
	}
}

func (l *lab) deliver() {
	for len(l.queue) > 0 {
		q := l.queue[0]
		l.queue = l.queue[1:]
		var from types.Hash
		if q.from >= 0 {
			from = l.nodes[q.from].pub.Hash()
		}
		l.step(l.nodes[q.to], &consensus.Message{From: from, Payload: q.raw, NowMs: l.now(l.nodes[q.to])})
	}
}

// run lets time pass until a slot has begun. Nodes that have died start again with the next one.
func (l *lab) run(slot uint64) {
	for l.slot < slot {
		l.slot++
		for _, n := range l.nodes {
			if n.dies > 0 && n.m == nil {
				n.dies = 0
				l.start(n)
			}
		}
		for _, n := range l.nodes {
			l.step(n, &consensus.Woken{NowMs: l.now(n)})
		}
		l.deliver()
	}
}

// agree checks that all running nodes are in an epoch, and final on one chain up to a height at least.
func (l *lab) agree(epoch, height uint64) {
	l.t.Helper()
	var h uint64 = 1 << 60
	for _, n := range l.nodes {
		if n.m != nil {
			if n.m.set.Epoch != epoch {
				l.t.Fatalf("node %d is in epoch %d, want %d", n.i, n.m.set.Epoch, epoch)
			}
			h = min(h, n.m.final.h.Height)
		}
	}
	if h < height {
		l.t.Fatalf("final up to height %d, want %d", h, height)
	}
	var id types.BlockID
	for _, n := range l.nodes {
		if n.m == nil {
			continue
		}
		a := n.m.finalAt(h)
		if a == nil {
			l.t.Fatalf("node %d has let go of height %d", n.i, h)
		}
		if id.IsZero() {
			id = a.id
		}
		if a.id != id {
			l.t.Fatalf("node %d has another block of height %d", n.i, h)
		}
	}
}

// records tells how many records of a kind are in a node's journal.
func (n *labNode) records(kind byte) (count int) {
	for _, e := range n.journal {
		if e.record != nil && e.record[1] == kind {
			count++
		}
	}
	return count
}
