package contract_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/paloalto-chain/paloalto/core/ledger/contract"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/library"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

var question = [32]byte(types.Sum("question"))

// asked is a question in the state of the oracle.
func asked(state oracle.State, result oracle.Value) *oracle.Record {
	r := &oracle.Record{ID: question, Asker: dave, Text: "Does it rain?", Asked: 10, Open: 20, AnswerBy: 300, Deposit: 5_000, State: state, Result: result}
	if state.Closed() {
		r.Closed = 90
	}
	return r
}

func questionItem(id [32]byte) module.Item {
	it := oracle.Item(id)
	it.Module = "oracle"
	return it
}

// TestOracleBet plays a bet with the contract of the library and the VM that chains have: what the oracle's record says decides, and
// nothing else does.
func TestOracleBet(t *testing.T) {
	v := forth(t)
	text, err := library.Fill("oracle-bet", map[string]string{"question": fmt.Sprintf(`x"%x"`, question), "security": "5000"})
	if err != nil {
		t.Fatal(err)
	}
	bet := compile(t, v, text, false)
	l := types.Lock{Payer: carol, Participants: [2]types.AccountID{bob, carol}, Code: sum(bet), Amount: 700, Made: 1, Deadline: 1000}
	id := types.Hash{9}
	garbage := []byte{1, 2, 3}
	for _, c := range []struct {
		name        string
		oracle      bool
		record      []byte
		questions   [][32]byte
		want        string
		first, rest uint64
	}{
		{"YES", true, asked(oracle.Final, oracle.Yes).Encode(), [][32]byte{question}, "", 700, 0},
		{"NO", true, asked(oracle.Final, oracle.No).Encode(), [][32]byte{question}, "", 0, 700},
		{"INVALID", true, asked(oracle.Final, oracle.Invalid).Encode(), [][32]byte{question}, "ErrContract.13", 0, 0},
		{"TOO_EARLY", true, asked(oracle.Final, oracle.TooEarly).Encode(), [][32]byte{question}, "ErrContract.13", 0, 0},
		{"nobody has answered", true, asked(oracle.Open, oracle.No).Encode(), [][32]byte{question}, "ErrContract.13", 0, 0},
		{"an answer that may be contradicted", true, asked(oracle.Answered, oracle.No).Encode(), [][32]byte{question}, "ErrContract.13", 0, 0},
		{"a vote goes on", true, asked(oracle.Reveal, oracle.No).Encode(), [][32]byte{question}, "ErrContract.13", 0, 0},
		{"nobody ever answered", true, asked(oracle.Expired, oracle.No).Encode(), [][32]byte{question}, "ErrContract.13", 0, 0},
		{"never asked", true, nil, [][32]byte{question}, "ErrContract.13", 0, 0},
		{"the claim does not name it", true, asked(oracle.Final, oracle.Yes).Encode(), nil, "ErrContract.14", 0, 0},
		{"the claim names another one", true, asked(oracle.Final, oracle.Yes).Encode(), [][32]byte{{1}}, "ErrContract.14", 0, 0},
		{"and another one", true, asked(oracle.Final, oracle.Yes).Encode(), [][32]byte{{1}, question}, "", 700, 0},
		{"a record that nobody can read", true, garbage, [][32]byte{question}, "ErrContract.14", 0, 0},
		{"a chain without an oracle", false, nil, [][32]byte{question}, "ErrContract.13", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := contract.New(v).Limit(100_000).Oracle(c.oracle)
			x := module.Tx{ID: types.TxID{1}, Account: bob, MaxGas: 200_000, Actions: []types.Action{
				{Name: "claim", Body: types.ClaimBody{Lock: id, Code: bet, Questions: c.questions}.Encode()}}}
			check, err := m.Check(t.Context(), []module.Tx{x})
			if err != nil || check[0].Error != "" {
				t.Fatalf("%+v, %v", check, err)
			}
			want := []module.Item{contract.Item(id)}
			if c.oracle {
				for _, q := range c.questions {
					want = append(want, questionItem(q))
				}
			}
			if !slices.Equal(check[0].Reads, want) {
				t.Fatalf("reads %v, want %v", check[0].Reads, want)
			}
			b := &module.Block{Clock: 100, Txs: []module.Tx{x}}
			for _, it := range check[0].Reads {
				switch it {
				case contract.Item(id):
					b.Values = append(b.Values, module.Value{Item: it, Data: l.Encode()})
				case questionItem(question):
					b.Values = append(b.Values, module.Value{Item: it, Data: c.record})
				default:
					b.Values = append(b.Values, module.Value{Item: it})
				}
			}
			out, err := module.Guard(m).Execute(t.Context(), b, nil)
			if err != nil {
				t.Fatal(err)
			}
			r := out.Txs[0]
			if r.Error != c.want {
				t.Fatalf("%q (%s), want %q", r.Error, r.Detail, c.want)
			}
			if c.want == "" {
				ev := event[types.PaidEvent](t, r, "claimed")
				own := contract.Shared(bob, id, &l)
				for _, q := range c.questions {
					var rec *oracle.Record
					if q == question {
						if rec, err = oracle.DecodeRecord(c.record); err != nil {
							t.Fatal(err)
						}
					}
					name, value := contract.Answer(q, rec)
					own[name] = value
				}
				if env := types.EnvironmentHash(types.CommonEnvironmentHash(m.Common(b)), own); ev.First != c.first || ev.Second != c.rest || ev.Environment == nil || *ev.Environment != env {
					t.Errorf("%+v, want %d and %d, environment %s", ev, c.first, c.rest, env)
				}
				if least := types.GasContractClaim + types.GasContractQuestion*uint64(len(c.questions)); r.Gas <= least || r.Gas != least+ev.Gas {
					t.Errorf("gas %d, the VM counted %d", r.Gas, ev.Gas)
				}
			}
		})
	}
}

// TestAnswer has what a contract reads of a question, byte by byte.
func TestAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		r    *oracle.Record
		want string
	}{
		"unknown":  {nil, "00" + "0000000000000000" + "0000000000000000" + "0000000000000000"},
		"open":     {asked(oracle.Open, oracle.Yes), "02" + "0000000000000000" + "0000000000000000" + "0000000000000000"},
		"answered": {asked(oracle.Answered, oracle.Yes), "02" + "0000000000000000" + "0000000000000000" + "0000000000000000"},
		"disputed": {asked(oracle.Countered, oracle.Yes), "03" + "0000000000000000" + "0000000000000000" + "0000000000000000"},
		"commit":   {asked(oracle.Commit, oracle.Yes), "03" + "0000000000000000" + "0000000000000000" + "0000000000000000"},
		"reveal":   {asked(oracle.Reveal, oracle.Yes), "03" + "0000000000000000" + "0000000000000000" + "0000000000000000"},
		"NO":       {asked(oracle.Final, oracle.No), "01" + "0000000000000000" + "000000000000005a" + "0000000000001388"},
		"YES":      {asked(oracle.Final, oracle.Yes), "01" + "0000000000000001" + "000000000000005a" + "0000000000001388"},
		"INVALID":  {asked(oracle.Final, oracle.Invalid), "01" + "0000000000000002" + "000000000000005a" + "0000000000001388"},
		"expired":  {asked(oracle.Expired, oracle.Yes), "00" + "0000000000000000" + "0000000000000000" + "0000000000000000"},
	} {
		n, v := contract.Answer(question, c.r)
		if n != "oracle:"+hex.EncodeToString(question[:]) || hex.EncodeToString(v) != c.want {
			t.Errorf("%s: %s is %x, want %s", name, n, v, c.want)
		}
	}
}

// TestParams has a contract read a parameter, which it knows under its full name.
func TestParams(t *testing.T) {
	params := map[string][]byte{"oracle.deposit": []byte("5000000"), "consensus.slot": []byte("200000000"), "x.on": []byte("true"), "x.off": []byte("false"),
		"x.name": []byte(`"five"`), "x.list": []byte(`["5"]`), "x.below": []byte("-5"), "x.most": []byte("18446744073709551615"), "x.more": []byte("18446744073709551616")}
	for i := range 300 {
		params[fmt.Sprintf("y.%03d", i)] = []byte("7")
	}
	m := contract.New(nil)
	env := m.Common(&module.Block{Params: params})
	for name, want := range map[string]any{"oracle.deposit": 5_000_000, "consensus.slot": 200_000_000, "x.on": 1, "x.off": 0, "x.name": nil, "x.list": nil, "x.below": nil,
		"x.more": nil, "y.000": 7, "y.299": nil} {
		v, there := env["param:"+name]
		if there != (want != nil) || there && (len(v) != 8 || binary.BigEndian.Uint64(v) != uint64(want.(int))) {
			t.Errorf("%s: %x, want %v", name, v, want)
		}
	}
	if len(env) > 200 || hex.EncodeToString(env["param:x.most"]) != "ffffffffffffffff" {
		t.Errorf("%d values, %x", len(env), env["param:x.most"])
	}
	v := forth(t)
	for name, c := range map[string]struct{ source, want string }{
		"is there":  {`0 s" oracle.deposit" param 1`, ""},
		"no number": {`0 s" x.name" param 1`, "ErrContract.14"},
		"unknown":   {`0 s" x.nothing" param 1`, "ErrContract.14"},
	} {
		x := tx(1, 100_000, types.Action{Name: "run", Body: types.RunBody{Code: compile(t, v, c.source, false)}.Encode()})
		out, err := module.Guard(contract.New(v)).Execute(t.Context(), &module.Block{Txs: []module.Tx{x}, Params: maps.Clone(params)}, nil)
		if err != nil || out.Txs[0].Error != c.want {
			t.Fatalf("%s: %+v, %v; want %q", name, out, err, c.want)
		}
		if c.want == "" {
			if ev := event[types.ResultEvent](t, out.Txs[0], "result"); !slices.Equal(ev.Stack, []int64{0, 5_000_000, 1}) {
				t.Errorf("%s: %v", name, ev.Stack)
			}
		}
	}
}

// TestManyReads: a transaction that rests on more items than the core reads for one is refused, not found at fault.
func TestManyReads(t *testing.T) {
	list := func(from, n int) (out [][32]byte) {
		for i := from; i < from+n; i++ {
			var q [32]byte
			binary.BigEndian.PutUint32(q[:], uint32(i))
			out = append(out, q)
		}
		return out
	}
	actions := func(same bool) (out []types.Action) {
		for i := range 33 {
			from := 8 * i
			if same {
				from = 0
			}
			out = append(out, types.Action{Name: "run", Body: types.RunBody{Questions: list(from, 8)}.Encode()})
		}
		return out
	}
	for name, c := range map[string]struct {
		oracle, same bool
		want         string
	}{"different ones": {true, false, "ErrTooLarge"}, "the same ones": {true, true, ""}, "without an oracle": {false, false, ""}} {
		m := module.Guard(contract.New(&machine{}).Oracle(c.oracle))
		got, err := m.Check(t.Context(), []module.Tx{tx(1, 5_000_000, actions(c.same)...)})
		if err != nil || got[0].Error != c.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
