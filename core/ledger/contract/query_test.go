package contract_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

func ask[T any](x *chain, path string) (v T, a module.Answer) {
	x.t.Helper()
	a, err := x.m.Query(x.t.Context(), module.Query{Path: path, Clock: x.clock}, x.c.Reader())
	if err == nil {
		err = json.Unmarshal(a.JSON, &v)
	}
	if err != nil {
		x.t.Fatalf("%s: %v", path, err)
	}
	return v, a
}

func TestQuery(t *testing.T) {
	x := newChain(t, &scripted{})
	id := x.lock(alice, codeDelay, 1_000, start+50)
	v, a := ask[types.LockView](x, types.PathLock+id.String())
	if v.ID != id || v.Amount != 1_000 || v.State != types.LockOpen || len(a.RestsOn) != 1 {
		t.Fatalf("%+v, rests on %d items", v, len(a.RestsOn))
	}
	x.one(bob, act(id, codeDelay, results(20, 5, 900)))
	if v, _ = ask[types.LockView](x, types.PathLock+id.String()); v.State != types.LockClosing || *v.Closing != (types.Closing{Nonce: 5, Due: start + 20, First: 900}) {
		t.Fatalf("%+v", v)
	}
	// The lists of those who have a part in it, in pages that are put together without gap or repetition.
	want := []types.Hash{id}
	for range 44 {
		want = append(want, x.lock(bob, codeBurn, 1, start+60))
	}
	slices.SortFunc(want, func(a, b types.Hash) int { return slices.Compare(a[:], b[:]) })
	for _, limit := range []int{0, 1, 7, 44, 45, 46, 100} {
		var got []types.Hash
		path := types.PathLocks + carol.String() + "?"
		if limit > 0 {
			path += fmt.Sprintf("limit=%d&", limit)
		}
		for after := ""; ; {
			p, a := ask[types.LockPage](x, path+after)
			if len(p.Locks) > max(limit, 20) || len(a.RestsOn) != 2*len(p.Locks) {
				t.Fatalf("limit %d: a page of %d, rests on %d items", limit, len(p.Locks), len(a.RestsOn))
			}
			for _, l := range p.Locks {
				got = append(got, l.ID)
			}
			if p.Next == nil {
				break
			}
			after = "after=" + p.Next.String()
		}
		if !slices.Equal(got, want) {
			t.Fatalf("limit %d: %d locks, want %d", limit, len(got), len(want))
		}
	}
	for a, n := range map[types.AccountID]int{alice: 1, dave: 0} {
		if p, _ := ask[types.LockPage](x, types.PathLocks+a.String()); len(p.Locks) != n || p.Locks == nil {
			t.Errorf("%s has %d locks, want %d", a, len(p.Locks), n)
		}
	}
	for path, want := range map[string]error{
		types.PathLock + types.Hash{9}.String():             module.ErrUnknownPath,
		types.PathLock + "9":                                module.ErrInvalid,
		types.PathLock + id.String() + "?limit=1":           module.ErrUnknownPath,
		types.PathLocks + "alto1":                           module.ErrInvalid,
		types.PathLocks + carol.String() + "?limit=0":       module.ErrInvalid,
		types.PathLocks + carol.String() + "?limit=101":     module.ErrInvalid,
		types.PathLocks + carol.String() + "?limit=x":       module.ErrInvalid,
		types.PathLocks + carol.String() + "?limit=1&limit": module.ErrInvalid,
		types.PathLocks + carol.String() + "?after=1":       module.ErrInvalid,
		types.PathLocks + carol.String() + "?state=open":    module.ErrInvalid,
		types.PathLocks + carol.String() + "?%zz":           module.ErrInvalid,
		"lock":  module.ErrUnknownPath,
		"":      module.ErrUnknownPath,
		"terms": module.ErrUnknownPath,
	} {
		if _, err := x.m.Query(t.Context(), module.Query{Path: path}, x.c.Reader()); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", path, err, want)
		}
	}
}

// FuzzExecute executes a block whose actions have any bodies, and claims with any evidence: no token is made, nothing panics.
func FuzzExecute(f *testing.F) {
	f.Add("lock", lock(bob, carol, code(0), 100, start+50).Body, uint64(100), []byte{1})
	f.Add("claim", claim(types.Hash{1}, 0, 1).Body, uint64(0), results(0, 100, 1))
	f.Add("settle", settle(types.Hash{1}).Body, uint64(0), results(5, 1, 100))
	f.Add("run", run(0, 1).Body, uint64(0), []byte{0xff, 0xff})
	f.Add("run", run(0, 1).Body, uint64(0), make([]byte, 2*vm.MaxResults))
	f.Fuzz(func(t *testing.T, name string, body []byte, spend uint64, evidence []byte) {
		x := newChain(t, &scripted{})
		burn, delay := x.lock(alice, codeBurn, 100, start+50), x.lock(bob, codeDelay, 100, start+50)
		spend = min(spend, wealth/2)
		x.block(x.tx(dave, types.Action{Name: name, Body: body, MaxSpend: spend}), x.tx(bob, act(burn, codeBurn, evidence)), x.tx(carol, act(delay, codeDelay, evidence)),
			x.tx(alice, types.Action{Name: name, Body: body, MaxSpend: spend}, settle(delay)))
		x.clock += 60
		x.block(x.tx(dave, refund(burn)), x.tx(dave, refund(delay)), x.tx(dave, settle(delay)))
		if n := len(x.locks()); n > 1 { // the one that the body may have made
			t.Fatalf("%d locks are left", n)
		}
		if x.c.Balance(types.BurnAccount) > 100 {
			t.Fatalf("%d were burned", x.c.Balance(types.BurnAccount))
		}
	})
}
