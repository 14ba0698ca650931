package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"

	"github.com/xtaci/kcp-go/v5"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// kcpHead is what kcp-go adds to each packet when it encrypts, beyond the MTU that it is told.
const kcpHead = 20

// kcpMTU is the largest packet that KCP makes: kcp-go has no discovery, and a limit of 1,500.
func kcpMTU(s setting) int {
	if s.MTU > 0 {
		return s.MTU - kcpHead
	}
	return 1500 - kcpHead
}

// kcpWindow is the window in packets. KCP without its congestion control sends a window at once: one that is larger than
// what the sockets on the way hold costs more than it brings, one that is smaller than the path holds limits it.
func kcpWindow(s setting) int {
	switch {
	case s.Trip == 0:
		return 1024
	case s.Trip <= 50:
		return 4096
	}
	return 8192
}

func aboutKCP(sealed bool) func(setting) string {
	return func(s setting) string {
		crypt := "no encryption"
		if sealed {
			crypt = "AES-128"
		}
		return fmt.Sprintf("kcp-go v5.6.24, a session a lane, nodelay(1, 10, 2, 1), stream mode, confirmations at once, window %d packets of %d bytes, %s, no FEC",
			kcpWindow(s), kcpMTU(s), crypt)
	}
}

type kcpNode struct {
	*adapter
	set   setting
	block kcp.BlockCrypt
	socks [2]*net.UDPConn
	up    chan transport.PeerID
	ends  []io.Closer
}

func openKCP(sealed bool) func(ed25519.PrivateKey, netip.AddrPort, setting) (opened, *host, error) {
	return func(key ed25519.PrivateKey, _ netip.AddrPort, s setting) (opened, *host, error) {
		n := &kcpNode{adapter: newAdapter(idOf(key)), set: s, up: make(chan transport.PeerID, 2)}
		n.dial = n.call
		var err error
		if sealed {
			n.block, err = kcp.NewAESBlockCrypt([]byte("a key for tests!"))
		}
		return n, nil, err
	}
}

// Listen opens a socket for each lane, the second at the next port.
func (n *kcpNode) Listen(_ context.Context, address string) (string, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return "", err
	}
	for i := range n.socks {
		sock, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(next(at, i)))
		if err != nil {
			return "", err
		}
		_, _ = sock.SetReadBuffer(4<<20), sock.SetWriteBuffer(4<<20)
		n.socks[i] = sock
	}
	return address, nil
}

func next(at netip.AddrPort, i int) netip.AddrPort {
	return netip.AddrPortFrom(at.Addr(), at.Port()+uint16(i))
}

// call opens both sessions: the end with the smaller name begins, the other waits for it.
func (n *kcpNode) call(peer transport.PeerID, address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	for i := range n.socks {
		lane := transport.Lane(i)
		if bytes.Compare(n.self[:], peer[:]) < 0 {
			s, err := kcp.NewConn2(net.UDPAddrFromAddrPort(next(at, i)), n.block, 0, 0, n.socks[i])
			if err != nil {
				return err
			}
			n.serve(lane, s)
			continue
		}
		l, err := kcp.ServeConn(n.block, 0, 0, n.socks[i])
		if err != nil {
			return err
		}
		n.ends = append(n.ends, l)
		n.wait.Go(func() {
			if s, err := l.AcceptKCP(); err == nil {
				n.serve(lane, s)
			}
		})
	}
	n.wait.Go(func() {
		for range n.socks {
			select {
			case <-n.up:
			case <-n.ctx.Done():
				return
			}
		}
		n.event(peer, true, "connected")
	})
	return nil
}

func (n *kcpNode) serve(lane transport.Lane, s *kcp.UDPSession) {
	s.SetNoDelay(1, 10, 2, 1)
	s.SetWindowSize(kcpWindow(n.set), kcpWindow(n.set))
	s.SetMtu(kcpMTU(n.set))
	//lint:ignore SA1019 it works, and lets small messages share packets
	s.SetStreamMode(true)
	s.SetACKNoDelay(true)
	s.SetWriteDelay(false)
	context.AfterFunc(n.ctx, func() { _ = s.Close() })
	n.wait.Go(func() {
		if _, err := s.Write(n.self[:]); err == nil {
			_ = n.write(lane, s)
		}
	})
	n.wait.Go(func() {
		r := bufio.NewReaderSize(s, 64<<10)
		var peer transport.PeerID
		_, err := io.ReadFull(r, peer[:])
		if err == nil {
			n.up <- peer
			err = n.read(lane, peer, r)
		}
		if n.ctx.Err() == nil {
			n.event(peer, false, fmt.Sprint(err))
		}
	})
}

func (n *kcpNode) Close() error {
	n.cancel()
	var errs []error
	for _, e := range n.ends {
		errs = append(errs, e.Close())
	}
	for _, s := range n.socks {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	n.wait.Wait()
	return errors.Join(errs...)
}
