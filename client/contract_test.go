package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/api/apitest"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// locking is a chain that answers queries about locks.
type locking struct {
	*apitest.Chain
	asked []string
	reply func(path string) (any, error)
}

func (l *locking) Query(_ context.Context, q api.QueryRequest) (api.QueryAnswer, error) {
	l.asked = append(l.asked, q.Module+" "+q.Path)
	v, err := l.reply(q.Path)
	if err != nil {
		return api.QueryAnswer{}, err
	}
	if s, ok := v.(string); ok {
		return api.QueryAnswer{JSON: []byte(s), Height: 7}, nil
	}
	b, err := json.Marshal(v)
	return api.QueryAnswer{JSON: b, Height: 7}, err
}

func TestLocks(t *testing.T) {
	l := &locking{Chain: apitest.NewChain("root")}
	node := apitest.NewNode("north")
	node.Add(l)
	at, _ := start(t, node, api.DefaultAddress, api.Options{})
	c, ctx := dial(t, at, client.Options{}), within(t)
	_, account := alice()
	id, other := types.Hash{9}, types.Hash{8}
	view := types.LockView{ID: id, Lock: types.Lock{Participants: [2]types.AccountID{account, {2}}, Amount: 1 << 60, Deadline: 5}, State: types.LockOpen}

	l.reply = func(string) (any, error) { return view, nil }
	if v, err := c.Lock(ctx, "root", id); err != nil || v != view {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := c.Lock(ctx, "root", other); err == nil || !strings.Contains(err.Error(), "answered about") {
		t.Errorf("another lock: %v", err)
	}
	l.reply = func(string) (any, error) { return types.LockPage{Locks: []types.LockView{view}, Next: &id}, nil }
	if p, err := c.Locks(ctx, "root", account, nil, 0); err != nil || len(p.Locks) != 1 || *p.Next != id {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := c.Locks(ctx, "root", account, &other, 3); err != nil || p.Locks[0] != view {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := c.Locks(ctx, "root", account, &id, 3); err == nil || !strings.Contains(err.Error(), "ends with") {
		t.Errorf("pages without an end: %v", err)
	}
	l.reply = func(string) (any, error) { return `[1]`, nil }
	if _, err := c.Lock(ctx, "root", id); err == nil || !strings.Contains(err.Error(), "answer of the node") {
		t.Errorf("nonsense: %v", err)
	}
	l.reply = func(string) (any, error) { return nil, fmt.Errorf("ErrUnknownLock: paid out") }
	if _, err := c.Lock(ctx, "root", id); client.Name(err) != "ErrUnknownLock" {
		t.Errorf("a lock that is gone: %v", err)
	}
	if want := []string{
		"contract lock/" + id.String(), "contract lock/" + other.String(), "contract locks/" + account.String(), "contract locks/" + account.String() + "?after=" + other.String() + "&limit=3",
	}; !slices.Equal(l.asked[:4], want) {
		t.Errorf("asked %q", l.asked)
	}
}

func TestContractActions(t *testing.T) {
	_, account := alice()
	lock := types.LockBody{Participants: [2]types.AccountID{account, {2}}, Code: types.Hash{3}, Amount: 40, Deadline: 9}
	for name, c := range map[string]struct {
		action types.Action
		decode func([]byte) error
		gas    uint64
		spend  uint64
	}{
		"run": {client.RunContract([]byte{1}, []byte{2}), func(b []byte) error { return second(types.DecodeRunBody(b)) }, client.DefaultGas, 0},
		"lock": {client.LockAmount(lock), func(b []byte) error {
			got, err := types.DecodeLockBody(b)
			if got != lock {
				t.Errorf("%+v", got)
			}
			return err
		}, types.GasContractLock, 40},
		"claim":  {client.ClaimLock(types.Hash{1}, []byte{1}, []byte{2}), func(b []byte) error { return second(types.DecodeClaimBody(b)) }, client.DefaultGas, 0},
		"settle": {client.SettleLock(types.Hash{1}), func(b []byte) error { return second(types.DecodeLockRefBody(b)) }, types.GasContractPay, 0},
		"refund": {client.RefundLock(types.Hash{1}), func(b []byte) error { return second(types.DecodeLockRefBody(b)) }, types.GasContractPay, 0},
	} {
		if c.action.Name != name || c.action.MaxSpend != c.spend || c.decode(c.action.Body) != nil {
			t.Errorf("%s: %+v", name, c.action)
		}
		tx, err := client.Build(reference(), account, nil, types.ModuleContract, []types.Action{c.action, client.SettleLock(types.Hash{5})}, client.BuildOptions{})
		if err != nil || tx.MaxGas != c.gas+types.GasContractPay {
			t.Errorf("%s: %+v, %v", name, tx, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
