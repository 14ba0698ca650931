package staking

import (
	"crypto/ed25519"
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testChain = types.ChainID{0xc5}

const weekMs = 7 * 24 * 60 * 60 * 1000

// small is a configuration in which every boundary is a few slots away. A week is three ticks.
func small() Config {
	return Config{SlotMs: weekMs / 3, Turn: 1, Params: Params{Seats: 4, MinSet: 1, EpochSlots: 10, Approvals: 3, UnbondingTicks: 20, TrustingTicks: 5,
		MinStake: 50, SlashPPM: 100_000, SilenceTicks: 12, JailMissedTurns: 3}}
}

func account(i int) types.AccountID {
	return types.AccountID(types.Sum("test/account\x00", fmt.Append(nil, i)))
}

// keys are all that were used, by public key; numbered the first of them, by number.
var (
	keys     = map[string]ed25519.PrivateKey{}
	numbered = map[int]ed25519.PrivateKey{}
)

func private(i int) ed25519.PrivateKey {
	if k, ok := numbered[i]; ok {
		return k
	}
	seed := types.Sum("test/key\x00", fmt.Append(nil, i))
	k := ed25519.NewKeyFromSeed(seed[:])
	if i < 1000 {
		numbered[i], keys[string(k.Public().(ed25519.PublicKey))] = k, k
	}
	return k
}

func public(i int) types.PublicKey {
	return types.Ed25519Key(private(i).Public().(ed25519.PublicKey))
}

func proofOf(key int, a types.AccountID) []byte {
	return ed25519.Sign(private(key), types.PossessionBytes(testChain, a))
}

// tx makes a transaction that may use as much gas as it needs. Its id follows from n.
func tx(n int, from types.AccountID, actions ...types.Action) module.Tx {
	t := module.Tx{ID: types.Sum("test/tx\x00", fmt.Append(nil, n)), Account: from, Actions: actions, Bytes: 180}
	t.MaxGas = gasOf(&t)
	return t
}

func registerOf(key int, a types.AccountID, name string) types.Action {
	return types.Action{Name: types.ActionRegisterProducer, Body: types.RegisterBody{Key: public(key), Proof: proofOf(key, a), Name: name}.Encode()}
}

func rotateTo(key int, a types.AccountID) types.Action {
	return types.Action{Name: types.ActionRotateKey, Body: types.RotateBody{Key: public(key), Proof: proofOf(key, a)}.Encode()}
}

func stakeOf(amount uint64) types.Action {
	return types.Action{Name: types.ActionStake, Body: types.StakeBody{Amount: amount}.Encode(), MaxSpend: amount}
}

func unstakeOf(amount uint64) types.Action {
	return types.Action{Name: types.ActionUnstake, Body: types.StakeBody{Amount: amount}.Encode()}
}

func voteFor(list ...types.AccountID) types.Action {
	return types.Action{Name: types.ActionVote, Body: types.VoteBody{Producers: list}.Encode()}
}

func evidenceOf(raw []byte) types.Action {
	return types.Action{Name: types.ActionEvidence, Body: types.EvidenceBody{Evidence: raw}.Encode()}
}

func plain(name string) types.Action { return types.Action{Name: name} }

// validTxs does all that needs no set: each of five in turn for another pair of a producer and a voter.
func validTxs(seed uint64, n int) []module.Tx {
	out := make([]module.Tx, n)
	for i := range out {
		k := int(seed)*1_000_000 + i
		g := k - i%5
		producer, voter := account(g), account(g+1)
		switch i % 5 {
		case 0:
			out[i] = tx(k, producer, stakeOf(70), registerOf(g, producer, "node"))
		case 1:
			out[i] = tx(k, voter, stakeOf(1000))
		case 2:
			out[i] = tx(k, voter, voteFor(producer), stakeOf(500))
		case 3:
			out[i] = tx(k, voter, unstakeOf(300))
		case 4:
			out[i] = tx(k, producer, rotateTo(g+2, producer), plain(types.ActionRetire), plain(types.ActionReactivate))
		}
	}
	return out
}

func factory() moduletest.Factory {
	some := validTxs(moduletest.QuerySeed, 5)
	bad := func(n int, a types.Action) module.Tx { return tx(n, account(1), a) }
	return moduletest.Factory{
		Open: func() (moduletest.Instance, error) {
			m := New(small())
			return moduletest.Instance{Module: m, Close: m.Close}, nil
		},
		Chain: testChain, Valid: validTxs,
		Malformed: []module.Tx{
			bad(1, plain("vot")), bad(2, plain(types.ActionVote)), bad(3, stakeOf(0)), bad(4, types.Action{Name: types.ActionStake, Body: types.StakeBody{Amount: 5}.Encode(), MaxSpend: 4}),
			bad(5, types.Action{Name: types.ActionRetire, Body: []byte{1}}), bad(6, voteFor(account(1), account(1))),
			bad(7, types.Action{Name: types.ActionRegisterProducer, Body: types.RegisterBody{Key: types.PublicKey{Scheme: 9}}.Encode()}), bad(8, types.Action{}),
			{ID: types.TxID{9}, Account: account(1)},
		},
		Paths: []string{PathProducers, PathProducers + "?limit=1", PathAll, PathAll + "?limit=1", PathEvidence, PathProducer + some[0].Account.String(), PathAccount + some[1].Account.String(),
			PathAccount + account(12345).String()},
		GoodParams: map[string][]byte{"consensus.seats": []byte("5"), "oracle.base": []byte(`"x"`)},
		BadParams:  map[string][]byte{"consensus.seats": []byte("0")},
	}
}

func TestModuleConformance(t *testing.T)       { moduletest.Run(t, factory()) }
func TestModuleConformanceRemote(t *testing.T) { moduletest.Run(t, moduletest.Remote(factory())) }
