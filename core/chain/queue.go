package chain

import (
	"context"
	"sync"
)

// queue is a first-in-first-out queue between goroutines, without a bound: what goes in has to be bounded by what it is.
type queue[T any] struct {
	mu     sync.Mutex
	soon   []T // before all items
	items  []T
	closed bool
	signal chan struct{}
}

func newQueue[T any]() *queue[T] { return &queue[T]{signal: make(chan struct{}, 1)} }

// push adds an item; a closed queue drops it.
func (q *queue[T]) push(v T) {
	q.mu.Lock()
	if !q.closed {
		q.items = append(q.items, v)
	}
	q.mu.Unlock()
	q.wake()
}

// pushSoon adds an item that comes before all others but those that were added in this way earlier.
func (q *queue[T]) pushSoon(v T) {
	q.mu.Lock()
	if !q.closed {
		q.soon = append(q.soon, v)
	}
	q.mu.Unlock()
	q.wake()
}

func (q *queue[T]) wake() {
	select {
	case q.signal <- struct{}{}:
	default:
	}
}

// pop waits for an item; ok is false once ctx has ended or the queue is closed. There is one reader.
func (q *queue[T]) pop(ctx context.Context) (v T, ok bool) {
	for {
		q.mu.Lock()
		if q.closed {
			q.mu.Unlock()
			return v, false
		}
		for _, list := range []*[]T{&q.soon, &q.items} {
			if len(*list) > 0 {
				v = (*list)[0]
				var zero T
				(*list)[0] = zero
				*list = (*list)[1:]
				q.mu.Unlock()
				return v, true
			}
		}
		q.mu.Unlock()
		select {
		case <-ctx.Done():
			return v, false
		case <-q.signal:
		}
	}
}

func (q *queue[T]) close() {
	q.mu.Lock()
	q.closed = true
	q.soon, q.items = nil, nil
	q.mu.Unlock()
	q.wake()
}
