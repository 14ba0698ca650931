package chain

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/paloalto-chain/paloalto/core/journal/disk/disktest"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
)

// BenchmarkOwnBlock makes a block of 150 transfers: whole, and what of it is looking for parts that are for plugins.
func BenchmarkOwnBlock(b *testing.B) {
	k := &kit{t: b, g: testGenesis(), fs: disktest.New(rand.New(rand.NewPCG(1, 1))), store: newMapStore(), net: newFakeNet()}
	k.open(newScript(), true, func(cfg *Config) { cfg.Foreign = map[string]bool{"oracle": true, "consensus": true, "contract": true} })
	var envs [][]byte
	for range 150 {
		env, _ := k.transfer(alice, bob.id(), 1)
		envs = append(envs, env)
	}
	k.submit(envs...)
	ctx := context.Background()
	r := &consensus.Build{Slot: 1, Parent: k.genesis.ID()}
	n, err := k.newBlock(ctx, r)
	if err != nil || len(n.txs) != len(envs) {
		b.Fatalf("%v, %d transactions", err, len(n.txs))
	}
	b.Run("make", func(b *testing.B) {
		for b.Loop() {
			if _, err := k.newBlock(ctx, r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("look", func(b *testing.B) {
		for b.Loop() {
			if m, err := k.rehearse(ctx, n); err != nil || m != n || n.result != nil {
				b.Fatal("it is not left alone")
			}
		}
	})
	_ = k.journal.Close()
}
