package bank_test

import (
	"encoding/binary"
	"testing"

	"github.com/paloalto-chain/paloalto/core/ledger/bank"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func pay(to byte, amount uint64) types.Action {
	return types.Action{Name: "transfer", Body: types.TransferBody{To: types.AccountID{to}, Amount: amount, Memo: []byte("memo")}.Encode(), MaxSpend: amount}
}

func burn(amount uint64) types.Action {
	return types.Action{Name: "burn", Body: types.BurnBody{Amount: amount}.Encode(), MaxSpend: amount}
}

func tx(n uint64, actions ...types.Action) module.Tx {
	b := binary.BigEndian.AppendUint64(nil, n)
	return module.Tx{ID: types.Sum("test", b), Account: types.AccountID(types.Sum("account", b)), Actions: actions,
		MaxGas: types.GasTransfer * uint64(len(actions)), Bytes: 300}
}

func factory() moduletest.Factory {
	return moduletest.Factory{
		Open:  func() (moduletest.Instance, error) { return moduletest.Instance{Module: bank.New()}, nil },
		Chain: types.ChainID{1},
		Valid: func(seed uint64, n int) []module.Tx {
			out := make([]module.Tx, n)
			for i := range out {
				k := seed<<32 + uint64(i)
				switch i % 4 {
				case 0:
					out[i] = tx(k, pay(1, 10))
				case 1:
					out[i] = tx(k, pay(1, 10), pay(2, 20), burn(3))
				case 2:
					out[i] = tx(k, burn(1000))
				case 3:
					a := pay(3, 7)
					a.MaxSpend = 100
					out[i] = tx(k, a, pay(3, 0))
				}
			}
			return out
		},
		Malformed: []module.Tx{
			tx(1, types.Action{Name: "mint"}), tx(2, pay(1, 1), types.Action{Name: "transfer"}), tx(3, types.Action{Name: "burn", Body: []byte{1, 1}}),
			tx(4, types.Action{Name: "burn", Body: []byte{9}, MaxSpend: 8}),
			tx(5, types.Action{Name: "transfer", Body: types.TransferBody{To: types.BurnAccount, Amount: 1}.Encode(), MaxSpend: 1}),
			tx(6, types.Action{Name: "transfer", Body: types.TransferBody{Memo: make([]byte, 257)}.Encode()}),
		},
	}
}

func TestConformance(t *testing.T) { moduletest.Run(t, factory()) }

func TestConformanceRemote(t *testing.T) { moduletest.Run(t, moduletest.Remote(factory())) }

func TestFacets(t *testing.T) {
	many := make([]types.Action, types.MaxActions)
	for i := range many {
		many[i] = pay(byte(i%200+1), 2)
	}
	checks, err := module.Guard(bank.New()).Check(t.Context(), []module.Tx{tx(1, pay(1, 5), burn(6)), tx(2, many...), tx(3, many[:63]...), tx(4, many[:64]...)})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		facets int
		spend  uint64
	}{{3, 11}, {1, 512}, {64, 126}, {1, 128}} {
		f := checks[i].Facets
		if len(f) != want.facets || f[0].Name != "spend" || f[0].Amount != want.spend || f[0].Account != nil {
			t.Errorf("transaction %d: %d facets, the first %+v", i, len(f), f[0])
		}
	}
	if f := checks[0].Facets; f[1].Name != "recipient" || *f[1].Account != (types.AccountID{1}) || *f[2].Account != types.BurnAccount || f[2].Amount != 6 {
		t.Errorf("facets %+v", f)
	}
	over := tx(5, pay(1, 1<<63), pay(1, 1<<63))
	if checks, err = bank.New().Check(t.Context(), []module.Tx{over}); err != nil || checks[0].Error != bank.ErrOverflow {
		t.Errorf("%+v, %v", checks, err)
	}
}
