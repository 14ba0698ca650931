package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// pair is two nodes of one transport in this process that are connected to each other.
type pair struct {
	ends  [2]*end
	downs atomic.Int64 // connections that broke
	why   atomic.Value // the last reason, a string
	sink  [2]atomic.Pointer[func(*transport.Message)]
	wait  sync.WaitGroup
}

type end struct {
	opened
	host  *host
	id    transport.PeerID
	links [2]transport.Link
	up    chan struct{} // closed at the first connection
	upped bool
}

// connectTime is how long two nodes may take until they are connected.
const connectTime = 30 * time.Second

// newPair opens two nodes at the given addresses, each of which knows the other at the address dial.
func newPair(c contender, seed uint64, at, dial [2]netip.AddrPort, s setting) (*pair, error) {
	p := &pair{}
	for i := range p.ends {
		key := nodeKey(seed, byte(i))
		t, h, err := c.open(key, at[i], s)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open %s: %w", c.name, err), p.close())
		}
		p.ends[i] = &end{opened: t, host: h, id: idOf(key), up: make(chan struct{})}
	}
	for i, e := range p.ends {
		if err := p.begin(i, e, at[i]); err != nil {
			return nil, errors.Join(fmt.Errorf("start %s: %w", c.name, err), p.close())
		}
	}
	for i, e := range p.ends {
		if err := e.links[0].Dial(p.ends[1-i].id, dial[1-i].String()); err != nil {
			return nil, errors.Join(fmt.Errorf("dial with %s: %w", c.name, err), p.close())
		}
	}
	timer := time.NewTimer(connectTime)
	defer timer.Stop()
	for _, e := range p.ends {
		select {
		case <-e.up:
		case <-timer.C:
			return nil, errors.Join(fmt.Errorf("%s is not connected after %v: %v %q", c.name, connectTime, p.why.Load(), e.host.lines()), p.close())
		}
	}
	return p, nil
}

func (p *pair) begin(i int, e *end, at netip.AddrPort) error {
	ctx := context.Background()
	if _, err := e.Listen(ctx, at.String()); err != nil {
		return err
	}
	for lane := range e.links {
		l, err := e.Attach(ctx, transport.Lane(lane))
		if err != nil {
			return err
		}
		e.links[lane] = l
		p.wait.Go(func() { p.receive(i, l) })
	}
	return nil
}

// receive hands what comes to the sink of that end.
func (p *pair) receive(i int, l transport.Link) {
	for {
		in, err := l.Recv()
		switch {
		case err != nil:
			return
		case in.Message != nil:
			if f := p.sink[i].Load(); f != nil {
				(*f)(in.Message)
			}
		case in.Peer != nil && !in.Peer.Up:
			p.why.Store(in.Peer.Reason)
			if p.ends[i].upped {
				p.downs.Add(1)
			}
		case in.Peer != nil && !p.ends[i].upped && in.Peer.Peer == p.ends[1-i].id:
			p.ends[i].upped = true
			close(p.ends[i].up)
		}
	}
}

// onMessage sets what is done with messages at an end. It is called by a goroutine a lane.
func (p *pair) onMessage(i int, f func(*transport.Message)) { p.sink[i].Store(&f) }

// send sends from an end to the other.
func (p *pair) send(i int, lane transport.Lane, channel string, priority uint32, payload []byte) error {
	return p.ends[i].links[lane].Send(transport.Outgoing{Peers: []transport.PeerID{p.ends[1-i].id}, Channel: channel, Priority: priority, Payload: payload})
}

// warm sends a small message on each lane in each direction and waits for them, so that both lanes are open and a round
// trip has been measured.
func (p *pair) warm() error {
	type key struct {
		to   int
		name string
	}
	came := make(chan key, 64)
	for i := range p.ends {
		p.onMessage(i, func(m *transport.Message) {
			select {
			case came <- key{i, m.Channel}:
			default:
			}
		})
	}
	want := map[key]bool{}
	for i := range p.ends {
		for lane := range transport.Lane(2) {
			name := "warm " + lane.String()
			want[key{1 - i, name}] = true
			if err := p.send(i, lane, name, 0, make([]byte, 200)); err != nil {
				return err
			}
		}
	}
	timer := time.NewTimer(connectTime)
	defer timer.Stop()
	for len(want) > 0 {
		select {
		case k := <-came:
			delete(want, k)
		case <-timer.C:
			return fmt.Errorf("the first messages have not come after %v: %v are missing; %v", connectTime, want, p.why.Load())
		}
	}
	return nil
}

// close ends both nodes and waits for what they run.
func (p *pair) close() error {
	var errs []error
	for _, e := range p.ends {
		if e == nil {
			continue
		}
		for _, l := range e.links {
			if l != nil {
				errs = append(errs, l.Close())
			}
		}
		errs = append(errs, e.Close())
	}
	p.wait.Wait()
	return errors.Join(errs...)
}
