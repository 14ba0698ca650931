package e2e_test

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/internal/load"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// TestTenThousand makes 10,000 signed transfers final on four nodes, with equal state roots and the supply conserved.
func TestTenThousand(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	n := up(t, readFile(t, filepath.Join("..", "..", "examples", "quickstart.hcl")))
	const transfers = 10_000
	b, err := load.Sign(n.ctx(), n.nodes[0], n.chain, n.accounts, transfers)
	if err != nil {
		t.Fatal(err)
	}
	res, err := load.Send(n.ctx(), n.nodes, b)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d final in %.2f s, %.0f/s, in %d blocks; load %s", res.Final, res.Elapsed.Seconds(), res.PerSecond(), res.Blocks, loadAverage())
	if res.Final != transfers || res.Failed > 0 || len(res.Refused) > 0 {
		t.Errorf("%d final, %d failed, refused %v", res.Final, res.Failed, res.Refused)
	}
	n.sameState()
	n.conserved()
}

// question is the action that asks one.
func question(n *network, ref *client.Reference) (types.Action, error) {
	var terms oracle.Terms
	raw, _, err := n.nodes[0].Query(n.ctx(), n.chain, "oracle", oracle.PathTerms, nil)
	if err == nil {
		err = json.Unmarshal(raw, &terms)
	}
	if err != nil {
		return types.Action{}, err
	}
	q := oracle.Ask{Text: nextText(), AnswerBy: ref.Clock + oracle.Ticks(time.Hour, time.Duration(terms.TickNs))}
	deposit, err := terms.Deposit(ref.Clock, q.AnswerBy)
	return types.Action{Name: oracle.ActionAsk, Body: q.Encode(), MaxSpend: deposit}, err
}
