package node

import (
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// FuzzReceived: whatever messages a peer sends, nothing panics and what is counted for messages that are not whole is right.
func FuzzReceived(f *testing.F) {
	f.Add([]byte("\x0c\x08alto-bulk-63\x02\x03x\x0f\x08alto-control-63\x01\x05\x01\x05"))
	f.Add([]byte("\x02\x03x\x01\x05"))
	f.Fuzz(func(t *testing.T, in []byte) {
		n := New(fast())
		defer n.cancel()
		p := n.newPeer(name(1))
		for len(in) > 0 {
			k := min(int(in[0]), len(in)-1)
			d := in[1 : 1+k]
			if in = in[1+k:]; k == 0 {
				continue
			}
			if _, err := n.received(p, wire.ID(d[0]), d[1:]); err != nil {
				break
			}
			sum := 0
			for _, f := range p.files {
				if f != nil {
					sum += len(f.data)
					if len(f.channel) > transport.MaxChannel {
						t.Fatalf("a channel of %d bytes", len(f.channel))
					}
				}
			}
			if sum != n.assembling {
				t.Fatalf("%d bytes are counted for %d", n.assembling, sum)
			}
		}
		if n.clear(p); n.assembling != 0 {
			t.Fatalf("%d bytes are counted for nothing", n.assembling)
		}
	})
}
