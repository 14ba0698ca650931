package prophecy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/oracle/oracletest"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testChain = types.ChainID{0xc4}

func openRequest() plugin.OpenRequest {
	return plugin.OpenRequest{Kind: plugin.Oracle, ChainID: testChain[:], ChainName: "test", Rules: rulesVersion,
		Genesis: []byte(`{"format":1,"slot_ms":500,"oracle":{"plugin":"prophecy"}}`)}
}

func openWith(t testing.TB, config string) *Oracle {
	t.Helper()
	req := openRequest()
	req.Config = []byte(config)
	v, err := Plugin().Open(context.Background(), nil, req)
	if err != nil {
		t.Fatal(err)
	}
	return v.(*Oracle)
}

// small are terms with windows of a few ticks, so that tests reach every boundary: a tick is an hour.
func small() oracle.Terms {
	return oracle.Terms{TickNs: uint64(time.Hour), Base: 100, PerDay: 10, ExpiryFee: 7, Challenge: 5, InitiatorWindow: 4, Notice: 2, CommitWindow: 3,
		RevealWindow: 6, Turn: 1, BurnPPM: 500_000}
}

func account(i int) types.AccountID {
	return types.AccountID(types.Sum("test/account\x00", fmt.Append(nil, i)))
}

// tx makes a transaction that may use as much gas as it needs. Its id follows from n.
func tx(n int, from types.AccountID, actions ...types.Action) module.Tx {
	t := module.Tx{ID: types.Sum("test/tx\x00", fmt.Append(nil, n)), Account: from, Actions: actions, Bytes: 180}
	t.MaxGas = gasOf(&t)
	return t
}

func ask(a oracle.Ask, spend uint64) types.Action {
	return types.Action{Name: oracle.ActionAsk, Body: a.Encode(), MaxSpend: spend}
}

func answerTo(id [32]byte, v oracle.Value, spend uint64) types.Action {
	return types.Action{Name: oracle.ActionAnswer, Body: oracle.Answer{ID: id, Value: v}.Encode(), MaxSpend: spend}
}

func counterOf(id [32]byte, v oracle.Value, spend uint64) types.Action {
	return types.Action{Name: oracle.ActionCounter, Body: oracle.Counter{ID: id, Value: v}.Encode(), MaxSpend: spend}
}

func closeOf(id [32]byte) types.Action {
	return types.Action{Name: oracle.ActionClose, Body: oracle.Close{ID: id}.Encode()}
}

func first(v oracle.Value) *oracle.Value { return &v }

// validTxs asks questions and answers them, each way once in every four.
func validTxs(seed uint64, n int) []module.Tx {
	out := make([]module.Tx, n)
	var open [32]byte
	for i := range out {
		from := account(i / 4 % 50)
		k := int(seed)*1_000_000 + i
		text := fmt.Sprintf("Will question %d of %d be answered? %s", i, seed, strings.Repeat("x", 400))
		a := oracle.Ask{Text: text, Sources: []string{"https://example.org/<a>&b"}, AnswerBy: moduletest.Clock + 100 + uint64(i%7)}
		switch i % 4 {
		case 0:
			out[i] = tx(k, from, ask(a, 100_000))
			open = oracle.QuestionID(testChain, from, a.Text, out[i].ID, 0)
		case 1:
			out[i] = tx(k, from, answerTo(open, oracle.Yes, 0))
		case 2:
			a.First = first(oracle.TooEarly)
			out[i] = tx(k, from, ask(a, 100_000))
		case 3:
			b := a
			b.Open, b.Text = moduletest.Clock+3, "later: "+a.Text[:100]
			out[i] = tx(k, from, ask(a, 90_000), ask(b, 80_000))
		}
	}
	return out
}

func factory() moduletest.Factory {
	some := validTxs(moduletest.QuerySeed, 5)
	q := oracle.QuestionID(testChain, some[0].Account, mustText(some[0]), some[0].ID, 0)
	bad := func(n int, a types.Action) module.Tx { return tx(n, account(1), a) }
	return moduletest.Factory{
		Open: func() (moduletest.Instance, error) {
			o := New(testChain, small())
			return moduletest.Instance{Module: o, Close: o.Close}, nil
		},
		Chain: testChain, Valid: validTxs,
		Malformed: []module.Tx{
			bad(1, types.Action{Name: "askk"}), bad(2, types.Action{Name: oracle.ActionAsk}), bad(3, types.Action{Name: oracle.ActionAnswer, Body: []byte{1}}),
			bad(4, types.Action{Name: oracle.ActionClose, Body: make([]byte, 40)}),
			bad(5, types.Action{Name: oracle.ActionCounter, Body: oracle.Counter{ID: q, Value: 4}.Encode(), MaxSpend: 1000}), bad(6, types.Action{}),
			bad(8, types.Action{Name: oracle.ActionBallot, Body: []byte{1}}), bad(9, types.Action{Name: oracle.ActionBallot,
				Body: oracle.Carried{Ballot: oracle.Ballot{Phase: oracle.Commit}, Key: producerKey(0), Sig: make([]byte, 64)}.Encode()}),
			{ID: types.TxID{7}, Account: account(1)},
		},
		Paths: []string{oracle.PathTerms, oracle.PathQuestions, oracle.PathQuestions + "?state=OPEN&limit=1", oracle.PathQuestions + "?after=" + types.Hash(q).String(),
			oracle.PathQuestion + types.Hash(q).String(), oracle.PathHistory + types.Hash(q).String(), oracle.PathDisputes, oracle.PathDisputes + "?limit=1"},
		GoodParams: map[string][]byte{"consensus.epoch": []byte("5")},
		BadParams:  map[string][]byte{"oracle.challenge": []byte("5")},
	}
}

func mustText(t module.Tx) string {
	a, err := oracle.DecodeAsk(t.Actions[0].Body)
	if err != nil {
		panic(err)
	}
	return a.Text
}

func TestModuleConformance(t *testing.T)       { moduletest.Run(t, factory()) }
func TestModuleConformanceRemote(t *testing.T) { moduletest.Run(t, moduletest.Remote(factory())) }

func observers() oracletest.Factory {
	return oracletest.Factory{
		Questions: []oracle.Question{{ID: [32]byte{1}, Text: "Is it so?"}, {ID: [32]byte{2}, Text: "Will it be so?", Sources: []string{"https://example.org"}}},
		Open: func() (oracletest.Instance, error) {
			o := New(testChain, small())
			return oracletest.Instance{Observer: o, Close: o.Close}, nil
		},
	}
}

func TestObserverConformance(t *testing.T)       { oracletest.Run(t, observers()) }
func TestObserverConformanceRemote(t *testing.T) { oracletest.Run(t, oracletest.Remote(observers())) }

func TestOpen(t *testing.T) {
	o := openWith(t, "")
	want := oracle.Terms{TickNs: 500e6, Base: 100e6, PerDay: 1e6, ExpiryFee: 1e6, Challenge: 172_800, InitiatorWindow: 172_800, Notice: 10,
		CommitWindow: 120, RevealWindow: 120, Turn: 1, BurnPPM: 500_000}
	if o.Terms() != want {
		t.Fatalf("terms by default are %+v, want %+v", o.Terms(), want)
	}
	o = openWith(t, `{"base":"5","per_day":0,"expiry_fee":9,"challenge":1000000001,"initiator_window":1000000,"notice":500000000,
		"commit_window":1000000000,"reveal_window":1000000001,"burn_ppm":1000000,"observer":"none"}`)
	want = oracle.Terms{TickNs: 500e6, Base: 5, ExpiryFee: 9, Challenge: 3, InitiatorWindow: 1, Notice: 1, CommitWindow: 2, RevealWindow: 3, Turn: 1,
		BurnPPM: 1_000_000}
	if o.Terms() != want {
		t.Fatalf("terms are %+v, want %+v", o.Terms(), want)
	}
	req := openRequest()
	req.Genesis = []byte(`{"slot_ms":500,"consensus":{"plugin":"dpospbft","config":{"turn":6,"slot":500000000}}}`)
	if v, err := Plugin().Open(t.Context(), nil, req); err != nil || v.(*Oracle).Terms().Turn != 6 {
		t.Fatalf("%+v, %v", v, err)
	}
	for name, tc := range map[string]struct {
		change func(*plugin.OpenRequest)
		want   error
		says   string
	}{
		"another kind":     {func(r *plugin.OpenRequest) { r.Kind = plugin.VM }, plugin.ErrWrongKind, "vm"},
		"unknown rules":    {func(r *plugin.OpenRequest) { r.Rules = "1" }, plugin.ErrBadConfig, `"1"`},
		"no chain":         {func(r *plugin.OpenRequest) { r.ChainID = nil }, plugin.ErrBadConfig, "chain id"},
		"no genesis":       {func(r *plugin.OpenRequest) { r.Genesis = nil }, plugin.ErrBadConfig, "length of a slot"},
		"genesis not JSON": {func(r *plugin.OpenRequest) { r.Genesis = []byte("{") }, plugin.ErrBadConfig, "genesis"},
		"no slot":          {func(r *plugin.OpenRequest) { r.Genesis = []byte("{}") }, plugin.ErrBadConfig, "slot_ms"},
		"slot of a year":   {func(r *plugin.OpenRequest) { r.Genesis = []byte(`{"slot_ms":31536000000}`) }, plugin.ErrBadConfig, "slot_ms"},
		"negative slot":    {func(r *plugin.OpenRequest) { r.Genesis = []byte(`{"slot_ms":-1}`) }, plugin.ErrBadConfig, "slot_ms"},
		"turn of text":     {func(r *plugin.OpenRequest) { r.Genesis = []byte(`{"slot_ms":5,"consensus":{"config":{"turn":"6"}}}`) }, plugin.ErrBadConfig, "turn"},
		"no turn at all":   {func(r *plugin.OpenRequest) { r.Genesis = []byte(`{"slot_ms":5,"consensus":{"config":{"turn":0}}}`) }, plugin.ErrBadConfig, "turn"},
		"endless turn": {func(r *plugin.OpenRequest) {
			r.Genesis = []byte(`{"slot_ms":5,"consensus":{"config":{"turn":99999999}}}`)
		}, plugin.ErrBadConfig, "turn"},
		"burns too little":   {func(r *plugin.OpenRequest) { r.Config = []byte(`{"burn_ppm":499999}`) }, plugin.ErrBadConfig, "burn_ppm"},
		"burns too much":     {func(r *plugin.OpenRequest) { r.Config = []byte(`{"burn_ppm":1000001}`) }, plugin.ErrBadConfig, "burn_ppm"},
		"no notice":          {func(r *plugin.OpenRequest) { r.Config = []byte(`{"notice":0}`) }, plugin.ErrBadConfig, "notice"},
		"fraction of time":   {func(r *plugin.OpenRequest) { r.Config = []byte(`{"commit_window":1.5}`) }, plugin.ErrBadConfig, "commit_window"},
		"unknown attribute":  {func(r *plugin.OpenRequest) { r.Config = []byte(`{"bases":1}`) }, plugin.ErrBadConfig, "bases"},
		"fraction":           {func(r *plugin.OpenRequest) { r.Config = []byte(`{"base":1.5}`) }, plugin.ErrBadConfig, "1.5"},
		"negative amount":    {func(r *plugin.OpenRequest) { r.Config = []byte(`{"base":-1}`) }, plugin.ErrBadConfig, "-1"},
		"enormous amount":    {func(r *plugin.OpenRequest) { r.Config = []byte(`{"per_day":18446744073709551615}`) }, plugin.ErrBadConfig, "per_day"},
		"no challenge":       {func(r *plugin.OpenRequest) { r.Config = []byte(`{"challenge":0}`) }, plugin.ErrBadConfig, "challenge"},
		"endless challenge":  {func(r *plugin.OpenRequest) { r.Config = []byte(`{"challenge":40000000000000000}`) }, plugin.ErrBadConfig, "challenge"},
		"unknown observer":   {func(r *plugin.OpenRequest) { r.Config = []byte(`{"observer":"crystal"}`) }, plugin.ErrBadConfig, "crystal"},
		"two configurations": {func(r *plugin.OpenRequest) { r.Config = []byte(`{} {}`) }, plugin.ErrBadConfig, "after top-level value"},
	} {
		t.Run(name, func(t *testing.T) {
			req := openRequest()
			tc.change(&req)
			_, err := Plugin().Open(t.Context(), nil, req)
			if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("%v, want %v that says %q", err, tc.want, tc.says)
			}
		})
	}
}

// TestSchemaDefaults checks that a configuration of nothing but the schema's defaults, minima and maxima opens, and that the
// defaults are those that an empty one stands for.
func TestSchemaDefaults(t *testing.T) {
	ki, ok := Plugin().Describe().Find(plugin.Oracle)
	if !ok || !ki.HasModule {
		t.Fatal("the plugin is no oracle with a module face")
	}
	if len(ki.Exports) != 1 || ki.Exports[0] != oracle.ExportedPrefix {
		t.Errorf("exports %q", ki.Exports)
	}
	rules := map[string]bool{"base": true, "per_day": true, "expiry_fee": true, "challenge": true, "initiator_window": true, "notice": true,
		"commit_window": true, "reveal_window": true, "burn_ppm": true}
	for _, which := range []string{"default", "min", "max"} {
		cfg := map[string]json.RawMessage{}
		for _, a := range ki.Schema.Attributes {
			v := map[string]string{"default": a.Default, "min": a.Min, "max": a.Max}[which]
			if v != "" && (rules[a.Name] || which == "default") {
				cfg[a.Name] = json.RawMessage(v)
			}
			if a.ConsensusCritical != rules[a.Name] {
				t.Errorf("%s: consensus-critical %t", a.Name, a.ConsensusCritical)
			}
		}
		raw, err := json.Marshal(cfg)
		if err != nil {
			t.Fatal(err)
		}
		o := openWith(t, string(raw))
		if which == "default" && o.Terms() != openWith(t, "").Terms() {
			t.Fatalf("the schema's defaults give %+v", o.Terms())
		}
	}
}
