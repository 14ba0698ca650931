package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/api/apitest"
	apiv1 "github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1"
	"github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1/apiv1connect"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// rig is a node that is served on loopback, and clients of it.
type rig struct {
	t      *testing.T
	node   *apitest.Node
	root   *apitest.Chain
	server *api.Server
	url    string
	http   *http.Client
	chains apiv1connect.ChainServiceClient
	nodes  apiv1connect.NodeServiceClient
}

func newRig(t *testing.T, opts api.Options, more ...*apitest.Chain) *rig {
	t.Helper()
	r := &rig{t: t, root: apitest.NewChain("root")}
	r.node = apitest.NewNode("north", append([]*apitest.Chain{r.root}, more...)...)
	r.server = api.NewServer(r.node, opts)
	l, err := api.Listen(api.DefaultAddress)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.server.Serve(l) }()
	r.url = "http://" + l.Addr().String()
	tr := &http.Transport{}
	r.http = &http.Client{Transport: tr}
	r.chains = apiv1connect.NewChainServiceClient(r.http, r.url)
	r.nodes = apiv1connect.NewNodeServiceClient(r.http, r.url)
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := r.server.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return r
}

// nameOf returns the stable name that an error carries.
func nameOf(err error) string {
	info := infoOf(err)
	if info == nil {
		return ""
	}
	return info.Name
}

func infoOf(err error) *apiv1.ErrorInfo {
	var ce *connect.Error
	if !errors.As(err, &ce) {
		return nil
	}
	for _, d := range ce.Details() {
		if v, err := d.Value(); err == nil {
			if info, ok := v.(*apiv1.ErrorInfo); ok {
				return info
			}
		}
	}
	return nil
}

// post is what curl does.
func (r *rig) post(path, body string, header ...string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequest("POST", r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		} else {
			req.Header.Set(header[i], header[i+1])
		}
	}
	return r.do(req)
}

func (r *rig) do(req *http.Request) (int, string) {
	r.t.Helper()
	res, err := r.http.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func (r *rig) get(path string) (int, string) {
	r.t.Helper()
	req, _ := http.NewRequest("GET", r.url+path, nil)
	return r.do(req)
}

func TestJSONOverHTTP(t *testing.T) {
	r := newRig(t, api.Options{})
	r.root.Advance(3)
	code, body := r.post("/paloalto.api.v1.ChainService/GetBlock", `{"chain":"root","height":2}`)
	var got struct {
		Block struct {
			ID     string
			Header struct{ Height, Chain string }
		}
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || code != 200 {
		t.Fatalf("%d %v: %s", code, err, body)
	}
	if got.Block.Header.Height != "2" || got.Block.Header.Chain != r.root.ID().String() || len(got.Block.ID) != 64 {
		t.Errorf("block: %s", body)
	}
	code, body = r.post("/paloalto.api.v1.ChainService/GetBlock", `{"chain":"nowhere"}`)
	if code != 404 || !strings.Contains(body, "ErrUnknownChain") || !strings.Contains(body, "this node has root") {
		t.Errorf("unknown chain: %d %s", code, body)
	}
	for _, bad := range []string{`{"chain":`, `{"height":"x"}`, `[]`} {
		if code, body := r.post("/paloalto.api.v1.ChainService/GetBlock", bad); code != 400 {
			t.Errorf("%s: %d %s", bad, code, body)
		}
	}
	if code, _ := r.get("/paloalto.api.v1.ChainService/GetBlock"); code != 405 {
		t.Errorf("GET of a procedure: %d, want 405", code)
	}
}

func TestPlainPaths(t *testing.T) {
	r := newRig(t, api.Options{
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "alto_x 1\n") }),
		Page:    http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") }),
	})
	if code, body := r.get("/metrics"); code != 200 || body != "alto_x 1\n" {
		t.Errorf("metrics: %d %q", code, body)
	}
	if code, body := r.get("/"); code != 200 || body != "page" {
		t.Errorf("page: %d %q", code, body)
	}
	if code, body := r.get("/healthz"); code != 200 || body != "ok\n" {
		t.Errorf("healthz: %d %q", code, body)
	}
	r.root.Trouble("the clock is wrong")
	if code, body := r.get("/healthz"); code != 503 || body != "chain root: trouble: the clock is wrong\n" {
		t.Errorf("healthz of a chain in which this node does not do its part: %d %q", code, body)
	}
	r.root.Halt("state roots differ")
	if code, body := r.get("/healthz"); code != 503 || !strings.Contains(body, "chain root has halted: state roots differ") {
		t.Errorf("healthz of a halted chain: %d %q", code, body)
	}
}

func TestForeignHostsAndPagesAreRefused(t *testing.T) {
	r := newRig(t, api.Options{Hosts: []string{"node.example"}})
	for _, c := range []struct {
		name   string
		want   int
		header []string
	}{
		{"as curl does", 200, nil},
		{"localhost", 200, []string{"Host", "localhost:1"}},
		{"six", 200, []string{"Host", "[::1]:80"}},
		{"a name that is configured", 200, []string{"Host", "Node.example"}},
		{"a name that was made to resolve here", 403, []string{"Host", "evil.example"}},
		{"a name that looks like loopback", 403, []string{"Host", "127.0.0.1.evil.example"}},
		{"localhost as a part", 403, []string{"Host", "localhost.evil.example:80"}},
		{"another address", 403, []string{"Host", "10.0.0.1:80"}},
		{"own page", 200, []string{"Origin", r.url}},
		{"foreign page", 403, []string{"Origin", "https://evil.example"}},
		{"page of a file", 403, []string{"Origin", "null"}},
		{"other port", 403, []string{"Origin", "http://127.0.0.1:1"}},
		{"browser says foreign", 403, []string{"Sec-Fetch-Site", "cross-site"}},
		{"browser says neighbour", 403, []string{"Sec-Fetch-Site", "same-site"}},
		{"browser says own", 200, []string{"Sec-Fetch-Site", "same-origin"}},
	} {
		code, body := r.post("/paloalto.api.v1.ChainService/ListChains", "{}", c.header...)
		if code != c.want {
			t.Errorf("%s: %d, want %d: %s", c.name, code, c.want, body)
		}
		if code == 403 && !strings.Contains(body, "ErrForbidden") {
			t.Errorf("%s: no name in %s", c.name, body)
		}
	}
	// A form or a script without leave to ask first can send these types only.
	for _, ct := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data"} {
		if code, _ := r.post("/paloalto.api.v1.ChainService/ListChains", "{}", "Content-Type", ct); code != 415 {
			t.Errorf("%s: %d, want 415", ct, code)
		}
	}
}

func TestBodyLimit(t *testing.T) {
	r := newRig(t, api.Options{Limits: api.Limits{BodyBytes: 1000}})
	if code, body := r.post("/paloalto.api.v1.ChainService/GetAccount", `{"account":"`+strings.Repeat("x", 2000)+`"}`); code != 429 && code != 413 {
		t.Errorf("a body above the limit: %d %s", code, body)
	}
	// 1 MB of zeros are 1 kB when compressed.
	_, err := apiv1connect.NewChainServiceClient(r.http, r.url, connect.WithSendGzip()).Query(context.Background(),
		connect.NewRequest(&apiv1.QueryRequest{Chain: "root", Module: "bank", Path: "echo", Argument: bytes.Repeat([]byte{0}, 1<<18)}))
	if connect.CodeOf(err) != connect.CodeResourceExhausted {
		t.Errorf("a compressed body that grows above the limit: %v", err)
	}
}

func TestStatusTellsEverything(t *testing.T) {
	r := newRig(t, api.Options{})
	r.root.Advance(2)
	started := time.UnixMilli(1_700_000_000_000)
	want := api.NodeStatus{
		Name: "north", ID: [32]byte{1}, Version: "v1", Listen: "udp:1", Started: started,
		Peers: []api.Peer{{Name: "south", ID: [32]byte{2}, Address: "a", Connected: true}},
		Plugins: []api.Plugin{{Name: "vm-forth", Chain: "root", Kinds: []string{"vm"}, Version: "v2", Digest: "d", Path: "built in", PID: 7, State: "ready",
			Restarts: 2, RSS: 9, Started: started, LastError: "signal: killed\xff", Instances: []api.Instance{{"root", "vm", false, 3, "crashes"}}}},
	}
	r.node.SetStatus(want)
	res, err := r.nodes.Status(context.Background(), connect.NewRequest(&apiv1.StatusRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	got, err := api.ParseNodeStatus(res.Msg)
	if err != nil {
		t.Fatal(err)
	}
	want.Plugins[0].LastError = "signal: killed\uFFFD" // a message is UTF-8
	want.Chains = []api.ChainStatus{r.root.Status()}
	if g, w := mustJSON(t, got), mustJSON(t, want); g != w {
		t.Errorf("got  %s\nwant %s", g, w)
	}
	h, err := r.nodes.Health(context.Background(), connect.NewRequest(&apiv1.HealthRequest{}))
	if err != nil || h.Msg.Ok || len(h.Msg.Problems) != 1 || !strings.Contains(h.Msg.Problems[0], "has failed for chain root: crashes") {
		t.Errorf("health: %v %v", h, err)
	}
}

func TestLinks(t *testing.T) {
	r := newRig(t, api.Options{})
	want := api.Links{HeldBack: 3, Links: []api.PeerLink{
		{Node: [32]byte{2}, Name: "south", Address: "127.0.0.1:1", Up: true, Dialled: true, Authenticated: true, Since: 5 * time.Second, RTT: 1234567, Variance: 89,
			Lanes: 3, Datagram: 1200, Queued: 7, SentBytes: 8, ReceivedBytes: 9, Datagrams: 200, Retransmitted: 5, Out: 11, In: 12},
		{Address: "127.0.0.1:2"},
	}}
	r.node.SetLinks(want)
	res, err := r.nodes.Links(context.Background(), connect.NewRequest(&apiv1.LinksRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	got, err := api.ParseLinks(res.Msg)
	if err != nil {
		t.Fatal(err)
	}
	if g, w := mustJSON(t, got), mustJSON(t, want); g != w {
		t.Errorf("got  %s\nwant %s", g, w)
	}
	if got.Links[0].Loss() != 0.025 || got.Links[1].Loss() != 0 {
		t.Errorf("loss %v and %v", got.Links[0].Loss(), got.Links[1].Loss())
	}
	// A node may answer anything.
	for name, m := range map[string]*apiv1.PeerLink{"an id that is none": {Node: "zz"}, "a short id": {Node: "00"}} {
		if _, err := api.ParseLinks(&apiv1.LinksResponse{Links: []*apiv1.PeerLink{m}}); err == nil {
			t.Errorf("%s is believed", name)
		}
	}
	l, err := api.ParseLinks(&apiv1.LinksResponse{Links: []*apiv1.PeerLink{{SinceMs: 1<<64 - 1, RttNs: 1<<64 - 1, Queued: 1<<64 - 1}}})
	if err != nil || l.Links[0].Since <= 0 || l.Links[0].RTT <= 0 || l.Links[0].Queued <= 0 {
		t.Errorf("the largest numbers: %+v, %v", l, err)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestUnixSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "alto") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	l, err := api.Listen(api.UnixPrefix + path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v %v", info.Mode(), err)
	}
	if _, err := api.Listen(api.UnixPrefix + path); err == nil || !strings.Contains(err.Error(), "another process serves it") {
		t.Errorf("second listener: %v", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // as after kill -9
	l.Close()
	l, err = api.Listen(api.UnixPrefix + path)
	if err != nil {
		t.Fatalf("over the socket of a dead process: %v", err)
	}
	l.Close()
	for what, f := range map[string]func() string{
		"a file": func() string { p := filepath.Join(dir, "f"); _ = os.WriteFile(p, nil, 0o600); return p },
		"an open folder": func() string {
			p := filepath.Join(dir, "open")
			_ = os.Mkdir(p, 0o755)
			return filepath.Join(p, "s")
		},
		"no folder":       func() string { return filepath.Join(dir, "none", "s") },
		"a path too long": func() string { return filepath.Join(dir, strings.Repeat("x", 200)) },
	} {
		if l, err := api.Listen(api.UnixPrefix + f()); err == nil {
			l.Close()
			t.Errorf("%s: was listened on", what)
		}
	}
}

func TestAdministration(t *testing.T) {
	dir, err := os.MkdirTemp("", "alto")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "token")
	token, err := api.EnsureToken(file)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := api.EnsureToken(file); err != nil || again != token {
		t.Errorf("the token changed: %v", err)
	}
	if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 {
		t.Errorf("token file mode %v", info.Mode())
	}

	r := newRig(t, api.Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.server.ServeAdmin(l, r.node, token); err == nil || !strings.Contains(err.Error(), "unix socket only") {
		t.Errorf("administration over TCP: %v", err)
	}
	if code, _ := r.post("/paloalto.api.v1.AdminService/Stop", "{}", "Authorization", "Bearer "+token); code != 404 {
		t.Errorf("administration on the listener for all: %d, want 404", code)
	}
	sock := filepath.Join(dir, "s")
	ul, err := api.Listen(api.UnixPrefix + sock)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.server.ServeAdmin(ul, r.node, token) }()
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", sock)
	}}
	defer tr.CloseIdleConnections()
	admin := apiv1connect.NewAdminServiceClient(&http.Client{Transport: tr}, "http://node")
	ctx := context.Background()
	for _, c := range []struct{ name, header string }{
		{"no token", ""}, {"another", "Bearer " + strings.Repeat("0", 64)}, {"a part", "Bearer " + token[:63]}, {"empty", "Bearer "},
		{"without a scheme", token}, {"longer", "Bearer " + token + "0"},
	} {
		req := connect.NewRequest(&apiv1.StopRequest{})
		if c.header != "" {
			req.Header().Set("Authorization", c.header)
		}
		if _, err := admin.Stop(ctx, req); connect.CodeOf(err) != connect.CodeUnauthenticated || nameOf(err) != "ErrToken" {
			t.Errorf("%s: %v", c.name, err)
		}
		f, l, p := connect.NewRequest(&apiv1.FollowChainRequest{Genesis: []byte("x")}), connect.NewRequest(&apiv1.SetLogLevelRequest{Level: "info"}),
			connect.NewRequest(&apiv1.RestartPluginRequest{})
		f.Header().Set("Authorization", c.header)
		if _, err := admin.FollowChain(ctx, f); nameOf(err) != "ErrToken" {
			t.Errorf("%s: follow: %v", c.name, err)
		}
		if _, err := admin.SetLogLevel(ctx, l); nameOf(err) != "ErrToken" {
			t.Errorf("%s: log level: %v", c.name, err)
		}
		if _, err := admin.RestartPlugin(ctx, p); nameOf(err) != "ErrToken" {
			t.Errorf("%s: restart: %v", c.name, err)
		}
		q := connect.NewRequest(&apiv1.ProbeRequest{Peer: "south"})
		q.Header().Set("Authorization", c.header)
		if _, err := admin.Probe(ctx, q); nameOf(err) != "ErrToken" {
			t.Errorf("%s: probe: %v", c.name, err)
		}
	}
	if n := len(r.node.Stopped()); n != 0 {
		t.Fatalf("stopped %d times without the token", n)
	}
	req := connect.NewRequest(&apiv1.StopRequest{Reason: "test"})
	req.Header().Set("Authorization", "Bearer "+token)
	if _, err := admin.Stop(ctx, req); err != nil || len(r.node.Stopped()) != 1 {
		t.Errorf("with the token: %v, stopped %v", err, r.node.Stopped())
	}
	if _, err := apiv1connect.NewNodeServiceClient(&http.Client{Transport: tr}, "http://node").Status(ctx, connect.NewRequest(&apiv1.StatusRequest{})); err != nil {
		t.Errorf("status on the socket: %v", err)
	}
	lvl := connect.NewRequest(&apiv1.SetLogLevelRequest{Level: "loud"})
	lvl.Header().Set("Authorization", "Bearer "+token)
	if _, err := admin.SetLogLevel(ctx, lvl); nameOf(err) != "ErrInvalid" {
		t.Errorf("log level loud: %v", err)
	}
	r.node.SetLinks(api.Links{Links: []api.PeerLink{{Node: [32]byte{2}, Name: "south"}}})
	for _, c := range []struct {
		peer      string
		datagrams uint32
		sent      uint32
		err       string
	}{
		{"south", 0, api.DefaultProbe, ""}, {"south", 1, 1, ""}, {types.Hash{2}.String(), api.MaxProbe, api.MaxProbe, ""},
		{"south", api.MaxProbe + 1, 0, "ErrInvalid"}, {"south", 1<<32 - 1, 0, "ErrInvalid"}, {"", 10, 0, "ErrInvalid"}, {"west", 10, 0, "ErrUnknownPeer"},
	} {
		q := connect.NewRequest(&apiv1.ProbeRequest{Peer: c.peer, Datagrams: c.datagrams})
		q.Header().Set("Authorization", "Bearer "+token)
		res, err := admin.Probe(ctx, q)
		switch {
		case c.err != "":
			if nameOf(err) != c.err {
				t.Errorf("probe %q with %d: %v, want %s", c.peer, c.datagrams, err, c.err)
			}
		case err != nil || res.Msg.Sent != c.sent || res.Msg.MinNs != 1e6 || res.Msg.Name != "south" || res.Msg.Node != (types.Hash{2}).String():
			t.Errorf("probe %q with %d: %v, %v", c.peer, c.datagrams, res, err)
		}
	}
	tr.CloseIdleConnections()
	sctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := r.server.Shutdown(sctx); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(sock); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket remains: %v", err)
	}
}

func TestTokenFilesThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	good := strings.Repeat("ab", 32)
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"others can read it": {good, 0o644}, "the group can read it": {good, 0o640}, "empty": {"", 0o600}, "short": {"abc", 0o600}, "two": {good + "\n" + good, 0o600},
	} {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := api.ReadToken(path); err == nil {
			t.Errorf("%s: was read", name)
		}
		if _, err := api.EnsureToken(path); err == nil {
			t.Errorf("%s: was replaced", name)
		}
	}
	if _, err := api.ReadToken(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
