package transport

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	transportv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/transport/v1"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// peerOf is what a node is called by who authenticates it.
func peerOf(seed byte) (PeerID, *types.PublicKey) {
	_, key := testNode(seed)
	return PeerID(key.Hash()), &key
}

// carried sends a message through the encoding.
func carried[M proto.Message](t *testing.T, m M) M {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	out := m.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(b, out); err != nil {
		t.Fatal(err)
	}
	return out.(M)
}

func TestIncomingRoundTrip(t *testing.T) {
	id, key := peerOf(1)
	for name, in := range map[string]Incoming{
		"message":        {Message: &Message{Peer: id, Channel: "\x00\xff", Payload: []byte("payload")}},
		"largest":        {Message: &Message{Peer: id, Channel: strings.Repeat("c", MaxChannel), Payload: make([]byte, MaxPayload)}},
		"up":             {Peer: &PeerEvent{Peer: id, Up: true, Reason: "connected", Address: "127.0.0.1:1"}},
		"down":           {Peer: &PeerEvent{Peer: PeerID{1}, Reason: "gone"}},
		"authenticated":  {Peer: &PeerEvent{Peer: id, Up: true, Address: "127.0.0.1:1", Node: key}},
		"node that left": {Peer: &PeerEvent{Peer: id, Reason: "gone", Node: key}},
		"full":           {Flow: &Flow{Peer: id, Full: true}},
		"room":           {Flow: &Flow{Peer: PeerID{}}},
	} {
		w, err := incomingToWire(in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := incomingFromWire(carried(t, w), Control); err != nil || !reflect.DeepEqual(got, in) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, in)
		}
	}
	// Flows and messages come on both lanes.
	for _, in := range []Incoming{{Flow: &Flow{Peer: id}}, {Message: &Message{Peer: id}}} {
		w, err := incomingToWire(in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := incomingFromWire(w, Bulk); err != nil {
			t.Errorf("on the bulk lane: %v", err)
		}
	}
}

func TestIncomingToWireRefuses(t *testing.T) {
	m, e, f := &Message{}, &PeerEvent{}, &Flow{}
	for name, in := range map[string]Incoming{
		"nothing": {}, "a message and an event": {Message: m, Peer: e}, "a message and a flow": {Message: m, Flow: f},
		"an event and a flow": {Peer: e, Flow: f}, "all": {Message: m, Peer: e, Flow: f},
	} {
		if w, err := incomingToWire(in); err == nil {
			t.Errorf("%s: %v", name, w)
		}
	}
}

func TestHostileIncoming(t *testing.T) {
	id, key := peerOf(1)
	_, other := peerOf(2)
	event := func(change func(*transportv1.PeerEvent)) *transportv1.Incoming {
		e := &transportv1.PeerEvent{Peer: id[:], Up: true, NodeScheme: uint32(key.Scheme), NodeKey: key.Key}
		change(e)
		return &transportv1.Incoming{Kind: &transportv1.Incoming_Peer{Peer: e}}
	}
	message := func(m *transportv1.Received) *transportv1.Incoming {
		return &transportv1.Incoming{Kind: &transportv1.Incoming_Received{Received: m}}
	}
	flow := func(peer []byte) *transportv1.Incoming {
		return &transportv1.Incoming{Kind: &transportv1.Incoming_Flow{Flow: &transportv1.Flow{Peer: peer, Full: true}}}
	}
	if _, err := incomingFromWire(event(func(*transportv1.PeerEvent) {}), Control); err != nil {
		t.Fatalf("an event with nothing wrong: %v", err)
	}
	for name, c := range map[string]struct {
		in   *transportv1.Incoming
		lane Lane
	}{
		"nothing":                    {nil, Control},
		"no kind":                    {&transportv1.Incoming{}, Control},
		"event on the bulk lane":     {event(func(*transportv1.PeerEvent) {}), Bulk},
		"event of nobody":            {event(func(e *transportv1.PeerEvent) { e.Peer = nil }), Control},
		"reason too long":            {event(func(e *transportv1.PeerEvent) { e.Reason = strings.Repeat("r", MaxReason+1) }), Control},
		"address too long":           {event(func(e *transportv1.PeerEvent) { e.Address = strings.Repeat("r", MaxAddress+1) }), Control},
		"another's key":              {event(func(e *transportv1.PeerEvent) { e.NodeKey = other.Key }), Control},
		"key of another peer":        {event(func(e *transportv1.PeerEvent) { e.Peer = bytes.Repeat([]byte{1}, 32) }), Control},
		"another's key, down":        {event(func(e *transportv1.PeerEvent) { e.NodeKey, e.Up = other.Key, false }), Control},
		"key too short":              {event(func(e *transportv1.PeerEvent) { e.NodeKey = e.NodeKey[:31] }), Control},
		"key too long":               {event(func(e *transportv1.PeerEvent) { e.NodeKey = make([]byte, types.MaxKeyBytes+1) }), Control},
		"key without a scheme":       {event(func(e *transportv1.PeerEvent) { e.NodeScheme = 0 }), Control},
		"unknown scheme":             {event(func(e *transportv1.PeerEvent) { e.NodeScheme = 200 }), Control},
		"scheme that would be cut":   {event(func(e *transportv1.PeerEvent) { e.NodeScheme = 1<<8 + 1 }), Control},
		"flow of nobody":             {flow(nil), Control},
		"flow of a name too short":   {flow(id[:31]), Bulk},
		"flow of a name too long":    {flow(append(id[:], 0)), Bulk},
		"message from nobody":        {message(&transportv1.Received{}), Bulk},
		"channel too long":           {message(&transportv1.Received{Peer: id[:], Channel: make([]byte, MaxChannel+1)}), Control},
		"payload too long":           {message(&transportv1.Received{Peer: id[:], Payload: make([]byte, MaxPayload+1)}), Bulk},
		"event with nothing in it":   {&transportv1.Incoming{Kind: &transportv1.Incoming_Peer{}}, Control},
		"flow with nothing in it":    {&transportv1.Incoming{Kind: &transportv1.Incoming_Flow{}}, Control},
		"message with nothing in it": {&transportv1.Incoming{Kind: &transportv1.Incoming_Received{}}, Control},
	} {
		if got, err := incomingFromWire(c.in, c.lane); !errors.Is(err, ErrMisbehaved) {
			t.Errorf("%s: %+v, %v, want ErrMisbehaved", name, got, err)
		}
	}
}

// TestTextsAreCut: a plugin's texts may be anything; what crosses the wire may not.
func TestTextsAreCut(t *testing.T) {
	w, err := incomingToWire(Incoming{Peer: &PeerEvent{Reason: strings.Repeat("ü", MaxReason), Address: "\xff" + strings.Repeat("a", MaxAddress)}})
	if err != nil {
		t.Fatal(err)
	}
	in, err := incomingFromWire(carried(t, w), Control)
	if err != nil || len(in.Peer.Reason) > MaxReason || len(in.Peer.Address) != MaxAddress {
		t.Errorf("%+v, %v", in.Peer, err)
	}
	links := carried(t, statsToWire([]LinkStats{{Address: "\xff" + strings.Repeat("a", MaxAddress)}}))
	if got, err := statsFromWire(links); err != nil || len(got[0].Address) != MaxAddress {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestReportRoundTrip(t *testing.T) {
	for name, r := range map[string]LinkReport{
		"nothing": {},
		"all":     {Min: 1, P50: 2, P99: 3, Sent: 10, Lost: 4, Reordered: 5, Out: math.MaxUint64, In: 7},
		"limits":  {Min: math.MaxInt64, P50: math.MaxInt64, P99: math.MaxInt64, Sent: 10, Lost: 10, Reordered: 10},
	} {
		if got, err := reportFromWire(carried(t, reportToWire(r)), 10); err != nil || got != r {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, r)
		}
	}
	for name, r := range map[string]LinkReport{
		"more than asked": {Sent: 11}, "more lost than sent": {Sent: 3, Lost: 4}, "more overtaken than sent": {Sent: 3, Reordered: 4},
		"a median below the least": {Sent: 1, Min: 2, P50: 1, P99: 3}, "a tail below the median": {Sent: 1, Min: 1, P50: 3, P99: 2},
		"time below zero": {Sent: 1, Min: -3, P50: -2, P99: -1}, "sent below zero": {Sent: -1}, "lost below zero": {Sent: 1, Lost: -1},
		"overtaken below zero": {Sent: 1, Reordered: -1},
	} {
		if got, err := reportFromWire(carried(t, reportToWire(r)), 10); !errors.Is(err, ErrMisbehaved) {
			t.Errorf("%s: %+v, %v, want ErrMisbehaved", name, got, err)
		}
	}
}

// full is a link with all fields set.
func full() LinkStats {
	return LinkStats{Peer: PeerID{1}, Up: true, Dialled: true, Address: "127.0.0.1:1", Since: time.Second, RTT: 2, Variance: 3, Lanes: 4, Datagram: 5,
		Queued: 6, SentBytes: math.MaxUint64, ReceivedBytes: 8, Datagrams: 9, Retransmitted: 10, Out: 11, In: 12}
}

func TestStatsRoundTrip(t *testing.T) {
	v := reflect.ValueOf(full())
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s is not set by this test", v.Type().Field(i).Name)
		}
	}
	most := make([]LinkStats, MaxLinks)
	for i := range most {
		most[i] = full()
		most[i].Address = strings.Repeat("a", MaxAddress)
	}
	limits := LinkStats{Since: math.MaxInt64, RTT: math.MaxInt64, Variance: math.MaxInt64, Lanes: maxLanes, Datagram: maxDatagram, Queued: math.MaxInt}
	for name, links := range map[string][]LinkStats{"none": {}, "some": {full(), {}, limits}, "most": most} {
		w := carried(t, statsToWire(links))
		if n := proto.Size(w); n > 16<<20 {
			t.Errorf("%s: %d bytes, more than a message has", name, n)
		}
		if got, err := statsFromWire(w); err != nil || !reflect.DeepEqual(got, links) {
			t.Errorf("%s: %d links, %v, want %d", name, len(got), err, len(links))
		}
	}
	if got, err := statsFromWire(statsToWire(append(most, full()))); err != nil || len(got) != MaxLinks {
		t.Errorf("one link too many: %d, %v", len(got), err)
	}
}

func TestHostileStats(t *testing.T) {
	one := func(change func(*transportv1.LinkStats)) *transportv1.StatsResponse {
		w := statsToWire([]LinkStats{{Peer: PeerID{9}}, full()})
		change(w.GetLinks()[1])
		return w
	}
	tooMany := &transportv1.StatsResponse{Links: make([]*transportv1.LinkStats, MaxLinks+1)}
	for name, w := range map[string]*transportv1.StatsResponse{
		"too many":           tooMany,
		"nobody":             one(func(l *transportv1.LinkStats) { l.Peer = nil }),
		"a name too long":    one(func(l *transportv1.LinkStats) { l.Peer = make([]byte, 33) }),
		"an address":         one(func(l *transportv1.LinkStats) { l.Address = strings.Repeat("a", MaxAddress+1) }),
		"lanes":              one(func(l *transportv1.LinkStats) { l.Lanes = maxLanes + 1 }),
		"a datagram":         one(func(l *transportv1.LinkStats) { l.Datagram = maxDatagram + 1 }),
		"since":              one(func(l *transportv1.LinkStats) { l.SinceNs = math.MaxInt64 + 1 }),
		"a round trip":       one(func(l *transportv1.LinkStats) { l.RttNs = math.MaxUint64 }),
		"a variance":         one(func(l *transportv1.LinkStats) { l.RttVarianceNs = math.MaxUint64 }),
		"a queue":            one(func(l *transportv1.LinkStats) { l.QueuedBytes = math.MaxInt64 + 1 }),
		"a link that is not": {Links: []*transportv1.LinkStats{nil}},
	} {
		if got, err := statsFromWire(w); !errors.Is(err, ErrMisbehaved) {
			t.Errorf("%s: %d links, %v, want ErrMisbehaved", name, len(got), err)
		}
	}
	for name, change := range map[string]func(*LinkStats){
		"since below zero": func(l *LinkStats) { l.Since = -1 }, "a round trip below zero": func(l *LinkStats) { l.RTT = -1 },
		"a variance below zero": func(l *LinkStats) { l.Variance = -1 }, "lanes below zero": func(l *LinkStats) { l.Lanes = -1 },
		"a datagram below zero": func(l *LinkStats) { l.Datagram = -1 }, "a queue below zero": func(l *LinkStats) { l.Queued = -1 },
	} {
		l := full()
		change(&l)
		if _, err := statsFromWire(carried(t, statsToWire([]LinkStats{l}))); !errors.Is(err, ErrMisbehaved) {
			t.Errorf("%s: %v, want ErrMisbehaved", name, err)
		}
	}
}

// FuzzAnswers: whatever a plugin sends, a client takes it or says that the plugin misbehaves; and what it takes is in its
// limits, so that it can be sent on as it is.
func FuzzAnswers(f *testing.F) {
	id, key := peerOf(1)
	for _, in := range []Incoming{
		{Message: &Message{Peer: id, Channel: "c", Payload: []byte("p")}}, {Peer: &PeerEvent{Peer: id, Up: true, Address: "a:1", Node: key}}, {Flow: &Flow{Peer: id, Full: true}},
	} {
		w, err := incomingToWire(in)
		if err != nil {
			f.Fatal(err)
		}
		b, err := proto.Marshal(w)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(0), b)
	}
	for kind, m := range map[byte]proto.Message{1: statsToWire([]LinkStats{full(), {}}), 2: reportToWire(LinkReport{Min: 1, P50: 2, P99: 3, Sent: 4, Lost: 1})} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(kind, b)
	}
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		var err, again error
		switch kind % 3 {
		case 0:
			var w transportv1.Incoming
			if proto.Unmarshal(b, &w) != nil {
				return
			}
			var in Incoming
			if in, err = incomingFromWire(&w, Control); err == nil {
				var w2 *transportv1.Incoming
				if w2, again = incomingToWire(in); again == nil {
					var in2 Incoming
					in2, again = incomingFromWire(w2, Control)
					if !reflect.DeepEqual(in, in2) {
						t.Fatalf("%+v becomes %+v", in, in2)
					}
				}
			}
		case 1:
			var w transportv1.StatsResponse
			if proto.Unmarshal(b, &w) != nil {
				return
			}
			var links []LinkStats
			if links, err = statsFromWire(&w); err == nil {
				_, again = statsFromWire(statsToWire(links))
			}
		case 2:
			var w transportv1.ProbeResponse
			if proto.Unmarshal(b, &w) != nil {
				return
			}
			var r LinkReport
			if r, err = reportFromWire(&w, 10); err == nil {
				_, again = reportFromWire(reportToWire(r), 10)
			}
		}
		if err != nil && !errors.Is(err, ErrMisbehaved) {
			t.Fatalf("%v, want ErrMisbehaved", err)
		}
		if again != nil {
			t.Fatalf("what was taken is refused: %v", again)
		}
	})
}
