package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/client/bundle"
	"github.com/paloalto-chain/paloalto/sdk/light"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// ProvenBlock returns the header of a final block, and those above it up to the first that has a proof of its own, with that
// proof. They are for the caller to verify.
func (c *Client) ProvenBlock(ctx context.Context, chain string, height uint64) ([]*types.Header, *types.Finality, error) {
	b, err := c.Block(ctx, chain, height, DetailHeader)
	if err != nil {
		return nil, nil, err
	}
	return above(b, false, c.headerOf(ctx, chain))
}

func (c *Client) headerOf(ctx context.Context, chain string) func(height uint64) (*api.Block, error) {
	return func(height uint64) (*api.Block, error) { return c.Block(ctx, chain, height, DetailHeader) }
}

// Block returns a final block with body, ids and receipts, all proven: the body by its header, the header by the proof that it,
// or a block above, is final, and the receipts by the next header, which commits to them. It fails with [ErrUnproven] if the
// node's answers do not fit, or if the block lies before the checkpoint's epoch or so far back that its producers are not
// believed any more; and with api.ErrNotFound if what proves it is not final yet.
func (l *Light) Block(ctx context.Context, height uint64) (*api.Block, error) {
	return l.block(ctx, height, l.c.headerOf(ctx, l.chain))
}

// block is Block, with the blocks above the wanted one taken from next.
func (l *Light) block(ctx context.Context, height uint64, next func(height uint64) (*api.Block, error)) (*api.Block, error) {
	b, err := l.c.Block(ctx, l.chain, height, DetailBody)
	if err != nil {
		return nil, err
	}
	height = b.Header.Height // it may have been the newest
	headers, proof, err := above(b, true, next)
	if err != nil {
		return nil, err
	}
	real, err := l.verify(ctx, headers, proof)
	if err != nil {
		return nil, err
	}
	if !real {
		return nil, fmt.Errorf("%w: block %d is empty and changes nothing, so that it may be one that is dropped at the end of the epoch; ask again after it",
			ErrUnproven, height)
	}
	if headers = append(headers, proof.Suffix...); types.ReceiptsRoot(b.Receipts) != headers[1].ReceiptsRoot {
		return nil, fmt.Errorf("%w: the receipts of block %d are not those that the next one commits to", ErrUnproven, height)
	}
	if b.TxIDs, err = contents(b); err != nil {
		return nil, fmt.Errorf("%w: block %d: %w", ErrUnproven, height, err)
	}
	if len(b.Receipts) < len(b.TxIDs) {
		return nil, fmt.Errorf("%w: block %d has %d transactions and %d receipts", ErrUnproven, height, len(b.TxIDs), len(b.Receipts))
	}
	b.TxCount = len(b.TxIDs)
	return b, nil
}

// above collects headers from a block upwards to the first one that has a proof of its own. With more, there is one after the
// block in any case, if only the first of the proof's own headers.
func above(b *api.Block, more bool, next func(height uint64) (*api.Block, error)) (headers []*types.Header, proof *types.Finality, err error) {
	first := b.Header.Height
	headers = []*types.Header{b.Header}
	for b.Finality == nil || more && len(headers) == 1 && len(b.Finality.Suffix) == 0 {
		if len(headers) > bundle.MaxPath {
			return nil, nil, fmt.Errorf("%w: no proof within %d blocks above block %d", ErrUnproven, bundle.MaxPath, first)
		}
		if b, err = next(b.Header.Height + 1); err != nil {
			return nil, nil, fmt.Errorf("proof of block %d: %w", first, err)
		}
		headers = append(headers, b.Header)
	}
	return headers, b.Finality, nil
}

// contents checks a block's body against its header, and returns the ids of its transactions.
func contents(b *api.Block) ([]types.TxID, error) {
	body, err := types.DecodeBody(b.Body)
	if err != nil {
		return nil, err
	}
	ids := make([]types.TxID, len(body.Txs))
	for i, raw := range body.Txs {
		env, err := types.DecodeEnvelope(raw)
		if err != nil {
			return nil, fmt.Errorf("transaction %d: %w", i, err)
		}
		ids[i] = types.TxIDOf(b.Header.Chain, env.Raw)
	}
	if body.BodyRoot(ids) != b.Header.BodyRoot || body.ExtensionRoot() != b.Header.ExtensionRoot {
		return nil, errors.New("the body is not that of the header")
	}
	return ids, nil
}

// SubmitAndWait is [Client.SubmitAndWait] for the level [Final], and proves what it returns: that the transaction is in a
// final block, and its receipt. It waits for what the proof needs, which is one block more.
func (l *Light) SubmitAndWait(ctx context.Context, envelope []byte) (api.Tx, error) {
	env, err := types.DecodeEnvelope(envelope)
	if err != nil {
		return api.Tx{}, fmt.Errorf("submit: %w", err)
	}
	id := types.TxIDOf(l.light.Params().Chain, env.Raw)
	said, err := l.c.SubmitAndWait(ctx, l.chain, envelope, Final)
	if err != nil && !errors.Is(err, ErrTxFailed) {
		return api.Tx{ID: id}, err
	}
	blocks, stop := iter.Pull2(l.c.WatchFinal(ctx, l.chain, said.Height+1, DetailHeader))
	defer stop()
	b, err := l.block(ctx, said.Height, func(uint64) (*api.Block, error) {
		b, err, ok := blocks()
		if !ok {
			err = fmt.Errorf("%w: the sequence of blocks has ended", ErrUnproven)
		}
		return b, err
	})
	if err != nil {
		return api.Tx{ID: id}, err
	}
	i := slices.Index(b.TxIDs, id)
	if i < 0 || b.Receipts[i].ID != id {
		return api.Tx{ID: id}, fmt.Errorf("%w: transaction %s is not in block %d", ErrUnproven, id, b.Header.Height)
	}
	tx := api.Tx{ID: id, Stage: api.Final, Height: b.Header.Height, Block: b.ID, Index: i, Envelope: envelope, Receipt: &b.Receipts[i]}
	return tx, failure(tx)
}

// ProvenAccount is what the state holds of an account.
type ProvenAccount struct {
	ID        types.AccountID
	Balance   uint64           // with what is not vested yet
	Authority *types.Authority // nil until the account's first transaction has revealed it
	At        *types.Header    // final; all this was so after its parent
	Items     []api.ItemProof  // every one of which is proven by At
}

// The items that are known of an account. Their place is the account's, their key its id.
const (
	balanceModule   = "ledger.balance"
	authorityModule = types.ModuleAccount
)

// Account returns an account, proven, as of the newest state for which the node has a proof. It fails with [ErrUnproven] if the
// node's answers do not fit. How old the state is, At tells by its slot.
func (l *Light) Account(ctx context.Context, id types.AccountID) (*ProvenAccount, error) {
	said, err := l.c.ProvenAccount(ctx, l.chain, id)
	if err != nil {
		return nil, err
	}
	headers, proof, err := l.c.ProvenBlock(ctx, l.chain, said.ProofHeight)
	if err != nil {
		return nil, err
	}
	// That the block is part of the chain is not asked: what is in a suffix block's state is what was so after the closing block.
	if _, err := l.verify(ctx, headers, proof); err != nil {
		return nil, err
	}
	out := &ProvenAccount{ID: id, At: headers[0], Items: said.Proofs}
	var balance, authority bool
	for i := range out.Items {
		it := &out.Items[i]
		if len(it.Value) == 0 {
			it.Value = nil // an account has no empty items
		}
		if err := light.ItemIn(out.At, light.Item{Module: it.Module, Place: it.Place, Key: string(it.Key)}, it.Value, it.Proof); err != nil {
			return nil, fmt.Errorf("%w: account %s: its %s: %w", ErrUnproven, id, it.Module, err)
		}
		if it.Place != id.Place() || string(it.Key) != string(id[:]) {
			continue
		}
		switch it.Module {
		case balanceModule:
			balance = true
			if it.Value != nil {
				d := types.NewDecoder(it.Value)
				out.Balance, err = d.Uint(), d.Err()
			}
		case authorityModule:
			authority = true
			if it.Value != nil {
				out.Authority, err = types.DecodeAuthority(it.Value)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("account %s: its %s is of a kind that this version does not know: %w", id, it.Module, err)
		}
	}
	if !balance || !authority {
		return nil, fmt.Errorf("%w: account %s: the node gave no proof of its balance or of its authority", ErrUnproven, id)
	}
	return out, nil
}
