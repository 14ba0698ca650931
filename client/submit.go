package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Level says how far a transaction should have come before [Client.SubmitAndWait] returns.
type Level = api.Stage

// The levels.
const (
	Accepted = api.Waiting  // it waits for a block
	Included = api.Included // it is in a block that may yet be dropped
	Final    = api.Final    // it is irreversible, and its receipt is known
)

// SubmitAndWait submits a transaction and waits until it is as far as level says. While the node cannot be reached it tries
// again, and if the node has lost the transaction it submits it again. It fails with api.ErrExpired when the transaction can
// never become final any more, and with [ErrTxFailed] when it is final but its receipt is not "ok"; the transaction is returned
// with both.
func (c *Client) SubmitAndWait(ctx context.Context, chain string, envelope []byte, level Level) (api.Tx, error) {
	env, err := types.DecodeEnvelope(envelope)
	if err != nil {
		return api.Tx{}, fmt.Errorf("submit: %w", err)
	}
	t, err := types.DecodeTransaction(env.Raw)
	if err != nil {
		return api.Tx{}, fmt.Errorf("submit: %w", err)
	}
	for {
		id, err := c.submitOne(ctx, chain, envelope)
		if err != nil || level <= Accepted {
			return api.Tx{ID: id, Stage: api.Waiting, Envelope: envelope}, err
		}
		tx, again, err := c.WaitTx(ctx, chain, id, level, t.Expires)
		if !again {
			return tx, err
		}
	}
}

func (c *Client) submitOne(ctx context.Context, chain string, envelope []byte) (types.TxID, error) {
	res, err := c.Submit(ctx, chain, envelope)
	if err != nil {
		return types.TxID{}, err
	}
	err = res[0].Err()
	if errors.Is(err, api.ErrKnown) || errors.Is(err, api.ErrDuplicate) {
		err = nil // an earlier attempt has arrived
	}
	if e := new(Error); errors.As(err, &e) {
		e.Address = c.address
	}
	return res[0].ID, err
}

// WaitTx waits until a transaction that expires at slot expires (0 if that is not known) has reached level, without submitting it.
// lost is true, with no error, if the node does not know the transaction, and did not hear of it for some seconds, though it has not
// expired; submit it again then. Errors are those of [Client.SubmitAndWait].
func (c *Client) WaitTx(ctx context.Context, chain string, id types.TxID, level Level, expires uint64) (tx api.Tx, lost bool, err error) {
	for {
		tx, reached, expired, err := c.wait(ctx, chain, id, max(level, Included), expires)
		switch {
		case err != nil:
			return tx, false, err
		case reached:
			return tx, false, failure(tx)
		case expired:
			return tx, false, fmt.Errorf("%w: transaction %s was not included up to slot %d", api.ErrExpired, id, expires)
		case tx.Stage == api.Unknown:
			return tx, true, nil
		case ctx.Err() != nil:
			return tx, false, fmt.Errorf("wait for transaction %s, which is %s: %w", id, tx.Stage, ctx.Err())
		}
	}
}

// failure returns ErrTxFailed if a transaction has a receipt that is not "ok".
func failure(tx api.Tx) error {
	if tx.Receipt != nil && tx.Receipt.Status != types.StatusOK {
		return fmt.Errorf("%w: transaction %s: %s", ErrTxFailed, tx.ID, tx.Receipt.Status)
	}
	return nil
}
