package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/paloalto-chain/paloalto/internal/faultproxy"
)

// nearCeiling is the share of what the proxy can move from which on the proxy is what bounds a result.
const nearCeiling = 0.9

// result is a measurement of one transport.
type result struct {
	Peer, Work string
	measurement
	Proxied   uint64        // datagrams that came to the proxy, in both directions
	Rate      float64       // of them, a second
	Lost      uint64        // by the proxy's decision
	Oversize  uint64        // too large for the path
	Dropped   uint64        // by the kernel, at the sockets of the proxy and the nodes, and by the proxy for want of room
	ProxyCPU  time.Duration // of the proxy's process
	Error     string        `json:",omitempty"`
	OfCeiling float64       // how much of what the proxy can move was used, 0 if unknown
	Bound     bool          // the proxy is what bounds it
}

// goodput is the rate of the workload's own messages in bytes a second.
func (r *result) goodput() float64 {
	a := r.Bulk
	if r.Work == messageWork || r.Work == smallWork {
		a = r.Control
	}
	if a == nil || a.Took <= 0 {
		return 0
	}
	return float64(a.Bytes) / a.Took.Seconds()
}

// cpu is the processor time of a byte, in nanoseconds.
func (r *result) cpu() float64 {
	if r.Moved == 0 {
		return 0
	}
	return float64(r.CPU.Nanoseconds()) / float64(r.Moved)
}

// row is a cell with a workload.
type row struct {
	Cell    cell
	Work    string
	Ceiling pumped
	Results map[string]*result
}

func runGrid(ctx context.Context, o options, cells []cell, cs []contender, r *report) error {
	works := strings.Split(o.work, ",")
	for _, w := range works {
		if !slices.Contains([]string{bulkWork, smallWork, messageWork, mixedWork}, w) {
			return fmt.Errorf("-work: %q is not %s, %s, %s or %s", w, bulkWork, smallWork, messageWork, mixedWork)
		}
	}
	for i, c := range cells {
		var top pumped
		if !o.noCeiling {
			var err error
			if top, err = ceiling(ctx, o, c); err != nil && ctx.Err() == nil {
				fmt.Fprintf(os.Stderr, "the ceiling of %s: %v\n", c.Name, err)
			}
		}
		for k, w := range works {
			if c.Extra && w != bulkWork && o.cells == "" {
				continue
			}
			row := &row{Cell: c, Work: w, Ceiling: top, Results: map[string]*result{}}
			all := map[string][]*result{}
			for round := range max(o.rounds, 1) {
				for n := range cs { // nobody is always the first
					p := cs[(n+i+k+round)%len(cs)]
					x := measure(ctx, o, c, w, p)
					if err := ctx.Err(); err != nil {
						return err
					}
					all[p.name] = append(all[p.name], x)
				}
			}
			for name, list := range all {
				row.Results[name] = median(w, list)
			}
			if row.judge() && !o.noCeiling { // a ceiling that was found at a bad moment must not excuse anything
				if again, err := ceiling(ctx, o, c); err == nil && again.Datagrams > top.Datagrams {
					top, row.Ceiling = again, again
				}
				row.judge()
			}
			r.Rows = append(r.Rows, row)
			r.line(os.Stdout, row)
		}
	}
	r.summary(os.Stdout)
	return nil
}

// median returns the result in the middle by what the workload is about.
func median(w string, all []*result) *result {
	slices.SortFunc(all, func(a, b *result) int {
		if w == mixedWork && a.Control != nil && b.Control != nil {
			return cmp.Compare(b.Control.P99, a.Control.P99)
		}
		return cmp.Compare(a.goodput(), b.goodput())
	})
	return all[len(all)/2]
}

// judge finds whose results the proxy bounds, and whether there are any.
func (r *row) judge() bool {
	top, any := r.Ceiling, false
	if r.Cell.Direct || top.Datagrams == 0 {
		return false
	}
	for _, x := range r.Results {
		x.OfCeiling = x.goodput() / top.Bytes
		if r.Cell.MTU > 0 { // where datagrams have any size, only bytes can be compared
			x.OfCeiling = max(x.OfCeiling, x.Rate/top.Datagrams)
		}
		x.Bound = x.OfCeiling >= nearCeiling
		any = any || x.Bound
	}
	return any
}

// measure runs a workload in a process of its own, and a proxy here.
func measure(ctx context.Context, o options, c cell, w string, p contender) *result {
	x := &result{Peer: p.name, Work: w}
	err := x.run(ctx, o, c, w, p)
	if err != nil {
		x.Error = err.Error()
	}
	return x
}

func (r *result) run(ctx context.Context, o options, c cell, w string, p contender) error {
	at := newPlaces()
	dial := at.at
	var proxy *faultproxy.Proxy
	if !c.Direct {
		var err error
		if proxy, err = newProxy(at, o.seed, c.Faults); err != nil {
			return err
		}
		defer proxy.Close()
		dial = at.proxy
	}
	j := job{Work: w, Peer: p.name, At: at.at, Dial: dial, Bytes: o.bytes, Time: o.time, Seed: o.seed,
		Setting: setting{Mode: o.mode, Config: o.config, MTU: c.MTU, Trip: int(c.trip().Milliseconds())}}
	cpu := cpuTime()
	start := time.Now()
	k, err := startChild(ctx, j, o.time+2*connectTime+2*patience+30*time.Second)
	if err != nil {
		return err
	}
	defer k.close()
	a, err := k.answer()
	took := time.Since(start)
	if a.Result != nil {
		r.measurement = *a.Result
	}
	r.Dropped = a.Drops
	r.ProxyCPU = cpuTime() - cpu
	if proxy != nil {
		r.Dropped += socketDrops(at.proxy[0].Addr(), at.proxy[1].Addr())
		for _, l := range proxy.Stats().Links {
			r.Proxied += l.Received
			r.Lost += l.Lost
			r.Oversize += l.Oversize
			r.Dropped += l.Overflow
		}
		if main := r.main(); main != nil && main.Took > 0 {
			took = main.Took
		}
		r.Rate = float64(r.Proxied) / took.Seconds()
	}
	return err
}

// main is the account that the workload is about.
func (r *result) main() *account {
	if r.Work == messageWork || r.Work == smallWork {
		return r.Control
	}
	return r.Bulk
}

// ceiling finds what a cell's proxy can move, with the window that moves most. It measures the size of Ethernet's datagrams,
// or of those that transports use where any size passes.
func ceiling(ctx context.Context, o options, c cell) (pumped, error) {
	if c.Direct {
		return pumped{}, nil
	}
	size := c.MTU
	if size == 0 {
		size = 16 << 10
	}
	var best pumped
	var last error
	for _, window := range []int{128, 512, 2048, 8192} {
		if window*size > 64<<20 {
			continue
		}
		a, err := pumpOnce(ctx, o, c, size, window)
		if err != nil {
			last = err
			continue
		}
		if a.Datagrams > best.Datagrams {
			best = a
		}
	}
	if best.Datagrams > 0 {
		return best, nil
	}
	return best, last
}

func pumpOnce(ctx context.Context, o options, c cell, size, window int) (pumped, error) {
	at := newPlaces()
	proxy, err := newProxy(at, o.seed, c.Faults)
	if err != nil {
		return pumped{}, err
	}
	defer proxy.Close()
	j := job{Work: pumpWork, At: at.at, Dial: at.proxy, Time: 900*time.Millisecond + 2*c.trip(), Seed: o.seed, Size: size, Window: window,
		Setting: setting{Trip: int(c.trip().Milliseconds())}}
	k, err := startChild(ctx, j, 30*time.Second)
	if err != nil {
		return pumped{}, err
	}
	defer k.close()
	a, err := k.answer()
	if err != nil {
		return pumped{}, err
	}
	return *a.Pump, nil
}
