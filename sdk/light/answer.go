package light

import (
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// MaxAnswerItems bounds the items that a proven answer may rest on.
const MaxAnswerItems = 4096

// Held is an item of a chain's state, what it holds, and what shows that.
type Held struct {
	Item  Item
	Value []byte // nil: there is no such item
	Proof *types.StateProof
}

// AnswerIn checks the items that the answer of a module rests on: each belongs to the module, none is there twice, and each was so
// in the state after the parent of a block that is known to be final. It fails with [ErrForeignItem], [ErrRepeatedItem] or
// types.ErrBadProof.
//
// That is all that is shown. The answer itself is the module's word on the node that was asked, and so is it that there are no
// further items that it should rest on: whoever knows the module looks for the items that have to be there, and reads them.
func AnswerIn(h *types.Header, module string, items []Held) error {
	if len(items) > MaxAnswerItems {
		return fmt.Errorf("answer: %w: %d items, at most %d are allowed", types.ErrBadProof, len(items), MaxAnswerItems)
	}
	seen := make(map[Item]bool, len(items))
	for i := range items {
		it := &items[i]
		if it.Item.Module != module {
			return fmt.Errorf("%w: item %d, %q, is of module %q, the question is for %q", ErrForeignItem, i, it.Item.Key, it.Item.Module, module)
		}
		if seen[it.Item] {
			return fmt.Errorf("%w: item %d, %q", ErrRepeatedItem, i, it.Item.Key)
		}
		seen[it.Item] = true
		if err := ItemIn(h, it.Item, it.Value, it.Proof); err != nil {
			return fmt.Errorf("answer: item %d, %q: %w", i, it.Item.Key, err)
		}
	}
	return nil
}

// VerifyAnswer checks that a block is final and that the items which the answer of a module rests on were so in the state after
// the block's *parent*. It fails like [Client.Verify] and [AnswerIn], which tells what is shown and what is not.
func (c *Client) VerifyAnswer(claim Claim, module string, items []Held, nowMs uint64) error {
	if err := c.Verify(claim, nowMs); err != nil {
		return err
	}
	return AnswerIn(claim.Header, module, items)
}
