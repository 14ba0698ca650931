package client_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/api/apitest"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func reference() *client.Reference {
	return &client.Reference{Chain: types.Hash{3}, Reference: api.Reference{Height: 7, ID: types.Hash{1, 2, 3}, Slot: 1000},
		Params: apitest.NewChain("x").Params()}
}

func TestBuildFillsIn(t *testing.T) {
	key, account := alice()
	ref := reference()
	ref.Params.Fees = api.Fees{PerByte: 3, PerGas: 2, Floor: 10}
	for _, n := range []int{1, 3} {
		signers := []client.Signer{key, apitest.Key("b"), apitest.Key("c")}[:n]
		tx, err := client.Build(ref, account, nil, "bank", transfer(), client.BuildOptions{Signatures: n})
		if err != nil {
			t.Fatal(err)
		}
		if tx.RefHeight != 7 || tx.RefHash != [16]byte{1, 2, 3} || tx.Expires != 1100 || tx.MaxGas != types.GasTransfer || tx.Salt == 0 || tx.Authority != nil {
			t.Errorf("%+v", tx)
		}
		env, id, err := client.Sign(ref.Chain, tx, signers...)
		if err != nil {
			t.Fatal(err)
		}
		if need := ref.Params.Fees.Of(len(env), tx.MaxGas); tx.MaxFee < need || tx.MaxFee > need+3*20 {
			t.Errorf("%d signatures: max_fee %d, the fee is %d", n, tx.MaxFee, need)
		}
		d, err := types.DecodeEnvelope(env)
		if err != nil || types.TxIDOf(ref.Chain, d.Raw) != id {
			t.Fatal(err)
		}
		for i, s := range d.Signatures {
			if err := types.VerifySignature(signers[i].Public(), types.TxSignBytes(ref.Chain, d.Raw), s.Sig); err != nil {
				t.Errorf("signature %d: %v", i, err)
			}
		}
	}
	a, _ := client.Build(ref, account, nil, "bank", transfer(), client.BuildOptions{})
	b, _ := client.Build(ref, account, nil, "bank", transfer(), client.BuildOptions{})
	if a.Salt == b.Salt {
		t.Error("two equal transactions are one")
	}
	opts := client.BuildOptions{Permission: "p", Gas: 5, MaxFee: 6, Lifetime: 7, Salt: 8}
	if tx, err := client.Build(ref, account, nil, "x", transfer(), opts); err != nil || tx.Permission != "p" || tx.MaxGas != 5 || tx.MaxFee != 6 || tx.Expires != 1007 || tx.Salt != 8 {
		t.Errorf("options: %+v %v", tx, err)
	}
	ref.Params.Limits.BlockGas = 10
	if tx, err := client.Build(ref, account, nil, "x", transfer(), client.BuildOptions{}); err != nil || tx.MaxGas != 10 {
		t.Errorf("more gas than a block has: %+v %v", tx, err)
	}
}

func TestBuildRefuses(t *testing.T) {
	_, account := alice()
	ref := reference()
	other := types.SingleKeyAuthority(apitest.Key("bob").Public())
	if _, err := client.Build(ref, account, other, "bank", transfer(), client.BuildOptions{}); err == nil || !strings.Contains(err.Error(), other.ID().String()) {
		t.Errorf("another's authority: %v", err)
	}
	if _, err := client.Build(ref, account, nil, "bank", nil, client.BuildOptions{}); err == nil {
		t.Error("no actions")
	}
	big := []types.Action{{Name: "x", Body: make([]byte, 70_000)}}
	if _, err := client.Build(ref, account, nil, "bank", big, client.BuildOptions{}); err == nil {
		t.Error("more bytes than the chain allows")
	}
	tx, _ := client.Build(ref, account, nil, "bank", transfer(), client.BuildOptions{})
	if _, _, err := client.Sign(ref.Chain, tx); err == nil {
		t.Error("no signer")
	}
	if _, _, err := client.Sign(ref.Chain, tx, broken{}); !errors.Is(err, errBroken) {
		t.Errorf("a signer that fails: %v", err)
	}
}

var errBroken = errors.New("no key")

type broken struct{ apitest.Signer }

func (broken) Public() types.PublicKey     { return apitest.Key("x").Public() }
func (broken) Sign([]byte) ([]byte, error) { return nil, errBroken }

func TestMakeRevealsTheAuthorityOnce(t *testing.T) {
	root, c := rig(t)
	ctx := within(t)
	key, account := alice()
	reveals := func() bool {
		env, _, err := c.Make(ctx, "root", account, "bank", transfer(), client.BuildOptions{}, key)
		if err != nil {
			t.Fatal(err)
		}
		d, _ := types.DecodeEnvelope(env)
		tx, err := types.DecodeTransaction(d.Raw)
		if err != nil {
			t.Fatal(err)
		}
		return len(tx.Authority) > 0
	}
	if !reveals() {
		t.Error("the first transaction does not reveal the authority")
	}
	root.SetAccount(api.Account{ID: account, Authority: types.SingleKeyAuthority(key.Public())})
	if reveals() {
		t.Error("a later transaction reveals it again")
	}
	if _, _, err := c.Make(ctx, "root", types.AccountID{5}, "bank", transfer(), client.BuildOptions{}, key); err == nil {
		t.Error("a stranger's account")
	}
}
