package live

import (
	"syscall"
	"testing"
	"time"
)

// TestKills kills nodes and plugins at seeded moments, under load, and starts the nodes again. Up to two nodes of four may be
// down at once, so that finality stands still at times; it must come back, with one chain, and nobody may have signed twice.
func TestKills(t *testing.T) {
	ctx := scenario(t, 3*time.Minute+time.Duration(*kills)*10*time.Second)
	n := newNetwork(t, ctx, build{spec: specification{nodes: 4, producers: 4, slot: 200 * time.Millisecond, consensus: shortEpochs("4s")}})
	rng, _ := random(t)
	count := *kills
	n.up(n.all()...)
	tr := n.traffic(n.all()...)
	type rising struct {
		node int
		at   time.Time
	}
	var down []rising
	raise := func(before time.Time) { // starts the nodes whose time has come
		for len(down) > 0 && down[0].at.Before(before) {
			n.pause(time.Until(down[0].at))
			n.start(down[0].node)
			down = down[1:]
		}
	}
	nodes, plugins, began := 0, map[string]int{}, time.Now()
	for done := 0; done < count; {
		// What is drawn does not depend on what happens.
		wait, victim, what, rest := rng.IntN(1200), rng.IntN(len(n.state.Nodes)), rng.IntN(100), rng.IntN(1500)
		moment := time.Now().Add(time.Duration(wait) * time.Millisecond)
		raise(moment)
		n.pause(time.Until(moment))
		for _, d := range down {
			if d.node == victim {
				victim = -1
			}
		}
		switch {
		case victim < 0: // is down already
			raise(time.Now().Add(time.Hour))
			continue
		case what < 60 && len(down) < 2:
			n.kill(victim)
			down = append(down, rising{victim, time.Now().Add(time.Duration(rest) * time.Millisecond)})
			nodes++
			done++
		default:
			st, err := n.node(victim)
			if err != nil || len(st.Plugins) == 0 {
				continue // it is about to start
			}
			p := st.Plugins[rest%len(st.Plugins)]
			n.remember()
			if p.PID > 0 && syscall.Kill(p.PID, syscall.SIGKILL) == nil {
				plugins[p.Name]++
				done++
			}
		}
	}
	raise(time.Now().Add(time.Hour))
	t.Logf("killed %d nodes and plugins %v in %s", nodes, plugins, short(time.Since(began)))
	healed := time.Now()
	n.more(3, n.all()...)
	figure(t, "three more final blocks on all nodes after the last start", time.Since(healed), 5*time.Second)
	tr.stop()
	taken, final := tr.final()
	t.Logf("%d of %d transfers that a node took are final; the chain is in epoch %d", final, taken, n.epochNow(0))
	if final == 0 {
		t.Error("no transfer is final")
	}
	n.more(2, n.all()...)
	n.sameChain(n.all()...)
	n.noFault(n.all()...)
	n.stop(n.all()...)
	n.signedOnce(n.all()...)
	if nodes == 0 || len(plugins) == 0 {
		t.Errorf("%d nodes and plugins %v were killed", nodes, plugins)
	}
}
