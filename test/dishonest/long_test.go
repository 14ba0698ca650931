//go:build linux

package dishonest

import (
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
)

var (
	live  = flag.Bool("live", false, "run the long forms (or ALTO_LIVE=1)")
	lasts = flag.Duration("lasts", 3*time.Minute, "how long tricks are played in the long form")
	seed  = flag.Uint64("seed", 0, "of what is drawn in the long form; 0: a new one")
)

func long() bool { return *live || os.Getenv("ALTO_LIVE") == "1" }

// Any trick comes at any time, at any of four nodes.
//
//	go test ./test/dishonest -run TestLong -live -timeout 10m
func TestLong(t *testing.T) {
	if !long() {
		t.Skip("needs -live")
	}
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("seed %d", *seed)
	rng := rand.New(rand.NewPCG(*seed, 1))
	tricks := []string{"", "exit", "deaf", "spin", "long", "hungry", "check-exit", "check-deaf", "check-long", "extend-off", "extend-exit",
		"extend-deaf", "extend-nonsense", "query-exit", "query-deaf", string(moduletest.DueFault)}
	for _, list := range [][]moduletest.Trick{moduletest.Faults(), moduletest.Failures(), moduletest.Asides()} {
		for _, trick := range list {
			tricks = append(tricks, string(trick))
		}
	}
	modules := append(slices.Clone(liars), calm)
	g := genesisOf(t, "main", slow, 4, modules...)
	nodes := newNodes(t, 4, g)
	for _, x := range nodes {
		x.start()
	}
	plays := 0
	for end := time.Now().Add(*lasts); time.Now().Before(end); plays++ {
		x, trick := nodes[rng.IntN(4)], tricks[rng.IntN(len(tricks))]
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_, _, _ = x.chain(g).Query(ctx, liars[rng.IntN(len(liars))], trick, nil)
		cancel()
		_, _ = x.try(g, liars[rng.IntN(len(liars))], trick)
		if plays%16 == 15 {
			nodes[rng.IntN(4)].calmly(g)
			agree(t, g, nodes)
		}
	}
	t.Logf("%d tricks, %d blocks", plays, nodes[0].chain(g).FinalHeight())
	nodes[0].calmly(g)
	agree(t, g, nodes)
	for _, x := range nodes {
		x.conserved(g, modules...)
	}
}
