package client_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/api/apitest"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// start serves a node at an address and returns how to stop it.
func start(t *testing.T, node api.Node, address string, opts api.Options) (at string, stop func()) {
	t.Helper()
	l, err := api.Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	s := api.NewServer(node, opts)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		_ = s.Shutdown(ctx)
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return l.Addr().String(), stop
}

func dial(t *testing.T, address string, opts client.Options) *client.Client {
	t.Helper()
	c, err := client.New(address, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// rig is a node with one chain, and its client.
func rig(t *testing.T) (*apitest.Chain, *client.Client) {
	root := apitest.NewChain("root")
	at, _ := start(t, apitest.NewNode("north", root), api.DefaultAddress, api.Options{})
	return root, dial(t, at, client.Options{})
}

func alice() (apitest.Signer, types.AccountID) {
	k := apitest.Key("alice")
	return k, types.SingleKeyAuthority(k.Public()).ID()
}

func transfer() []types.Action { return []types.Action{client.Transfer(types.AccountID{1}, 5, nil)} }

func TestAddresses(t *testing.T) {
	for _, bad := range []string{"", "ftp://x", "http://", "http://a b", "::"} {
		if c, err := client.New(bad, client.Options{}); err == nil {
			c.Close()
			t.Errorf("%q was taken for an address", bad)
		}
	}
}

func TestEveryMethod(t *testing.T) {
	root, c := rig(t)
	ctx := within(t)
	root.Advance(30)
	root.Trouble("the clock is wrong")
	if s, err := c.Status(ctx); err != nil || s.Name != "north" || len(s.Chains) != 1 || s.Chains[0] != root.Status() {
		t.Errorf("status: %v %v", s, err)
	}
	if p, err := c.Health(ctx); err != nil || len(p) != 1 || p[0] != "chain root: trouble: the clock is wrong" {
		t.Errorf("health in trouble: %v %v", p, err)
	}
	root.Trouble("")
	if p, err := c.Health(ctx); err != nil || len(p) != 0 {
		t.Errorf("health: %v %v", p, err)
	}
	if l, err := c.Chains(ctx); err != nil || len(l) != 1 || l[0] != root.Status() {
		t.Errorf("chains: %v %v", l, err)
	}
	if i, err := c.Chain(ctx, "root"); err != nil || i.Set.Hash() != root.Set().Hash() || !bytes.Equal(i.Genesis, root.Genesis()) {
		t.Errorf("chain: %v %v", i, err)
	}
	if b, err := c.Block(ctx, "root", client.Newest, client.DetailDefault); err != nil || b.Header.Height != 30 {
		t.Errorf("newest block: %v %v", b, err)
	}
	if l, next, err := c.Blocks(ctx, "root", 5, 10, client.DetailIDs); err != nil || len(l) != 10 || next != 15 || l[0].Header.Height != 5 {
		t.Errorf("blocks: %v %d %v", l, next, err)
	}
	if l, next, err := c.Blocks(ctx, "root", client.Newest, 0, client.DetailHeader); err != nil || len(l) != 20 || next != 31 {
		t.Errorf("newest blocks: %d %d %v", len(l), next, err)
	}
	_, id := alice()
	root.SetAccount(api.Account{ID: id, Balance: 7})
	if a, err := c.Account(ctx, "root", id); err != nil || a.Balance != 7 || a.Height != 30 {
		t.Errorf("account: %v %v", a, err)
	}
	if _, err := c.ProvenAccount(ctx, "root", id); err == nil || !strings.Contains(err.Error(), "gave no proofs") {
		t.Errorf("an account without proofs: %v", err)
	}
	root.SetAccount(api.Account{ID: id, Balance: 7, Proofs: []api.ItemProof{{Module: "m"}}, ProofHeight: 31})
	if a, err := c.ProvenAccount(ctx, "root", id); err != nil || len(a.Proofs) != 1 || a.ProofHeight != 31 {
		t.Errorf("account with proofs: %v %v", a, err)
	}
	for _, n := range []uint64{0, client.CurrentEpoch} {
		if e, err := c.Epoch(ctx, "root", n); err != nil || e.Set.Hash() != root.Set().Hash() || e.Opened.Height != 0 {
			t.Errorf("epoch %d: %v %v", n, e, err)
		}
	}
	if _, err := c.Epoch(ctx, "root", 1); client.Name(err) != "ErrNotFound" {
		t.Errorf("an epoch to come: %v", err)
	}
	if b, err := c.Block(ctx, "root", 4, client.DetailHeader); err != nil || b.Finality == nil || b.Finality.Verify(root.Set(), b.Header) != nil {
		t.Errorf("finality: %v %v", b, err)
	}
	if b, err := c.Block(ctx, "root", 5, client.DetailHeader); err != nil || b.Finality != nil {
		t.Errorf("a block whose descendant was certified: %v %v", b, err)
	}
	if js, h, err := c.Query(ctx, "root", "bank", "echo", []byte("x")); err != nil || string(js) != `{"echo":"x"}` || h != 30 {
		t.Errorf("query: %s %d %v", js, h, err)
	}
	if r, h, err := c.Registry(ctx, "root"); err != nil || h != 30 || !reflect.DeepEqual(r, apitest.Registry()) {
		t.Errorf("parameters: %+v %d %v", r, h, err)
	}
	if tx, err := c.Tx(ctx, "root", types.TxID{1}); err != nil || tx.Stage != api.Unknown {
		t.Errorf("transaction: %v %v", tx, err)
	}
}

func TestErrorsKeepTheirNames(t *testing.T) {
	_, c := rig(t)
	ctx := within(t)
	_, err := c.Block(ctx, "root", 5, client.DetailDefault)
	if !errors.Is(err, api.ErrNotFound) || client.Name(err) != "ErrNotFound" || errors.Is(err, api.ErrBusy) {
		t.Errorf("block: %v", err)
	}
	if !strings.Contains(err.Error(), "block of chain root: node "+c.Address()) {
		t.Errorf("it does not say what and where: %v", err)
	}
	if _, err = c.Chain(ctx, "none"); !errors.Is(err, api.ErrUnknownChain) {
		t.Errorf("chain: %v", err)
	}
	if err := c.Stop(ctx, ""); err == nil {
		t.Error("administration over TCP")
	}
}

func TestAdministrationOverASocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "alto")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	token, err := api.EnsureToken(filepath.Join(dir, "token"))
	if err != nil {
		t.Fatal(err)
	}
	address := api.UnixPrefix + filepath.Join(dir, "s")
	l, err := api.Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	node := apitest.NewNode("north")
	s := api.NewServer(node, api.Options{})
	served := make(chan error, 1)
	go func() { served <- s.ServeAdmin(l, node, token) }()
	ctx := within(t)
	if err := dial(t, address, client.Options{}).Stop(ctx, "x"); !errors.Is(err, api.ErrToken) {
		t.Errorf("without the token: %v", err)
	}
	c := dial(t, address, client.Options{Token: token})
	if err := c.Stop(ctx, "test"); err != nil || len(node.Stopped()) != 1 {
		t.Errorf("stop: %v", err)
	}
	if id, err := c.FollowChain(ctx, []byte("genesis")); err != nil || id.IsZero() {
		t.Errorf("follow: %v", err)
	}
	if err := c.RestartPlugin(ctx, "vm"); !errors.Is(err, api.ErrUnsupported) {
		t.Errorf("restart: %v", err)
	}
	if err := c.SetLogLevel(ctx, "debug"); err != nil {
		t.Errorf("log level: %v", err)
	}
	node.SetLinks(api.Links{HeldBack: 2, Links: []api.PeerLink{{Node: types.Hash{7}, Name: "south", Up: true}}})
	if l, err := c.Links(ctx); err != nil || l.HeldBack != 2 || len(l.Links) != 1 || !l.Links[0].Up {
		t.Errorf("links: %+v, %v", l, err)
	}
	if p, err := c.Probe(ctx, "south", 20); err != nil || p.Sent != 20 || p.Node != (types.Hash{7}) || p.P99 != time.Millisecond {
		t.Errorf("probe: %+v, %v", p, err)
	}
	if _, err := c.Probe(ctx, "west", 20); !errors.Is(err, api.ErrUnknownPeer) {
		t.Errorf("probe of a stranger: %v", err)
	}
	if _, err := c.Status(ctx); err != nil {
		t.Errorf("status: %v", err)
	}
	c.Close()
	_ = s.Shutdown(ctx)
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// flaky fails the first requests.
type flaky struct {
	next  http.RoundTripper
	fails atomic.Int32
	tried atomic.Int32
}

func (f *flaky) RoundTrip(r *http.Request) (*http.Response, error) {
	f.tried.Add(1)
	if f.fails.Add(-1) >= 0 {
		return nil, errors.New("connection refused")
	}
	return f.next.RoundTrip(r)
}

func TestRetries(t *testing.T) {
	root := apitest.NewChain("root")
	at, _ := start(t, apitest.NewNode("north", root), api.DefaultAddress, api.Options{})
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	for _, c := range []struct {
		name         string
		fails, tried int32
		attempts     int
		ok           bool
	}{
		{"well", 0, 1, 0, true}, {"twice unavailable", 2, 3, 0, true}, {"always unavailable", 100, 4, 4, false}, {"no retry wanted", 1, 1, 1, false},
	} {
		f := &flaky{next: tr}
		f.fails.Store(c.fails)
		cl := dial(t, at, client.Options{HTTP: &http.Client{Transport: f}, Attempts: c.attempts, Backoff: time.Millisecond})
		_, err := cl.Chains(within(t))
		if (err == nil) != c.ok || f.tried.Load() != c.tried {
			t.Errorf("%s: %d attempts, %v", c.name, f.tried.Load(), err)
		}
		f.fails.Store(0)
		f.tried.Store(0)
		if _, err := cl.Block(within(t), "root", 99, client.DetailDefault); !errors.Is(err, api.ErrNotFound) || f.tried.Load() != 1 {
			t.Errorf("%s: a refusal was tried %d times: %v", c.name, f.tried.Load(), err)
		}
	}
	f := &flaky{next: tr}
	f.fails.Store(1 << 30)
	cl := dial(t, at, client.Options{HTTP: &http.Client{Transport: f}, Attempts: 1 << 30, Backoff: time.Millisecond})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := cl.Chains(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the context's end: %v", err)
	}
}

func TestSubmitAndWait(t *testing.T) {
	root, c := rig(t)
	ctx := within(t)
	key, account := alice()
	fresh := func() []byte {
		env, _, err := c.Make(ctx, "root", account, "bank", transfer(), client.BuildOptions{}, key)
		if err != nil {
			t.Fatal(err)
		}
		return env
	}
	if tx, err := c.SubmitAndWait(ctx, "root", fresh(), client.Accepted); err != nil || tx.Stage != api.Waiting || tx.ID.IsZero() {
		t.Errorf("accepted: %v %v", tx, err)
	}
	type result struct {
		tx  api.Tx
		err error
	}
	background := func(env []byte, level client.Level) chan result {
		ch := make(chan result, 1)
		go func() {
			tx, err := c.SubmitAndWait(ctx, "root", env, level)
			ch <- result{tx, err}
		}()
		return ch
	}
	env := fresh()
	included := background(env, client.Included)
	final := background(env, client.Final) // the second finds that it is known
	await(t, "both wait", func() bool { return root.Subscribers() == 2 })
	root.Include()
	if r := <-included; r.err != nil || r.tx.Stage != api.Included {
		t.Errorf("included: %v", r)
	}
	root.Advance(1)
	if r := <-final; r.err != nil || r.tx.Stage != api.Final || r.tx.Receipt == nil || r.tx.Height != 1 {
		t.Errorf("final: %v", r)
	}
	if tx, err := c.SubmitAndWait(ctx, "root", env, client.Final); err != nil || tx.Stage != api.Final {
		t.Errorf("again: %v %v", tx, err)
	}
	env = fresh()
	expiring := background(env, client.Final)
	await(t, "it waits", func() bool { return root.Subscribers() == 1 })
	root.Forget()
	root.Skip(200)
	root.Advance(1)
	if r := <-expiring; !errors.Is(r.err, api.ErrExpired) {
		t.Errorf("expired: %v", r)
	}
	if _, err := c.SubmitAndWait(ctx, "root", env, client.Final); !errors.Is(err, api.ErrExpired) || client.Name(err) != "ErrExpired" {
		t.Errorf("submitted when it has expired: %v", err)
	}
	if _, err := c.SubmitAndWait(ctx, "root", []byte{1}, client.Final); !errors.Is(err, types.ErrMalformed) {
		t.Errorf("malformed: %v", err)
	}
}

// A node that is started again while one waits has lost the transaction; it becomes final all the same.
func TestSubmitAndWaitSurvivesARestart(t *testing.T) {
	root := apitest.NewChain("root")
	node := apitest.NewNode("north", root)
	at, stop := start(t, node, api.DefaultAddress, api.Options{})
	c := dial(t, at, client.Options{Attempts: 100, Backoff: 5 * time.Millisecond})
	key, account := alice()
	env, id, err := c.Make(within(t), "root", account, "bank", transfer(), client.BuildOptions{}, key)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		tx, err := c.SubmitAndWait(within(t), "root", env, client.Final)
		if err == nil && tx.ID != id {
			err = errors.New("another transaction")
		}
		done <- err
	}()
	await(t, "it waits", func() bool { return root.Subscribers() == 1 })
	stop()
	root.Forget()
	start(t, node, at, api.Options{})
	await(t, "it was submitted again", func() bool { return root.Status().Waiting == 1 })
	await(t, "it waits", func() bool { return root.Subscribers() == 1 })
	root.Advance(1)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWatchSurvivesRestarts(t *testing.T) {
	root := apitest.NewChain("root")
	node := apitest.NewNode("north", root)
	at, stop := start(t, node, api.DefaultAddress, api.Options{})
	c := dial(t, at, client.Options{Attempts: 1000, Backoff: 2 * time.Millisecond})
	root.Advance(5)
	want := uint64(2)
	for b, err := range c.WatchFinal(within(t), "root", 2, client.DetailDefault) {
		if err != nil {
			t.Fatal(err)
		}
		if b.Header.Height != want {
			t.Fatalf("block %d, want %d", b.Header.Height, want)
		}
		switch want {
		case 5:
			stop()
			root.Advance(20)
			_, stop = start(t, node, at, api.Options{})
		case 25:
			stop()
			_, _ = start(t, node, at, api.Options{})
			root.Advance(1)
		}
		if want++; want > 26 {
			break
		}
	}
	await(t, "the subscription ends with the loop", func() bool { return root.Subscribers() == 0 })
	ctx, cancel := context.WithCancel(within(t))
	cancel()
	for _, err := range c.WatchFinal(ctx, "root", 2, client.DetailDefault) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
	for _, err := range c.WatchFinal(within(t), "none", 2, client.DetailDefault) {
		if !errors.Is(err, api.ErrUnknownChain) {
			t.Errorf("no such chain: %v", err)
		}
	}
}

func TestUnavailableStreamGivesUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c := dial(t, l.Addr().String(), client.Options{Attempts: 3, Backoff: time.Millisecond})
	n := 0
	for _, err := range c.WatchFinal(within(t), "root", 1, client.DetailDefault) {
		var e *client.Error
		if n++; !errors.As(err, &e) || e.Code != connect.CodeUnavailable {
			t.Errorf("%v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d items", n)
	}
}
