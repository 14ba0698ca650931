package transporttest

import (
	"bytes"
	"fmt"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

func statsCases() []Case {
	return []Case{
		{"stats-tell-links", "who looks for the slow link must find it", func(t T, f Factory) {
			a, b := pair(t, f)
			defer a.done()
			defer b.done()
			c := start(t, f, "c")
			defer c.done()
			gone := start(t, f, "gone")
			gone.done()
			c.control.dial(f.id("a"), a.address)
			stranger := a.control.anyUp().Peer
			a.control.dial(f.id("gone"), gone.address)
			small, large := pattern(1, 1000), pattern(2, 100_000)
			for range 10 {
				a.control.send("c", small, f.id("b"))
				want(t, b.control.message("a message"), f.id("a"), "c", small)
			}
			a.bulk.send("c", large, f.id("b"))
			want(t, b.bulk.message("a message"), f.id("a"), "c", large)
			const payload = 10*1000 + 100_000

			// What has been sent is counted at some time, and so is what is not sent any more.
			eventually(t, f, func() string {
				links := stats(t, a)
				toB, toGone, fromC := links[f.id("b")], links[f.id("gone")], links[stranger]
				switch {
				case len(links) != 3:
					return fmt.Sprintf("there are %d links, to b, c, and one that is not there", len(links))
				case !toB.Up || !toB.Dialled || toB.Address != b.address || toB.Lanes < 1:
					return fmt.Sprintf("the link to a peer at %s is said to be %+v", b.address, toB)
				case toGone.Up || !toGone.Dialled || toGone.Address != gone.address:
					return fmt.Sprintf("the link to a peer that is not at %s is said to be %+v", gone.address, toGone)
				case !fromC.Up || fromC.Dialled:
					return fmt.Sprintf("the link to a stranger is said to be %+v", fromC)
				case toB.SentBytes < payload:
					return fmt.Sprintf("%d bytes have arrived, and %d are said to be sent", payload, toB.SentBytes)
				case toB.Queued != 0:
					return fmt.Sprintf("all has arrived, and %d bytes are said to be queued", toB.Queued)
				}
				fromA := stats(t, b)[f.id("a")]
				if !fromA.Up || fromA.ReceivedBytes < payload {
					return fmt.Sprintf("%d bytes have arrived, and the link is said to be %+v", payload, fromA)
				}
				return ""
			})
		}},
	}
}

// stats asks for the state of all links and checks what is true of any.
func stats(t T, n *node) map[transport.PeerID]transport.LinkStats {
	t.Helper()
	links, err := n.Stats(t.Context())
	if err != nil {
		t.Fatalf("stats: %v", err)
	}
	out := map[transport.PeerID]transport.LinkStats{}
	for i, l := range links {
		if i > 0 && bytes.Compare(links[i-1].Peer[:], l.Peer[:]) >= 0 {
			t.Fatalf("stats: the link to %x comes after that to %x", l.Peer[:4], links[i-1].Peer[:4])
		}
		if l.Since < 0 || l.RTT < 0 || l.Variance < 0 || l.Lanes < 0 || l.Datagram < 0 || l.Queued < 0 ||
			max(l.SentBytes, l.ReceivedBytes, l.Datagrams, l.Retransmitted, l.Out, l.In) > absurd {
			t.Fatalf("stats: the link to %x is said to be %+v", l.Peer[:4], l)
		}
		out[l.Peer] = l
	}
	return out
}

// eventually asks until there is nothing wrong.
func eventually(t T, f Factory, wrong func() string) {
	t.Helper()
	for end := time.Now().Add(f.patience()); ; time.Sleep(time.Millisecond) {
		why := wrong()
		if why == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s", why)
		}
	}
}
