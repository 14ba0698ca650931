package transportudp

import (
	"net"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/transport/transporttest"
)

// meteredHost takes a node's metrics.
type meteredHost struct {
	plugin.Host
	told chan reading
}

type reading struct {
	name  string
	value float64
}

func (h meteredHost) Metric(name string, value float64) {
	select {
	case h.told <- reading{name, value}:
	default: // nobody reads any more
	}
}

// TestMetrics: what a socket has counted reaches the core.
func TestMetrics(t *testing.T) {
	h := meteredHost{transporttest.Host("metered"), make(chan reading, 1000)}
	v, err := Plugin().Open(t.Context(), h, plugin.OpenRequest{Kind: plugin.Transport, Config: []byte(fast)})
	if err != nil {
		t.Fatal(err)
	}
	n := v.(*node)
	defer n.Close()
	at, err := n.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want := map[string]float64{"junk_datagrams": 2, "calls_of_mode_plain": 1, "datagrams": 3}
	for _, b := range [][]byte{{0xff}, {9, 9, 9}, {1, 0, 0, 0, 0x67, 0xe8}} {
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	patience := time.After(20 * time.Second)
	for len(want) > 0 {
		select {
		case r := <-h.told:
			if v, ok := want[r.name]; ok && v == r.value {
				delete(want, r.name)
			}
		case <-patience:
			t.Fatalf("the core was not told %v", want)
		}
	}
}
