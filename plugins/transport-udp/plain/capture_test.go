package plain

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// ends are the addresses of the captures.
var ends = map[string]netip.AddrPort{
	"A": netip.MustParseAddrPort("192.0.2.1:26600"),
	"B": netip.MustParseAddrPort("192.0.2.2:26700"),
	"C": netip.MustParseAddrPort("192.0.2.3:26800"),
}

// step is a line of a capture: a datagram, an action of an end's user, or what is reported to it.
type step struct {
	line     int
	at       Time
	from, to string // of a datagram; to is "-" if it got lost
	network  bool   // the network brings it
	data     []byte
	comment  string
	end      string // of an action or a report
	words    []string
	report   bool
}

type capture struct {
	steps []step
	set   map[string]map[string]string // by end and setting
}

// TestCaptures replays each capture from each of its ends: what the others send is put in, what the end sends and reports
// must be what is written, byte for byte and at its time.
func TestCaptures(t *testing.T) {
	files, err := filepath.Glob("testdata/captures/*.txt")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d captures, %v", len(files), err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		c, err := parseCapture(string(text))
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		for _, end := range []string{"A", "B", "C"} {
			if !c.has(end) {
				continue
			}
			t.Run(strings.TrimSuffix(filepath.Base(f), ".txt")+"/"+end, func(t *testing.T) {
				if line, err := c.replay(end); err != nil {
					t.Fatalf("%s:%d: %v", f, line, err)
				}
			})
		}
	}
}

// TestCaptureCanFail alters a byte of each kind of line and wants the replay to see it.
func TestCaptureCanFail(t *testing.T) {
	text, err := os.ReadFile("testdata/captures/file-with-loss.txt")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"a number":         {"00 04 00 03", "00 04 00 02"},
		"a retransmission": {"01 03 02 02", "01 03 01 02"},
		"a time":           {"210ms    A >", "220ms    A >"},
		"an order":         {"B > A  00 04 00 03                              # DATA_OK 3", "B > A  00 06 00 04                              # DATA_OVER_OK 4"},
		"a report":         {`B : got DATA_OVER`, `B : got DATA "x"`},
	} {
		altered := strings.Replace(string(text), change[0], change[1], 1)
		if altered == string(text) {
			t.Fatalf("%s: there is no %q", name, change[0])
		}
		c, err := parseCapture(altered)
		if err == nil {
			_, a := c.replay("A")
			_, b := c.replay("B")
			if a == nil && b == nil {
				t.Errorf("%s: the replay does not see it", name)
			}
		}
	}
}

func (c *capture) has(end string) bool {
	for _, s := range c.steps {
		if s.from == end && !s.network || s.end == end {
			return true
		}
	}
	return false
}

func parseCapture(text string) (*capture, error) {
	c := &capture{set: map[string]map[string]string{}}
	number := 0
	for line := range strings.Lines(text) {
		number++
		body, comment, _ := strings.Cut(line, " # ")
		if strings.HasPrefix(body, "#") || strings.TrimSpace(body) == "" {
			continue
		}
		words := splitWords(body)
		if words[0] == "set" {
			if c.set[words[1]] == nil {
				c.set[words[1]] = map[string]string{}
			}
			c.set[words[1]][words[2]] = words[3]
			continue
		}
		s := step{line: number, comment: strings.TrimSpace(comment)}
		var err error
		if s.at, err = time.ParseDuration(words[0]); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		switch {
		case words[2] == ">" || words[2] == "~":
			s.from, s.to, s.network = words[1], words[3], words[2] == "~"
			if s.data, err = hex.DecodeString(strings.Join(words[4:], "")); err != nil {
				return nil, fmt.Errorf("line %d: %w", number, err)
			}
			if !strings.HasPrefix(s.comment, Describe(s.data)) {
				return nil, fmt.Errorf("line %d: the datagram is %s, the comment says %s", number, Describe(s.data), s.comment)
			}
		case words[2] == ":":
			s.end, s.report, s.words = words[1], true, words[3:]
		default:
			s.end, s.words = words[1], words[2:]
		}
		c.steps = append(c.steps, s)
	}
	return c, nil
}

// splitWords splits at blanks; a quoted word is one.
func splitWords(s string) (out []string) {
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		if q, err := strconv.QuotedPrefix(s); err == nil {
			out, s = append(out, q), s[len(q):]
			continue
		}
		w, rest, _ := strings.Cut(s, " ")
		out, s = append(out, w), rest
	}
	return out
}

func (c *capture) hub(end string) *Hub {
	cfg := HubConfig{Conn: Defaults(), Strangers: 8}
	cfg.Conn.Port = ends[end].Port()
	for name, value := range c.set[end] {
		n, err := strconv.Atoi(value)
		if err != nil {
			panic(err)
		}
		switch name {
		case "limit":
			cfg.Conn.RetransmitLimit = n
		case "window":
			cfg.Conn.Window = n
		case "strangers":
			cfg.Strangers = n
		default:
			panic("unknown setting " + name)
		}
	}
	return NewHub(cfg)
}

// replay returns the line that is not what happens.
func (c *capture) replay(end string) (int, error) {
	h := c.hub(end)
	var sent []timed[Datagram]
	var reports []timed[Event]
	collect := func(now Time) {
		for _, d := range h.Output().Datagrams {
			sent = append(sent, timed[Datagram]{now, d})
		}
		for _, e := range h.Output().Events {
			reports = append(reports, timed[Event]{now, e})
		}
		h.Reset()
	}
	var now Time
	tick := func(until Time) {
		for h.Wake() < until {
			now = max(now, h.Wake())
			h.Tick(now)
			collect(now)
		}
	}
	peer := ends["B"]
	if end == "B" {
		peer = ends["A"]
	}
	for _, s := range c.steps {
		own := s.from == end && !s.network
		switch {
		case own && len(sent) == 0, s.end == end && s.report && len(reports) == 0:
			tick(s.at + 1)
		default:
			tick(s.at)
		}
		now = max(now, s.at)
		switch {
		case own:
			if len(sent) == 0 {
				return s.line, fmt.Errorf("%s sends nothing", end)
			}
			got := sent[0]
			sent = sent[1:]
			if !bytes.Equal(got.v.Data, s.data) || got.at != s.at || s.to != "-" && got.v.To != ends[s.to] {
				return s.line, fmt.Errorf("%s sends\n\t%s", end, Line(got.at, end, got.v.To.String(), got.v.Data))
			}
		case s.to == end:
			if len(sent) > 0 && sent[0].at < s.at {
				return s.line, fmt.Errorf("before this, %s sends\n\t%s", end, Line(sent[0].at, end, sent[0].v.To.String(), sent[0].v.Data))
			}
			h.Datagram(now, ends[s.from], s.data)
		case s.end == end && s.report:
			if len(reports) == 0 {
				return s.line, fmt.Errorf("nothing is reported to %s", end)
			}
			got := reports[0]
			reports = reports[1:]
			if text := report(got.v); text != strings.Join(s.words, " ") || got.at != s.at {
				return s.line, fmt.Errorf("%s is told at %s: %s", end, got.at, text)
			}
		case s.end == end:
			if s.words[0] == "kill" {
				h = c.hub(end)
				continue
			}
			if err := act(h, now, peer, s.words); err != nil {
				return s.line, err
			}
		}
		collect(now)
	}
	if len(sent) > 0 {
		return c.steps[len(c.steps)-1].line, fmt.Errorf("after the last line %s sends\n\t%s", end, Line(sent[0].at, end, sent[0].v.To.String(), sent[0].v.Data))
	}
	if len(reports) > 0 {
		return c.steps[len(c.steps)-1].line, fmt.Errorf("after the last line %s is told %s", end, report(reports[0].v))
	}
	return 0, nil
}

type timed[T any] struct {
	at Time
	v  T
}

// report writes an event as the captures do.
func report(e Event) string {
	switch e.Kind {
	case Up:
		return "up"
	case Down:
		s := "down " + e.Code.String()
		if e.ByPeer {
			s += " by peer"
		}
		return s
	case Unreachable:
		return "unreachable"
	case Refused:
		return "refused " + e.Code.String()
	case Received:
		s := "got " + e.ID.String()
		if len(e.Body) > 0 {
			s += " " + strconv.Quote(string(e.Body))
		}
		return s
	}
	return fmt.Sprintf("event %d", e.Kind)
}

// act does what a user does.
func act(h *Hub, now Time, peer netip.AddrPort, words []string) error {
	switch words[0] {
	case "dial":
		h.Dial(now, peer)
	case "hangup":
		for code := wire.HeartJumpFailed; code <= wire.ConfigError; code++ {
			if code.String() == words[1] {
				h.Hangup(now, peer, code, "hung up")
				return nil
			}
		}
		return fmt.Errorf("no such code: %s", words[1])
	case "send":
		var body []byte
		if len(words) > 2 {
			text, err := strconv.Unquote(words[2])
			if err != nil {
				return err
			}
			body = []byte(text)
		}
		for id := wire.Connect; id <= wire.TestOver; id++ {
			if id.String() != words[1] {
				continue
			}
			if c := h.Conn(peer); c == nil || !c.Send(now, id, body) {
				return fmt.Errorf("there is no room to send %s", words[1])
			}
			return nil
		}
		return fmt.Errorf("no such message: %s", words[1])
	default:
		return fmt.Errorf("no such action: %s", words[0])
	}
	return nil
}
