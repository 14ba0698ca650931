package light

import (
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// A chain with three epochs is followed from its genesis block; then a message of its newest block is verified.
func ExampleClient() {
	chain := threeEpochs()
	now := at(chain.tip().Slot)
	c, err := New(chain.checkpoint(), AllSchemes())
	if err != nil {
		fmt.Println(err)
		return
	}
	for e, closing := range chain.closing {
		if err := c.Advance(closing, chain.sets[e+1], chain.proofs[e], now); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("epoch", c.Epoch().Number, "begins after height", c.Epoch().Opened.Height)
	}
	newest := chain.tip()
	path := types.MerkleProve(outbox(newest.Height-1), 1)
	fmt.Println(c.VerifyMessage(chain.claim(newest), message(newest.Height-1), path, now))
	// Output:
	// epoch 1 begins after height 5
	// epoch 2 begins after height 10
	// <nil>
}
