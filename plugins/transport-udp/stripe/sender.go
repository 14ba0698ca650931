package stripe

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// outgoing is a message that waits or is under way.
type outgoing struct {
	Message
	order uint64 // of arrival
	large bool
	id    uint32 // of a large message that was started
	stage stage
	off   int
	open  int // frames of it that are under way
}

// stage is how far a large message has come.
type stage uint8

const (
	waiting stage = iota
	pieces
	over
	sent
)

func (o *outgoing) size() int { return len(o.Payload) + Overhead }

// Sender holds what waits to be sent, and what is under way until it is confirmed.
type Sender struct {
	ordered bool
	small   int // largest frame of a whole message
	limit   int // bytes that may wait or be under way

	lists        []*list // those that are not empty
	byKey        map[string]*list
	byUrgency    map[uint32]*list
	bytes        int
	order        uint64
	ids          numbers
	started      int // large messages under way
	startedBytes int
	back         []Frame // to be sent again
	full         bool
	turn         uint32 // frames so far; see begunTurn
}

// begunTurn is which frame goes to the oldest message that was begun, whatever is more urgent: one that makes no progress for long
// is taken for a breach of the protocol.
const begunTurn = 16

// list is what waits in one order: messages of a channel if the sender is ordered, of a priority if not.
type list struct {
	name    string
	urgency uint32
	msgs    []*outgoing
	head    int
}

func (l *list) first() *outgoing { return l.msgs[l.head] }

// NewSender returns an empty one. Whole messages make frames of at most small bytes; limit is how many bytes may wait.
func NewSender(ordered bool, small, limit int) *Sender {
	return &Sender{ordered: ordered, small: small, limit: limit}
}

// Bytes is what waits or is under way.
func (s *Sender) Bytes() int { return s.bytes }

// Waiting tells whether something waits that has not been sent, or must be sent again.
func (s *Sender) Waiting() bool { return len(s.back) > 0 || len(s.lists) > 0 && s.pick() != nil }

// Full tells whether little room is left, and whether that has changed since it was last asked. It becomes true at three
// quarters of the limit and false at one.
func (s *Sender) Full() (full, changed bool) {
	was := s.full
	if s.bytes > s.limit/4*3 {
		s.full = true
	} else if s.bytes < s.limit/4 {
		s.full = false
	}
	return s.full, s.full != was
}

// Fills tells whether what waits is enough for a frame of that size, or nearly so, or is a large message.
func (s *Sender) Fills(room int) bool {
	if len(s.back) > 0 {
		return true
	}
	size := wire.FirstSize
	for _, l := range s.lists {
		for _, o := range l.msgs[l.head:] {
			if o.large {
				return true
			}
			if size += wire.MessageSize(o.Channel, len(o.Payload)); size > room*3/4 {
				return true
			}
		}
	}
	return false
}

// Push queues a message and drops what no longer fits: of what waits the lowest priority, and the oldest of it. It returns
// how many were dropped; the new one may be among them. One message is taken always.
func (s *Sender) Push(m Message) (dropped int) {
	o := &outgoing{Message: m, order: s.order, large: wire.FirstSize+wire.MessageSize(m.Channel, len(m.Payload)) > s.small}
	s.order++
	for s.bytes > 0 && s.bytes+o.size() > s.limit {
		in, at := s.worst()
		if in == nil || in.msgs[at].Priority < o.Priority {
			return dropped + 1
		}
		s.bytes -= in.msgs[at].size()
		s.cut(in, at)
		dropped++
	}
	l := s.list(m)
	l.msgs = append(l.msgs, o)
	s.bytes += o.size()
	return dropped
}

// worst returns what is dropped first, or nil.
func (s *Sender) worst() (in *list, at int) {
	var worst *outgoing
	for _, l := range s.lists {
		for i := l.head; i < len(l.msgs); i++ {
			o := l.msgs[i]
			if o.stage != waiting {
				continue
			}
			if worst == nil || o.Priority > worst.Priority || o.Priority == worst.Priority && o.order < worst.order {
				worst, in, at = o, l, i
			}
			break
		}
	}
	return in, at
}

func (s *Sender) list(m Message) *list {
	if s.byKey == nil {
		s.byKey, s.byUrgency = map[string]*list{}, map[uint32]*list{}
	}
	l := s.byUrgency[m.Priority]
	if s.ordered {
		l = s.byKey[m.Channel]
	}
	if l != nil {
		return l
	}
	l = &list{name: m.Channel, urgency: m.Priority}
	if s.ordered {
		s.byKey[m.Channel] = l
	} else {
		s.byUrgency[m.Priority] = l
	}
	s.lists = append(s.lists, l)
	return l
}

// cut removes a message from a list.
func (s *Sender) cut(l *list, i int) {
	if i == l.head {
		l.msgs[i] = nil
		l.head++
		if l.head >= 64 && 2*l.head >= len(l.msgs) { // a queue that is never empty must not grow for ever
			n := copy(l.msgs, l.msgs[l.head:])
			clear(l.msgs[n:])
			l.msgs, l.head = l.msgs[:n], 0
		}
	} else {
		l.msgs = append(l.msgs[:i], l.msgs[i+1:]...)
	}
	if l.head < len(l.msgs) {
		return
	}
	if s.ordered {
		delete(s.byKey, l.name)
	} else {
		delete(s.byUrgency, l.urgency)
	}
	for i, other := range s.lists {
		if other == l {
			s.lists = append(s.lists[:i], s.lists[i+1:]...)
			return
		}
	}
}

// pick returns the list whose first message goes next, or nil.
func (s *Sender) pick() *list {
	var best *list
	if int(s.ids.next-s.ids.base) >= idWindow-1 { // only what was started goes on
		for _, l := range s.lists {
			if l.first().stage != waiting {
				return l
			}
		}
		return nil
	}
	for _, l := range s.lists {
		o := l.first()
		if o.large && o.stage == waiting && (s.started >= MaxAssemblies || s.startedBytes+len(o.Payload) > MaxAssembly) {
			continue
		}
		if best == nil || o.Priority < best.first().Priority || o.Priority == best.first().Priority && o.order < best.first().order {
			best = l
		}
	}
	return best
}

// begun returns the list whose first message was begun before all others, or nil.
func (s *Sender) begun() (oldest *list) {
	for _, l := range s.lists {
		if o := l.first(); o.stage != waiting && (oldest == nil || int32(o.id-oldest.first().id) < 0) {
			oldest = l
		}
	}
	return oldest
}

// Next fills f with the next frame of at most room bytes. It returns false if nothing waits that fits.
func (s *Sender) Next(f *Frame, room int) bool {
	if n := len(s.back); n > 0 {
		return s.again(f, room)
	}
	l := s.pick()
	if l == nil {
		return false
	}
	if s.turn++; s.turn%begunTurn == 0 {
		if b := s.begun(); b != nil {
			l = b
		}
	}
	if o := l.first(); o.large {
		s.nextOfLarge(f, l, o, room)
		return true
	}
	*f = Frame{ID: wire.Data, first: s.ids.next}
	o := l.first()
	need := wire.FirstSize + wire.MessageSize(o.Channel, len(o.Payload))
	if need > room {
		return false
	}
	if l.head+1 < len(l.msgs) || len(s.lists) > 1 {
		need = room
	}
	f.Body = wire.AppendFirst(make([]byte, 0, need), f.first)
	for l != nil {
		o := l.first()
		if o.large || len(f.Body)+wire.MessageSize(o.Channel, len(o.Payload)) > room {
			break
		}
		f.Body = wire.AppendMessage(f.Body, o.Channel, o.Payload)
		f.size += o.size()
		f.count++
		s.ids.next++
		s.cut(l, l.head)
		l = s.pick()
	}
	return true
}

func (s *Sender) nextOfLarge(f *Frame, l *list, o *outgoing, room int) {
	*f = Frame{large: o}
	o.open++
	switch o.stage {
	case waiting:
		if o.Digest == nil {
			sum := sha256.Sum256(o.Payload)
			o.Digest = &sum
		}
		o.id, o.stage = s.ids.next, pieces
		s.ids.next++
		s.started++
		s.startedBytes += len(o.Payload)
		f.ID = wire.FileName
		f.Body = wire.File{Message: o.id, Length: uint32(len(o.Payload)), Digest: *o.Digest, Channel: []byte(o.Channel)}.Append(nil)
	case pieces:
		n := min(room-wire.PieceHeaderSize, len(o.Payload)-o.off)
		s.piece(f, o, o.off, n)
		if o.off += n; o.off == len(o.Payload) {
			o.stage = over
		}
	case over:
		f.ID = wire.DataOver
		f.Body = wire.AppendOver(nil, o.id)
		o.stage = sent
		s.cut(l, l.head)
	}
}

func (s *Sender) piece(f *Frame, o *outgoing, off, n int) {
	f.ID = wire.Data
	f.metaLen = uint8(len(wire.AppendPieceHeader(f.meta[:0], o.id, uint32(off))))
	f.Body = o.Payload[off : off+n : off+n]
}

// Confirm says that the peer has taken a frame. What it was made of is forgotten. It returns how many bytes of payloads the
// frame had.
func (s *Sender) Confirm(f *Frame) (payload int) {
	payload = f.size - int(f.count)*Overhead
	if o := f.large; o != nil {
		if f.metaLen > 0 {
			payload = len(f.Body)
		}
		o.open--
		if o.open == 0 && o.stage == sent {
			s.started--
			s.startedBytes -= len(o.Payload)
			s.bytes -= o.size()
			s.ids.finish(o.id)
		}
	}
	for i := range f.count {
		s.ids.finish(f.first + i)
	}
	s.bytes -= f.size
	*f = Frame{}
	return payload
}

// Return says that a frame that was not confirmed has to be sent again, by whichever lane is next, in several frames if it
// does not fit any more.
func (s *Sender) Return(f *Frame) {
	if f.large != nil || f.count > 0 {
		s.back = append(s.back, *f)
	}
	*f = Frame{}
}

// again takes the first frame that was returned.
func (s *Sender) again(f *Frame, room int) bool {
	b := &s.back[0]
	switch {
	case b.Len() <= room:
		*f = *b
		s.back[0] = Frame{}
		if s.back = s.back[1:]; len(s.back) == 0 {
			s.back = nil
		}
		return true
	case b.metaLen > 0: // a piece is cut
		off := binary.BigEndian.Uint32(b.meta[wire.PieceHeaderSize-4:])
		n := room - wire.PieceHeaderSize
		if n <= 0 {
			return false
		}
		rest := len(b.Body) - n
		o := b.large
		*f = Frame{large: o}
		o.open++
		s.piece(f, o, int(off), n)
		s.piece(b, o, int(off)+n, rest)
		return true
	case b.count > 1:
		return s.split(f, b, room)
	}
	return false
}

// split makes a frame of the first of several whole messages; b keeps the others.
func (s *Sender) split(f, b *Frame, room int) bool {
	*f = Frame{ID: wire.Data, first: b.first}
	f.Body = wire.AppendFirst(make([]byte, 0, room), b.first)
	rest := b.Body[wire.FirstSize:]
	for len(rest) > 0 {
		channel, payload, next, err := wire.NextMessage(rest)
		if n := len(rest) - len(next); err != nil || len(f.Body)+n > room {
			break
		} else {
			f.Body = append(f.Body, rest[:n]...)
		}
		_ = channel
		f.size += len(payload) + Overhead
		f.count++
		rest = next
	}
	if f.count == 0 {
		return false
	}
	body := append(wire.AppendFirst(make([]byte, 0, wire.FirstSize+len(rest)), b.first+f.count), rest...)
	b.first, b.count, b.size, b.Body = b.first+f.count, b.count-f.count, b.size-f.size, body
	return true
}
