package api_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/api/apitest"
	apiv1 "github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1"
	"github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1/apiv1connect"
)

type stream = connect.ServerStreamForClient[apiv1.WatchFinalResponse]

func (r *rig) watch(ctx context.Context, from uint64) *stream {
	r.t.Helper()
	s, err := r.chains.WatchFinal(ctx, connect.NewRequest(&apiv1.WatchFinalRequest{From: from}))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = s.Close() })
	return s
}

// expect reads blocks of the heights first to last.
func expect(t *testing.T, s *stream, first, last uint64) {
	t.Helper()
	for h := first; h <= last; h++ {
		if !s.Receive() {
			t.Fatalf("the stream ended before block %d: %v", h, s.Err())
		}
		if got := s.Msg().Block.Header.Height; got != h {
			t.Fatalf("block %d, want %d", got, h)
		}
	}
}

// await waits until f is true.
func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// deadline is long enough for anything that happens at all.
func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestWatchStoredThenLive(t *testing.T) {
	r := newRig(t, api.Options{})
	r.root.Advance(40) // more than a subscription holds
	s := r.watch(deadline(t), 3)
	expect(t, s, 3, 40)
	r.root.Advance(1)
	expect(t, s, 41, 41)
	await(t, "subscription", func() bool { return r.root.Subscribers() == 1 })
	r.root.Advance(5) // only the last is announced
	expect(t, s, 42, 46)
	later := r.watch(deadline(t), 50) // from a height that is yet to come
	await(t, "subscription", func() bool { return r.root.Subscribers() == 2 })
	r.root.Advance(10)
	expect(t, s, 47, 56)
	expect(t, later, 50, 56)
	_ = s.Close()
	_ = later.Close()
	await(t, "end of the subscriptions", func() bool { return r.root.Subscribers() == 0 })
}

// lateChain makes a block final right before each subscription.
type lateChain struct{ *apitest.Chain }

func (l lateChain) Subscribe() (api.Subscription, error) {
	l.Advance(1)
	return l.Chain.Subscribe()
}

// What becomes final between reading the store and subscribing is sent at once, not with the next block.
func TestWatchMissesNothingWhileItSubscribes(t *testing.T) {
	c := apitest.NewChain("late")
	c.Advance(1)
	cl := serveChain(t, lateChain{c}, api.Limits{})
	s, err := cl.WatchFinal(deadline(t), connect.NewRequest(&apiv1.WatchFinalRequest{From: 1}))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	expect(t, s, 1, 2)
}

func TestWatchNextBlocks(t *testing.T) {
	r := newRig(t, api.Options{})
	r.root.Advance(7)
	s := r.watch(deadline(t), 0)
	await(t, "subscription", func() bool { return r.root.Subscribers() == 1 })
	r.root.Advance(1)
	expect(t, s, 8, 8)
	if m := s.Msg().Block; m.Body != nil || m.Certificate == nil {
		t.Errorf("detail of a watched block: %v", m)
	}
}

// The chain goes on while streams begin at random moments: nothing is missing or twice, and a stream that is cut goes on from
// the height that it was told.
func TestWatchWhileTheChainRuns(t *testing.T) {
	r := newRig(t, api.Options{})
	ctx := deadline(t)
	const last, readers = 150, 4
	go func() {
		for i := 0; i < last; i += 2 {
			r.root.Advance(2)
			time.Sleep(100 * time.Microsecond)
		}
	}()
	results := make(chan error)
	for w := range readers {
		go func() {
			results <- func() error {
				next := uint64(1 + w*10)
				for next <= last {
					s, err := r.chains.WatchFinal(ctx, connect.NewRequest(&apiv1.WatchFinalRequest{From: next}))
					if err != nil {
						return err
					}
					for next <= last && s.Receive() {
						if got := s.Msg().Block.Header.Height; got != next {
							return fmt.Errorf("block %d, want %d", got, next)
						}
						next++
					}
					info := infoOf(s.Err())
					_ = s.Close()
					if next <= last && (info == nil || info.Name != "ErrSlow" || info.ResumeHeight != next) {
						return fmt.Errorf("at %d: %v", next, info)
					}
				}
				return nil
			}()
		}()
	}
	for range readers {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

func TestWatchCutsASlowReader(t *testing.T) {
	big := apitest.NewChain("big")
	r := newRig(t, api.Options{}, big)
	// Without compression, in which a body of nothing would be nothing.
	plain := apiv1connect.NewChainServiceClient(r.http, r.url, connect.WithAcceptCompression("gzip", nil, nil))
	s, err := plain.WatchFinal(deadline(t), connect.NewRequest(&apiv1.WatchFinalRequest{Chain: "big", Detail: apiv1.BlockDetail_BLOCK_DETAIL_BODY}))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	await(t, "subscription", func() bool { return big.Subscribers() == 1 })
	big.Bulk(1 << 20)
	// Nobody reads: what the connection does not hold stays in the subscription until that overflows.
	await(t, "the cut", func() bool {
		big.Advance(1)
		return big.Subscribers() == 0
	})
	next := uint64(0)
	for s.Receive() {
		if h := s.Msg().Block.Header.Height; next != 0 && h != next {
			t.Fatalf("block %d, want %d", h, next)
		}
		next = s.Msg().Block.Header.Height + 1
	}
	info := infoOf(s.Err())
	if info == nil || info.Name != "ErrSlow" || info.ResumeHeight != next || connect.CodeOf(s.Err()) != connect.CodeAborted {
		t.Fatalf("next %d, cut with %v: %v", next, info, s.Err())
	}
	again := r.watch2(t, "big", next)
	expect(t, again, next, big.Status().Final)
}

func (r *rig) watch2(t *testing.T, chain string, from uint64) *stream {
	s, err := r.chains.WatchFinal(deadline(t), connect.NewRequest(&apiv1.WatchFinalRequest{Chain: chain, From: from}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// A reader that takes nothing at all is cut by the write deadline, while the chain stands still.
func TestWatchCutsADeadReader(t *testing.T) {
	r := newRig(t, api.Options{Limits: api.Limits{Write: 100 * time.Millisecond}})
	r.root.Bulk(1 << 20)
	r.root.Advance(50)
	c, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.(*net.TCPConn).SetReadBuffer(4096)
	msg := `{"from":"1","detail":"BLOCK_DETAIL_BODY"}`
	fmt.Fprintf(c, "POST /paloalto.api.v1.ChainService/WatchFinal HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/connect+json\r\nContent-Length: %d\r\n\r\n\x00\x00\x00\x00%c%s",
		5+len(msg), len(msg), msg)
	buf := make([]byte, 1)
	if _, err := c.Read(buf); err != nil { // it has begun
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	shut := make(chan error, 1)
	await(t, "room for another stream", func() bool { return r.server.Streams() == 0 })
	go func() { shut <- r.server.Shutdown(ctx) }()
	if err := <-shut; err != nil {
		t.Error(err)
	}
}

// An open stream outlives the deadlines that hold for requests and answers.
func TestWatchOutlivesDeadlines(t *testing.T) {
	short := 50 * time.Millisecond
	r := newRig(t, api.Options{Limits: api.Limits{Read: short, Write: short, Request: short}})
	for name, opts := range map[string][]connect.ClientOption{"connect": nil, "grpc": {connect.WithGRPC()}} {
		hc := r.http
		if name == "grpc" {
			var p http.Protocols
			p.SetUnencryptedHTTP2(true)
			tr := &http.Transport{Protocols: &p}
			defer tr.CloseIdleConnections()
			hc = &http.Client{Transport: tr}
		}
		cl := apiv1connect.NewChainServiceClient(hc, r.url, opts...)
		s, err := cl.WatchFinal(deadline(t), connect.NewRequest(&apiv1.WatchFinalRequest{}))
		if err != nil {
			t.Fatal(name, err)
		}
		await(t, "subscription", func() bool { return r.root.Subscribers() == 1 })
		time.Sleep(4 * short) // the deadlines must have passed
		r.root.Advance(1)
		expect(t, s, r.root.Status().Final, r.root.Status().Final)
		_ = s.Close()
		await(t, "end of the subscription", func() bool { return r.root.Subscribers() == 0 })
	}
}

func TestStreamsAreLimited(t *testing.T) {
	r := newRig(t, api.Options{Limits: api.Limits{Streams: 2}})
	a := r.watch(deadline(t), 0)
	r.watch(deadline(t), 0)
	s, err := r.chains.WatchFinal(deadline(t), connect.NewRequest(&apiv1.WatchFinalRequest{}))
	if err == nil {
		if s.Receive() {
			t.Fatal("a third stream")
		}
		err = s.Err()
		_ = s.Close()
	}
	if nameOf(err) != "ErrBusy" || connect.CodeOf(err) != connect.CodeUnavailable {
		t.Errorf("third stream: %v", err)
	}
	if _, err := r.chains.WaitTransaction(deadline(t), connect.NewRequest(&apiv1.WaitTransactionRequest{Id: strings.Repeat("0", 64)})); nameOf(err) != "ErrBusy" {
		t.Errorf("wait: %v", err)
	}
	if _, err := r.chains.ListChains(deadline(t), connect.NewRequest(&apiv1.ListChainsRequest{})); err != nil {
		t.Errorf("other requests: %v", err)
	}
	_ = a.Close()
	await(t, "room", func() bool { return r.server.Streams() == 1 })
	r.root.Advance(1)
	expect(t, r.watch(deadline(t), 1), 1, 1)
}

func TestShutdownEndsStreamsAndWaits(t *testing.T) {
	r := newRig(t, api.Options{})
	r.root.Advance(1)
	s := r.watch(deadline(t), 1)
	expect(t, s, 1, 1)
	waited := make(chan error, 1)
	go func() {
		_, err := r.chains.WaitTransaction(deadline(t), connect.NewRequest(&apiv1.WaitTransactionRequest{Id: strings.Repeat("0", 64)}))
		waited <- err
	}()
	await(t, "subscriptions", func() bool { return r.root.Subscribers() == 2 })
	if err := r.server.Shutdown(deadline(t)); err != nil {
		t.Fatal(err)
	}
	if s.Receive() || nameOf(s.Err()) != "ErrStopped" || infoOf(s.Err()).ResumeHeight != 2 {
		t.Errorf("stream: %v", s.Err())
	}
	if err := <-waited; nameOf(err) != "ErrStopped" {
		t.Errorf("wait: %v", err)
	}
	if _, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://")); err == nil {
		t.Error("it still listens")
	}
}

func TestWatchOfAChainThatEnds(t *testing.T) {
	r := newRig(t, api.Options{})
	s := r.watch(deadline(t), 0)
	await(t, "subscription", func() bool { return r.root.Subscribers() == 1 })
	r.root.End()
	if s.Receive() || nameOf(s.Err()) != "ErrStopped" {
		t.Errorf("stream: %v", s.Err())
	}
}

func TestWaitTransaction(t *testing.T) {
	r := newRig(t, api.Options{})
	wait := func(id string, until apiv1.Stage, expires uint64, ms uint32) (*apiv1.WaitTransactionResponse, string) {
		res, err := r.chains.WaitTransaction(deadline(t), connect.NewRequest(&apiv1.WaitTransactionRequest{Id: id, Until: until, Expires: expires, WaitMs: ms}))
		if err != nil {
			return nil, nameOf(err)
		}
		return res.Msg, ""
	}
	type answer struct {
		m   *apiv1.WaitTransactionResponse
		err string
	}
	inBackground := func(id string, until apiv1.Stage, expires uint64) chan answer {
		ch := make(chan answer, 1)
		n := r.root.Subscribers()
		go func() {
			m, err := wait(id, until, expires, 0)
			ch <- answer{m, err}
		}()
		await(t, "the wait", func() bool { return r.root.Subscribers() > n })
		return ch
	}
	env, id := envelope(r.root, 20, 1)
	unknown := inBackground(id.String(), 0, 0) // waits for one that arrives later
	r.submit(env)
	final := inBackground(id.String(), apiv1.Stage_STAGE_FINAL, 0)
	included := inBackground(id.String(), apiv1.Stage_STAGE_INCLUDED, 0)
	r.root.Include()
	if a := <-included; a.err != "" || !a.m.Reached || a.m.Transaction.Stage != apiv1.Stage_STAGE_INCLUDED {
		t.Errorf("included: %v", a)
	}
	r.root.Advance(1)
	for _, ch := range []chan answer{final, unknown} {
		if a := <-ch; a.err != "" || !a.m.Reached || a.m.Transaction.Receipt.GetStatus() != "ok" {
			t.Errorf("final: %v", a)
		}
	}
	if m, err := wait(id.String(), 0, 0, 0); err != "" || !m.Reached {
		t.Errorf("at once: %v %v", m, err)
	}

	_, never := envelope(r.root, 20, 2)
	if m, err := wait(never.String(), 0, 0, 1); err != "" || m.Reached || m.Expired || m.Transaction.Stage != apiv1.Stage_STAGE_UNKNOWN {
		t.Errorf("time is up: %v %v", m, err)
	}
	expiring := inBackground(never.String(), 0, 20)
	r.root.Skip(17)
	r.root.Advance(1)
	if m, err := wait(never.String(), 0, 20, 1); r.root.Status().FinalSlot != 19 || err != "" || m.Expired {
		t.Errorf("expired at slot %d: %v %v", r.root.Status().FinalSlot, m, err)
	}
	r.root.Advance(1)
	if a := <-expiring; a.err != "" || !a.m.Expired || a.m.Reached {
		t.Errorf("expired: %v", a)
	}
	if m, err := wait(id.String(), 0, 20, 0); err != "" || !m.Reached || m.Expired {
		t.Errorf("final and past its slot: %v %v", m, err)
	}
	if _, err := wait(id.String(), apiv1.Stage_STAGE_WAITING, 0, 0); err != "ErrInvalid" {
		t.Errorf("wait for waiting: %v", err)
	}
	await(t, "end of the subscriptions", func() bool { return r.root.Subscribers() == 0 })
	r.root.Halt("x")
	if _, err := wait(never.String(), 0, 0, 0); err != "ErrHalted" {
		t.Errorf("halted: %v", err)
	}
}

func TestGRPC(t *testing.T) {
	r := newRig(t, api.Options{})
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: &p}
	defer tr.CloseIdleConnections()
	for name, o := range map[string]connect.ClientOption{"grpc": connect.WithGRPC(), "grpc-web": connect.WithGRPCWeb()} {
		cl := apiv1connect.NewChainServiceClient(&http.Client{Transport: tr}, r.url, o)
		if _, err := cl.GetBlock(deadline(t), connect.NewRequest(&apiv1.GetBlockRequest{})); nameOf(err) != "ErrNotFound" {
			t.Errorf("%s: %v", name, err)
		}
		r.root.Advance(1)
		s, err := cl.WatchFinal(deadline(t), connect.NewRequest(&apiv1.WatchFinalRequest{From: 1}))
		if err != nil {
			t.Fatal(err)
		}
		expect(t, s, 1, 1)
		_ = s.Close()
		r.root = apitest.NewChain("root")
		r2 := newRig(t, api.Options{})
		r.url, r.root = r2.url, r2.root
	}
}

// slowChain answers no query before it is released.
type slowChain struct {
	*apitest.Chain
	release chan struct{}
}

func (s *slowChain) Query(ctx context.Context, q api.QueryRequest) (api.QueryAnswer, error) {
	if q.Path == "panic" {
		panic("a fault")
	}
	select {
	case <-s.release:
		return api.QueryAnswer{JSON: []byte("{}"), Height: 1}, nil
	case <-ctx.Done():
		return api.QueryAnswer{}, ctx.Err()
	}
}

type slowNode struct{ c api.Chain }

func (n slowNode) Status(context.Context) (api.NodeStatus, error) { return api.NodeStatus{}, nil }
func (n slowNode) Links(context.Context) (api.Links, error)       { return api.Links{}, nil }
func (n slowNode) Chains() []api.Chain                            { return []api.Chain{n.c} }

func serveSlow(t *testing.T, limits api.Limits) (*slowChain, *api.Server, apiv1connect.ChainServiceClient, string) {
	c := &slowChain{apitest.NewChain("slow"), make(chan struct{})}
	srv, cl, url := serveNode(t, c, limits)
	return c, srv, cl, url
}

func serveNode(t *testing.T, c api.Chain, limits api.Limits) (*api.Server, apiv1connect.ChainServiceClient, string) {
	srv := api.NewServer(slowNode{c}, api.Options{Limits: limits})
	l, err := api.Listen(api.DefaultAddress)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	tr := &http.Transport{}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		_ = srv.Shutdown(deadline(t))
		<-served
	})
	url := "http://" + l.Addr().String()
	return srv, apiv1connect.NewChainServiceClient(&http.Client{Transport: tr}, url), url
}

func serveChain(t *testing.T, c api.Chain, limits api.Limits) apiv1connect.ChainServiceClient {
	_, cl, _ := serveNode(t, c, limits)
	return cl
}

func TestRequestsInFlightAreLimited(t *testing.T) {
	c, srv, cl, url := serveSlow(t, api.Limits{InFlight: 3})
	done := make(chan error)
	for range 3 {
		go func() {
			_, err := cl.Query(deadline(t), connect.NewRequest(&apiv1.QueryRequest{}))
			done <- err
		}()
	}
	await(t, "three requests", func() bool { return srv.InFlight() == 3 })
	if _, err := cl.Query(deadline(t), connect.NewRequest(&apiv1.QueryRequest{})); nameOf(err) != "ErrBusy" {
		t.Errorf("a fourth: %v", err)
	}
	res, err := http.Post(url+"/paloalto.api.v1.ChainService/Query", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(res.Body)
	res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if res.StatusCode != 503 || !strings.Contains(string(b), "ErrBusy") {
		t.Errorf("by curl: %d %s", res.StatusCode, b)
	}
	close(c.release)
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	await(t, "room", func() bool { return srv.InFlight() == 0 })
}

func TestRequestsEnd(t *testing.T) {
	_, _, cl, _ := serveSlow(t, api.Limits{Request: 20 * time.Millisecond})
	if _, err := cl.Query(deadline(t), connect.NewRequest(&apiv1.QueryRequest{})); nameOf(err) != "ErrTimeout" {
		t.Errorf("a request that takes too long: %v", err)
	}
	_, err := cl.Query(deadline(t), connect.NewRequest(&apiv1.QueryRequest{Path: "panic"}))
	if nameOf(err) != "ErrInternal" || strings.Contains(err.Error(), "a fault") {
		t.Errorf("a panic: %v", err)
	}
}

// A request whose body does not arrive is given up.
func TestSlowBodies(t *testing.T) {
	r := newRig(t, api.Options{Limits: api.Limits{Read: 50 * time.Millisecond}})
	for _, head := range []string{
		"POST /paloalto.api.v1.ChainService/Query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
		"POST /paloalto.api.v1.ChainService/WatchFinal HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/connect+json\r\nContent-Length: 100\r\n\r\n\x00",
		"POST /paloalto.api.v1.Chain",
		"",
	} {
		c, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		_, _ = io.WriteString(c, head)
		if _, err := io.ReadAll(c); err != nil && strings.Contains(err.Error(), "i/o timeout") {
			t.Errorf("%.50q: the server waits on", head)
		}
		c.Close()
	}
}

func TestConnectionsAreLimited(t *testing.T) {
	r := newRig(t, api.Options{Limits: api.Limits{Connections: 2}})
	addr := strings.TrimPrefix(r.url, "http://")
	a, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	b, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	const ask = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
	answer := func(c net.Conn, within time.Duration) error {
		_, _ = io.WriteString(c, ask)
		_ = c.SetReadDeadline(time.Now().Add(within))
		_, err := c.Read(make([]byte, 1))
		return err
	}
	if answer(a, 20*time.Second) != nil || answer(b, 20*time.Second) != nil {
		t.Fatal("two connections are not served")
	}
	third, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer third.Close()
	if err := answer(third, 100*time.Millisecond); err == nil {
		t.Error("a third connection is served")
	}
	a.Close()
	_ = third.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := third.Read(make([]byte, 1)); err != nil {
		t.Errorf("the third is not served after the first: %v", err)
	}
}
