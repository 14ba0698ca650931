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
	key       types.Hash
	genesisMs uint64

	*epoch                       // in force
	past     *epoch              // the one before, while evidence about it may come
	over     *node               // the epoch's closing block that has just become final: the event ends with the next epoch
	overNext *types.Set          // the set of that
	hand     *HandOver           // the closing block is final, and has not been checked here
	hands    []*HandOver         // how the last epochs ended
	handed   map[types.Hash]bool // who was shown one in this slot
	ahead    []aheadMsg          // messages of the next epoch

	now  uint64 // the last time that an event has carried, but for small steps back
	slot uint64 // at now

	voteFrom, buildFrom    uint64 // slots before which the clock is not trusted without others
	clockOff               bool   // most of those that are heard have another time
	clocksOff, clocksHeard int

	nodes     map[types.BlockID]*node
	root      *node // the oldest that is kept: an ancestor of final, or final
	final     *node
	high      *node // checked, with the highest PrepareQC
	head      *node
	open      int     // blocks in the tree above final
	uncovered []*node // with a proof or votes whose src values need proofs that are missing

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
	quietSince  uint64 // slot in which something became final last
	trouble     string
	troubleTold string
	snapMin     int // bytes of records below which no snapshot is taken
	sinceSnap   int // bytes of the records since the last snapshot
	snapBytes   int // bytes of what was persisted with the last snapshot
	replaying   bool
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

	prepFloor, commitFloor uint64 // the last slots that were voted in in earlier epochs: slots are used once over all of them
	signFrom               uint64 // the first epoch that is not over as far as this node knows
}

// voted is an own vote.
type voted struct {
	Epoch, Slot, Height, Src uint64
	ID                       types.BlockID
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
	m := &Machine{
		cfg: cfg, chain: start.Genesis.Chain, genesisMs: start.GenesisTimeMs, now: start.NowMs, nodes: map[types.BlockID]*node{},
		handed: map[types.Hash]bool{}, snapMin: snapMinBytes, heights: map[uint64]bool{},
	}
	if start.Key != nil {
		m.key = start.Key.Hash()
	}
	m.epoch = newEpoch(start.Set, m.key)
	m.slot = m.slotAt(m.now)
	m.quietSince = m.slot
	if x := start.EpochStart; x != nil {
		m.start = x.Slot
	}
	if x := start.EpochStart; x != nil && start.EpochProof != nil && fits(x, start.Set) {
		m.hands = append(m.hands, &HandOver{Header: x, Next: start.Set, Proof: start.EpochProof})
	}
	if err := m.plant(start.Final, start.FinalProof); err != nil {
		return nil, fmt.Errorf("start: %w: %w", consensus.ErrInvalid, err)
	}
	if err := m.begin(start.Next); err != nil {
		return nil, fmt.Errorf("start: %w: %w", consensus.ErrInvalid, err)
	}
	if err := m.restore(start); err != nil {
		return nil, fmt.Errorf("start: %w: %w", consensus.ErrBadState, err)
	}
	m.headChanged = true
	if last := max(m.final.h.Slot, m.head.h.Slot, m.lastProduced, m.lastPrep.Slot, m.prepFloor); m.slot > last+jumpSlots && len(m.set.Seats) > 1 {
		m.buildFrom = m.slot + waitSlots
	}
	m.signAgain()
	m.onSlot()
	m.turn()
	m.trouble = m.diagnose()
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
		m.onChecked(e)
	case *consensus.Finalised:
		m.onFinalised(e) // before time moves, or the engine might find out by itself and tell what the core knows
		m.turn()
		m.advance(e.NowMs)
	default:
		return fmt.Errorf("step: event %T: %w", e, consensus.ErrInvalid)
	}
	m.turn()
	m.trouble = m.diagnose()
	return nil
}

// HasReady tells whether Ready has something new.
func (m *Machine) HasReady() bool {
	o := &m.out
	return len(o.Persist) > 0 || len(o.Sign) > 0 || len(o.Send) > 0 || o.Build != nil || len(o.Check) > 0 || m.headChanged ||
		len(o.Final) > 0 || len(o.Evidence) > 0 || o.Epoch != nil || o.Halt != "" || m.wake != m.wakeAt() || m.trouble != m.troubleTold
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
	if m.trouble != m.troubleTold {
		t := m.trouble
		r.Trouble, m.troubleTold = &t, t
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
	if msg, err := DecodeMessage(payload); err == nil {
		m.dispatch(from, msg, payload)
	}
}

func (m *Machine) dispatch(from types.Hash, msg Message, raw []byte) {
	if m.halted {
		return
	}
	switch msg := msg.(type) {
	case *Proposal:
		m.onProposal(from, msg)
	case *Prepare:
		m.onPrepare(from, msg, raw)
	case *Commit:
		m.onCommit(from, msg, raw)
	case *Status:
		m.onStatus(from, msg)
	case *GetHeaders:
		m.onGetHeaders(from, msg)
	case *Headers:
		for _, p := range msg.Items {
			m.onProposal(from, p)
		}
	case *GetProofs:
		m.onGetProofs(from, msg)
	case *Proofs:
		for _, p := range msg.Items {
			m.learn(from, p)
		}
	case *HandOver:
		m.onHandOver(from, msg)
	}
}

func (m *Machine) send(to types.Hash, msg Message) { m.sendTo(to, EncodeMessage(msg)) }

// sendTo sends an encoded message to a peer, or to all.
func (m *Machine) sendTo(to types.Hash, payload []byte) {
	o := consensus.Outbound{Payload: payload}
	if !to.IsZero() {
		o.To = []types.Hash{to}
	}
	m.out.Send = append(m.out.Send, o)
}

// silent tells whether this node signs nothing for now.
func (m *Machine) silent() bool {
	return m.seat < 0 || m.halted || m.over != nil || m.set.Epoch < m.signFrom || m.distrusts()
}

// sign asks for a signature over payload, which is appended to msg.
func (m *Machine) sign(purpose string, slot uint64, payload []byte, msg Message) {
	m.out.Sign = append(m.out.Sign, consensus.Unsigned{Purpose: purpose, Ordinal: slot, Payload: payload, Message: EncodeMessage(msg)})
}

// verify checks a signature of a seat.
func (m *Machine) verify(e *epoch, seat int, purpose string, payload, sig []byte) bool {
	return m.cfg.Verifier.Signature(e.set.Seats[seat].Key, types.SignBytes(m.chain, purpose, payload), sig) == nil
}

// halt ends the chain on this node.
func (m *Machine) halt(format string, args ...any) {
	if !m.halted {
		m.halted, m.haltedFor = true, fmt.Sprintf(format, args...)
		m.out.Halt = m.haltedFor
	}
}
