package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// ErrUnproven says that what a node answered does not prove itself.
var ErrUnproven = errors.New("ErrUnproven")

// VerifyBlock checks that blocks[0] is final on a chain: the last of blocks carries a certificate of set, and each of the others
// is the parent of the next. What blocks[0] has besides its header is checked where it is there: ids and body against the
// header, and receipts against the header of blocks[1], which commits to them.
//
// set must be the one in force at that height, from the genesis document or a block that is trusted.
func VerifyBlock(chain types.ChainID, set *types.Set, blocks ...*api.Block) error {
	if len(blocks) == 0 {
		return fmt.Errorf("%w: no block", ErrUnproven)
	}
	for i, b := range blocks {
		if b == nil || b.Header == nil {
			return fmt.Errorf("%w: block %d of the chain of headers is missing", ErrUnproven, i)
		}
		if b.Header.Chain != chain {
			return fmt.Errorf("%w: block %d is of chain %s, not of %s", ErrUnproven, b.Header.Height, b.Header.Chain.Short(), chain.Short())
		}
		if i > 0 && (b.Header.Parent != blocks[i-1].Header.ID() || b.Header.Height != blocks[i-1].Header.Height+1) {
			return fmt.Errorf("%w: block %d is not the child of the one before", ErrUnproven, b.Header.Height)
		}
	}
	last := blocks[len(blocks)-1]
	cert := last.Certificate
	if cert == nil {
		return fmt.Errorf("%w: block %d has no certificate", ErrUnproven, last.Header.Height)
	}
	if cert.Block != last.Header.ID() || cert.Height != last.Header.Height || cert.Slot != last.Header.Slot {
		return fmt.Errorf("%w: the certificate is not that of block %d", ErrUnproven, last.Header.Height)
	}
	if err := cert.Verify(chain, set); err != nil {
		return fmt.Errorf("%w: block %d: %w", ErrUnproven, last.Header.Height, err)
	}
	if _, err := verifyContent(chain, blocks[0]); err != nil {
		return err
	}
	if len(blocks) > 1 && blocks[0].Receipts != nil && types.ReceiptsRoot(blocks[0].Receipts) != blocks[1].Header.ReceiptsRoot {
		return fmt.Errorf("%w: the receipts of block %d are not those that its child commits to", ErrUnproven, blocks[0].Header.Height)
	}
	return nil
}

// verifyContent checks a block's body and ids against its header, and returns the ids. Ids without the body cannot be checked and
// are left alone.
func verifyContent(chain types.ChainID, b *api.Block) ([]types.TxID, error) {
	if b.Body == nil {
		return nil, nil
	}
	body, err := types.DecodeBody(b.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: block %d: %w", ErrUnproven, b.Header.Height, err)
	}
	ids := make([]types.TxID, len(body.Txs))
	for i, raw := range body.Txs {
		env, err := types.DecodeEnvelope(raw)
		if err != nil {
			return nil, fmt.Errorf("%w: block %d: transaction %d: %w", ErrUnproven, b.Header.Height, i, err)
		}
		ids[i] = types.TxIDOf(chain, env.Raw)
		if b.TxIDs != nil && (len(b.TxIDs) != len(ids) || b.TxIDs[i] != ids[i]) {
			return nil, fmt.Errorf("%w: block %d: the ids are not those of its transactions", ErrUnproven, b.Header.Height)
		}
	}
	if len(b.TxIDs) > len(ids) || body.BodyRoot(ids) != b.Header.BodyRoot || body.ExtensionRoot() != b.Header.ExtensionRoot {
		return nil, fmt.Errorf("%w: block %d: the body is not that of the header", ErrUnproven, b.Header.Height)
	}
	return ids, nil
}

// maxProofBlocks is how far a certificate may be away from a block that it makes final.
const maxProofBlocks = 256

// VerifiedBlock fetches a final block with body and receipts, and what proves it: the block itself, its child, and the descendants
// up to one that has a certificate. It fails with ErrUnproven if the node's answers do not fit, and with api.ErrNotFound if the
// child, which commits to the receipts, is not final yet.
func (c *Client) VerifiedBlock(ctx context.Context, chain string, id types.ChainID, set *types.Set, height uint64) (*api.Block, error) {
	b, err := c.Block(ctx, chain, height, DetailBody)
	if err != nil {
		return nil, err
	}
	blocks := []*api.Block{b}
	for next := height + 1; len(blocks) < 2 || blocks[len(blocks)-1].Certificate == nil; next++ {
		if len(blocks) > maxProofBlocks {
			return nil, fmt.Errorf("%w: no certificate within %d blocks of block %d", ErrUnproven, maxProofBlocks, height)
		}
		d, err := c.Block(ctx, chain, next, DetailHeader)
		if err != nil {
			return nil, fmt.Errorf("proof of block %d: %w", height, err)
		}
		blocks = append(blocks, d)
	}
	if err := VerifyBlock(id, set, blocks...); err != nil {
		return nil, err
	}
	// What the node left out is no excuse here.
	if b.Body == nil || types.ReceiptsRoot(b.Receipts) != blocks[1].Header.ReceiptsRoot {
		return nil, fmt.Errorf("%w: block %d came without its body or without its receipts", ErrUnproven, height)
	}
	b.TxIDs, err = verifyContent(id, b)
	return b, err
}
