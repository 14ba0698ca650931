package api_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/api/apitest"
	apiv1 "github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1"
	"github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1/apiv1connect"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// counting is a node that takes part in disputes and counts what it is told.
type counting struct {
	*apitest.Node
	calls int
}

func (c *counting) Believe(context.Context, string, types.Hash, oracle.Value, string) error {
	c.calls++
	return nil
}

func (c *counting) Observations(context.Context, string) ([]api.Observation, error) { return nil, nil }

func (c *counting) SignBallot(context.Context, string, types.Hash) ([]byte, error) {
	c.calls++
	return nil, nil
}

// TestBallotsThatMakeNoSense are refused before the node hears of them.
func TestBallotsThatMakeNoSense(t *testing.T) {
	dir, err := os.MkdirTemp("", "alto") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	token, err := api.EnsureToken(filepath.Join(dir, "token"))
	if err != nil {
		t.Fatal(err)
	}
	sock := filepath.Join(dir, "s")
	l, err := api.Listen(api.UnixPrefix + sock)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, api.Options{})
	node := &counting{Node: r.node}
	served := make(chan error, 1)
	go func() { served <- r.server.ServeAdmin(l, node, token) }()
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", sock)
	}}
	admin := apiv1connect.NewAdminServiceClient(&http.Client{Transport: tr}, "http://node")
	good := types.Hash{1}.String()
	for _, c := range []struct{ what, question, value, reason, want string }{
		{"all well", good, "YES", strings.Repeat("x", oracle.MaxReasonBytes), ""}, {"no question", "", "YES", "", "ErrInvalid"},
		{"half an id", good[:32], "YES", "", "ErrInvalid"}, {"no id", strings.Repeat("z", 64), "YES", "", "ErrInvalid"}, {"no value", good, "", "", "ErrInvalid"},
		{"small letters", good, "yes", "", "ErrInvalid"}, {"a long reason", good, "YES", strings.Repeat("x", oracle.MaxReasonBytes+1), "ErrInvalid"},
	} {
		before := node.calls
		req := connect.NewRequest(&apiv1.OracleBallotRequest{Question: c.question, Value: c.value, Reason: c.reason})
		req.Header().Set("Authorization", "Bearer "+token)
		_, err := admin.OracleBallot(t.Context(), req)
		if nameOf(err) != c.want || (c.want != "" && node.calls != before) || (c.want == "" && node.calls != before+1) {
			t.Errorf("%s: %v, %d calls", c.what, err, node.calls-before)
		}
	}
	sign := connect.NewRequest(&apiv1.OracleSignBallotRequest{Question: good + "00"})
	sign.Header().Set("Authorization", "Bearer "+token)
	before := node.calls
	if _, err := admin.OracleSignBallot(t.Context(), sign); nameOf(err) != "ErrInvalid" || node.calls != before {
		t.Errorf("sign: %v", err)
	}
	tr.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.server.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// FuzzObservations reads what a node might answer: what is read is within bounds.
func FuzzObservations(f *testing.F) {
	seed, _ := proto.Marshal(&apiv1.OracleObservationsResponse{Observations: []*apiv1.OracleObservation{
		{Question: types.Hash{1}.String(), State: "believes", Value: "TOO_EARLY", Attempts: 1 << 31, AtMs: -1}, {State: "failed", Reason: "\u0000"}}})
	f.Add(seed)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		m := &apiv1.OracleObservationsResponse{}
		if proto.Unmarshal(b, m) != nil {
			return
		}
		list, err := api.ParseObservations(m)
		if err != nil {
			return
		}
		for _, o := range list {
			if o.Attempts < 0 || (o.Value != nil && !o.Value.Valid()) {
				t.Errorf("%+v", o)
			}
		}
	})
}
