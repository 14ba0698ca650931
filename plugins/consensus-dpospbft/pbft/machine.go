package pbft

import (
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Machine is one node's part in the protocol of one chain. Its methods must not be called concurrently. Hand in events with
// Step; while HasReady, take what is to be done from Ready and carry it out in the order that package consensus gives.
type Machine struct {
	cfg       Config
	chain     types.Hash
	set       *types.Set
	setHash   types.Hash
	seats     map[types.Hash]int // by hash of the key
	seat      int                // of this node; -1 if it only follows
	key       types.Hash
	genesisMs uint64

	now  uint64 // the largest time that an event has carried
	slot uint64 // at now

	nodes     map[types.BlockID]*node
	root      *node // the oldest that is kept: an ancestor of final, or final
	final     *node
	high      *node // checked, with the highest PrepareQC
	head      *node
	open      int     // blocks in the tree above final
	uncovered []*node // with a proof or votes whose src values need proofs that are missing

	prepares, commits *votebook
	seen              map[seatSlot]*firstSeen // proposals, for evidence and against floods
	accused           map[accusation]bool

	durable
	own        *types.Header // proposal of lastProduced, if it came so far
	prepareMsg []byte        // own last votes as they were sent
	commitMsg  []byte
	building   *building
	heights    map[uint64]bool // of the blocks prepared, for the rule onePhase

	orphans []*pending // proposals whose parent is not known
	early   []*pending // proposals before their time
	wants   []*want    // blocks that others speak of
	loose   []*Proof   // valid proofs for blocks that are not known
	bad     []types.BlockID

	out         consensus.Ready
	headChanged bool
	wake        uint64 // as last told
	snapMin     int    // bytes of records below which no snapshot is taken
	sinceSnap   int    // bytes of the records since the last snapshot
	snapBytes   int    // bytes of what was persisted with the last snapshot
	halted      bool
	haltedFor   string
}

// durable is what must never be forgotten.
type durable struct {
	lastProduced uint64
	lastPrep     voted
	forkSlot     uint64
	lastCommit   voted
	lock         Ref // the last commit's block, or a final one above it
}

// voted is an own vote.
type voted struct {
	Slot, Height, Src uint64
	ID                types.BlockID
}

func (v voted) ref() Ref { return Ref{v.Slot, v.ID} }

// seatSlot names what a seat may sign once.
type seatSlot struct {
	seat int
	slot uint64
}

// Fixed numbers against hostile input.
const (
	maxTree        = 16 << 10
	keepFinal      = 64 // ancestors of the final block that are kept for those who are a little behind
	maxOrphans     = 256
	maxPeerOrphans = 64
	maxEarly       = 64
	maxWants       = 128
	maxLoose       = 64
	maxBad         = 256
	maxVouch       = 16
	maxRivals      = 8 // blocks of one seat and slot that are taken without proof that they matter
)

// New starts a machine. It fails with an error that wraps consensus.ErrBadState if the records make no sense, and
// consensus.ErrInvalid if the rest of start does not.
func New(cfg Config, start *consensus.Start) (*Machine, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("start: %w: %w", consensus.ErrInvalid, err)
	}
	if start == nil || start.Genesis == nil || start.Set == nil || start.Final == nil {
		return nil, fmt.Errorf("start: genesis, set and final must be given: %w", consensus.ErrInvalid)
	}
	if err := start.Set.Validate(); err != nil {
		return nil, fmt.Errorf("start: %w: %w", consensus.ErrInvalid, err)
	}
	n := len(start.Set.Seats)
	m := &Machine{
		cfg: cfg, chain: start.Genesis.Chain, set: start.Set, setHash: start.Set.Hash(), seats: make(map[types.Hash]int, n), seat: -1,
		genesisMs: start.GenesisTimeMs, now: start.NowMs, nodes: map[types.BlockID]*node{}, prepares: newVotebook(n), commits: newVotebook(n),
		seen: map[seatSlot]*firstSeen{}, accused: map[accusation]bool{}, snapMin: snapMinBytes, heights: map[uint64]bool{},
	}
	for i := range m.set.Seats {
		m.seats[m.set.Seats[i].Key.Hash()] = i
	}
	if start.Key != nil {
		m.key = start.Key.Hash()
		if s, ok := m.seats[m.key]; ok {
			m.seat = s
		}
	}
	if err := m.plant(start.Final, start.FinalCert); err != nil {
		return nil, fmt.Errorf("start: %w: %w", consensus.ErrInvalid, err)
	}
	if err := m.restore(start); err != nil {
		return nil, fmt.Errorf("start: %w: %w", consensus.ErrBadState, err)
	}
	m.slot = m.slotAt(m.now)
	m.headChanged = true
	m.signAgain()
	m.onSlot()
	return m, nil
}

// Step hands in an event. Events whose content makes no sense change nothing; one of a wrong type is consensus.ErrInvalid.
func (m *Machine) Step(e consensus.Event) error {
	if m.halted {
		return nil
	}
	switch e := e.(type) {
	case *consensus.Woken:
		m.advance(e.NowMs)
	case *consensus.Message:
		m.advance(e.NowMs)
		m.onMessage(e.From, e.Payload)
	case *consensus.Built:
		m.advance(e.NowMs)
		m.onBuilt(e)
	case *consensus.Checked:
		m.advance(e.NowMs)
		m.onChecked(e.Block, e.OK)
	case *consensus.Finalised:
		m.advance(e.NowMs)
		m.onFinalised(e.Header, e.Cert)
	default:
		return fmt.Errorf("step: event %T: %w", e, consensus.ErrInvalid)
	}
	return nil
}

// HasReady tells whether Ready has something new.
func (m *Machine) HasReady() bool {
	o := &m.out
	return len(o.Persist) > 0 || len(o.Sign) > 0 || len(o.Send) > 0 || o.Build != nil || len(o.Check) > 0 || m.headChanged ||
		len(o.Final) > 0 || len(o.Evidence) > 0 || o.Halt != "" || m.wake != m.wakeAt()
}

// Ready returns what has come together since the last call.
func (m *Machine) Ready() *consensus.Ready {
	m.snapshot()
	r := m.out
	m.out = consensus.Ready{}
	if m.headChanged {
		id := m.head.id
		r.Head, m.headChanged = &id, false
	}
	m.wake = m.wakeAt()
	r.WakeAtMs = m.wake
	return &r
}

// Backlog returns how many items the next Ready holds by now.
func (m *Machine) Backlog() int {
	o := &m.out
	return len(o.Persist) + len(o.Sign) + len(o.Send) + len(o.Check) + len(o.Final) + len(o.Evidence)
}

// Halted returns why the machine has stopped for good, or nothing.
func (m *Machine) Halted() string { return m.haltedFor }

func (m *Machine) onMessage(from types.Hash, payload []byte) {
	msg, err := DecodeMessage(payload)
	if err != nil {
		return
	}
	switch msg := msg.(type) {
	case *Proposal:
		m.onProposal(from, msg, false)
	case *Prepare:
		m.onPrepare(from, msg, payload)
	case *Commit:
		m.onCommit(from, msg, payload)
	case *Status:
		m.onStatus(from, msg)
	case *GetHeaders:
		m.onGetHeaders(from, msg)
	case *Headers:
		for _, p := range msg.Items {
			m.onProposal(from, p, true)
		}
	case *GetProofs:
		m.onGetProofs(from, msg)
	case *Proofs:
		for _, p := range msg.Items {
			m.learn(from, p)
		}
	}
}

func (m *Machine) send(to types.Hash, msg Message) {
	o := consensus.Outbound{Payload: EncodeMessage(msg)}
	if !to.IsZero() {
		o.To = []types.Hash{to}
	}
	m.out.Send = append(m.out.Send, o)
}

// sign asks for a signature over payload, which is appended to msg.
func (m *Machine) sign(purpose string, slot uint64, payload []byte, msg Message) {
	m.out.Sign = append(m.out.Sign, consensus.Unsigned{Purpose: purpose, Ordinal: slot, Payload: payload, Message: EncodeMessage(msg)})
}

// verify checks a signature of a seat.
func (m *Machine) verify(seat int, purpose string, payload, sig []byte) bool {
	return m.cfg.Verifier.Signature(m.set.Seats[seat].Key, types.SignBytes(m.chain, purpose, payload), sig) == nil
}

// halt ends the chain on this node.
func (m *Machine) halt(format string, args ...any) {
	if !m.halted {
		m.halted, m.haltedFor = true, fmt.Sprintf(format, args...)
		m.out.Halt = m.haltedFor
	}
}
