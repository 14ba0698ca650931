package main

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
)

const (
	// recordings is how many datagrams a tap remembers.
	recordings = 4096
	tapBuffer  = 4 << 20
)

// tap forwards the datagrams of a pair in both directions at once and unaltered, and remembers the latest that went to the
// second node: what somebody on the path could send again.
type tap struct {
	at    places
	socks [2][portsOfNode]*net.UDPConn // what stands for the ports of each node
	wait  sync.WaitGroup

	mu     sync.Mutex
	record [][]byte
	number int
}

func newTap(at places) (*tap, error) {
	t := &tap{at: at}
	for i := range t.socks {
		for k := range t.socks[i] {
			s, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(next(at.proxy[i], k)))
			if err != nil {
				return nil, errors.Join(err, t.close())
			}
			_ = s.SetReadBuffer(tapBuffer)
			_ = s.SetWriteBuffer(tapBuffer)
			t.socks[i][k] = s
		}
	}
	for i := range t.socks {
		for k := range t.socks[i] {
			t.wait.Go(func() { t.forward(i, k) })
		}
	}
	return t, nil
}

// forward passes on what comes for port k of node i.
func (t *tap) forward(i, k int) {
	b := make([]byte, 65535)
	for {
		n, from, err := t.socks[i][k].ReadFromUDPAddrPort(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		out := int(from.Port()) - int(t.at.at[1-i].Port())
		if err != nil || from.Addr().Unmap() != t.at.at[1-i].Addr() || out < 0 || out >= portsOfNode {
			continue
		}
		if i == 1 && k == 0 {
			t.mu.Lock()
			if len(t.record) < recordings {
				t.record = append(t.record, slices.Clone(b[:n]))
			} else {
				t.record[t.number%recordings] = slices.Clone(b[:n])
			}
			t.number++
			t.mu.Unlock()
		}
		_, _ = t.socks[1-i][out].WriteToUDPAddrPort(b[:n], next(t.at.at[i], k))
	}
}

// recorded returns a copy of one of the datagrams that went to the second node's first port, or nil.
func (t *tap) recorded(pick uint64) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.record) == 0 {
		return nil
	}
	return slices.Clone(t.record[pick%uint64(len(t.record))])
}

// asPeer sends a datagram to the second node's first port from the address at which it knows the first node.
func (t *tap) asPeer(b []byte) {
	_, _ = t.socks[0][0].WriteToUDPAddrPort(b, t.target())
}

func (t *tap) target() netip.AddrPort { return t.at.at[1] }

func (t *tap) close() error {
	var errs []error
	for i := range t.socks {
		for _, s := range t.socks[i] {
			if s != nil {
				errs = append(errs, s.Close())
			}
		}
	}
	t.wait.Wait()
	return errors.Join(errs...)
}
