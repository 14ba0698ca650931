package library

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/engine"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/lang"
	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

const locked = 1000 // by the second participant, unless a case says otherwise

// claim is a claim of a lock, as a chain runs it.
type claim struct {
	name     string
	macros   map[string]string
	evidence string
	clock    uint64
	time     uint64 // Unix milliseconds
	caller   uint64
	third    bool   // a third account is the payer
	chain    string // another chain's name
	lock     string // another lock's name
	env      map[string][]byte
	status   vm.Status
	want     []int64
}

func number(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

// id makes 32 bytes of a name.
func id(kind, name string) []byte {
	h := sha256.Sum256([]byte(kind + name))
	return h[:]
}

func (c *claim) environment() map[string][]byte {
	env := map[string][]byte{"chain-id": id("chain", c.chain), "channel-id": id("lock", c.lock), "clock": number(c.clock), "height": number(c.clock), "slot-time": number(c.time),
		"caller": number(c.caller), "participants": number(2), "participant:0": id("account", "0"), "participant:1": id("account", "1"),
		"nonce": number(0), "closing?": number(0)}
	for i := range 2 {
		var deposit, balance uint64
		if i == 1 {
			balance = locked
		}
		if i == 1 && !c.third {
			deposit = locked
		}
		env[fmt.Sprintf("deposit:%d", i)], env[fmt.Sprintf("balance:%d", i)] = number(deposit), number(balance)
	}
	for name, v := range c.env {
		env[name] = v
	}
	return env
}

// run runs a claim with a contract of the library.
func (c *claim) run(t *testing.T, name string) vm.Result {
	t.Helper()
	text, err := Fill(name, c.macros)
	if err != nil {
		t.Fatal(err)
	}
	l := bytecode.DefaultLimits()
	code, err := lang.Compile(vm.Source{Text: text, File: name + ".fs"}, &l)
	if err != nil {
		t.Fatal(err)
	}
	if len(code.Warnings) > 0 {
		t.Errorf("%q", code.Warnings)
	}
	evidence, err := lang.Compile(vm.Source{Text: c.evidence, Evidence: true}, &l)
	if err != nil {
		t.Fatal(err)
	}
	m, err := engine.New(&l)
	if err != nil {
		t.Fatal(err)
	}
	r := vm.Run{Code: code.Code, Evidence: evidence.Code, GasLimit: 1_000_000}
	return m.Run(&r, nil, c.environment(), make([]int64, engine.ResultCount))
}

// check runs claims and compares.
func check(t *testing.T, name string, convention vm.Convention, claims []claim) {
	for _, c := range claims {
		t.Run(c.name, func(t *testing.T) {
			res := c.run(t, name)
			if res.Status != c.status || !slices.Equal(res.Stack, c.want) || (res.Status == vm.OK && res.Convention != convention) {
				t.Errorf("%s %v, convention %d, %s; want %s %v", bytecode.StatusName(res.Status), res.Stack, res.Convention, res.Error, bytecode.StatusName(c.status), c.want)
			}
		})
	}
}

func bytesText(b []byte) string { return fmt.Sprintf(`x"%x"`, b) }

func hashText(b []byte) string {
	h := sha256.Sum256(b)
	return bytesText(h[:])
}

func TestHashLock(t *testing.T) {
	macros := map[string]string{"commitment": hashText([]byte("open sesame"))}
	check(t, "hash-lock", vm.BurnPayNonce, []claim{
		{name: "the secret", macros: macros, evidence: `s" open sesame"`, want: []int64{0, locked, 1}},
		{name: "the secret, from whom it pays", macros: macros, evidence: `s" open sesame"`, caller: 1, want: []int64{0, locked, 1}},
		{name: "a third account pays", macros: macros, evidence: `s" open sesame"`, third: true, want: []int64{0, locked, 1}},
		{name: "another secret", macros: macros, evidence: `s" open barley"`, status: bytecode.Fail},
		{name: "the commitment itself", macros: macros, evidence: macros["commitment"], status: bytecode.Fail},
		{name: "no evidence", macros: macros, status: bytecode.StackUnderflow},
		{name: "a number", macros: macros, evidence: "7", status: bytecode.TypeError},
		{name: "something else, too", macros: macros, evidence: `0 s" open sesame"`, status: bytecode.BadResult},
		{name: "as it comes, nothing opens it", evidence: `s" open sesame"`, status: bytecode.Fail},
	})
}

func TestTimeLock(t *testing.T) {
	macros := map[string]string{"opens": "50"}
	check(t, "time-lock", vm.BurnPayNonce, []claim{
		{name: "the tick before", macros: macros, clock: 49, status: bytecode.Fail},
		{name: "the tick", macros: macros, clock: 50, want: []int64{0, locked, 1}},
		{name: "much later", macros: macros, clock: 1 << 40, caller: 1, want: []int64{0, locked, 1}},
		{name: "evidence that nobody asked for", macros: macros, clock: 50, evidence: "1", status: bytecode.BadResult},
	})
}

func TestHTLC(t *testing.T) {
	secret := id("secret", "")
	macros := map[string]string{"commitment": hashText(secret), "expires-ms": "50"}
	short := map[string]string{"commitment": hashText(secret[:31]), "expires-ms": "50"}
	with := bytesText(secret) + " 1"
	check(t, "htlc", vm.BurnPayNonce, []claim{
		{name: "the secret, in the last millisecond", macros: macros, evidence: with, time: 49, want: []int64{0, locked, 1}},
		{name: "the secret, in time, when the clock has gone on without slots", macros: macros, evidence: with, time: 49, clock: 1000, want: []int64{0, locked, 1}},
		{name: "the secret, too late, on a clock that has stood", macros: macros, evidence: with, time: 50, clock: 1, status: bytecode.Fail},
		{name: "the secret, too late", macros: macros, evidence: with, time: 50, status: bytecode.Fail},
		{name: "back, too early", macros: macros, evidence: "0", caller: 1, time: 49, status: bytecode.Fail},
		{name: "back, in the first millisecond", macros: macros, evidence: "0", caller: 1, time: 50, want: []int64{0, 0, 1}},
		{name: "another secret", macros: macros, evidence: bytesText(id("secret", "x")) + " 1", time: 10, status: bytecode.Fail},
		{name: "a secret of 31 bytes", macros: short, evidence: bytesText(secret[:31]) + " 1", time: 10, status: bytecode.Fail},
		{name: "no path", macros: macros, evidence: bytesText(secret), time: 10, status: bytecode.TypeError},
		{name: "no secret", macros: macros, evidence: "1", time: 10, status: bytecode.StackUnderflow},
		{name: "back, with a secret", macros: macros, evidence: bytesText(secret) + " 0", time: 60, status: bytecode.BadResult},
		{name: "no evidence", macros: macros, time: 60, status: bytecode.StackUnderflow},
	})
}

func TestTwoOfThree(t *testing.T) {
	var keys [4]ed25519.PrivateKey
	macros := map[string]string{}
	for i := range keys {
		keys[i] = ed25519.NewKeyFromSeed(id("key", fmt.Sprint(i)))
		if i < 3 {
			public := append([]byte{byte(types.SchemeEd25519)}, keys[i].Public().(ed25519.PublicKey)...)
			macros[fmt.Sprintf("key-%d", i)] = bytesText(public)
		}
	}
	// signed makes a signature for what a chain and a lock of these names would pay.
	signed := func(key int, pay uint64, chain, lock string) string {
		m := slices.Concat([]byte("two-of-three"), id("chain", chain), id("lock", lock), number(pay))
		return bytesText(ed25519.Sign(keys[key], engine.SignBytes(m)))
	}
	both := func(pay uint64, a, b int) string {
		return fmt.Sprintf("%d %s %d %s %d", pay, signed(a, pay, "", ""), a, signed(b, pay, "", ""), b)
	}
	check(t, "two-of-three", vm.BurnPayNonce, []claim{
		{name: "the participants", macros: macros, evidence: both(600, 0, 1), want: []int64{0, 600, 1}},
		{name: "the first and the arbiter", macros: macros, evidence: both(locked, 0, 2), want: []int64{0, locked, 1}},
		{name: "the second and the arbiter", macros: macros, evidence: both(0, 1, 2), caller: 1, want: []int64{0, 0, 1}},
		{name: "more than there is", macros: macros, evidence: both(locked+1, 0, 1), status: bytecode.Fail},
		{name: "another amount than was signed", macros: macros, status: bytecode.Fail,
			evidence: fmt.Sprintf("601 %s 0 %s 1", signed(0, 600, "", ""), signed(1, 600, "", ""))},
		{name: "one key twice", macros: macros, status: bytecode.Fail,
			evidence: fmt.Sprintf("600 %s 0 %s 0", signed(0, 600, "", ""), signed(0, 600, "", ""))},
		{name: "the same key under two numbers", macros: macros, status: bytecode.Fail,
			evidence: fmt.Sprintf("600 %s 0 %s 1", signed(0, 600, "", ""), signed(0, 600, "", ""))},
		{name: "the numbers the other way round", macros: macros, evidence: both(600, 1, 0), status: bytecode.Fail},
		{name: "a stranger", macros: macros, status: bytecode.Fail,
			evidence: fmt.Sprintf("600 %s 0 %s 1", signed(0, 600, "", ""), signed(3, 600, "", ""))},
		{name: "a number without a key", macros: macros, status: bytecode.Fail,
			evidence: fmt.Sprintf("600 %s 0 %s 3", signed(0, 600, "", ""), signed(3, 600, "", ""))},
		{name: "a negative number", macros: macros, status: bytecode.Fail,
			evidence: fmt.Sprintf("600 %s -1 %s 0", signed(3, 600, "", ""), signed(0, 600, "", ""))},
		{name: "one signature", macros: macros, evidence: "600 " + signed(0, 600, "", "") + " 0", status: bytecode.StackUnderflow},
		{name: "signatures for another lock", macros: macros, evidence: both(600, 0, 1), lock: "another", status: bytecode.Fail},
		{name: "signatures for another chain", macros: macros, evidence: both(600, 0, 1), chain: "another", status: bytecode.Fail},
		{name: "as it comes, with no keys", evidence: both(600, 0, 1), status: bytecode.Fail},
	})
}

func TestCommitReveal(t *testing.T) {
	secret := func(i int, n int) []byte { return id("secret", fmt.Sprint(i, n)) }
	macros := func(n int) map[string]string {
		return map[string]string{"commitment-0": hashText(secret(0, n)), "commitment-1": hashText(secret(1, n)), "wait": "20"}
	}
	both := func(n int) string { return fmt.Sprintf("%s %s 2", bytesText(secret(0, n)), bytesText(secret(1, n))) }
	// The coin, of some tosses: both have to win now and then.
	var claims []claim
	won := [2]int{}
	for n := range 8 {
		h := sha256.Sum256(slices.Concat(secret(0, n), secret(1, n)))
		won[h[31]&1]++
		claims = append(claims, claim{name: fmt.Sprintf("both, toss %d", n), macros: macros(n), evidence: both(n), want: []int64{0, 2, int64(h[31]&1) * locked}})
	}
	if won[0] == 0 || won[1] == 0 {
		t.Fatal("a coin with one side")
	}
	check(t, "commit-reveal", vm.DelayNonceAmount, append(claims, []claim{
		{name: "the first one's alone", macros: macros(0), evidence: bytesText(secret(0, 0)) + " 0", want: []int64{20, 1, locked}},
		{name: "the second one's alone", macros: macros(0), evidence: bytesText(secret(1, 0)) + " 1", want: []int64{20, 1, 0}},
		{name: "the second one's as the first's", macros: macros(0), evidence: bytesText(secret(1, 0)) + " 0", status: bytecode.Fail},
		{name: "the first one's twice", macros: macros(0), evidence: fmt.Sprintf("%s %s 2", bytesText(secret(0, 0)), bytesText(secret(0, 0))), status: bytecode.Fail},
		{name: "the other way round", macros: macros(0), evidence: fmt.Sprintf("%s %s 2", bytesText(secret(1, 0)), bytesText(secret(0, 0))), status: bytecode.Fail},
		{name: "a short secret", macros: map[string]string{"commitment-0": hashText([]byte("short"))}, evidence: `s" short" 0`, status: bytecode.Fail},
		{name: "another path", macros: macros(0), evidence: bytesText(secret(0, 0)) + " 3", status: bytecode.Fail},
		{name: "nothing", macros: macros(0), status: bytecode.StackUnderflow},
	}...))
}

func TestDeadMan(t *testing.T) {
	macros := map[string]string{"wait": "20"}
	check(t, "dead-man", vm.DelayNonceAmount, []claim{
		{name: "the heir", macros: macros, want: []int64{20, 1, locked}},
		{name: "the owner, whose nonce is higher", macros: macros, caller: 1, want: []int64{0, 2, 0}},
		{name: "evidence", macros: macros, evidence: "1", status: bytecode.BadResult},
	})
}

func TestOracleBet(t *testing.T) {
	question := id("question", "")
	macros := map[string]string{"question": bytesText(question), "freshness": "10", "security": "5"}
	// answer is what a chain tells: 1 is final, 2 pending, 3 disputed.
	answer := func(state byte, value int64, at, deposit uint64) map[string][]byte {
		return map[string][]byte{fmt.Sprintf("oracle:%x", question): slices.Concat([]byte{state}, number(uint64(value)), number(at), number(deposit))}
	}
	first, second := []int64{0, locked, 1}, []int64{0, 0, 1}
	check(t, "oracle-bet", vm.BurnPayNonce, []claim{
		{name: "YES", macros: macros, clock: 50, env: answer(1, 1, 45, 5), want: first},
		{name: "NO", macros: macros, clock: 50, env: answer(1, 0, 45, 5), want: second},
		{name: "INVALID", macros: macros, clock: 50, env: answer(1, 2, 45, 5), status: bytecode.Fail},
		{name: "TOO_EARLY", macros: macros, clock: 50, env: answer(1, 3, 45, 5), status: bytecode.Fail},
		{name: "no answer of the oracle's", macros: macros, clock: 50, env: answer(1, -1, 45, 5), status: bytecode.Fail},
		{name: "just fresh", macros: macros, clock: 55, env: answer(1, 1, 45, 5), want: first},
		{name: "stale", macros: macros, clock: 56, env: answer(1, 1, 45, 5), status: bytecode.Fail},
		{name: "too little put up", macros: macros, clock: 50, env: answer(1, 1, 45, 4), status: bytecode.Fail},
		{name: "pending", macros: macros, clock: 50, env: answer(2, 0, 0, 0), status: bytecode.Fail},
		{name: "disputed", macros: macros, clock: 50, env: answer(3, 0, 0, 0), status: bytecode.Fail},
		{name: "unknown", macros: macros, clock: 50, env: answer(0, 0, 0, 0), status: bytecode.Fail},
		{name: "not looked up", macros: macros, clock: 50, status: bytecode.EnvMissing},
		{name: "evidence that pretends to be the answer", macros: macros, clock: 50, evidence: "1 1", env: answer(2, 0, 0, 0), status: bytecode.Fail},
		{name: "evidence besides", macros: macros, clock: 50, evidence: "1", env: answer(1, 1, 45, 5), status: bytecode.BadResult},
	})
	macros = map[string]string{"question": bytesText(question), "wins": "0", "freshness": "10", "security": "5"}
	check(t, "oracle-bet", vm.BurnPayNonce, []claim{
		{name: "on NO, YES", macros: macros, clock: 50, env: answer(1, 1, 45, 5), want: second},
		{name: "on NO, NO", macros: macros, clock: 50, env: answer(1, 0, 45, 5), want: first},
	})
}

// TestResults sees that what a contract's results mean does not depend on the chain that it is compiled for: the same three
// numbers are a share under one convention, and next to nothing under the other.
func TestResults(t *testing.T) {
	for _, name := range Names() {
		text, err := Source(name)
		if err != nil {
			t.Fatal(err)
		}
		var first []byte
		for _, result := range []string{"burn-pay-nonce", "delay-nonce-amount"} {
			l := bytecode.DefaultLimits()
			l.Result = result
			c, err := lang.Compile(vm.Source{Text: text, File: name + ".fs"}, &l)
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = c.Code
			}
			if !slices.Equal(c.Code, first) {
				t.Errorf("%s: on a chain whose contracts leave %s it is another contract", name, result)
			}
		}
	}
}

// TestHeads sees that every contract says what a reader has to know, and that nothing is left out here.
func TestHeads(t *testing.T) {
	want := []string{"commit-reveal", "dead-man", "hash-lock", "htlc", "oracle-bet", "time-lock", "two-of-three"}
	if got := Names(); !slices.Equal(got, want) {
		t.Fatalf("%q", got)
	}
	for _, name := range Names() {
		text, err := Source(name)
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := strings.Cut(text, "\n\n")
		if !strings.HasPrefix(text, "\\ dialect: paloalto\n\\ result: ") {
			t.Errorf("%s: the first lines do not name dialect and results", name)
		}
		for _, s := range []string{"Evidence:", "irst", "econd participant"} {
			if !strings.Contains(head, s) {
				t.Errorf("%s: the head has no %q", name, s)
			}
		}
		for n, line := range strings.Split(text, "\n") {
			if len(line) > 120 {
				t.Errorf("%s:%d: %d characters", name, n+1, len(line))
			}
		}
		if title, err := Title(name); err != nil || !strings.Contains(title, ":") {
			t.Errorf("%s: title %q, %v", name, title, err)
		}
	}
	if _, err := Source("nothing"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	if _, err := Fill("hash-lock", map[string]string{"comitment": "1"}); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}
