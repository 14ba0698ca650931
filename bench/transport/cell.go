package main

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/paloalto-chain/paloalto/internal/faultproxy"
)

// ethernet is the largest UDP payload of a path with an MTU of 1,500 bytes over IPv4.
const ethernet = 1472

// workloads, in the order in which they run.
const (
	bulkWork    = "bulk"     // messages of 1 MiB on the bulk lane, as fast as they go
	smallWork   = "small"    // messages of 200 bytes as fast as they go, on the lane that is made for it: ours on the bulk lane, the others on an ordered stream
	messageWork = "messages" // messages of 200 bytes on the control lane, as fast as they go, though no control lane is made for that
	mixedWork   = "mixed"    // messages of 200 bytes on the control lane at a steady pace, while bulk runs
)

// cell is a network that the transports are measured on.
type cell struct {
	Name   string
	Direct bool // no proxy: the nodes speak to each other over loopback
	Extra  bool // not of the main table
	MTU    int  // largest datagram that passes, in bytes; 0: no limit
	Faults faultproxy.Faults
}

// grid returns all cells: loopback itself, then the table, then the same with any size of datagrams.
func grid() []cell {
	cells := []cell{{Name: "loopback", Direct: true}}
	for _, mtu := range []int{ethernet, 0} {
		for _, delay := range []int{0, 25, 100} {
			for _, loss := range []int{0, 1, 5} {
				c := cell{Name: fmt.Sprintf("d%d-l%d", delay, loss), MTU: mtu, Faults: faultproxy.Faults{
					Loss: float64(loss) / 100, Delay: time.Duration(delay) * time.Millisecond, Reorder: 0.02, Duplicate: 0.01, MTU: mtu}}
				if mtu == 0 {
					c.Name, c.Extra = c.Name+"-jumbo", true
				}
				cells = append(cells, c)
			}
		}
	}
	return cells
}

// choose returns the cells whose names match one of the patterns, which path.Match understands, or those of the main table
// and the extra ones if there is no pattern.
func choose(patterns string) ([]cell, error) {
	if patterns == "" {
		return grid(), nil
	}
	var names []string
	all := grid()
	chosen := map[string]bool{}
	for _, c := range all {
		names = append(names, c.Name)
	}
	for p := range strings.SplitSeq(patterns, ",") {
		found := false
		for _, name := range names {
			if ok, err := path.Match(p, name); err != nil {
				return nil, fmt.Errorf("-cells: pattern %q: %w", p, err)
			} else if ok {
				chosen[name], found = true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("-cells: no cell matches %q; there are %s", p, strings.Join(names, ", "))
		}
	}
	return slices.DeleteFunc(all, func(c cell) bool { return !chosen[c.Name] }), nil
}

// trip is the round trip that the cell's delay makes.
func (c cell) trip() time.Duration { return 2 * c.Faults.Delay }
