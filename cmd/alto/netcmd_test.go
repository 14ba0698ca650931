package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// What the ends of links say of them is put together: what one end has and the other has not, nodes that are silent, strangers.
func TestTopology(t *testing.T) {
	ids := map[string]types.Hash{"a": {1}, "b": {2}, "c": {3}, "d": {4}, "stranger": {5}}
	up := func(name string) api.PeerLink {
		return api.PeerLink{Node: ids[name], Name: name, Up: true, Authenticated: true, Datagrams: 200, Retransmitted: 3}
	}
	down := func(name string) api.PeerLink { return api.PeerLink{Node: ids[name], Name: name} }
	links := func(l ...api.PeerLink) api.Links { return api.Links{Links: l} }
	silent := errors.New("connection refused")
	for name, c := range map[string]struct {
		nodes []nodeLinks
		want  []string
		code  int
	}{
		"both ends": {[]nodeLinks{{"a", ids["a"], links(up("b")), nil}, {"b", ids["b"], links(up("a")), nil}}, []string{"a b up", "b a up"}, 0},
		"no end":    {[]nodeLinks{{"a", ids["a"], links(down("b")), nil}, {"b", ids["b"], links(down("a")), nil}}, []string{"a b down", "b a down"}, 0},
		"one end": {[]nodeLinks{{"a", ids["a"], links(up("b")), nil}, {"b", ids["b"], links(down("a")), nil}},
			[]string{"a b one end only", "b a other end only"}, 0},
		"one does not know of it": {[]nodeLinks{{"a", ids["a"], links(up("b")), nil}, {"b", ids["b"], links(), nil}},
			[]string{"a b one end only", "b a other end only"}, 0},
		"one does not know of one that is down": {[]nodeLinks{{"a", ids["a"], links(down("b")), nil}, {"b", ids["b"], links(), nil}},
			[]string{"a b down", "b a down"}, 0},
		"silent": {[]nodeLinks{{"a", ids["a"], links(up("b"), down("c")), nil}, {"b", ids["b"], api.Links{}, silent}, {"c", ids["c"], links(down("a"), down("b")), nil}},
			[]string{"a b up", "a c down", "c a down", "c b down"}, exitUnhealthy},
		"several links with one node": {[]nodeLinks{{"a", ids["a"], links(down("b"), up("b")), nil}, {"b", ids["b"], links(up("a")), nil}},
			[]string{"a b up", "b a up"}, 0},
		"not shown": {[]nodeLinks{{"a", ids["a"], links(api.PeerLink{Node: ids["b"], Name: "b", Up: true}), nil}, {"b", ids["b"], links(up("a")), nil}},
			[]string{"a b unauthenticated", "b a up"}, 0},
		"strangers": {[]nodeLinks{{"a", ids["a"], links(api.PeerLink{Address: "127.0.0.1:9", Up: true}, api.PeerLink{Node: ids["stranger"], Up: true, Authenticated: true},
			api.PeerLink{Node: types.Hash{6}, Name: "friend"}), nil}},
			[]string{"a " + ids["stranger"].Short() + " up", "a 127.0.0.1:9 unauthenticated", "a friend down"}, 0},
		"alone": {[]nodeLinks{{"a", ids["a"], links(), nil}}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			v := topologyOf(c.nodes)
			var got []string
			for _, l := range v.Links {
				got = append(got, strings.TrimSpace(l.From+" "+l.To+" "+l.State))
				if l.State == linkUp && l.Datagrams > 0 && l.Loss != 0.015 {
					t.Errorf("loss %v", l.Loss)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			if err := v.problem(); exitCode(t.Context(), err) != c.code {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestNumbersForPeople(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{spanText(0), "-"}, {spanText(34567), "35µs"}, {spanText(1234567), "1.23ms"}, {spanText(123456789), "123ms"}, {spanText(2345 * time.Millisecond), "2.345s"},
		{rateText(0), "-"}, {rateText(999), "999 B/s"}, {rateText(123_456), "123.5 kB/s"}, {rateText(123_456_789), "123.5 MB/s"},
		{sizeText(0), "0 B"}, {sizeText(123_456), "123.5 kB"}, {sizeText(123_456_789), "123.5 MB"}, {percentText(share(1, 8)), "12.50%"}, {percentText(share(0, 0)), "0.00%"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

// The proxy alone stands for a program until it is interrupted, and tells what became of the datagrams then.
func TestFaultsRun(t *testing.T) {
	program, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out bytes.Buffer
	progress, errw := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"net", "faults", "run", "--listen", "127.0.0.1:0", "--target", program.LocalAddr().String(), "--fault-seed", "7", "duplicate=100%"},
			strings.NewReader(""), &out, errw)
		_ = errw.Close()
	}()
	lines := bufio.NewScanner(progress)
	if !lines.Scan() {
		t.Fatalf("it says nothing: exit code %d", <-code)
	}
	at := regexp.MustCompile(`^(127\.0\.0\.1:\d+) -> ` + regexp.QuoteMeta(program.LocalAddr().String()) + `$`).FindStringSubmatch(lines.Text())
	if at == nil {
		t.Fatalf("%q", lines.Text())
	}
	if !lines.Scan() || lines.Text() != "seed 7: duplicate=1; Ctrl-C ends it" {
		t.Errorf("%q", lines.Text())
	}
	caller, err := net.Dial("udp", at[1])
	if err != nil {
		t.Fatal(err)
	}
	defer caller.Close()
	if _, err := fmt.Fprint(caller, "hello"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	_ = program.SetReadDeadline(time.Now().Add(20 * time.Second))
	for range 2 {
		if n, _, err := program.ReadFrom(buf); err != nil || string(buf[:n]) != "hello" {
			t.Fatalf("%q, %v", buf[:n], err)
		}
	}
	cancel()
	if c := <-code; c != exitOK {
		t.Errorf("exit code %d", c)
	}
	row := regexp.MustCompile(`(?m)^unknown +` + regexp.QuoteMeta(program.LocalAddr().String()) + ` +1 +[12] +0 +0 +0 +1 .*duplicate=1$`)
	if text := out.String(); !strings.HasPrefix(text, "fault proxy, seed 7\n") || !row.MatchString(text) {
		t.Errorf("%s", text)
	}
}
