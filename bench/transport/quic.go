package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// quicOptions are ways to lay messages on QUIC.
type quicOptions struct {
	perMessage bool // each bulk message has a stream, so that a lost packet delays one message; else the lane has one
	two        bool // the bulk lane has a connection of its own
}

// What a stream carries, its first byte.
const (
	controlStream = iota
	bulkStream
	messageStream
)

// Urgencies of streams; lower goes first.
const (
	controlUrgency = 0
	bulkUrgency    = 4
)

func quicConfig() *quic.Config {
	return &quic.Config{
		Versions:             []quic.Version{quic.Version1},
		HandshakeIdleTimeout: 30 * time.Second, MaxIdleTimeout: 2 * time.Minute, KeepAlivePeriod: 5 * time.Second,
		InitialStreamReceiveWindow: 32 << 20, MaxStreamReceiveWindow: 64 << 20,
		InitialConnectionReceiveWindow: 64 << 20, MaxConnectionReceiveWindow: 128 << 20,
		MaxIncomingUniStreams: 4096,
	}
}

func aboutQUIC(o quicOptions) func(setting) string {
	return func(setting) string {
		lay := "one connection, a stream a lane, control at urgency 0, bulk at 4"
		switch {
		case o.perMessage:
			lay = "one connection, control on a stream at urgency 0, each bulk message on a stream of its own at urgency 4, not incremental"
		case o.two:
			lay = "a connection a lane with one stream each"
		}
		return "quic-go v0.65.0, " + lay + "; TLS 1.3 AES-128-GCM, windows 32–64 MiB a stream and 64–128 MiB a connection, path MTU discovery and GSO on"
	}
}

type quicNode struct {
	*adapter
	opts quicOptions
	key  ed25519.PrivateKey
	tr   *quic.Transport
	sock *net.UDPConn
	tls  *tls.Config
	up   chan struct{} // one for each stream that the peer has opened first
}

func openQUIC(o quicOptions) func(ed25519.PrivateKey, netip.AddrPort, setting) (opened, *host, error) {
	return func(key ed25519.PrivateKey, _ netip.AddrPort, _ setting) (opened, *host, error) {
		n := &quicNode{adapter: newAdapter(idOf(key)), opts: o, key: key, up: make(chan struct{}, 4)}
		n.dial = n.call
		cert, err := selfSigned(key)
		n.tls = &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"bench"}, MinVersion: tls.VersionTLS13, InsecureSkipVerify: true}
		return n, nil, err
	}
}

func selfSigned(key ed25519.PrivateKey) (tls.Certificate, error) {
	t := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

func (n *quicNode) Listen(_ context.Context, address string) (string, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return "", err
	}
	if n.sock, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at)); err != nil {
		return "", err
	}
	n.tr = &quic.Transport{Conn: n.sock}
	l, err := n.tr.Listen(n.tls, quicConfig())
	if err != nil {
		return "", errors.Join(err, n.sock.Close())
	}
	n.wait.Go(func() {
		for i := 0; ; i++ {
			c, err := l.Accept(n.ctx)
			if err != nil {
				return
			}
			n.wait.Go(func() { n.serve(c, i == 0) })
		}
	})
	return n.sock.LocalAddr().String(), nil
}

// call connects if this end has the smaller name; else the peer does.
func (n *quicNode) call(peer transport.PeerID, address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	n.wait.Go(func() {
		if bytes.Compare(n.self[:], peer[:]) < 0 {
			for i := range n.conns() {
				c, err := n.connect(at)
				if err != nil {
					n.event(peer, false, err.Error())
					return
				}
				n.wait.Go(func() { n.serve(c, i == 0) })
			}
		}
		for range len(n.lanes(true)) + len(n.lanes(false)) {
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

func (n *quicNode) connect(at netip.AddrPort) (*quic.Conn, error) {
	for try := 1; ; try++ {
		c, err := n.tr.Dial(n.ctx, net.UDPAddrFromAddrPort(at), n.tls, quicConfig())
		if err == nil || try == 3 || n.ctx.Err() != nil {
			return c, err
		}
	}
}

func (n *quicNode) conns() int {
	if n.opts.two {
		return 2
	}
	return 1
}

// lanes are those that have a stream on the first connection, or on the second.
func (n *quicNode) lanes(first bool) []transport.Lane {
	switch {
	case n.opts.two && !first:
		return []transport.Lane{transport.Bulk}
	case n.opts.two, n.opts.perMessage && first:
		return []transport.Lane{transport.Control}
	case first:
		return []transport.Lane{transport.Control, transport.Bulk}
	}
	return nil
}

// serve runs a connection until it ends.
func (n *quicNode) serve(c *quic.Conn, first bool) {
	fail := func(err error) {
		if err != nil && n.ctx.Err() == nil {
			_ = c.CloseWithError(1, err.Error())
		}
	}
	for _, lane := range n.lanes(first) {
		n.wait.Go(func() { fail(n.send(c, lane)) })
	}
	if n.opts.perMessage {
		n.wait.Go(func() { fail(n.sendMessages(c)) })
	}
	for {
		s, err := c.AcceptUniStream(n.ctx)
		if err != nil {
			break
		}
		n.wait.Go(func() { fail(n.receive(s)) })
	}
	if n.ctx.Err() == nil {
		n.event(transport.PeerID{}, false, fmt.Sprint(context.Cause(c.Context())))
	}
}

func (n *quicNode) send(c *quic.Conn, lane transport.Lane) error {
	s, err := c.OpenUniStreamSync(n.ctx)
	if err != nil {
		return err
	}
	kind := byte(controlStream)
	s.SetPriority(controlUrgency, true)
	if lane == transport.Bulk {
		kind = bulkStream
		s.SetPriority(bulkUrgency, true)
	}
	if _, err := s.Write(append([]byte{kind}, n.self[:]...)); err != nil {
		return err
	}
	return n.write(lane, s)
}

// sendMessages gives each bulk message a stream. So many are written at once that the connection never waits for the next.
func (n *quicNode) sendMessages(c *quic.Conn) error {
	failed := make(chan error, 1)
	slots := make(chan struct{}, 32)
	for {
		var b []byte
		select {
		case b = <-n.out[transport.Bulk]:
		case err := <-failed:
			return err
		case <-n.ctx.Done():
			return transport.ErrClosed
		}
		s, err := c.OpenUniStreamSync(n.ctx)
		if err != nil {
			return err
		}
		s.SetPriority(bulkUrgency, false)
		select {
		case slots <- struct{}{}:
		case <-n.ctx.Done():
			return transport.ErrClosed
		}
		n.wait.Go(func() {
			defer func() { <-slots }()
			_, err := s.Write(append([]byte{messageStream}, n.self[:]...))
			if err == nil {
				_, err = s.Write(b)
			}
			if err == nil {
				err = s.Close()
			}
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		})
	}
}

func (n *quicNode) receive(s *quic.ReceiveStream) error {
	r := bufio.NewReaderSize(s, 64<<10)
	var head [33]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	peer := transport.PeerID(head[1:])
	switch head[0] {
	case controlStream, bulkStream:
		n.up <- struct{}{}
		return n.read(transport.Lane(head[0]), peer, r)
	}
	if err := n.read(transport.Bulk, peer, r); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func (n *quicNode) Close() error {
	n.cancel()
	var err error
	if n.tr != nil {
		err = errors.Join(n.tr.Close(), n.sock.Close())
	}
	n.wait.Wait()
	return err
}
