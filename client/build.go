package client

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/params"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Signer holds a key. Sign signs msg itself, not a hash of it, in the key's scheme.
type Signer interface {
	Public() types.PublicKey
	Sign(msg []byte) ([]byte, error)
}

// BuildOptions overrule what [Build] fills in.
type BuildOptions struct {
	Permission string // the permission to act with; empty for the one that the account's links ask for
	Signatures int    // how many will be collected, for the fee; default 1
	Gas        uint64 // max_gas; default by the native actions' table, else DefaultGas or a block's if that is less
	MaxFee     uint64 // default: the fee if all the gas is used
	Lifetime   uint64 // in slots from now; default five sixths of what the chain allows, so that clocks may differ
	Salt       uint64 // default random
}

// DefaultGas is the max_gas of an action whose gas is not known beforehand.
const DefaultGas = 1_000_000

// Build makes a transaction from a reference, which should be fresh. authority is the account's first authority if the account
// has not revealed it on the chain yet, else nil.
func Build(ref *Reference, account types.AccountID, authority *types.Authority, module string, actions []types.Action, opts BuildOptions) (*types.Transaction, error) {
	if len(actions) == 0 || len(actions) > types.MaxActions {
		return nil, fmt.Errorf("build a transaction: %d actions, 1 to %d are allowed", len(actions), types.MaxActions)
	}
	t := &types.Transaction{Module: module, Actions: actions, Account: account, Permission: opts.Permission, RefHeight: ref.Height, Salt: opts.Salt}
	copy(t.RefHash[:], ref.ID[:])
	if authority != nil {
		t.Authority = authority.Encode()
		if got := types.AccountIDOf(t.Authority); got != account {
			return nil, fmt.Errorf("build a transaction: the authority is that of %s, not of %s", got, account)
		}
	}
	life := opts.Lifetime
	if life == 0 {
		life = ref.Params.TxLifetime * 5 / 6
	}
	t.Expires = ref.Slot + life
	if t.Salt == 0 {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails
		t.Salt = binary.LittleEndian.Uint64(b[:])
	}
	if t.MaxGas = opts.Gas; t.MaxGas == 0 {
		t.MaxGas = gasOf(module, actions, ref.Params.Limits.BlockGas)
	}
	if t.MaxFee = opts.MaxFee; t.MaxFee == 0 {
		t.MaxFee = ^uint64(0) // as long as a number can be, so that the size is not underestimated
		size := len(t.Encode()) + 8 + max(opts.Signatures, 1)*ed25519SignatureBytes
		t.MaxFee = ref.Params.Fees.Of(size, t.MaxGas)
	}
	if n := uint64(len(t.Encode())); ref.Params.Limits.TxBytes > 0 && n > ref.Params.Limits.TxBytes {
		return nil, fmt.Errorf("build a transaction: it has %d bytes, the chain allows %d", n, ref.Params.Limits.TxBytes)
	}
	return t, nil
}

// ed25519SignatureBytes is what a signature takes in an envelope: scheme, key and signature with their lengths.
const ed25519SignatureBytes = 1 + 1 + 32 + 1 + 64

func gasOf(module string, actions []types.Action, block uint64) uint64 {
	each := uint64(DefaultGas)
	switch module {
	case types.ModuleBank:
		each = types.GasTransfer
	case types.ModuleAccount:
		each = types.GasPermission
	case types.ModuleChains:
		each = types.GasSpawn
	case params.Module:
		each = params.Gas
	}
	gas := each * uint64(len(actions))
	if module == types.ModuleContract {
		gas = contractGas(actions)
	}
	if block > 0 {
		gas = min(gas, block)
	}
	return gas
}

// Sign encodes a transaction for a chain and signs it.
func Sign(chain types.ChainID, t *types.Transaction, signers ...Signer) (envelope []byte, id types.TxID, err error) {
	if len(signers) == 0 || len(signers) > types.MaxSignatures {
		return nil, id, fmt.Errorf("sign a transaction: %d signers, 1 to %d are allowed", len(signers), types.MaxSignatures)
	}
	env := types.Envelope{Raw: t.Encode()}
	msg := types.TxSignBytes(chain, env.Raw)
	for _, s := range signers {
		sig, err := s.Sign(msg)
		if err != nil {
			return nil, id, fmt.Errorf("sign a transaction with %s: %w", s.Public(), err)
		}
		env.Signatures = append(env.Signatures, types.Signature{Key: s.Public(), Sig: sig})
	}
	return env.Encode(), types.TxIDOf(chain, env.Raw), nil
}

// Make builds a transaction from what the node says of chain and account, and signs it. If the account has not revealed its
// authority yet and belongs to the first signer's key alone, the transaction reveals it; for another authority use [Build].
func (c *Client) Make(ctx context.Context, chain string, account types.AccountID, module string, actions []types.Action, opts BuildOptions, signers ...Signer) (envelope []byte, id types.TxID, err error) {
	if len(signers) == 0 {
		return nil, id, fmt.Errorf("make a transaction: no signer")
	}
	ref, err := c.Reference(ctx, chain)
	if err != nil {
		return nil, id, err
	}
	a, err := c.Account(ctx, chain, account)
	if err != nil {
		return nil, id, err
	}
	var reveal *types.Authority
	if a.Authority == nil {
		reveal = types.SingleKeyAuthority(signers[0].Public())
		if reveal.ID() != account {
			return nil, id, fmt.Errorf("make a transaction: %s has not revealed its authority, and is not the account of %s alone", account, signers[0].Public())
		}
	}
	opts.Signatures = max(opts.Signatures, len(signers))
	t, err := Build(ref, account, reveal, module, actions, opts)
	if err != nil {
		return nil, id, err
	}
	return Sign(ref.Chain, t, signers...)
}

// Transfer is the action bank.transfer.
func Transfer(to types.AccountID, amount uint64, memo []byte) types.Action {
	return types.Action{Name: "transfer", Body: types.TransferBody{To: to, Amount: amount, Memo: memo}.Encode(), MaxSpend: amount}
}
