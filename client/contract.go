package client

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// RunContract is the action contract.run: bytecode runs on evidence, and the receipt has its results.
func RunContract(code, evidence []byte) types.Action {
	return types.Action{Name: types.ActionRun, Body: types.RunBody{Code: code, Evidence: evidence}.Encode()}
}

// LockAmount is the action contract.lock: the signer pays an amount that a contract is to share out between two accounts. The
// lock's id is [types.LockIDOf] of the transaction and the action's index.
func LockAmount(b types.LockBody) types.Action {
	return types.Action{Name: types.ActionLock, Body: b.Encode(), MaxSpend: b.Amount}
}

// ClaimLock is the action contract.claim: the contract of a lock is shown and runs on evidence. The signer must be a participant.
func ClaimLock(lock types.Hash, code, evidence []byte) types.Action {
	return types.Action{Name: types.ActionClaim, Body: types.ClaimBody{Lock: lock, Code: code, Evidence: evidence}.Encode()}
}

// SettleLock is the action contract.settle: what was claimed and had to wait is paid out.
func SettleLock(lock types.Hash) types.Action {
	return types.Action{Name: types.ActionSettle, Body: types.LockRefBody{Lock: lock}.Encode()}
}

// RefundLock is the action contract.refund: the payer gets back what nobody has claimed until the deadline.
func RefundLock(lock types.Hash) types.Action {
	return types.Action{Name: types.ActionRefund, Body: types.LockRefBody{Lock: lock}.Encode()}
}

// contractGas is the max_gas of actions of the module contract. That of a run is not known beforehand.
func contractGas(actions []types.Action) (gas uint64) {
	for _, a := range actions {
		switch a.Name {
		case types.ActionLock:
			gas += types.GasContractLock
		case types.ActionSettle, types.ActionRefund:
			gas += types.GasContractPay
		default:
			gas += DefaultGas
		}
	}
	return gas
}

// Lock returns a lock as of the newest final block. One that was never made, or is paid out, is an error of the name
// "ErrUnknownLock".
func (c *Client) Lock(ctx context.Context, chain string, id types.Hash) (types.LockView, error) {
	v, err := queryLocks[types.LockView](ctx, c, chain, types.PathLock+id.String())
	if err == nil && v.ID != id {
		err = fmt.Errorf("lock %s: the node answered about %s", id, v.ID)
	}
	return v, err
}

// Locks returns a page of the locks that an account has paid for or has a part in, in the order of their ids, as of the newest
// final block: those after an id, or from the first on if it is nil. A limit of 0 leaves it to the node; it is at most
// [types.MaxLockPage].
func (c *Client) Locks(ctx context.Context, chain string, account types.AccountID, after *types.Hash, limit int) (types.LockPage, error) {
	path, sep := types.PathLocks+account.String(), "?"
	if after != nil {
		path, sep = path+sep+"after="+after.String(), "&"
	}
	if limit > 0 {
		path += fmt.Sprintf("%slimit=%d", sep, limit)
	}
	p, err := queryLocks[types.LockPage](ctx, c, chain, path)
	if err == nil && p.Next != nil && after != nil && string(p.Next[:]) <= string(after[:]) {
		err = fmt.Errorf("locks of %s: the page after %s ends with %s", account, after, p.Next)
	}
	return p, err
}

func queryLocks[T any](ctx context.Context, c *Client, chain, path string) (v T, err error) {
	b, _, err := c.Query(ctx, chain, types.ModuleContract, path, nil)
	if err == nil {
		if err = json.Unmarshal(b, &v); err != nil {
			err = fmt.Errorf("query %s %s: answer of the node: %w", types.ModuleContract, path, err)
		}
	}
	return v, err
}
