package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// TestMain is a child where a test has started one.
func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		if err := childMain(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // kcp-go has goroutines from its start
}

func testOptions() options {
	return options{bytes: 2 << 20, time: 5 * time.Second, seed: 3, mode: defaultMode(), junkRate: 2000}
}

// TestEveryTransport: each moves both kinds of messages on a bad path, and every byte comes.
func TestEveryTransport(t *testing.T) {
	cells, err := choose("d0-l1")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range contenders() {
		for _, w := range []string{bulkWork, messageWork} {
			t.Run(c.name+" "+w, func(t *testing.T) {
				o := testOptions()
				if w == messageWork {
					o.bytes = 100_000
				}
				x := measure(t.Context(), o, cells[0], w, c)
				if !x.clean() || x.main() == nil || x.main().Got != x.main().Sent || x.Proxied == 0 {
					t.Errorf("%s; %+v", x.trouble(), x)
				}
			})
		}
	}
}

func TestPumpMovesDatagrams(t *testing.T) {
	cells, err := choose("d25-l1")
	if err != nil {
		t.Fatal(err)
	}
	r, err := pumpOnce(t.Context(), testOptions(), cells[0], ethernet, 256)
	if err != nil || r.Datagrams < 100 || r.Bytes < 100*ethernet {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestJunk(t *testing.T) {
	c, err := contenderOf("quic")
	if err != nil {
		t.Fatal(err)
	}
	o := testOptions()
	o.time = 100 * time.Millisecond
	x := junkOf(t.Context(), o, c)
	if x.Error != "" || x.Sent == 0 || x.Quiet.Got == 0 || x.Junk.Got == 0 || x.Quiet.Altered+x.Junk.Altered > 0 {
		t.Errorf("%+v", x)
	}
}

func TestACancelledRunEndsItsChild(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cells, err := choose("d100-l5")
	if err != nil {
		t.Fatal(err)
	}
	c, err := contenderOf("quic")
	if err != nil {
		t.Fatal(err)
	}
	o := testOptions()
	o.bytes, o.time = 1<<30, time.Minute
	ended := make(chan *result, 1)
	go func() { ended <- measure(ctx, o, cells[0], bulkWork, c) }()
	cancel()
	select {
	case x := <-ended:
		if x.Error == "" {
			t.Error("it ended without an error")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it goes on")
	}
}

// memory is a pair whose messages reach the flow by hand.
func memoryFlow(lane transport.Lane) (*flow, [][]byte) {
	p := &pair{}
	p.ends[0], p.ends[1] = &end{id: transport.PeerID{1}}, &end{id: transport.PeerID{2}}
	pat := newPattern(1)
	f := newFlow(p, lane, 300, pat, time.Now(), true)
	var sent [][]byte
	p.ends[0].links[lane] = &recorder{&sent}
	for range 4 {
		_ = f.send(f.now())
	}
	return f, sent
}

type recorder struct{ sent *[][]byte }

func (r *recorder) Dial(transport.PeerID, string) error { return nil }
func (r *recorder) Hangup(transport.PeerID) error       { return nil }
func (r *recorder) Recv() (transport.Incoming, error) {
	return transport.Incoming{}, transport.ErrClosed
}
func (r *recorder) Close() error { return nil }
func (r *recorder) Send(o transport.Outgoing) error {
	*r.sent = append(*r.sent, o.Payload)
	return nil
}

// TestAccounts: whatever happens to messages is noticed.
func TestAccounts(t *testing.T) {
	from := transport.PeerID{1}
	for _, c := range []struct {
		name  string
		lane  transport.Lane
		order []int
		alter func(b []byte) []byte
		peer  transport.PeerID
		want  account
	}{
		{"all", transport.Control, []int{0, 1, 2, 3}, nil, from, account{Got: 4}},
		{"one is missing", transport.Control, []int{0, 1, 3}, nil, from, account{Got: 3, Missing: 1}},
		{"one comes twice", transport.Control, []int{0, 1, 1, 2, 3}, nil, from, account{Got: 4, Twice: 1}},
		{"out of order on control", transport.Control, []int{0, 2, 1, 3}, nil, from, account{Got: 4, Late: 1}},
		{"out of order on bulk", transport.Bulk, []int{0, 2, 1, 3}, nil, from, account{Got: 4}},
		{"the first byte", transport.Bulk, []int{0, 1, 2, 3}, func(b []byte) []byte { b[0] ^= 1; return b }, from, account{Missing: 4, Altered: 4}},
		{"the last byte", transport.Bulk, []int{0, 1, 2, 3}, func(b []byte) []byte { b[299] ^= 1; return b }, from, account{Missing: 4, Altered: 4}},
		{"a byte less", transport.Bulk, []int{0, 1, 2, 3}, func(b []byte) []byte { return b[:299] }, from, account{Missing: 4, Altered: 4}},
		{"nothing", transport.Bulk, []int{0, 1, 2, 3}, func([]byte) []byte { return nil }, from, account{Missing: 4, Altered: 4}},
		{"of another", transport.Bulk, []int{0, 1, 2, 3}, nil, transport.PeerID{2}, account{Missing: 4, Altered: 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, sent := memoryFlow(c.lane)
			for _, i := range c.order {
				b := bytes.Clone(sent[i])
				if c.alter != nil {
					b = c.alter(b)
				}
				f.took(&transport.Message{Peer: c.peer, Channel: f.channel, Payload: b})
			}
			got := f.account()
			if got.Sent != 4 || got.Got != c.want.Got || got.Missing != c.want.Missing || got.Twice != c.want.Twice || got.Late != c.want.Late ||
				got.Altered != c.want.Altered {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			x := result{Work: messageWork, measurement: measurement{Control: &got}}
			if clean := c.want.Missing+c.want.Altered+c.want.Late == 0; x.clean() != clean || (x.trouble() == "") != (clean && c.want.Twice == 0) {
				t.Errorf("clean is %v: %s", x.clean(), x.trouble())
			}
		})
	}
}

func TestMedianAndCeiling(t *testing.T) {
	of := func(bytes uint64, p99 time.Duration) *result {
		return &result{Work: bulkWork, Rate: float64(bytes) / 1000, measurement: measurement{Bulk: &account{Bytes: bytes, Took: time.Second}, Control: &account{P99: p99}}}
	}
	if x := median(bulkWork, []*result{of(9000, 1), of(1000, 2), of(5000, 3)}); x.Bulk.Bytes != 5000 {
		t.Errorf("goodput %d is not in the middle", x.Bulk.Bytes)
	}
	if x := median(mixedWork, []*result{of(9000, 1), of(1000, 2), of(5000, 3)}); x.Control.P99 != 2 {
		t.Errorf("latency %d is not in the middle", x.Control.P99)
	}
	for _, c := range []struct {
		name string
		cell cell
		top  pumped
		want bool
	}{
		{"far below", cell{MTU: 1472}, pumped{Datagrams: 100, Bytes: 100_000}, false},
		{"bytes near it", cell{MTU: 1472}, pumped{Datagrams: 100, Bytes: 9900}, true},
		{"datagrams near it", cell{MTU: 1472}, pumped{Datagrams: 9.9, Bytes: 100_000}, true},
		{"datagrams of any size", cell{}, pumped{Datagrams: 9.9, Bytes: 100_000}, false},
		{"no proxy", cell{Direct: true}, pumped{Datagrams: 1, Bytes: 1}, false},
		{"no ceiling", cell{MTU: 1472}, pumped{}, false},
	} {
		r := row{Cell: c.cell, Ceiling: c.top, Results: map[string]*result{"x": of(9000, 1)}}
		if got := r.judge(); got != c.want || r.Results["x"].Bound != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestQuantile(t *testing.T) {
	list := []time.Duration{5, 3, 1, 4, 2}
	for _, c := range []struct {
		q    float64
		want time.Duration
	}{{0, 1}, {0.2, 1}, {0.5, 3}, {0.99, 5}, {1, 5}} {
		if got := quantile(list, c.q); got != c.want {
			t.Errorf("%v: %v, want %v", c.q, got, c.want)
		}
	}
	if quantile(nil, 0.5) != 0 {
		t.Error("of nothing")
	}
}

func TestChoose(t *testing.T) {
	for pattern, want := range map[string]int{"": 19, "loopback": 1, "d25-l?": 3, "d*-jumbo": 9, "d0-l0,d100-l5": 2} {
		if got, err := choose(pattern); err != nil || len(got) != want {
			t.Errorf("%q: %d cells, %v", pattern, len(got), err)
		}
	}
	for _, pattern := range []string{"d26-l0", "[", "loopback,"} {
		if _, err := choose(pattern); err == nil {
			t.Errorf("%q is taken", pattern)
		}
	}
}

func TestSummary(t *testing.T) {
	one := func(mb uint64, bound bool) *result {
		a := &account{Sent: mb, Got: mb, Bytes: mb << 20, Took: time.Second}
		return &result{Work: bulkWork, measurement: measurement{Bulk: a}, Bound: bound}
	}
	r := &report{Names: []string{"udp", "quic"}, Rows: []*row{
		{Cell: cell{Name: "x"}, Work: bulkWork, Results: map[string]*result{"udp": one(10, false), "quic": one(5, false)}},
		{Cell: cell{Name: "y"}, Work: bulkWork, Results: map[string]*result{"udp": one(1, false), "quic": one(4, false)}},
		{Cell: cell{Name: "z"}, Work: bulkWork, Results: map[string]*result{"udp": one(1, true), "quic": one(4, false)}},
		{Cell: cell{Name: "v", Extra: true}, Work: bulkWork, Results: map[string]*result{"udp": one(1, false), "quic": one(9, false)}},
	}}
	var b strings.Builder
	r.summary(&b)
	for _, want := range []string{"in 1 of 2 (worst 0.25, y bulk; 1 more are bound by the proxy)", "udp: 0 bytes lost or altered of 13 messages"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in %s", want, b.String())
		}
	}
	r.Rows[0].Results["udp"].Bulk.Altered = 1
	b.Reset()
	r.summary(&b)
	if strings.Contains(b.String(), "udp: 0 bytes lost") {
		t.Error("an altered message is not told of")
	}
}

func TestConfigOfTransportUDP(t *testing.T) {
	at := netip.MustParseAddrPort("127.0.0.1:2000")
	b, err := configUDP(at, setting{Mode: defaultMode(), MTU: 1472, Config: `{"silence": 20000000000}`})
	if err != nil || !strings.Contains(string(b), `"silence":20000000000`) || !strings.Contains(string(b), `"mode":"`+defaultMode()) {
		t.Errorf("%s, %v", b, err)
	}
	if _, err := configUDP(at, setting{Config: "{"}); err == nil {
		t.Error("half an object is taken")
	}
}
