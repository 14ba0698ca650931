package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/core/chain"
)

// The worst of what is wrong with a chain is what the table shows of it.
func TestHealthOfAChain(t *testing.T) {
	for _, r := range []struct {
		status chain.Status
		want   string
	}{
		{chain.Status{}, "ok"},
		{chain.Status{Trouble: "the clock is wrong"}, "trouble: the clock is wrong"},
		{chain.Status{Trouble: "the clock is wrong", Stalled: "the disk is full"}, "waits: the disk is full"},
		{chain.Status{Trouble: "the clock is wrong", Halted: "roots differ"}, "halted: roots differ"},
	} {
		var out bytes.Buffer
		a := &app{out: &out, output: "table"}
		v := statusView{Running: true, Nodes: []nodeView{{Name: "n", Chains: []chainView{viewChain(chainStatus(r.status, nil))}}}}
		if err := a.printStatus(v, false); err != nil || !strings.Contains(out.String(), " "+r.want+"\n") {
			t.Errorf("want %q: %v\n%s", r.want, err, out.String())
		}
	}
}
