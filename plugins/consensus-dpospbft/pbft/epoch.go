package pbft

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// epoch is what belongs to one set of producers.
type epoch struct {
	set     *types.Set
	setHash types.Hash
	seats   map[types.Hash]int // by hash of the key
	seat    int                // of this node; -1 if it only follows

	prepares, commits *votebook
	seen              map[seatSlot]*firstSeen // proposals, for evidence and against floods
	accused           map[accusation]bool
	offences          map[int]int // pieces of evidence by seat
	heard             []heard     // by seat: what its last status said of the time
	start             uint64      // slot of the block that it began with
	until             uint64      // slot of the block that closed it, once that is final
}

func newEpoch(set *types.Set, key types.Hash) *epoch {
	n := len(set.Seats)
	e := &epoch{set: set, setHash: set.Hash(), seats: make(map[types.Hash]int, n), seat: -1, prepares: newVotebook(n), commits: newVotebook(n),
		seen: map[seatSlot]*firstSeen{}, accused: map[accusation]bool{}, offences: map[int]int{}, heard: make([]heard, n)}
	for i := range set.Seats {
		e.seats[set.Seats[i].Key.Hash()] = i
	}
	if s, ok := e.seats[key]; ok {
		e.seat = s
	}
	return e
}

// Of what happens around the end of an epoch.
const (
	keepHands      = 8        // hand-overs for those who are behind
	maxAhead       = 512      // messages of the next epoch
	maxPeerAhead   = 8        // from one peer
	maxAheadBytes  = 32 << 10 // of one message
	maxHanded      = 1024     // hand-overs that are sent in a slot
	pastSlots      = 64       // for how long after its end evidence against members of an epoch is looked for
	cappedPatience = 16       // of so many rounds of turns one is used while the suffix is as long as it may grow
	suffixReserve  = 8        // the last eighth of a suffix is for blocks on the highest PrepareQC
)

// aheadMsg is a message of the next epoch.
type aheadMsg struct {
	from types.Hash
	msg  Message
	raw  []byte
}

// takeNext notes the set that a closing block names. It tells whether it is known.
func (m *Machine) takeNext(n *node, next *types.Set) bool {
	if n.next == nil && fits(n.h, next) {
		n.next = next
	}
	return n.next != nil
}

// fits tells whether a closing header names a set.
func fits(h *types.Header, next *types.Set) bool {
	return next != nil && next.Epoch == h.Epoch+1 && next.Validate() == nil && next.Hash() == h.NextSet
}

// suffix tells whether a block comes after the closing block of its epoch.
func (n *node) suffix() bool { return n.closing != nil && n.closing != n }

// capped tells whether a block is the last that there may be after the closing one.
func (m *Machine) capped(n *node) bool {
	return n.closing != nil && n.h.Height-n.closing.h.Height >= m.cfg.maxSuffix
}

// grownUp tells whether a block is so far after the closing one that only a PrepareQC makes it a parent. Were all the room used up
// without one, a late one for the very last block would leave nothing that might follow it, and everything has to.
func (m *Machine) grownUp(n *node) bool {
	return n.closing != nil && n.h.Height-n.closing.h.Height >= m.cfg.maxSuffix-m.cfg.maxSuffix/suffixReserve
}

// besideTurn tells whether a slot is in one of the rounds of turns that are used once the suffix has grown up: of the slots that a
// back-off leaves over, whole rounds, so that every seat has its turn, and with it a sixteenth of all slots whatever the back-off is.
func besideTurn(seats int, turn uint64, k uint, slot uint64) bool {
	return (slot>>k)/(uint64(seats)*turn)%(cappedPatience>>k) == 0
}

// ripe tells whether a certificate for a block can be acted upon: what it makes final has been checked.
func (n *node) ripe() bool {
	return n.state == checked || n.suffix() && n.closing.state == checked
}

// turn leaves the epoch if its closing block has become final. It is the last thing that an event does, so that nothing else
// has to reckon with the set being another all of a sudden.
func (m *Machine) turn() {
	for m.over != nil && !m.halted {
		x, next := m.over, m.overNext
		m.over, m.overNext = nil, nil
		m.enter(x, next)
		ahead := m.ahead
		m.ahead = nil
		for _, a := range ahead {
			m.dispatch(a.from, a.msg, a.raw)
		}
		m.tryBuild()
	}
}

// enter begins the epoch of next, whose first block's only parent is x.
func (m *Machine) enter(x *node, next *types.Set) {
	for _, k := range slices.Clone(x.kids) {
		m.remove(k) // they are of the old epoch
	}
	m.past, m.epoch = m.epoch, newEpoch(next, m.key)
	m.past.until, m.start = x.h.Slot, x.h.Slot
	if m.clockOff {
		m.voteFrom, m.buildFrom = m.slot+waitSlots, m.slot+waitSlots // until the new members have told their time
	}
	x.x, x.closing, x.opens = firstExtra(x.h, x.id), nil, next
	m.hands = append(m.hands, &HandOver{Header: x.h, Next: next, Proof: x.show})
	if len(m.hands) > keepHands {
		m.hands = slices.Delete(m.hands, 0, 1)
	}
	for _, w := range m.uncovered {
		w.waits = false
	}
	m.hand, m.building, m.orphans, m.early, m.wants, m.loose, m.uncovered = nil, nil, nil, nil, nil, nil, nil
	m.final, m.high, m.head, m.open = x, x, x, 0
	m.headChanged = true

	// Nothing of the old epoch is signed any more, not even what was about to be.
	m.out.Sign, m.out.Build = nil, nil
	m.out.Check = nil
	m.prepareMsg, m.commitMsg = nil, nil
	m.prepFloor, m.commitFloor = max(m.prepFloor, m.lastPrep.Slot), max(m.commitFloor, m.lastCommit.Slot)
	m.lastPrep, m.forkSlot = voted{Epoch: next.Epoch, Slot: x.h.Slot, Height: x.h.Height, ID: x.id}, x.h.Slot
	m.lastCommit, m.lock = voted{}, x.ref()
	m.out.Epoch = next
	m.tick("hand-over")
}

// keepAhead keeps a message of the next epoch until that has begun here.
func (m *Machine) keepAhead(from types.Hash, msg Message, raw []byte) {
	if raw == nil {
		raw = EncodeMessage(msg)
	}
	if from.IsZero() || len(raw) > maxAheadBytes {
		return
	}
	mine, oldest := 0, -1
	for i, a := range m.ahead {
		if a.from == from {
			if mine++; oldest < 0 {
				oldest = i
			}
		}
	}
	switch {
	case mine >= maxPeerAhead:
		m.ahead = slices.Delete(m.ahead, oldest, oldest+1)
	case len(m.ahead) >= maxAhead:
		return
	}
	m.tick("message of the next epoch kept")
	m.ahead = append(m.ahead, aheadMsg{from, msg, raw})
}

// setOf returns the set of an epoch that is still at hand, or nil.
func (m *Machine) setOf(epoch uint64) *types.Set {
	switch {
	case epoch == m.set.Epoch:
		return m.set
	case m.past != nil && epoch == m.past.set.Epoch:
		return m.past.set
	}
	return nil
}

// answerOld shows a peer that is in an older epoch how that ended; once a slot.
func (m *Machine) answerOld(to types.Hash, epoch uint64) {
	if to.IsZero() || epoch >= m.set.Epoch || m.handed[to] || len(m.handed) >= maxHanded {
		return
	}
	for _, o := range m.hands {
		if o.Header.Epoch == epoch && o.Proof != nil {
			if msg := EncodeMessage(o); len(msg) <= MaxMessageBytes {
				m.tick("hand-over shown to a peer")
				m.handed[to] = true
				m.sendTo(to, msg)
			}
			return
		}
	}
}

// onHandOver takes the proof that the block which closes this epoch is final.
func (m *Machine) onHandOver(from types.Hash, o *HandOver) {
	h := o.Header
	if h.Chain != m.chain || h.Epoch != m.set.Epoch || !h.Closes() || m.over != nil {
		return
	}
	id := h.ID()
	n := m.nodes[id]
	if n != nil && n.final {
		return
	}
	if m.hand != nil && m.hand.Header.ID() == id {
		m.wantHand(n, id, from)
		return
	}
	if !fits(h, o.Next) || o.Proof.Links(h) != nil || m.verifyCert(o.Proof.Cert) != nil {
		return
	}
	switch {
	case m.hand != nil:
		m.conflict(o.Proof.Cert)
	case n == nil && h.Height <= m.final.h.Height:
		if a := m.finalAt(h.Height); a != nil {
			m.conflict(o.Proof.Cert)
		}
	case n != nil && n.state == checked:
		m.takeNext(n, o.Next)
		m.settle(n, o.Proof, true)
	default:
		m.hand = o
		m.wantHand(n, id, from)
	}
}

// wantHand sees to it that the closing block comes.
func (m *Machine) wantHand(n *node, id types.BlockID, from types.Hash) {
	if n != nil {
		m.vouch(n, from)
		return
	}
	m.want(id, from, true)
}

// finalAt returns the final block of a height, if it is still kept.
func (m *Machine) finalAt(height uint64) *node {
	a := m.final
	for a != nil && a.h.Height > height {
		a = a.parent
	}
	return a
}

// resume is what a record says of the end of an epoch.
func (m *Machine) resume(r *record) {
	e := r.header.Epoch
	if e > m.set.Epoch {
		m.signFrom = max(m.signFrom, e+1)
	}
	if e != m.set.Epoch {
		return
	}
	m.signFrom = e + 1
	n := m.nodes[r.header.ID()]
	if n == nil || n.state != checked {
		m.hand = &HandOver{Header: r.header, Next: r.next, Proof: r.finality}
		return
	}
	m.takeNext(n, r.next)
	m.settle(n, r.finality, true)
	if m.over != nil && !m.halted {
		x := m.over
		m.over, m.overNext = nil, nil
		m.enter(x, r.next)
	}
}

// HandOver is how an epoch ended: its closing block, the set that took over, and why the block is final.
type HandOver struct {
	Header *types.Header
	Next   *types.Set
	Proof  *types.Finality
}

func (o *HandOver) put(e *types.Encoder) {
	e.Byte(byte(kindHandOver))
	o.putBody(e)
}

func (o *HandOver) putBody(e *types.Encoder) {
	e.Blob(o.Header.Encode())
	e.Blob(o.Next.Encode())
	e.Blob(o.Proof.Encode())
}

const maxSetBytes = 64 + 128*types.MaxSeats

func getHandOver(d *types.Decoder) *HandOver {
	h, s, p := bytes.Clone(d.Blob(types.MaxHeaderBytes)), bytes.Clone(d.Blob(maxSetBytes)), bytes.Clone(d.Blob(MaxMessageBytes))
	if d.Err() != nil {
		return nil
	}
	o := &HandOver{}
	var err error
	if o.Header, err = types.DecodeHeader(h); err == nil {
		if o.Next, err = types.DecodeSet(s); err == nil {
			o.Proof, err = types.DecodeFinality(p)
		}
	}
	if err != nil {
		d.Fail("%v", err)
		return nil
	}
	return o
}

// begin goes on to the next one if the final block closes its own.
func (m *Machine) begin(next *types.Set) error {
	x := m.final
	if !x.h.Closes() {
		return nil
	}
	if !fits(x.h, next) {
		return fmt.Errorf("the final block closes epoch %d, but the set that it names is not given", x.h.Epoch)
	}
	x.next = next
	m.enter(x, next)
	return nil
}
