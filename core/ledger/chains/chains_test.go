package chains_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/ledger/chains"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

var self = types.ChainID{7, 7}

// child returns the genesis document of a child chain.
func child(name string, change func(*chainspec.Genesis)) *chainspec.Genesis {
	g := &chainspec.Genesis{
		Format: 1, Name: name, Parent: &self, Token: "KID", Supply: 10, SlotMs: 500,
		Consensus:   chainspec.Rules{Plugin: "none", Rules: "1", Config: []byte(`{}`)},
		Limits:      chainspec.Limits{BlockBytes: 1 << 20, TxBytes: 1 << 16, BlockGas: 1 << 20},
		Allocations: []chainspec.Allocation{{Name: "all", Account: types.AccountID{1}, Amount: 10}},
		Producers:   []chainspec.Producer{{Name: "p", Key: types.PublicKey{Scheme: types.SchemeEd25519, Key: make([]byte, 32)}}},
	}
	if change != nil {
		change(g)
	}
	return g
}

func spawn(g *chainspec.Genesis) types.Action { return spawnBytes(g.Encode()) }

func spawnBytes(doc []byte) types.Action {
	return types.Action{Name: "spawn", Body: types.SpawnBody{Genesis: doc}.Encode()}
}

func tx(n uint64, actions ...types.Action) module.Tx {
	b := binary.BigEndian.AppendUint64(nil, n)
	return module.Tx{ID: types.Sum("test", b), Account: types.AccountID(types.Sum("account", b)), Actions: actions,
		MaxGas: types.GasSpawn * uint64(len(actions)), Bytes: 300}
}

func factory() moduletest.Factory {
	made := map[string]types.Action{} // writing the documents takes longer than all else
	spawn := func(name string) types.Action {
		a, ok := made[name]
		if !ok {
			a = spawn(child(name, nil))
			made[name] = a
		}
		return a
	}
	return moduletest.Factory{
		Open:  func() (moduletest.Instance, error) { return moduletest.Instance{Module: chains.New(self)}, nil },
		Chain: self,
		Valid: func(seed uint64, n int) []module.Tx {
			out := make([]module.Tx, n)
			for i := range out {
				k := seed<<32 + uint64(i)
				out[i] = tx(k, spawn(fmt.Sprintf("c%d-%d", seed, i)))
				if i%3 == 1 {
					out[i] = tx(k, spawn(fmt.Sprintf("c%d-%d", seed, i)), spawn(fmt.Sprintf("d%d-%d", seed, i)))
				}
			}
			return out
		},
		Malformed: []module.Tx{
			tx(1, types.Action{Name: "mint"}), tx(2, types.Action{Name: "spawn", Body: []byte{5}}), tx(3, spawnBytes([]byte("{}"))),
			tx(4, spawnBytes(child("x", func(g *chainspec.Genesis) { g.Parent = nil }).Encode())),
		},
		Paths: []string{"list"},
	}
}

func TestConformance(t *testing.T) { moduletest.Run(t, factory()) }

func TestSpawn(t *testing.T) {
	a, b, c := child("a", nil), child("b", nil), child("c", nil)
	other := types.ChainID{8}
	long := child("long", func(g *chainspec.Genesis) { // a document that is as long as one may be
		for i := 0; len(g.Encode()) < 59_000; i++ {
			g.Allocations = append(g.Allocations, chainspec.Allocation{Name: fmt.Sprint("n", i), Account: types.AccountID{2}})
		}
	})
	large := make([]types.Action, 18)
	for i := range large {
		large[i] = spawn(child(fmt.Sprint("large", i), func(g *chainspec.Genesis) { g.Allocations = long.Allocations }))
	}
	poor := tx(20, spawn(c))
	poor.MaxGas--
	for _, x := range []struct {
		name string
		tx   module.Tx
		want string // "" : it takes effect
	}{
		{"a child", tx(1, spawn(a)), ""},
		{"the same again", tx(2, spawn(a)), "ErrExists"},
		{"two, one of them there already", tx(3, spawn(b), spawn(a)), "ErrExists"},
		{"that there was one in a failed transaction", tx(4, spawn(b)), ""},
		{"one twice", tx(5, spawn(c), spawn(c)), "ErrExists"},
		{"a stranger's child", tx(6, spawn(child("x", func(g *chainspec.Genesis) { g.Parent = &other }))), "ErrNotMyChild"},
		{"a root", tx(7, spawn(child("x", func(g *chainspec.Genesis) { g.Parent = nil }))), "ErrNotMyChild"},
		{"a document that does not add up", tx(8, spawn(child("x", func(g *chainspec.Genesis) { g.Supply = 11 }))), "ErrBadGenesis"},
		{"not canonical", tx(9, spawnBytes(append([]byte(" "), c.Encode()...))), "ErrBadGenesis"},
		{"too long", tx(10, spawnBytes(make([]byte, types.MaxGenesisBytes+1))), "ErrMalformed"},
		{"another action", tx(11, types.Action{Name: "kill"}), "ErrUnknownAction"},
		{"as long as allowed", tx(12, spawn(long)), ""},
		{"more than a block may hold of one", tx(13, large...), "ErrTooLarge"},
		{"too little gas", poor, "ErrOutOfGas"},
	} {
		t.Run(x.name, func(t *testing.T) {
			core := moduletest.NewCore(self, nil)
			e, err := core.Block(t.Context(), module.Guard(chains.New(self)), 1, []module.Tx{tx(100, spawn(a)), x.tx})
			if x.name == "a child" {
				core = moduletest.NewCore(self, nil)
				e, err = core.Block(t.Context(), module.Guard(chains.New(self)), 1, []module.Tx{tx(100, spawn(b)), x.tx})
			}
			if err != nil || e.Fault != nil {
				t.Fatal(err, e.Fault)
			}
			if got := e.Txs[1].Error; got != x.want {
				t.Fatalf("%q (%s), want %q", got, e.Txs[1].Detail, x.want)
			}
			if n := len(core.Items()); x.want != "" && n != 1 {
				t.Fatalf("a transaction that failed left %d items", n-1)
			}
			// In the next block the state says the same as the block before said by itself.
			if x.want == "ErrExists" || x.want == "" {
				e, err = core.Block(t.Context(), module.Guard(chains.New(self)), 2, []module.Tx{x.tx})
				if err != nil || e.Fault != nil || e.Txs[0].Error != "ErrExists" {
					t.Fatal(err, e)
				}
			}
		})
	}
}

// TestVerdictsAreBounded: what is remembered of documents does not grow, and changes nothing.
func TestVerdictsAreBounded(t *testing.T) {
	m := chains.New(self)
	good := spawn(child("a", nil))
	for i := range 3000 {
		checks, err := m.Check(t.Context(), []module.Tx{tx(1, spawnBytes(fmt.Append(nil, i))), tx(2, good)})
		if err != nil || checks[0].Error != chains.ErrBadGenesis || checks[1].Error != "" {
			t.Fatal(err, checks)
		}
	}
	if n := m.Judged(); n > 1024 {
		t.Fatalf("%d documents are remembered", n)
	}
}

func TestQueries(t *testing.T) {
	core := moduletest.NewCore(self, nil)
	m := module.Guard(chains.New(self))
	docs := map[types.ChainID]*chainspec.Genesis{}
	var txs []module.Tx
	for i := range 150 {
		g := child(fmt.Sprint("chain", i), nil)
		docs[g.ID()] = g
		txs = append(txs, tx(uint64(i), spawn(g)))
	}
	e, err := core.Block(t.Context(), m, 1, txs)
	if err != nil || e.Fault != nil {
		t.Fatal(err, e.Fault)
	}
	ids := []types.ChainID{}
	for i, r := range e.Txs {
		var s chains.Spawned
		if r.Error != "" || len(r.Events) != 1 || json.Unmarshal(r.Events[0].Data, &s) != nil || docs[s.Chain] == nil || docs[s.Chain].Name != s.Name ||
			!bytes.Equal(r.Events[0].Item, s.Chain[:]) || r.Events[0].Name != "spawned" {
			t.Fatalf("transaction %d: %+v", i, r)
		}
		ids = append(ids, s.Chain)
	}
	ask := func(path string, argument []byte) (module.Answer, error) {
		return m.Query(t.Context(), module.Query{Path: path, Argument: argument}, core.Reader())
	}
	slices.SortFunc(ids, func(a, b types.ChainID) int { return bytes.Compare(a[:], b[:]) })
	var got []types.ChainID
	var after []byte
	for range 4 {
		a, err := ask("list", after)
		if err != nil {
			t.Fatal(err)
		}
		var page []chains.Spawned
		if err := json.Unmarshal(a.JSON, &page); err != nil || len(page) > 64 || len(a.RestsOn) != len(page) {
			t.Fatal(err, len(page))
		}
		for i, s := range page {
			if a.RestsOn[i] != chains.Item(s.Chain) {
				t.Fatalf("the answer rests on %+v", a.RestsOn[i])
			}
			got, after = append(got, s.Chain), s.Chain[:]
		}
	}
	if !slices.Equal(got, ids) {
		t.Fatalf("%d chains in %d, in order: %t", len(got), len(ids), slices.IsSortedFunc(got, func(a, b types.ChainID) int { return bytes.Compare(a[:], b[:]) }))
	}
	a, err := ask("genesis", ids[3][:])
	if err != nil || !bytes.Equal(a.JSON, docs[ids[3]].Encode()) || len(a.RestsOn) != 1 {
		t.Fatal(err)
	}
	if a, err = ask("genesis", make([]byte, 32)); err != nil || a.JSON != nil || len(a.RestsOn) != 1 {
		t.Fatal("unknown chain:", a, err)
	}
	if _, err = ask("genesis", []byte("short")); !errors.Is(err, module.ErrInvalid) {
		t.Fatal(err)
	}
	if _, err = ask("nothing", nil); !errors.Is(err, module.ErrUnknownPath) {
		t.Fatal(err)
	}
	empty := moduletest.NewCore(self, nil)
	if a, err := m.Query(t.Context(), module.Query{Path: "list"}, empty.Reader()); err != nil || string(a.JSON) != "[]" {
		t.Fatalf("%s, %v", a.JSON, err)
	}
}
