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
const hashAbove = 16 << 10

// send queues a message for each of its receivers.
func (n *node) send(k *link, out transport.Outgoing) error {
	if err := out.Check(); err != nil {
		return err
	}
	var buf [2][16]netip.AddrPort
	addrs := [2][]netip.AddrPort{buf[0][:0], buf[1][:0]}
	n.mu.Lock()
	if n.closed || !n.inbox[k.lane].current(k) {
		n.mu.Unlock()
		return fmt.Errorf("send on the %s lane: %w", k.lane, transport.ErrClosed)
	}
	loops := n.loops
	for _, id := range out.Peers {
		if p := n.peers[id]; p != nil && p.up {
			at := k.lane
			if !p.addr[1].IsValid() { // the peer has a single lane
				at = transport.Control
			}
			addrs[at] = append(addrs[at], p.addr[at])
		}
	}
	n.mu.Unlock()
	if len(addrs[0])+len(addrs[1]) == 0 {
		return nil
	}
	m := conn.Message{Channel: out.Channel, Priority: out.Priority, Payload: out.Payload}
	if len(m.Payload) > hashAbove {
		sum := sha256.Sum256(m.Payload)
		m.Digest = &sum
	}
	if len(addrs[0]) > 0 {
		give(loops[0], addrs[0], m)
	}
	if len(addrs[1]) > 0 {
		// In turn with the tasks that open the peers' bulk lanes, so that what follows an event is not sent ahead of them.
		to := append([]netip.AddrPort(nil), addrs[1]...)
		n.tasks.add(func() { give(loops[1], to, m) })
		n.tasks.run()
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
