package conformance

import (
	"fmt"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

var oracleChain = types.ChainID{0xc4}

// oracleRequest asks for windows of a few ticks of an hour, so that the suite reaches every boundary.
func oracleRequest() plugin.OpenRequest {
	const hour = 3_600_000
	req := config(`{"base":100,"per_day":10,"expiry_fee":7,"challenge":%d,"initiator_window":%d}`, int64(5*hour*1e6), int64(4*hour*1e6))
	req.Kind, req.ChainID, req.Genesis = plugin.Oracle, oracleChain[:], fmt.Appendf(nil, `{"format":1,"slot_ms":%d}`, int64(hour))
	return req
}

func account(i int) types.AccountID {
	return types.AccountID(types.Sum("test/account\x00", fmt.Append(nil, i)))
}

// oracleTx makes a transaction that may use as much gas as it needs. Its id follows from n.
func oracleTx(n int, from types.AccountID, actions ...types.Action) module.Tx {
	t := module.Tx{ID: types.Sum("test/tx\x00", fmt.Append(nil, n)), Account: from, Actions: actions, Bytes: 180}
	gas := uint64(0)
	for _, a := range actions {
		gas += oracle.ActionGas(a)
	}
	t.MaxGas = max(gas, uint64(t.Bytes))
	return t
}

func ask(a oracle.Ask, spend uint64) types.Action {
	return types.Action{Name: oracle.ActionAsk, Body: a.Encode(), MaxSpend: spend}
}

// validQuestions asks questions and answers them, each way once in every four.
func validQuestions(seed uint64, n int) []module.Tx {
	out := make([]module.Tx, n)
	var open [32]byte
	for i := range out {
		from := account(i / 4 % 50)
		k := int(seed)*1_000_000 + i
		a := oracle.Ask{Text: questionText(seed, i), Sources: []string{"https://example.org/<a>&b"}, AnswerBy: moduletest.Clock + 100 + uint64(i%7)}
		switch i % 4 {
		case 0:
			out[i] = oracleTx(k, from, ask(a, 100_000))
			open = oracle.QuestionID(oracleChain, from, a.Text, out[i].ID, 0)
		case 1:
			out[i] = oracleTx(k, from, types.Action{Name: oracle.ActionAnswer, Body: oracle.Answer{ID: open, Value: oracle.Yes}.Encode()})
		case 2:
			early := oracle.TooEarly
			a.First = &early
			out[i] = oracleTx(k, from, ask(a, 100_000))
		case 3:
			b := a
			b.Open, b.Text = moduletest.Clock+3, "later: "+a.Text[:100]
			out[i] = oracleTx(k, from, ask(a, 90_000), ask(b, 80_000))
		}
	}
	return out
}

func questionText(seed uint64, i int) string {
	return fmt.Sprintf("Will question %d of %d be answered? %s", i, seed, strings.Repeat("x", 400))
}

func oracleTxs() moduletest.Factory {
	first := validQuestions(moduletest.QuerySeed, 1)[0]
	q := oracle.QuestionID(oracleChain, first.Account, questionText(moduletest.QuerySeed, 0), first.ID, 0)
	bad := func(n int, a types.Action) module.Tx { return oracleTx(n, account(1), a) }
	return moduletest.Factory{
		Chain: oracleChain, Valid: validQuestions,
		Malformed: []module.Tx{
			bad(1, types.Action{Name: "askk"}), bad(2, types.Action{Name: oracle.ActionAsk}), bad(3, types.Action{Name: oracle.ActionAnswer, Body: []byte{1}}),
			bad(4, types.Action{Name: oracle.ActionClose, Body: make([]byte, 40)}), bad(5, types.Action{}), {ID: types.TxID{7}, Account: account(1)},
		},
		Paths: []string{oracle.PathTerms, oracle.PathQuestions, oracle.PathQuestions + "?state=OPEN&limit=1",
			oracle.PathQuestions + "?after=" + types.Hash(q).String(), oracle.PathQuestion + types.Hash(q).String()},
		GoodParams: map[string][]byte{"consensus.epoch": []byte("5")},
		BadParams:  map[string][]byte{"oracle.challenge": []byte("5")},
	}
}
