package chainspec

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// check looks at the spec as a whole.
func (l *loader) check() {
	l.checkCycles()
	l.checkProducers()
	l.checkTransports()
}

func (l *loader) checkCycles() {
	byName := map[string]*instance{}
	for _, in := range l.instances {
		byName[in.chain.Name] = in
	}
	done := map[string]bool{}
	for _, in := range l.instances {
		var path []string
		on := map[string]bool{}
		for x := in; x != nil && !done[x.chain.Name]; x = byName[x.chain.Parent] {
			name := x.chain.Name
			path = append(path, name)
			if on[name] {
				l.report(fault(x.places["parent"], "chains are each other's parents", "%s: somewhere there must be a root, a chain without parent.", strings.Join(clipList(path), " → ")))
				break
			}
			on[name] = true
		}
		for _, name := range path {
			done[name] = true
		}
	}
}

func clipList(list []string) []string {
	if len(list) > 8 {
		return append(append([]string(nil), list[:7]...), "…")
	}
	return list
}

func (l *loader) checkProducers() {
	for _, in := range l.instances {
		c := in.chain
		place, ok := in.places["producers"]
		if !ok {
			if place, ok = in.places["consensus"]; !ok {
				continue // reported as missing
			}
		}
		keys := len(c.Genesis.Producers)
		switch n := c.Seats(); {
		case keys > 0 && c.Producers > 0 && keys != c.Producers:
			l.report(fault(place, "two numbers of producers", "The consensus block says %d producers, the genesis block names %d. Leave producers out, or make them equal.", c.Producers, keys))
		case n == 0 && !l.anyErrorIn(place):
			l.report(fault(place, "no producers", "Say how many producers the chain starts with, like `producers = 4` in the consensus block, or name them in producer blocks of the genesis block."))
		case n > 0 && n < 4:
			l.report(doubt(place, "too few producers to tolerate a fault",
				"With %s the chain stops to finalise as soon as one fails; four tolerate one that fails or lies.", plural(n, "producer")))
		}
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// anyErrorIn tells whether something is reported at a place, so that its consequences need not be.
func (l *loader) anyErrorIn(r hcl.Range) bool {
	for _, d := range l.diags {
		if s := d.Subject; s != nil && d.Severity == hcl.DiagError && s.Start.Byte >= r.Start.Byte && s.Start.Byte <= r.End.Byte {
			return true
		}
	}
	return false
}

// checkTransports demands one transport for all chains: a node has one instance.
func (l *loader) checkTransports() {
	var first *instance
	for _, in := range l.instances {
		t := in.chain.Transport
		place, ok := in.places["transport"]
		if !ok || t.Config == nil {
			continue
		}
		if first == nil {
			first = in
			continue
		}
		if f := first.chain.Transport; f.Plugin != t.Plugin || !bytes.Equal(f.Config, t.Config) || f.Host != t.Host {
			l.report(fault(place, "the chains' transports differ",
				"A node has one transport for all its chains, and chain %q has another plugin or other settings. Make them equal.", first.chain.Name))
		}
	}
	if first == nil {
		return
	}
	for _, n := range l.spec.Networks {
		if t := n.NodeDefaults.Transport; t != nil && t.Plugin != first.chain.Transport.Plugin {
			l.report(fault(l.places[n.Name+" transport"], "the chains' transports differ", "The chains use the transport %q, node_defaults has %q.", first.chain.Transport.Plugin, t.Plugin))
		}
	}
}

var networkSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "nodes"}, {Name: "faucet"}},
	Blocks:     []hcl.BlockHeaderSchema{{Type: "node_defaults"}},
}

var nodeDefaultsSchema = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
	{Type: "transport", LabelNames: []string{"plugin"}}, {Type: "storage", LabelNames: []string{"plugin"}},
}}

// networks reads the network blocks. They come after the chains, which they are compared with.
func (l *loader) networks(blocks []*hcl.Block) {
	ctx := l.scope.context(nil)
	seen := map[string]bool{}
	for _, b := range blocks {
		n := &Network{Name: b.Labels[0]}
		if err := checkName("network", n.Name); err != nil {
			l.report(fault(b.LabelRanges[0], "bad name of a network", "%s.", err))
		}
		if seen[n.Name] {
			l.report(fault(b.LabelRanges[0], "network named twice", "There is another network %q in this spec.", n.Name))
			continue
		}
		seen[n.Name] = true
		c, d := b.Body.Content(networkSchema)
		l.report(d...)
		a := evaluated(c.Attributes, ctx)
		if nodes, ok := a.integer("nodes", 1, MaxNodes); ok {
			n.Nodes = int(nodes)
			l.enoughNodes(n, a)
		} else {
			n.Nodes = l.spec.mostProducers()
		}
		if n.Faucet, _ = a.text("faucet"); n.Faucet != "" {
			l.faucet(n, a)
		}
		l.report(a.diags...)
		for i, x := range c.Blocks {
			if i > 0 {
				l.report(fault(x.DefRange, "node_defaults block written twice", "A network has one."))
				break
			}
			l.nodeDefaults(n, x, ctx)
		}
		l.spec.Networks = append(l.spec.Networks, n)
	}
}

// enoughNodes refuses a network in which a node would need two seats of one chain.
func (l *loader) enoughNodes(n *Network, a *attributes) {
	for _, in := range l.instances {
		if p := in.chain.Producers; p > n.Nodes {
			a.fail("nodes", "fewer nodes than producers", fmt.Errorf("chain %q has %s, network %q has %s, and a node holds at most one seat of a chain; say nodes = %d or more",
				in.chain.Name, plural(p, "producer"), n.Name, plural(n.Nodes, "node"), l.spec.mostProducers()))
			return
		}
	}
}

// faucet demands that some root has the allocation.
func (l *loader) faucet(n *Network, a *attributes) {
	var names []string
	for _, in := range l.instances {
		if in.chain.Parent != "" || in.parentBad {
			continue
		}
		for _, x := range in.chain.Genesis.Allocations {
			if x.Name == n.Faucet {
				if x.Account != nil {
					a.fail("faucet", "faucet without a key", fmt.Errorf("the allocation %q belongs to an account of the spec's own, whose key this machine may not have; choose one without account", n.Faucet))
				}
				return
			}
			names = append(names, x.Name)
		}
	}
	if len(names) > 0 {
		a.fail("faucet", "unknown allocation", fmt.Errorf("no root chain has an allocation %q%s", clip(n.Faucet), hint(n.Faucet, names)))
	}
}

func (l *loader) nodeDefaults(n *Network, b *hcl.Block, ctx *hcl.EvalContext) {
	c, d := b.Body.Content(nodeDefaultsSchema)
	l.report(d...)
	r := blockReader{schemas: l.opts.Schemas, external: l.spec.Plugins}
	for _, x := range c.Blocks {
		kind, to := plugin.Transport, &n.NodeDefaults.Transport
		if x.Type == "storage" {
			kind, to = plugin.Storage, &n.NodeDefaults.Storage
		}
		if *to != nil {
			l.report(fault(x.DefRange, x.Type+" block written twice", "There is one."))
			continue
		}
		out, a, _ := r.readBlock(kind, x, x.Labels[0], x.LabelRanges[0], ctx)
		l.report(a.diags...)
		*to = &out
		l.places[n.Name+" "+x.Type] = x.DefRange
	}
}
