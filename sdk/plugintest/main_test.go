package plugintest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/sdk"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/storage/storagetest"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/transport/transporttest"
	"github.com/paloalto-chain/paloalto/sdk/vm/vmtest"
)

// TestMain lets the test binary be the plugins under test: `serve good`, which the SDK serves, and `serve CASE`, which only
// that case fails.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "serve" {
		switch os.Args[2] {
		case "good":
			sdk.Serve(tiny{})
		case "kinds":
			sdk.Serve(kinds{smallHub(transporttest.NewHub())})
		case "authenticated":
			sdk.Serve(authenticated{kinds{smallHub(transporttest.NewAuthenticatedHub())}})
		default:
			serveBroken(os.Args[2])
		}
		os.Exit(0)
	}
	if os.Getenv("GORACE") == "" { // otherwise each process takes a second to end
		_ = os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	goleak.VerifyTestMain(m)
}

// tiny is a plugin of two kinds, with the references of their suites.
type tiny struct{}

func (tiny) Describe() plugin.Info {
	schema := plugin.Schema{Attributes: []plugin.Attribute{
		{Name: "size", Type: plugin.Size, Default: "16", Min: "1", Max: "100", Description: "how large"},
		{Name: "colour", Type: plugin.String, Default: `"red"`, OneOf: []string{"red", "green"}, Description: "how coloured"},
	}}
	return plugin.Info{Name: "tiny", Version: "1.0.0", API: plugin.API, Kinds: []plugin.KindInfo{
		{Kind: plugin.Storage, Rules: []string{"1"}, Schema: schema}, {Kind: plugin.VM, Rules: []string{"2", "1"}, Schema: schema}}}
}

func (tiny) Open(_ context.Context, _ plugin.Host, req plugin.OpenRequest) (any, error) {
	var config struct {
		Size   int64  `json:"size"`
		Colour string `json:"colour"`
	}
	d := json.NewDecoder(strings.NewReader(string(req.Config)))
	d.DisallowUnknownFields()
	if err := d.Decode(&config); err != nil || d.More() {
		return nil, fmt.Errorf("%w: %v", plugin.ErrBadConfig, err)
	}
	if req.Kind == plugin.VM {
		return vmtest.NewFake(), nil
	}
	return storagetest.NewMemory(), nil
}

// kinds is a plugin of the other kinds that have a reference.
type kinds struct{ hub *transporttest.Hub }

func (kinds) Describe() plugin.Info {
	i := plugin.Info{Name: "kinds", Version: "1.0.0", API: plugin.API}
	for _, k := range []plugin.Kind{plugin.Module, plugin.Oracle, plugin.Transport} {
		i.Kinds = append(i.Kinds, plugin.KindInfo{Kind: k, Rules: []string{"1"}})
	}
	return i
}

func (k kinds) Open(_ context.Context, _ plugin.Host, req plugin.OpenRequest) (any, error) {
	switch req.Kind {
	case plugin.Module:
		return &moduletest.Tally{Neighbour: true}, nil
	case plugin.Transport:
		return k.hub.New(), nil
	}
	return silent{}, nil
}

// smallHub has queues that are soon full.
func smallHub(h *transporttest.Hub) *transporttest.Hub {
	h.Queue = 1 << 20
	return h
}

// authenticated is kinds whose transports are the nodes for which their host certifies a session key.
type authenticated struct{ kinds }

func (a authenticated) Open(ctx context.Context, host plugin.Host, req plugin.OpenRequest) (any, error) {
	if req.Kind != plugin.Transport {
		return a.kinds.Open(ctx, host, req)
	}
	session := []byte("the session key of this instance")
	cert, err := host.BindTransport(ctx, session)
	if err != nil {
		return nil, err
	}
	key, err := transport.VerifyBinding(session, cert)
	if err != nil {
		return nil, err
	}
	if _, err := host.Derive(ctx, "anything"); err == nil {
		return nil, errors.New("the host of a test derives secrets")
	}
	return a.hub.Node(key), nil
}

// silent is an observer that knows nothing.
type silent struct{ oracle.NoVoter }

func (silent) Observe(context.Context, oracle.Question) (oracle.Belief, error) {
	return oracle.Belief{}, fmt.Errorf("%w: nobody told me", oracle.ErrNoBelief)
}

// self is the test binary as a plugin.
func self(t testing.TB, args ...string) Binary {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Binary{Path: exe, Args: append([]string{"serve"}, args...)}
}
