package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"strconv"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/internal/faultproxy"
	"github.com/paloalto-chain/paloalto/internal/localnet"
)

const (
	// bulkLanes is how many ports are kept for a node's bulk lanes: as many as it has when its spec does not say.
	bulkLanes = 8
	// firstBulk and lastBulk are where these are: below those of local networks, that are below what the system gives out by itself.
	firstBulk, lastBulk = 10_000, 21_000
)

// Behind puts the nodes of a local network behind a fault proxy: each node has an address of the proxy's own that stands for it,
// so that the numbers of the ports which the node tells its peers are right there as well. All of its ports are, so nothing
// passes the proxy by.
type Behind struct {
	bulk  map[string]int // the first port for bulk lanes, by the node's name
	lanes map[string]int // how many there are
	at    map[string]netip.Addr
	err   error
}

// NewBehind chooses ports for the bulk lanes of so many nodes, at most 200. The search begins at a place that depends on home.
func NewBehind(home string, nodes int) (*Behind, error) {
	b := &Behind{bulk: map[string]int{}, lanes: map[string]int{}, at: map[string]netip.Addr{}}
	h := fnv.New32a()
	_, _ = h.Write([]byte(home))
	const places = (lastBulk - firstBulk) / bulkLanes
	at := int(h.Sum32() % places)
	for range places {
		i := len(b.bulk)
		if i == nodes || i == 200 {
			break
		}
		port := firstBulk + at*bulkLanes
		at = (at + 1) % places
		if !free(port, bulkLanes) {
			continue
		}
		name := "node-" + strconv.Itoa(i)
		b.bulk[name], b.at[name] = port, netip.AddrFrom4([4]byte{127, 77, 0, byte(10 + i)})
	}
	if len(b.bulk) < nodes {
		return nil, fmt.Errorf("there are no free ports for the bulk lanes of %d nodes: each needs %d in a row between %d and %d", nodes, bulkLanes, firstBulk, lastBulk)
	}
	return b, nil
}

// free tells whether nobody uses so many ports in a row.
func free(first, count int) bool {
	for port := first; port < first+count; port++ {
		l, err := net.ListenPacket("udp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	return true
}

// Adjust is for [localnet.Plan]: it tells a node the proxy's addresses as those of its peers, and fixes the ports of its bulk lanes.
func (b *Behind) Adjust(c *chainspec.Node) {
	if err := b.adjust(c); err != nil {
		b.err = errors.Join(b.err, fmt.Errorf("%s: %w", c.Name, err))
	}
}

func (b *Behind) adjust(c *chainspec.Node) error {
	for k, p := range c.Peers {
		_, port, err := net.SplitHostPort(p.Address)
		if err != nil {
			return err
		}
		c.Peers[k].Address = net.JoinHostPort(b.at[p.Name].String(), port)
	}
	config := map[string]json.RawMessage{}
	if len(c.Transport.Config) > 0 {
		if err := json.Unmarshal(c.Transport.Config, &config); err != nil {
			return err
		}
	}
	if string(config["mode"]) == `"plain"` { // all goes through the listening port
		return nil
	}
	lanes := bulkLanes
	if v, ok := config["bulk_lanes"]; ok {
		if err := json.Unmarshal(v, &lanes); err != nil {
			return fmt.Errorf("bulk_lanes: %w", err)
		}
	}
	if lanes < 1 || lanes > bulkLanes {
		return fmt.Errorf("bulk_lanes is %d; behind the fault proxy a node has 1 to %d", lanes, bulkLanes)
	}
	b.lanes[c.Name] = lanes
	config["bulk_port"] = strconv.AppendInt(nil, int64(b.bulk[c.Name]), 10)
	var err error
	c.Transport.Config, err = json.Marshal(config)
	return err
}

// Proxy starts the proxy between the nodes of a network that was prepared with Adjust.
func (b *Behind) Proxy(s *localnet.State, seed uint64) (*faultproxy.Proxy, error) {
	es, err := b.endpoints(s)
	if err != nil {
		return nil, fmt.Errorf("put the nodes behind a proxy: %w", err)
	}
	return faultproxy.New(faultproxy.Config{Seed: seed, Endpoints: es})
}

// endpoints are the proxy's addresses: one for each port of each node.
func (b *Behind) endpoints(s *localnet.State) (es []faultproxy.Endpoint, err error) {
	if b.err != nil {
		return nil, b.err
	}
	for _, x := range s.Nodes {
		listen, err := netip.ParseAddrPort(x.Listen)
		if err != nil {
			return nil, err
		}
		targets := []netip.AddrPort{listen}
		for i := range b.lanes[x.Name] {
			targets = append(targets, netip.AddrPortFrom(listen.Addr(), uint16(b.bulk[x.Name]+i)))
		}
		es = append(es, faultproxy.Endpoints(x.Name, b.at[x.Name], targets...)...)
	}
	return es, nil
}
