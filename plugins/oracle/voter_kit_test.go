package prophecy

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/oracle/observe"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

var voterChain = types.ChainID{0xba}

func sortValues(list []module.Value) {
	slices.SortFunc(list, func(a, b module.Value) int { return a.Item.Compare(b.Item) })
}

type keyPair struct {
	private ed25519.PrivateKey
	public  types.PublicKey
}

// hostKey is the key of node i.
func hostKey(i int) keyPair { return hostKeys()[i] }

var hostKeys = sync.OnceValue(func() (out [10]keyPair) {
	for i := range out {
		seed := types.Sum("test/voter\x00", fmt.Append(nil, i))
		k := ed25519.NewKeyFromSeed(seed[:])
		out[i] = keyPair{k, types.Ed25519Key(k.Public().(ed25519.PublicKey))}
	}
	return out
})

// testHost is the host of node number 0.
type testHost struct {
	mu      sync.Mutex
	told    []string // log lines
	changed chan struct{}
	metrics map[string]float64
	last    uint64 // ordinal that was signed
	derive  func(ctx context.Context) error
}

func newHost() *testHost {
	return &testHost{changed: make(chan struct{}), metrics: map[string]float64{}}
}

func (h *testHost) Sign(_ context.Context, purpose string, ordinal uint64, payload []byte) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ordinal <= h.last {
		return nil, fmt.Errorf("ordinal %d after %d", ordinal, h.last)
	}
	h.last = ordinal
	return ed25519.Sign(hostKey(0).private, types.PluginSignBytes(types.Hash(voterChain), "oracle", purpose, payload)), nil
}

func (h *testHost) ProveVRF(context.Context, []byte) ([]byte, error) { return nil, errors.New("none") }

func (h *testHost) Derive(ctx context.Context, label string) ([]byte, error) {
	if h.derive != nil {
		if err := h.derive(ctx); err != nil {
			return nil, err
		}
	}
	s := types.Sum("test/derive\x00", []byte(label))
	return s[:], nil
}

func (h *testHost) BindTransport(context.Context, []byte) ([]byte, error) {
	return nil, errors.New("none")
}

func (h *testHost) Log(level, message string, fields map[string]string) {
	line := level + ": " + message
	names := make([]string, 0, len(fields))
	for n := range fields {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		line += fmt.Sprintf(" %s=%q", n, fields[n])
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told = append(h.told, line)
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *testHost) Metric(name string, v float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.metrics[name] = v
	close(h.changed)
	h.changed = make(chan struct{})
}

// await waits until the host was told a line that has all of some words.
func (h *testHost) await(t *testing.T, words ...string) string {
	t.Helper()
	for {
		h.mu.Lock()
		changed := h.changed
		for _, line := range h.told {
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
				h.mu.Unlock()
				return line
			}
		}
		h.mu.Unlock()
		select {
		case <-changed:
		case <-t.Context().Done():
			t.Fatalf("never told: %q; but %q", words, h.told)
		case <-time.After(30 * time.Second):
			h.mu.Lock()
			defer h.mu.Unlock()
			t.Fatalf("not told in 30 s: %q; but %q", words, h.told)
		}
	}
}

// count tells how many lines have a word.
func (h *testHost) count(word string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, line := range h.told {
		if strings.Contains(line, word) {
			n++
		}
	}
	return n
}

func (h *testHost) metric(name string) float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.metrics[name]
}

// clock is a clock that tests set.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.t.IsZero() {
		c.t = time.Unix(1_700_000_000, 0)
	}
	c.t = c.t.Add(time.Millisecond)
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// node is a voter under test with what is around it.
type node struct {
	t    *testing.T
	host *testHost
	dir  string
	cfg  observe.Config
	time *clock
	*voter
}

func newNode(t *testing.T, cfg observe.Config) *node {
	n := &node{t: t, host: newHost(), dir: t.TempDir(), cfg: cfg, time: &clock{}}
	n.start()
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// script is a command as an observer.
func script(text string) observe.Config {
	return observe.Config{Kind: observe.Command, Argv: []string{"/bin/sh", "-c", text}, Timeout: 20 * time.Second}
}

func manual() observe.Config { return observe.Config{Kind: observe.Manual} }

func (n *node) start() {
	n.t.Helper()
	key := voterKey(0)
	v, err := newVoter(voterConfig{chain: voterChain, key: &key, host: n.host, dir: n.dir, now: n.time.now,
		observer: observerConfig{source: n.cfg, retry: time.Millisecond, parallel: 2}})
	if err != nil {
		n.t.Fatal(err)
	}
	n.voter = v
}

// restart is a crash: nothing of the old voter but its folder is left, and even that only as it was when it was killed.
func (n *node) restart() {
	n.t.Helper()
	old := n.voter
	n.start()
	if err := old.Close(); err != nil {
		n.t.Fatal(err)
	}
}

// extends returns the ballots for a block on a state.
func (n *node) extends(s *chainState) []oracle.Ballot {
	n.t.Helper()
	data, err := n.extend(n.t.Context(), 1, s)
	if err != nil {
		n.t.Fatal(err)
	}
	if data == nil {
		return nil
	}
	list, err := oracle.DecodeBallots(data)
	if err != nil {
		n.t.Fatal(err)
	}
	return list
}

// one returns the one ballot that is due.
func (n *node) one(d ...disputed) oracle.Ballot {
	n.t.Helper()
	list := n.extends(newState().put(d...))
	if len(list) != 1 {
		n.t.Fatalf("%d ballots, want 1; it was told %q", len(list), n.host.told)
	}
	return list[0]
}

// shows returns what is known of a question.
func (n *node) showsOf(id [32]byte) oracle.Observation {
	n.t.Helper()
	for _, o := range n.observations() {
		if o.Question == id {
			return o
		}
	}
	n.t.Fatalf("nothing is known of question %x", id[:4])
	return oracle.Observation{}
}

// votesFor tells which value a commit of this node is for.
func votesFor(t *testing.T, b oracle.Ballot, life int) oracle.Value {
	t.Helper()
	salt := types.Sum("test/derive\x00", fmt.Appendf(nil, "ballot/1/%x/%d", b.Question, life))
	v, ok := openCommit(voterChain, b.Question, voterKey(0).Hash(), b.Commit, salt)
	if !ok || b.Phase != oracle.Commit {
		t.Fatalf("the ballot is no commit of this node: %+v", b)
	}
	return v
}
