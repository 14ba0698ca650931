package transportudp

import (
	"crypto/sha256"
	"fmt"
	"net/netip"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/conn"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/lane"
	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// hashAbove is the payload size from which a message may be large on every path. Its digest is made once for all
// receivers and with no lock held.
const hashAbove = 1 << 10

// send queues a message for each of its receivers.
func (n *node) send(k *link, out transport.Outgoing) error {
	if err := out.Check(); err != nil {
		return err
	}
	var buf [16]netip.AddrPort
	var bulkBuf [16]*peer
	addrs, peers := buf[:0], bulkBuf[:0]
	n.mu.Lock()
	if n.closed || !n.inbox[k.lane].current(k) {
		n.mu.Unlock()
		return fmt.Errorf("send on the %s lane: %w", k.lane, transport.ErrClosed)
	}
	control := n.loops[0]
	for _, id := range out.Peers {
		switch p := n.peers[id]; {
		case p == nil || !p.up:
		case k.lane == transport.Bulk && p.linked():
			peers = append(peers, p)
		default: // also for bulk, if the peer has a single lane
			addrs = append(addrs, p.addr[0])
		}
	}
	bulks := make([]*bulk, len(peers))
	for i, p := range peers {
		bulks[i] = p.bulk
	}
	n.mu.Unlock()
	if len(addrs)+len(peers) == 0 {
		return nil
	}
	m := conn.Message{Channel: out.Channel, Priority: out.Priority, Payload: out.Payload}
	if len(m.Payload) > hashAbove {
		sum := sha256.Sum256(m.Payload)
		m.Digest = &sum
	}
	if len(addrs) > 0 {
		give(control, addrs, m)
	}
	for i, p := range peers {
		n.sendBulk(p, bulks[i], m)
	}
	return nil
}

func give(l *loop, addrs []netip.AddrPort, m conn.Message) {
	l.do(func(_ conn.Time, l *lane.Lane) {
		for _, a := range addrs {
			l.Send(a, m)
		}
	})
}
