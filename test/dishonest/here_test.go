//go:build linux

package dishonest

import (
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/chain"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// unlucky is a chain whose module breaks on one node alone.
type unlucky struct {
	name  string
	order string
	says  []string // that are in the reason of the halt; TX stands for the transaction
	g     *chainspec.Genesis
	tx    types.TxID
}

// On one of four nodes the module breaks, in another way on each of several chains. Each time that node halts that chain and says what
// is to blame; the others go on with it, and the node goes on with its other chains, though their modules are in the same process.
// Started again with a module that does not break, it catches up, and has the same state.
func TestOnOneNode(t *testing.T) {
	if testing.Short() {
		t.Skip("slow")
	}
	t.Parallel()
	const survive, roots = `module "fickle" does not survive block`, "invalid block: state root of block"
	chains := []*unlucky{
		{name: "exit", order: "here exit", says: []string{survive, "TX", "I leave"}},
		{name: "crash", order: "here crash", says: []string{survive, "TX", "execute crashes"}},
		{name: "deaf", order: "here deaf", says: []string{survive, "TX", "does not answer"}},
		{name: "long", order: "here long", says: []string{survive, "TX"}},
		{name: "hungry", order: "here hungry", says: []string{survive, "TX"}},
		{name: "check", order: "here check-crash", says: []string{survive, "TX", "check crashes"}},
		{name: "due", order: "here due-exit", says: []string{survive, "scheduled work that is due", "I leave"}},
		{name: "mint", order: "here mint", says: []string{roots}},
		{name: "differs", order: "here differs", says: []string{roots}},
		{name: "paranoid", order: "here differs", says: []string{"does not compute the same each time", `module "fickle"`, "TX"}},
	}
	var list []*chainspec.Genesis
	for _, c := range chains {
		c.g = genesisOf(t, c.name, quick, 4, "fickle", calm)
		list = append(list, c.g)
	}
	other := genesisOf(t, "other", quick, 4, calm)
	nodes := newNodes(t, 4, append(list, other)...)
	bad := nodes[0]
	bad.bad, bad.paranoid = true, "paranoid"
	for _, x := range nodes {
		x.start()
	}
	for _, c := range chains {
		nodes[1].until(c, func() bool { return bad.halted(c.g) != "" })
		why := bad.halted(c.g)
		for _, want := range c.says {
			if want == "TX" {
				want = c.tx.String()
			}
			if !strings.Contains(why, want) {
				t.Errorf("chain %s: %q is not in: %s", c.name, want, why)
			}
		}
		if s := nodes[1].final(c.g, c.tx); s != types.StatusOK {
			t.Errorf("chain %s: for the others the transaction ends with %q", c.name, s)
		}
		nodes[2].calmly(c.g)
		bad.more(other, 2)
	}
	bad.calmly(other)
	bad.stop()
	bad.bad = false
	bad.start()
	for _, c := range chains {
		bad.calmly(c.g)
		agree(t, c.g, nodes)
	}
	for _, x := range nodes {
		x.stop()
		for _, c := range chains {
			x.conserved(c.g, "fickle", calm)
		}
	}
}

// until sends a chain its order until it is in a block, and waits for what comes of it.
func (x *testNode) until(c *unlucky, f func() bool) {
	x.t.Helper()
	var sent uint64
	await(x.t, "what comes of "+c.order, func() bool {
		height := x.chain(c.g).FinalHeight()
		if c.tx.IsZero() || height > sent+12 && x.info(c.g, c.tx).Stage < chain.TxIncluded { // a busy machine: producers have left it out
			c.tx, sent = x.order(c.g, "fickle", c.order), height
		}
		return f()
	})
}
