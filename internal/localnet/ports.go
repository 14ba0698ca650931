package localnet

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"strconv"
	"time"
)

// firstPort is where the ports of local networks begin: below what the system gives out by itself, so that a network that is
// down does not find its ports taken by chance when it comes up again.
const (
	firstPort = 21_000
	lastPort  = 31_000
)

// freePorts returns n ports on which nobody listens, neither by TCP nor by UDP, and that are not in taken. The search begins
// at a place that depends on the network's folder: networks that are made at the same moment, under different homes, see
// nothing of each other yet.
func freePorts(dir string, n int, taken map[int]bool) ([]int, error) {
	const size = lastPort - firstPort
	h := fnv.New32a()
	_, _ = h.Write([]byte(dir))
	start := int(h.Sum32()%(size/16)) * 16
	var out []int
	for i := 0; i < size && len(out) < n; i++ {
		if p := firstPort + (start+i)%size; !taken[p] && free(local(p)) {
			out = append(out, p)
		}
	}
	if len(out) < n {
		return nil, fmt.Errorf("%d free ports are needed between %d and %d, there are %d", n, firstPort, lastPort, len(out))
	}
	return out, nil
}

// free tells whether nobody listens on an address, neither by TCP nor by UDP.
func free(address string) bool {
	t, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	defer t.Close()
	u, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	_ = u.Close()
	return true
}

// releaseTime is how long the ports of a network that was killed are waited for: its nodes may be about to end.
const releaseTime = 3 * time.Second

// movePorts gives new ports to nodes whose own are in use by others, and tells of it.
func (p Plan) movePorts(dir string, s *State) (moved bool, err error) {
	var busy []*string
	for end := time.Now().Add(releaseTime); ; time.Sleep(20 * time.Millisecond) {
		busy = nil
		for i := range s.Nodes {
			for _, a := range []*string{&s.Nodes[i].Listen, &s.Nodes[i].API} {
				if !free(*a) {
					busy = append(busy, a)
				}
			}
		}
		if len(busy) == 0 {
			return false, nil
		}
		if time.Now().After(end) {
			break
		}
	}
	ports, err := freePorts(dir, len(busy), takenPorts(p.Home))
	if err != nil {
		return false, fmt.Errorf("network %s: %w", s.Name, err)
	}
	for i, a := range busy {
		if p.Tell != nil {
			p.Tell(fmt.Sprintf("%s is in use by another program; %s is used instead from now on", *a, local(ports[i])))
		}
		*a = local(ports[i])
	}
	return true, nil
}

// portOf returns the port of host:port.
func portOf(address string) (int, error) {
	_, p, err := net.SplitHostPort(address)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(p)
	if err != nil || n < 1 || n > 65535 {
		return 0, errors.New("bad port in " + address)
	}
	return n, nil
}
