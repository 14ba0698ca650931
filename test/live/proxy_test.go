package live

import "github.com/paloalto-chain/paloalto/internal/faultproxy"

// faults sets what all datagrams between nodes suffer.
func (n *network) faults(text string) {
	n.Helper()
	f, err := faultproxy.ParseFaults(text)
	if err == nil {
		err = n.proxy.SetFaults(faultproxy.Any, faultproxy.Any, f)
	}
	if err != nil {
		n.Fatal(err)
	}
}

// partition splits the network into groups of nodes.
func (n *network) partition(groups ...[]int) {
	n.Helper()
	var names [][]string
	for _, g := range groups {
		var list []string
		for _, i := range g {
			list = append(list, n.name(i))
		}
		names = append(names, list)
	}
	if err := n.proxy.Partition(names); err != nil {
		n.Fatal(err)
	}
}

func (n *network) heal() {
	n.Helper()
	if err := n.proxy.Heal(); err != nil {
		n.Fatal(err)
	}
}

// carried tells what the proxy did, so that nobody believes in a proxy that nothing passed.
func (n *network) carried() (forwarded, lost, cut uint64) {
	for _, l := range n.proxy.Stats().Links {
		forwarded, lost, cut = forwarded+l.Forwarded, lost+l.Lost, cut+l.Partitioned
	}
	return forwarded, lost, cut
}
