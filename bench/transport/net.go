package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/paloalto-chain/paloalto/internal/faultproxy"
)

const (
	// firstPort is the port of the first pair's nodes; each pair has ports of its own.
	firstPort = 20_000
	// portsOfNode is how many ports from its first on a node may use for its lanes.
	portsOfNode = 80
)

// pairs counts the pairs of a process.
var pairs atomic.Uint32

// places are the addresses of a pair.
type places struct {
	at, proxy [2]netip.AddrPort
}

// newPlaces chooses addresses out of 127.0.0.0/8 that are this process's own: those of the nodes, and those of the proxy
// that stand for them.
func newPlaces() places {
	var p places
	pid := os.Getpid()
	port := uint16(firstPort + pairs.Add(1)%100*portsOfNode)
	for i := range p.at {
		a := [4]byte{127, byte(80 + pid%100), byte(pid / 100), byte(1 + i)}
		b := a
		b[3] += 100
		p.at[i], p.proxy[i] = netip.AddrPortFrom(netip.AddrFrom4(a), port), netip.AddrPortFrom(netip.AddrFrom4(b), port)
	}
	return p
}

// newProxy starts a proxy between the nodes, for all the ports that they may use.
func newProxy(p places, seed uint64, f faultproxy.Faults) (*faultproxy.Proxy, error) {
	var es []faultproxy.Endpoint
	for i, name := range []string{"a", "b"} {
		for k := range portsOfNode {
			es = append(es, faultproxy.Endpoints(name, p.proxy[i].Addr(), next(p.at[i], k))...)
		}
	}
	return faultproxy.New(faultproxy.Config{Seed: seed, Endpoints: es, Faults: f, MaxPending: 512 << 20})
}

// socketDrops returns how many datagrams the kernel has dropped at the open UDP sockets of some addresses, as far as it
// tells.
func socketDrops(addrs ...netip.Addr) uint64 {
	b, err := os.ReadFile("/proc/net/udp")
	if err != nil {
		return 0
	}
	want := map[string]bool{}
	for _, a := range addrs {
		if a.Is4() {
			four := a.As4()
			want[fmt.Sprintf("%08X", binary.LittleEndian.Uint32(four[:]))] = true
		}
	}
	var sum uint64
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) < 13 {
			continue
		}
		if host, _, ok := strings.Cut(f[1], ":"); ok && want[host] {
			n, _ := strconv.ParseUint(f[len(f)-1], 10, 64)
			sum += n
		}
	}
	return sum
}
