package load

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"testing"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/internal/localnet"
)

// TestBehindHasAllPorts: the proxy stands for the listening port and every bulk lane of a node, so nothing passes it by.
func TestBehindHasAllPorts(t *testing.T) {
	for config, ports := range map[string]int{``: 1 + bulkLanes, `{"mode":"noise"}`: 1 + bulkLanes, `{"bulk_lanes":3}`: 4, `{"mode":"plain","bulk_lanes":8}`: 1} {
		b, err := NewBehind(t.TempDir(), 2)
		if err != nil {
			t.Fatal(err)
		}
		s := &localnet.State{}
		for i := range 2 {
			n := &chainspec.Node{Name: fmt.Sprint("node-", i)}
			n.Transport.Config = json.RawMessage(config)
			if b.Adjust(n); len(n.Transport.Config) == 0 {
				t.Fatalf("%s: no configuration", config)
			}
			s.Nodes = append(s.Nodes, localnet.NodeState{Name: n.Name, Listen: fmt.Sprintf("127.0.0.1:%d", 9000+i)})
		}
		es, err := b.endpoints(s)
		if err != nil {
			t.Fatal(err)
		}
		if len(es) != 2*ports {
			t.Errorf("%s: the proxy has %d addresses for two nodes, want %d", config, len(es), 2*ports)
		}
		seen := map[netip.AddrPort]bool{}
		for _, e := range es {
			if seen[e.Target] || e.Listen.Port() != e.Target.Port() || e.Listen.Addr() == e.Target.Addr() {
				t.Errorf("%s: %+v", config, e)
			}
			seen[e.Target] = true
		}
	}
	b, err := NewBehind(t.TempDir(), 1)
	if err != nil {
		t.Fatal(err)
	}
	n := &chainspec.Node{Name: "node-0"}
	n.Transport.Config = json.RawMessage(`{"bulk_lanes":9}`)
	b.Adjust(n)
	if _, err := b.Proxy(&localnet.State{}, 1); err == nil {
		t.Error("nine bulk lanes, of which the proxy has no port for the last")
	}
}
