package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/api/apitest"
	apiv1 "github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// FuzzRequests hands any bytes to any procedure: every answer is one, none is a fault of the server, and nothing hangs.
func FuzzRequests(f *testing.F) {
	root := apitest.NewChain("root")
	root.Advance(3)
	handler := api.NewServer(apitest.NewNode("north", root), api.Options{Limits: api.Limits{Wait: time.Millisecond, BodyBytes: 1 << 16}}).Handler()
	procedures := []string{"ChainService/ListChains", "ChainService/GetChain", "ChainService/GetReference", "ChainService/SubmitTransactions",
		"ChainService/GetTransaction", "ChainService/WaitTransaction", "ChainService/GetBlock", "ChainService/ListBlocks", "ChainService/GetAccount",
		"ChainService/Query", "ChainService/GetParams", "ChainService/GetEpoch", "ChainService/WatchFinal", "NodeService/Status", "NodeService/Health", "NodeService/Links"}
	kinds := []string{"application/json", "application/proto", "application/connect+json", "application/connect+proto", "application/grpc-web+proto"}
	env, id := envelope(root, 100, 1)
	for p := range procedures {
		f.Add(uint8(p), uint8(0), []byte(`{"chain":"root","id":"`+id.String()+`","account":"alto1q","from":"2","limit":3,"detail":4,"waitMs":1}`))
		m, _ := proto.Marshal(&apiv1.SubmitTransactionsRequest{Chain: "root", Envelopes: [][]byte{env, {1}, nil}})
		f.Add(uint8(p), uint8(1), m)
		f.Add(uint8(p), uint8(3), append([]byte{0, 0, 0, 0, byte(len(m))}, m...))
	}
	f.Fuzz(func(t *testing.T, procedure, kind uint8, body []byte) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond) // for WatchFinal, which has no end
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, "POST", "http://localhost/paloalto.api.v1."+procedures[int(procedure)%len(procedures)], bytes.NewReader(body))
		r.Header.Set("Content-Type", kinds[int(kind)%len(kinds)])
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code == 500 || strings.Contains(w.Body.String(), "ErrInternal") {
			t.Errorf("%s %q: %d %s", r.URL.Path, body, w.Code, w.Body)
		}
	})
}

// FuzzAnswers reads what a node might answer. What is read as a block has the id of its header.
func FuzzAnswers(f *testing.F) {
	root := apitest.NewChain("root")
	env, _ := envelope(root, 100, 1)
	root.Submit(context.Background(), [][]byte{env})
	root.Advance(2)
	node := apitest.NewNode("north", root)
	node.SetLinks(api.Links{Links: []api.PeerLink{{Node: types.Hash{1}, Name: "south", Up: true, RTT: 1, Since: time.Second, Queued: 3}}})
	srv := api.NewServer(node, api.Options{}).Handler()
	for _, p := range []string{"ChainService/GetBlock", "ChainService/GetChain", "ChainService/GetReference", "ChainService/GetAccount", "NodeService/Status", "NodeService/Links"} {
		req, _ := proto.Marshal(&apiv1.GetAccountRequest{Account: types.AccountID{}.String()})
		if p != "ChainService/GetAccount" {
			req = nil
		}
		r := httptest.NewRequest("POST", "http://localhost/paloalto.api.v1."+p, bytes.NewReader(req))
		r.Header.Set("Content-Type", "application/proto")
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			f.Fatal(p, w.Code, w.Body)
		}
		f.Add(w.Body.Bytes())
	}
	answer, _ := proto.Marshal(&apiv1.QueryResponse{Json: "{}", Height: 1, ProofHeight: 2, Caller: types.AccountID{}.String(),
		Proofs: []*apiv1.ItemProof{{Module: "m", Place: make([]byte, 8), Value: []byte{}, Proof: (&types.StateProof{}).Encode()}, {Place: make([]byte, 8)}}})
	f.Add(answer)
	f.Fuzz(func(t *testing.T, b []byte) {
		if m := new(apiv1.GetBlockResponse); proto.Unmarshal(b, m) == nil {
			if v, err := api.ParseBlock(m.Block); err == nil && v.ID != v.Header.ID() {
				t.Errorf("block %s with the header of %s", v.ID, v.Header.ID())
			}
		}
		if m := new(apiv1.GetTransactionResponse); proto.Unmarshal(b, m) == nil {
			if v, err := api.ParseTx(m.Transaction); err == nil && (v.Stage < api.Unknown || v.Stage > api.Final) {
				t.Errorf("stage %d", v.Stage)
			}
		}
		if m := new(apiv1.GetChainResponse); proto.Unmarshal(b, m) == nil {
			if s, err := api.ParseSet(m.Set); err == nil && s.Validate() != nil {
				t.Error("an invalid set")
			}
			api.ParseParams(m.Params)
		}
		if m := new(apiv1.GetAccountResponse); proto.Unmarshal(b, m) == nil {
			_, _ = api.ParseAccount(m)
		}
		if m := new(apiv1.QueryResponse); proto.Unmarshal(b, m) == nil {
			if a, err := api.ParseQuery(m); err == nil && (len(a.Proofs) != len(m.Proofs) || (a.Caller == nil) != (m.Caller == "")) {
				t.Errorf("%d proofs of %d, asked by %v", len(a.Proofs), len(m.Proofs), a.Caller)
			}
		}
		if m := new(apiv1.GetEpochResponse); proto.Unmarshal(b, m) == nil {
			_, _ = api.ParseEpoch(m)
		}
		if m := new(apiv1.GetParamsResponse); proto.Unmarshal(b, m) == nil {
			if r, _, err := api.ParseRegistry(m); err == nil {
				if _, err := json.Marshal(r); err != nil {
					t.Errorf("a registry that cannot be written: %v", err)
				}
			}
		}
		if m := new(apiv1.GetReferenceResponse); proto.Unmarshal(b, m) == nil {
			_, _, _, _ = api.ParseReference(m)
		}
		if m := new(apiv1.StatusResponse); proto.Unmarshal(b, m) == nil {
			_, _ = api.ParseNodeStatus(m)
		}
		if m := new(apiv1.LinksResponse); proto.Unmarshal(b, m) == nil {
			if l, err := api.ParseLinks(m); err == nil {
				for _, x := range l.Links {
					if x.Since < 0 || x.RTT < 0 || x.Variance < 0 || x.Queued < 0 || x.Lanes < 0 || x.Datagram < 0 {
						t.Errorf("less than nothing: %+v", x)
					}
				}
			}
		}
		if m := new(apiv1.ProbeResponse); proto.Unmarshal(b, m) == nil {
			if p, err := api.ParseProbe(m); err == nil && (p.Min < 0 || p.P50 < 0 || p.P99 < 0 || p.Sent < 0 || p.Lost < 0 || p.Reordered < 0) {
				t.Errorf("less than nothing: %+v", p)
			}
		}
	})
}

// FuzzHost looks for a name that is served on loopback and is not one of loopback.
func FuzzHost(f *testing.F) {
	for _, s := range []string{"localhost", "LOCALHOST:80", "127.0.0.1:1", "[::1]:80", "::1", "evil.example", "localhost.evil", "127.0.0.1.evil", "[evil]:1", "", ":80",
		"[::ffff:127.0.0.1]", "0.0.0.0", "[::1%25evil]", "localhost.", "evil:localhost"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if !api.LoopbackServes(host) {
			return
		}
		h := host
		if n, _, err := net.SplitHostPort(host); err == nil {
			h = n
		}
		h = strings.ToLower(strings.TrimSuffix(strings.Trim(h, "[]"), "."))
		if ip, err := netip.ParseAddr(h); h != "localhost" && (err != nil || !ip.Unmap().IsLoopback()) {
			t.Errorf("%q is served", host)
		}
	})
}

func TestHostsOnANetwork(t *testing.T) {
	for _, c := range []struct {
		host  string
		names []string
		want  bool
	}{
		{"any.example", nil, true}, {"10.0.0.1:80", nil, true}, {"any.example", []string{"node.example"}, false}, {"node.example:80", []string{"node.example"}, true},
		{"10.0.0.1", []string{"node.example"}, true}, {"", []string{"node.example"}, false},
	} {
		if got := api.NetworkServes(c.host, c.names...); got != c.want {
			t.Errorf("%q with %v: %v", c.host, c.names, got)
		}
	}
}
