package faultproxy

import (
	"cmp"
	"slices"
	"strings"
)

// SetFaults sets what happens from now on to datagrams from one name to another. Either may be Any; the most exact rule
// counts: the pair, then from the name to any, then from any to the name, then from any to any. Names must be known: those of endpoints,
// registered senders, and Unknown. Errors wrap ErrInvalid or ErrClosed.
func (p *Proxy) SetFaults(from, to string, f Faults) error {
	return p.apply(Step{Do: SetLink, From: from, To: to, Faults: f})
}

// Partition splits the network, in place of any earlier partition: two names reach each other only if a group holds both.
// A name may be in several groups, and so bridge them; the names in no group, Unknown among them, form one more. At most 64
// groups. When it returns, nothing crosses any more, what was on its way included. Names must be known.
func (p *Proxy) Partition(groups [][]string) error {
	return p.apply(Step{Do: SplitGroups, Groups: groups})
}

// Heal ends the partition. Other faults stay.
func (p *Proxy) Heal() error { return p.apply(Step{Do: HealGroups}) }

// Reset ends the partition and all faults, those of Config included.
func (p *Proxy) Reset() error { return p.apply(Step{Do: ResetAll}) }

// apply carries out a step.
func (p *Proxy) apply(s Step) error {
	if err := s.check(); err != nil {
		return p.fail(err, "%s", s.Do)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return p.fail(ErrClosed, "%s", s.Do)
	}
	if err := p.checkNames(s); err != nil {
		return p.fail(err, "%s", s.Do)
	}
	switch s.Do {
	case SetLink:
		p.rules[pair{s.From, s.To}] = s.Faults
	case SplitGroups:
		p.groups = map[string]uint64{}
		for i, g := range s.Groups {
			for _, name := range g {
				p.groups[name] |= 1 << i
			}
		}
	case HealGroups:
		p.groups = nil
	case ResetAll:
		p.groups, p.rules = nil, map[pair]Faults{}
	}
	for k, l := range p.links {
		l.mu.Lock()
		l.line.SetFaults(p.faults(k))
		l.line.Cut(p.parted(k))
		l.mu.Unlock()
	}
	p.log.Info("faults change", "step", s.action())
	return nil
}

// faults returns the rule for a pair, with the lock held.
func (p *Proxy) faults(k pair) Faults {
	for _, r := range [...]pair{k, {k.from, Any}, {Any, k.to}} {
		if f, ok := p.rules[r]; ok {
			return f
		}
	}
	return p.rules[pair{Any, Any}]
}

// parted tells whether the partition is between a pair, with the lock held.
func (p *Proxy) parted(k pair) bool {
	if p.groups == nil || k.from == k.to {
		return false
	}
	a, b := p.groups[k.from], p.groups[k.to]
	return a&b == 0 && (a != 0 || b != 0)
}

// LinkStats is what became of the datagrams of a directed pair. At any time
//
//	Received + Duplicated = Lost + Oversize + QueueFull + Partitioned + Overflow + SendErrors + Forwarded + Pending
//
// Partitioned counts copies that the partition caught on their way, too.
type LinkStats struct {
	From, To string
	Faults   Faults
	Cut      bool // a partition is between them
	Counts
	Forwarded, ForwardedBytes uint64
	Overflow                  uint64 // copies for which MaxPending had no room
	SendErrors                uint64 // copies that the kernel refused
	Pending                   uint64 // copies on their way
}

// Stats is the state of a proxy.
type Stats struct {
	Seed         uint64
	Links        []LinkStats // that had a datagram, by name
	Flows        int         // senders with a socket of their own
	PendingBytes int         // of buffers
	NoTarget     uint64      // datagrams to an endpoint without target
	NoFlow       uint64      // datagrams of senders that got no flow
}

// Link returns the counters of a pair, all zero if no datagram came.
func (s Stats) Link(from, to string) LinkStats {
	for _, l := range s.Links {
		if l.From == from && l.To == to {
			return l
		}
	}
	return LinkStats{From: from, To: to}
}

// Stats returns the counters since New. They stay readable after Close.
func (p *Proxy) Stats() Stats {
	p.mu.RLock()
	defer p.mu.RUnlock()
	s := Stats{Seed: p.cfg.Seed, Flows: len(p.flows), PendingBytes: p.queue.bytes(), NoTarget: p.noTarget, NoFlow: p.noFlow}
	for _, l := range p.links {
		l.mu.Lock()
		x := LinkStats{From: l.from, To: l.to, Faults: l.line.faults, Cut: l.line.cut, Counts: l.line.Counts(),
			Forwarded: l.extra.forwarded, ForwardedBytes: l.extra.forwardedBytes, Overflow: l.extra.overflow,
			SendErrors: l.extra.sendErrors, Pending: uint64(l.pending)}
		x.Partitioned += l.extra.late
		l.mu.Unlock()
		s.Links = append(s.Links, x)
	}
	slices.SortFunc(s.Links, func(a, b LinkStats) int {
		return cmp.Or(strings.Compare(a.From, b.From), strings.Compare(a.To, b.To))
	})
	return s
}
