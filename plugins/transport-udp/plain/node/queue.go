package node

// overhead is what a queued message is counted for besides its payload, in bytes, so that many empty ones are bounded.
const overhead = 256

// outgoing is a message that waits or is under way.
type outgoing struct {
	channel  string
	priority uint32
	payload  []byte
	order    uint64
	named    bool // FILENAME was sent
	off      int  // bytes that were sent
}

func (o *outgoing) size() int { return len(o.payload) + overhead }

// queue holds what waits for a peer on a lane: a list for each channel, since messages of a channel keep their order.
type queue struct {
	lists []*list // those that are not empty
	bytes int
	order uint64
	full  bool // as the core was told
}

type list struct {
	name string
	msgs []*outgoing
}

// push queues a message and drops what no longer fits: of the channels' oldest messages the one of the lowest priority, and
// the oldest of these. It returns how many were dropped; the new one may be among them. One message is taken always.
func (q *queue) push(o *outgoing, limit int) (dropped int) {
	o.order = q.order
	q.order++
	for q.bytes > 0 && q.bytes+o.size() > limit {
		worst := q.lists[0]
		for _, l := range q.lists[1:] {
			if a, b := l.msgs[0], worst.msgs[0]; a.priority > b.priority || a.priority == b.priority && a.order < b.order {
				worst = l
			}
		}
		if worst.msgs[0].priority < o.priority {
			return dropped + 1
		}
		q.take(worst)
		dropped++
	}
	q.bytes += o.size()
	for _, l := range q.lists {
		if l.name == o.channel {
			l.msgs = append(l.msgs, o)
			return dropped
		}
	}
	q.lists = append(q.lists, &list{o.channel, []*outgoing{o}})
	return dropped
}

// next takes the message that is to be sent next, or nil.
func (q *queue) next() *outgoing {
	var best *list
	for _, l := range q.lists {
		if best == nil {
			best = l
			continue
		}
		if a, b := l.msgs[0], best.msgs[0]; a.priority < b.priority || a.priority == b.priority && a.order < b.order {
			best = l
		}
	}
	if best == nil {
		return nil
	}
	return q.take(best)
}

// take takes the first message of a list.
func (q *queue) take(l *list) *outgoing {
	o := l.msgs[0]
	l.msgs[0] = nil
	q.bytes -= o.size()
	if l.msgs = l.msgs[1:]; len(l.msgs) == 0 {
		for i := range q.lists {
			if q.lists[i] == l {
				last := len(q.lists) - 1
				q.lists[i] = q.lists[last]
				q.lists[last] = nil
				q.lists = q.lists[:last]
				break
			}
		}
	}
	return o
}
