package main

import (
	"errors"
	"math"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// Sizes of messages, in bytes, and of what may be under way.
const (
	bulkSize    = 1 << 20
	controlSize = 200

	firstBulk, mostBulk       = 4, 32
	firstControl, mostControl = 2000, 40_000

	pacePeriod = 5 * time.Millisecond
	// mixedTime bounds how long control messages are measured beside bulk.
	mixedTime = 10 * time.Second
	// patience is how long is waited for what is under way when the time is over.
	patience = 10 * time.Second
)

// measurement is what a workload found.
type measurement struct {
	Bulk, Control *account      `json:",omitempty"`
	Broken        int64         // connections that broke
	Why           string        `json:",omitempty"` // the last did
	CPU           time.Duration // of the process, both ends together, while Moved bytes were moved
	Moved         uint64
	Links         *transport.LinkStats `json:",omitempty"` // of the sender, if the transport tells
	Logs          []string             `json:",omitempty"`
}

// carry runs a workload on a pair.
func carry(p *pair, j job) (measurement, error) {
	pat := newPattern(j.Seed)
	start := time.Now()
	bulk := newFlow(p, transport.Bulk, bulkSize, pat, start, false)
	small := transport.Control
	if j.Work == smallWork && j.Peer == ours {
		small = transport.Bulk
	}
	control := newFlow(p, small, controlSize, pat, start, j.Work == mixedWork)
	p.onMessage(1, func(m *transport.Message) {
		switch {
		case m.Channel == control.channel && control.started():
			control.took(m)
		case m.Channel == bulk.channel:
			bulk.took(m)
		}
	})
	before := cpuTime()
	var m measurement
	var err error
	switch j.Work {
	case bulkWork:
		err = bulk.pour(max(1, uint64(j.Bytes/bulkSize)), firstBulk, mostBulk, j.Time)
	case messageWork, smallWork:
		err = control.pour(max(1, uint64(j.Bytes/controlSize)), firstControl, mostControl, j.Time)
	case mixedWork:
		limit := min(j.Time, mixedTime)
		failed := make(chan error, 1)
		go func() { failed <- bulk.pour(math.MaxUint64, firstBulk, mostBulk, limit) }()
		err = control.pace(pacePeriod, limit)
		err = errors.Join(err, <-failed)
	}
	bulk.stop()
	control.stop()
	m.CPU = cpuTime() - before
	bulk.drain(patience)
	control.drain(patience)
	if bulk.sent > 0 {
		a := bulk.account()
		m.Bulk = &a
		m.Moved += a.Bytes
	}
	if control.sent > 0 {
		a := control.account()
		m.Control = &a
		m.Moved += a.Bytes
	}
	m.Broken = p.downs.Load()
	if s, ok := p.why.Load().(string); ok {
		m.Why = s
	}
	for _, e := range p.ends {
		m.Logs = append(m.Logs, e.host.lines()...)
	}
	m.Links = statsOf(p.ends[0])
	return m, err
}

// cpuTime is the processor time of this process so far.
func cpuTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// quantile returns the q-quantile of a list, which it sorts; 0 if there is none.
func quantile(list []time.Duration, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[min(int(math.Ceil(q*float64(len(list))))-1+b2i(q == 0), len(list)-1)]
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
