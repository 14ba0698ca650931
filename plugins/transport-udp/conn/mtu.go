package conn

import (
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

const (
	sizeTries   = 3                // of each size that the search tries
	sizeTimeout = time.Second      // of an answer, at most; a few round trips if they are known
	sizeAgain   = 60 * time.Second // after a search it is tried again
	holeAgain   = 10 * time.Second // and after a size has stopped to work
)

// sizes are where paths have their limits: what IPv6 guarantees, Ethernet with IPv6 and IPv4, and jumbo frames, as UDP payloads.
func sizes() [8]int { return [...]int{1232, 1452, 1472, 4052, 8952, 8972, 16 << 10, 32 << 10} }

// discovery is the search for the largest datagram that the path lets through, by padded probes (RFC 8899). The first probe has
// the largest size that both ends take, since many paths have no limit below it; then sizes are tried from the smallest up.
type discovery struct {
	most   int // none larger is tried
	size   int // that is being tried; 0 if none is
	first  bool
	tries  int
	token  uint32
	at     Time // when the probe is sent again, or the search begins; never while there is none
	failed int  // this size has failed
}

// beginDiscovery starts the search of a new session.
func (c *Conn) beginDiscovery(now Time, most int) {
	c.mtu = discovery{most: most, at: never}
	if c.shared && most > c.datagram {
		c.mtu.first, c.mtu.at = true, now
	}
}

// probeSize sends the next probe, if one is due.
func (c *Conn) probeSize(now Time) {
	m := &c.mtu
	if m.size > 0 { // the probe was lost
		if m.tries++; m.tries >= sizeTries || m.first && m.tries >= 2 {
			c.sizeFailed(now)
		}
	}
	if m.size == 0 {
		if m.size = m.nextSize(c.datagram); m.size == 0 {
			m.at, m.first, m.failed = now+sizeAgain, true, 0
			if c.datagram >= m.most {
				m.at = never
			}
			return
		}
		m.tries = 0
	}
	m.token = uint32(c.env.number())
	wait := sizeTimeout
	if rtt := c.snd.rtt.smooth; rtt > 0 {
		wait = min(wait, 3*rtt+20*time.Millisecond)
	}
	m.at = now + wait
	body := make([]byte, 0, m.size)
	body = wire.AppendSize(body, wire.Size, m.token, uint16(m.size))
	body = body[:m.size-datagramOverhead+wire.NumberSize]
	c.emitTagged(now, wire.Header{ID: wire.Data, Seq: c.snd.last()}, nil, body)
}

// nextSize is what to try after a size, 0 if there is nothing.
func (m *discovery) nextSize(now int) int {
	if now >= m.most {
		return 0
	}
	if m.first {
		return m.most
	}
	for _, s := range sizes() {
		if s > now && s < m.most && (m.failed == 0 || s < m.failed) {
			return s
		}
	}
	return 0
}

// sizeFailed gives a size up. After the first, the largest, the search goes on from below; after another it is over.
func (c *Conn) sizeFailed(now Time) {
	m := &c.mtu
	m.failed, m.size = m.size, 0
	if m.first {
		m.first = false
		return
	}
	m.failed = c.datagram + 1 // nothing between
}

// onSize handles a probe, or the answer to one.
func (c *Conn) onSize(now Time, kind wire.DataKind, b []byte) error {
	token, size, err := wire.ParseSize(b)
	switch {
	case err != nil:
		return err
	case kind == wire.SizeReply:
		c.onSizeReply(now, token, int(size))
	default:
		c.emitTagged(now, wire.Header{ID: wire.Data, Seq: c.snd.last()}, wire.AppendSize(c.scratch[:0], wire.SizeReply, token, size), nil)
	}
	return nil
}

// onSizeReply takes the answer to a probe.
func (c *Conn) onSizeReply(now Time, token uint32, size int) {
	m := &c.mtu
	if m.size == 0 || token != m.token || size != m.size {
		return
	}
	c.datagram, m.size, m.first = m.size, 0, false
	m.at = now
}

// blackHole answers a timeout: perhaps the path lets only smaller datagrams through than it did.
func (c *Conn) blackHole(now Time) {
	if c.datagram > c.base {
		c.datagram = c.base
		c.mtu.size, c.mtu.first, c.mtu.failed, c.mtu.at = 0, false, 0, now+holeAgain
	}
}

// TooLong says that the system has refused to send a datagram of that size to the peer.
func (c *Conn) TooLong(now Time, size int) {
	m := &c.mtu
	switch {
	case !c.up || !c.shared:
	case m.size > 0 && size >= m.size:
		c.sizeFailed(now)
		m.at = now
	case size <= c.datagram && size > c.base:
		c.blackHole(now)
	}
}
