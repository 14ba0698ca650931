package account_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/ledger/account"
	"github.com/paloalto-chain/paloalto/core/ledger/native"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func newModule() *account.Module { return account.New(ledger.TillItem, ledger.AuthorityItem) }

func owner(n uint64) *types.Authority {
	key := types.PublicKey{Scheme: types.SchemeEd25519, Key: binary.BigEndian.AppendUint64(make([]byte, 24), n)}
	return types.SingleKeyAuthority(key)
}

func tx(n uint64, actions ...types.Action) module.Tx {
	id := types.Sum("test", binary.BigEndian.AppendUint64(nil, n))
	return module.Tx{ID: id, Account: owner(n).ID(), Actions: actions, MaxGas: types.GasPermission * uint64(len(actions)), Bytes: 300}
}

// factory gives what needs no authority in the state. The rest of the module lives with the ledger, and is tested there.
func factory() moduletest.Factory {
	claim := types.Action{Name: "claim_fees"}
	return moduletest.Factory{
		Open:  func() (moduletest.Instance, error) { return moduletest.Instance{Module: newModule()}, nil },
		Chain: types.ChainID{1},
		Valid: func(seed uint64, n int) []module.Tx {
			out := make([]module.Tx, n)
			for i := range out {
				out[i] = tx(seed<<32+uint64(i), claim)
				if i%3 == 1 {
					out[i] = tx(seed<<32+uint64(i), claim, claim)
				}
			}
			return out
		},
		Malformed: []module.Tx{
			tx(1, types.Action{Name: "claim_fees", Body: []byte{1}}), tx(2, types.Action{Name: "mint"}), tx(3, claim, types.Action{Name: "link"}),
			tx(4, types.Action{Name: "set_permission", Body: []byte{1, 2}}), tx(5, types.Action{Name: "unlink", Body: []byte{9}}),
			tx(6, types.Action{Name: "delete_permission"}),
		},
	}
}

func TestConformance(t *testing.T) { moduletest.Run(t, factory()) }

func TestUnknownPath(t *testing.T) {
	m := module.Guard(newModule())
	c := moduletest.NewCore(types.ChainID{}, nil)
	if _, err := m.Query(t.Context(), module.Query{Path: "x"}, c.Reader()); !errors.Is(err, module.ErrUnknownPath) {
		t.Fatal(err)
	}
	if _, err := m.Migrate(t.Context(), "1", "2", c.Reader()); !errors.Is(err, module.ErrUnsupported) {
		t.Fatal(err)
	}
	if x, err := m.Extend(t.Context(), 1, c.Reader()); x != nil || err != nil {
		t.Fatal(x, err)
	}
}

func TestWithoutAuthority(t *testing.T) {
	m := module.Guard(newModule())
	c := moduletest.NewCore(types.ChainID{}, nil)
	e, err := c.Block(t.Context(), m, 1, []module.Tx{tx(1, types.Action{Name: "unlink", Body: types.NameBody{Name: "*"}.Encode()})})
	if err != nil || e.Fault != nil || e.Txs[0].Error != account.ErrUnrevealed {
		t.Fatalf("%+v, %v", e, err)
	}
}

func TestRoom(t *testing.T) {
	var room native.Room
	big := func() *module.Result {
		r := &module.Result{Gas: 5}
		for range 15 {
			r.Writes = append(r.Writes, module.Write{Data: make([]byte, module.MaxValueBytes)})
		}
		return r
	}
	n := 0
	for room.Fits(big()) {
		n++
	}
	if want := module.MaxOutcomeBytes * 3 / 4 / big().Size(); n != want {
		t.Fatalf("%d results of %d bytes fit, want %d", n, big().Size(), want)
	}
	r := big()
	if room.Fits(r); r.Error != native.ErrTooLarge || r.Gas != 5 || r.Writes != nil {
		t.Fatalf("%+v", r)
	}
	if small := (module.Result{}); !room.Fits(&small) {
		t.Fatal("a small result does not fit any more")
	}
	alone := big()
	alone.Writes = append(alone.Writes, alone.Writes...)
	if new(native.Room).Fits(alone) {
		t.Fatal("a result above the limit of one fits")
	}
}
