package conn

import (
	"crypto/sha256"

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
}

// stage is how far a large message has come.
type stage uint8

const (
	waiting stage = iota
	pieces
	over
)

func (o *outgoing) size() int { return len(o.Payload) + overhead }

// queue holds what waits to be sent: a list for each channel, since messages of a channel keep their order.
type queue struct {
	lists        []*list // those that are not empty
	byName       map[string]*list
	bytes        int
	order        uint64
	nextID       uint32
	started      int // large messages under way
	startedBytes int
}

type list struct {
	name string
	msgs []*outgoing
}

// first returns the oldest message that was not started, or nil.
func (l *list) first() (i int, o *outgoing) {
	for i, o := range l.msgs {
		if o.stage == waiting {
			return i, o
		}
	}
	return 0, nil
}

// push queues a message and drops what no longer fits: of the channels' oldest waiting messages the one of the lowest
// priority, and the oldest of these. It returns how many were dropped; the new one may be among them.
func (q *queue) push(m Message, largerThan, limit int) (dropped int) {
	o := &outgoing{Message: m, order: q.order, large: wire.MessageSize(m.Channel, len(m.Payload)) > largerThan}
	q.order++
	for q.bytes > 0 && q.bytes+o.size() > limit {
		var worst *outgoing
		var in *list
		at := 0
		for _, l := range q.lists {
			if i, w := l.first(); w != nil && (worst == nil || w.Priority > worst.Priority || w.Priority == worst.Priority && w.order < worst.order) {
				worst, in, at = w, l, i
			}
		}
		if worst == nil || worst.Priority < o.Priority {
			return dropped + 1
		}
		q.bytes -= worst.size()
		q.cut(in, at)
		dropped++
	}
	l := q.byName[m.Channel]
	if l == nil {
		l = &list{name: m.Channel}
		if q.byName == nil {
			q.byName = map[string]*list{}
		}
		q.byName[m.Channel] = l
		q.lists = append(q.lists, l)
	}
	l.msgs = append(l.msgs, o)
	q.bytes += o.size()
	return dropped
}

// cut removes a message from a list.
func (q *queue) cut(l *list, i int) {
	if i == 0 {
		l.msgs[0] = nil
		l.msgs = l.msgs[1:]
	} else {
		l.msgs = append(l.msgs[:i], l.msgs[i+1:]...)
	}
	if len(l.msgs) > 0 {
		return
	}
	delete(q.byName, l.name)
	for i, other := range q.lists {
		if other == l {
			q.lists = append(q.lists[:i], q.lists[i+1:]...)
			return
		}
	}
}

// pick returns the channel whose first message goes next, or nil.
func (q *queue) pick() *list {
	var best *list
	for _, l := range q.lists {
		o := l.msgs[0]
		if o.large && o.stage == waiting && (q.started >= maxAssemblies || q.startedBytes+len(o.Payload) > maxAssembly) {
			continue
		}
		if best == nil || o.Priority < best.msgs[0].Priority || o.Priority == best.msgs[0].Priority && o.order < best.msgs[0].order {
			best = l
		}
	}
	return best
}

// next fills f with the next datagram's content, at most room bytes after the tag. It returns false if nothing waits.
func (q *queue) next(f *flight, room int) bool {
	l := q.pick()
	if l == nil {
		return false
	}
	if o := l.msgs[0]; o.large {
		q.nextOfLarge(f, l, o, room)
		return true
	}
	f.id, f.body = wire.Data, make([]byte, 1, min(room, 1+wire.MessageSize(l.name, len(l.msgs[0].Payload))))
	f.body[0] = byte(wire.Messages)
	for l != nil {
		o := l.msgs[0]
		if o.large || len(f.body)+wire.MessageSize(l.name, len(o.Payload)) > room {
			break
		}
		f.body = wire.AppendMessage(f.body, l.name, o.Payload)
		q.bytes -= o.size()
		q.cut(l, 0)
		l = q.pick()
	}
	return true
}

func (q *queue) nextOfLarge(f *flight, l *list, o *outgoing, room int) {
	switch o.stage {
	case waiting:
		if o.Digest == nil {
			sum := sha256.Sum256(o.Payload)
			o.Digest = &sum
		}
		o.id, o.stage = q.nextID, pieces
		q.nextID++
		q.started++
		q.startedBytes += len(o.Payload)
		f.id = wire.FileName
		f.body = wire.File{Message: o.id, Length: uint32(len(o.Payload)), Digest: *o.Digest, Channel: []byte(l.name)}.Append(nil)
	case pieces:
		n := min(room-wire.PieceHeaderSize, len(o.Payload)-o.off)
		f.id = wire.Data
		f.metaLen = uint8(len(wire.AppendPieceHeader(f.meta[:0], o.id, uint32(o.off))))
		f.body = o.Payload[o.off : o.off+n : o.off+n]
		if o.off += n; o.off == len(o.Payload) {
			o.stage = over
		}
	case over:
		f.id = wire.DataOver
		f.body = wire.AppendOver(nil, o.id)
		q.started--
		q.startedBytes -= len(o.Payload)
		q.bytes -= o.size()
		q.cut(l, 0)
	}
}
