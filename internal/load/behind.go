package load

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"strconv"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/internal/faultproxy"
	"github.com/paloalto-chain/paloalto/internal/localnet"
)

// Behind puts the nodes of a local network behind a fault proxy: each node has an address of the proxy's own that stands for it,
// so that the number of a port which the node tells its peers is right there as well.
type Behind struct {
	bulk map[string]int // by the node's name
	at   map[string]netip.Addr
	err  error
}

// NewBehind chooses ports for the bulk lanes of so many nodes: above those of local networks, and below those that the system
// gives out by itself. The search begins at a place that depends on home.
func NewBehind(home string, nodes int) (*Behind, error) {
	b := &Behind{bulk: map[string]int{}, at: map[string]netip.Addr{}}
	h := fnv.New32a()
	_, _ = h.Write([]byte(home))
	for port, i := 31_000+int(h.Sum32()%1500), 0; i < nodes; port++ {
		if port >= 32_700 || i > 200 {
			return nil, fmt.Errorf("there are no free ports for the bulk lanes of %d nodes", nodes)
		}
		l, err := net.ListenPacket("udp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		_ = l.Close()
		name := "node-" + strconv.Itoa(i)
		b.bulk[name], b.at[name] = port, netip.AddrFrom4([4]byte{127, 77, 0, byte(10 + i)})
		i++
	}
	return b, nil
}

// Adjust is for [localnet.Plan]: it tells a node the proxy's addresses as those of its peers, and fixes the port of its bulk lane.
func (b *Behind) Adjust(c *chainspec.Node) {
	for k, p := range c.Peers {
		_, port, err := net.SplitHostPort(p.Address)
		if err != nil {
			b.err = err
			return
		}
		c.Peers[k].Address = net.JoinHostPort(b.at[p.Name].String(), port)
	}
	config := map[string]json.RawMessage{}
	if len(c.Transport.Config) > 0 {
		if err := json.Unmarshal(c.Transport.Config, &config); err != nil {
			b.err = err
			return
		}
	}
	config["bulk_port"] = strconv.AppendInt(nil, int64(b.bulk[c.Name]), 10)
	c.Transport.Config, b.err = json.Marshal(config)
}

// Proxy starts the proxy between the nodes of a network that was prepared with Adjust.
func (b *Behind) Proxy(s *localnet.State, seed uint64) (*faultproxy.Proxy, error) {
	if b.err != nil {
		return nil, fmt.Errorf("put the nodes behind a proxy: %w", b.err)
	}
	cfg := faultproxy.Config{Seed: seed}
	for _, x := range s.Nodes {
		listen, err := netip.ParseAddrPort(x.Listen)
		if err != nil {
			return nil, fmt.Errorf("put the nodes behind a proxy: %w", err)
		}
		cfg.Endpoints = append(cfg.Endpoints, faultproxy.Endpoints(x.Name, b.at[x.Name], listen,
			netip.AddrPortFrom(listen.Addr(), uint16(b.bulk[x.Name])))...)
	}
	return faultproxy.New(cfg)
}
