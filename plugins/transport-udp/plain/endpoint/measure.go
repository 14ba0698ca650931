package endpoint

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/plain"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// Plan bounds a measurement.
type Plan struct {
	Single int           // DATA that are sent alone, each after the one before was confirmed: they give the round trip
	Stream int           // DATA that are sent as fast as the window allows: they give the goodput
	Size   int           // bytes of each body
	Limit  time.Duration // of the whole; what was not sent by then is left out
	Wait   time.Duration // for TEST_OVER, and for the results
}

// Check returns an error if a bound is out of its own.
func (p Plan) Check() error {
	switch {
	case p.Single < 1 || p.Single > 10_000 || p.Stream < 0 || p.Stream > 10_000_000:
		return fmt.Errorf("a test of %d single messages and %d in a stream: 1 to 10000 and 0 to 10000000 are possible", p.Single, p.Stream)
	case p.Size < 1 || p.Size > wire.MaxDatagram-wire.HeaderSize:
		return fmt.Errorf("a test with messages of %d bytes: 1 to %d are possible", p.Size, wire.MaxDatagram-wire.HeaderSize)
	case p.Limit < time.Millisecond || p.Limit > time.Hour || p.Wait < 0 || p.Wait > time.Hour:
		return fmt.Errorf("a test of at most %s that waits %s: up to an hour is possible", p.Limit, p.Wait)
	}
	return nil
}

// Report is a measurement.
type Report struct {
	Min, P50, P99 time.Duration // round trips of single DATA that were confirmed at the first attempt
	Trips         int           // of these
	Messages      uint64        // DATA that were confirmed
	Sent          uint64        // datagrams with them, copies included
	Lost          uint64        // of these, those without a confirmation: they got lost, or their confirmations did
	Elapsed       time.Duration // of the stream
	Bytes         uint64        // of the stream
	Goodput       float64       // bytes of the stream a second, bodies only
	Partial       bool          // Plan.Limit has cut it short
	Over          bool          // the peer has reported TEST_OVER
	Remote        *Tally        // what the peer says it has received, if it does
	LostThere     uint64        // of Sent, those that have not reached the peer, if it says
}

// Measure runs the paper's test as the agent: START, DATA, DATA_OVER, then it waits for TEST_OVER, asks for RESULT, receives
// the results as a file, and says STOP. The connection must ask for Confirmed events. A peer that never reports TEST_OVER or
// sends no result is no error: both are waited for at most Plan.Wait.
func Measure(ctx context.Context, p *Peer, plan Plan) (Report, error) {
	var r Report
	if err := plan.Check(); err != nil {
		return r, err
	}
	if err := p.Send(ctx, wire.Start, nil); err != nil {
		return r, err
	}
	if err := p.Flush(ctx); err != nil {
		return r, err
	}
	p.Confirmed()
	before := p.Stats()
	body := make([]byte, plan.Size)
	number := uint64(0)
	next := func() []byte {
		number++
		if len(body) >= 8 {
			binary.BigEndian.PutUint64(body, number)
		}
		return body
	}
	end := time.Now().Add(plan.Limit)
	var trips []time.Duration
	for range plan.Single {
		if r.Partial = time.Now().After(end); r.Partial {
			break
		}
		if err := p.Send(ctx, wire.Data, next()); err != nil {
			return r, err
		}
		if err := p.Flush(ctx); err != nil {
			return r, err
		}
		for _, e := range p.Confirmed() {
			if e.Sent == 1 { // of copies it is not known which was confirmed
				trips = append(trips, e.Trip)
			}
		}
	}
	start := time.Now()
	for range plan.Stream {
		if r.Partial = r.Partial || time.Now().After(end); r.Partial {
			break
		}
		if err := p.Send(ctx, wire.Data, next()); err != nil {
			return r, err
		}
		r.Bytes += uint64(plan.Size)
		p.Confirmed()
	}
	if err := p.Flush(ctx); err != nil {
		return r, err
	}
	r.Elapsed = time.Since(start)
	after := p.Stats()
	r.Messages = after.Messages - before.Messages
	r.Lost = after.Retransmitted - before.Retransmitted
	r.Sent = r.Messages + r.Lost
	if r.Bytes > 0 {
		r.Goodput = float64(r.Bytes) / max(r.Elapsed, time.Microsecond).Seconds()
	}
	if slices.Sort(trips); len(trips) > 0 {
		at := func(percent int) time.Duration { return trips[min(len(trips)*percent/100, len(trips)-1)] }
		r.Trips, r.Min, r.P50, r.P99 = len(trips), trips[0], at(50), at(99)
	}
	return r, finish(ctx, p, plan, &r)
}

// finish ends the test and fetches the results.
func finish(ctx context.Context, p *Peer, plan Plan, r *Report) error {
	if err := p.Send(ctx, wire.DataOver, nil); err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, plan.Wait)
	defer cancel()
	late := func(err error) bool { return errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil }
	for !r.Over {
		m, err := p.Recv(wait)
		if late(err) {
			break
		}
		if err != nil {
			return err
		}
		if m.ID == wire.DataOver {
			p.AcceptOver()
		}
		r.Over = m.ID == wire.TestOver
	}
	if r.Over {
		if err := p.Send(ctx, wire.Result, nil); err != nil {
			return err
		}
		if err := results(wait, p, r); err != nil && !late(err) {
			return err
		}
	}
	if err := p.Send(ctx, wire.Stop, nil); err != nil {
		return err
	}
	return p.Flush(ctx)
}

// results receives the result file. It is small, whatever its name.
func results(ctx context.Context, p *Peer, r *Report) error {
	in := plain.Intake{Limit: 64 << 10}
	var text []byte
	for {
		m, err := p.Recv(ctx)
		if err != nil {
			return err
		}
		part, err := in.Message(m.ID, m.Body)
		if err != nil {
			return err
		}
		switch part.Kind {
		case plain.Piece:
			text = append(text, part.Data...)
		case plain.End:
			p.AcceptOver()
			if t, ok := parseTally(string(text)); ok {
				r.Remote = &t
				if reached := t.Messages + t.Repeated; reached < r.Sent {
					r.LostThere = r.Sent - reached
				}
			}
			return nil
		}
	}
}
