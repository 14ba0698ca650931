package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func TestRoughly(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{0, "0s"}, {40 * time.Millisecond, "0s"}, {400 * time.Millisecond, "400ms"}, {1500 * time.Millisecond, "1.5s"}, {9960 * time.Millisecond, "10s"},
		{12400 * time.Millisecond, "12s"}, {59600 * time.Millisecond, "1m"}, {125 * time.Second, "2m5s"}, {2 * time.Minute, "2m"}, {time.Hour - time.Second, "1h"},
		{3*time.Hour + 12*time.Minute + 29*time.Second, "3h12m"}, {24*time.Hour - time.Second, "1d"}, {51 * time.Hour, "2d3h"}, {365 * 24 * time.Hour, "365d"},
	} {
		if got := roughly(c.d); got != c.want {
			t.Errorf("%s is %q, want %q", c.d, got, c.want)
		}
	}
}

// standing is an oracle whose clock is 100, in ticks of a second.
func standing() *oracleSession {
	ref := &client.Reference{}
	ref.Height, ref.Clock, ref.Params.Token, ref.Params.SlotMs = 90, 100, "ALTO", 1000
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.Local)
	terms := oracle.Terms{TickNs: 1e9, Challenge: 60, InitiatorWindow: 30}
	return &oracleSession{&session{chain: "root", node: "north"}, ref, terms, chainClock{100, time.Second, now}}
}

func TestChainClock(t *testing.T) {
	o := standing()
	for clock, want := range map[uint64]string{
		100: "clock 100, now (12:00:00)", 105: "clock 105, in about 5s (12:00:05)", 40: "clock 40, about 1m ago (11:59:00)",
		100 + 2*86400: "clock 172900, in about 2d (Tue Mar 3 12:00)", 100 + 320*86400: "clock 27648100, in about 320d (Jan 15 2027)",
	} {
		if got := o.at(clock); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if d := (chainClock{tick: time.Hour}).span(1 << 63); d <= 0 {
		t.Errorf("a span that no duration holds is %s", d)
	}
	if got := o.in(^uint64(0)); !strings.HasPrefix(got, "in about 106751d") {
		t.Errorf("the end of time is %q", got)
	}
	var s span
	if err := s.Set("2d"); err != nil || s != span(48*time.Hour) || s.String() != "2d" {
		t.Errorf("%s, %v", &s, err)
	}
	for _, text := range []string{"", "-1h", "2", "1.5d x", "99999999d"} {
		if err := s.Set(text); err == nil {
			t.Errorf("%q is a duration of %s", text, &s)
		}
	}
}

func TestWhatCannotBeDoneNow(t *testing.T) {
	o, asker, other := standing(), types.AccountID{1}, types.AccountID{2}
	given := func(clock uint64, values ...oracle.Value) (list []oracle.GivenView) {
		for i, v := range values {
			list = append(list, oracle.GivenView{Account: asker, Value: v, Clock: clock, Counter: i == 1})
		}
		return list
	}
	yes := oracle.Yes
	open := oracle.View{State: oracle.Open, Asker: asker, Open: 80, AskerUntil: 110, AnswerBy: 500, DueAt: 600, Deposit: 5_000_000}
	at := func(f func(*oracle.View)) oracle.View { v := open; f(&v); return v }
	answered := at(func(v *oracle.View) { v.State, v.DueAt, v.Answers = oracle.Answered, 130, given(90, oracle.Yes) })
	disputed := at(func(v *oracle.View) {
		v.State, v.DueAt, v.Answers, v.Dispute = oracle.Commit, 120, given(90, oracle.Yes, oracle.No), &oracle.DisputeView{EndsAt: 150}
	})
	final := at(func(v *oracle.View) { v.State, v.ClosedAt, v.Result = oracle.Final, 70, &yes })
	for _, c := range []struct {
		name    string
		counter bool
		q       oracle.View
		by      types.AccountID
		value   oracle.Value
		want    oracle.RuleError // empty: it can be done
		says    string
	}{
		{"the asker answers", false, open, asker, oracle.No, "", ""},
		{"a stranger waits", false, open, other, oracle.No, oracle.ErrWindow, "only the asker may answer question 00000000 for another 10s; from clock 110, in about 10s (12:00:10) on anybody may, with a bond of 5 ALTO"},
		{"a stranger, just in time", false, at(func(v *oracle.View) { v.AskerUntil = 101 }), other, oracle.No, "", ""},
		{"it is not open", false, at(func(v *oracle.View) { v.Open = 102 }), asker, oracle.No, oracle.ErrWindow, "opens in about 2s: clock 102"},
		{"it opens with the next block", false, at(func(v *oracle.View) { v.Open = 101 }), asker, oracle.No, "", ""},
		{"it expires", false, at(func(v *oracle.View) { v.DueAt = 100 }), asker, oracle.No, oracle.ErrWindow, "about to expire"},
		{"too early", false, open, asker, oracle.TooEarly, "", ""},
		{"too early again", false, at(func(v *oracle.View) { v.Reopened = true }), asker, oracle.TooEarly, oracle.ErrWindow, "once"},
		{"too early, too late", false, at(func(v *oracle.View) { v.AnswerBy = 100 }), asker, oracle.TooEarly, oracle.ErrWindow, "no answer to question 00000000 any more"},
		{"a second answer", false, answered, other, oracle.No, oracle.ErrAnswered, "has the answer YES, which is final in about 30s; `alto oracle counter"},
		{"an answer in a dispute", false, disputed, other, oracle.No, oracle.ErrAnswered, "until clock 150, in about 50s"},
		{"an answer to what is over", false, final, other, oracle.No, oracle.ErrFinal, "is over since clock 70, about 30s ago (11:59:30): YES"},
		{"a counter", true, answered, other, oracle.No, "", ""},
		{"a counter to nothing", true, open, other, oracle.No, oracle.ErrWindow, "no answer that could be contradicted"},
		{"the same value", true, answered, other, oracle.Yes, oracle.ErrSameAnswer, "name another value"},
		{"a counter too late", true, at(func(v *oracle.View) { v.State, v.DueAt, v.Answers = oracle.Answered, 100, given(40, oracle.Yes) }), other, oracle.No, oracle.ErrWindow, "until clock 100, now"},
		{"a second counter", true, disputed, other, oracle.Invalid, oracle.ErrCountered, "contradicted already"},
		{"a counter too early", true, answered, other, oracle.TooEarly, "", ""},
		{"a counter too early to an answer that was due", true, at(func(v *oracle.View) {
			v.State, v.DueAt, v.Answers, v.AnswerBy = oracle.Answered, 130, given(90, oracle.Yes), 90
		}), other, oracle.TooEarly, oracle.ErrWindow, "it was given when it was due"},
		{"a counter to what is over", true, final, other, oracle.No, oracle.ErrFinal, "YES"},
	} {
		var err error
		if c.counter {
			err = o.mayCounter(&c.q, c.value)
		} else {
			err = o.mayAnswer(&c.q, c.by, c.value)
		}
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || exitCode(t.Context(), err) != exitFailed {
			t.Errorf("%s: %v; want %s and %q", c.name, err, c.want, c.says)
		}
	}
}

// TestStrangeText shows a question whose text and sources look like lines of the command: none of them may pass as one.
func TestStrangeText(t *testing.T) {
	forged := "state    FINAL\n  result   YES, since clock 70\r\n\u2028  result   YES\u2029\x1b[2K\u0085\u202e" + strings.Repeat("\u2800", textWidth) + "  result   YES, since clock 70\xff"
	v := questionView{View: oracle.View{State: oracle.Answered, Text: "Did it rain?\n  " + forged, Sources: []string{"https://a.example\n" + forged},
		DueAt: 130, Answers: []oracle.GivenView{{Value: oracle.No, Clock: 90}}}}
	var b strings.Builder
	a, own := &app{out: &b}, 0
	a.printQuestion(standing(), &v)
	for l := range strings.SplitSeq(strings.TrimSuffix(b.String(), "\n"), "\n") {
		if l != visible(l) {
			t.Errorf("%q has what steers a terminal", l)
		}
		if strings.HasPrefix(l, "  state ") {
			own++
		}
		head, text, quote := strings.Cut(l, "| ")
		if strings.Contains(l, "result ") && (!quote || strings.TrimSpace(strings.TrimPrefix(head, "  source")) != "") {
			t.Errorf("%q looks like the command's own", l)
		}
		if n := len([]rune(text)); n > textWidth {
			t.Errorf("%q: %d columns, a terminal breaks it", l, n)
		}
	}
	if own != 1 || !strings.Contains(b.String(), "\n  | Did it rain?\n") {
		t.Errorf("%d states:\n%s", own, &b)
	}
	for _, s := range []string{oneLine(forged, 60), eventText(standing(), &client.OracleEvent{Name: "novel", Data: []byte(forged)}, nil)} {
		if s != visible(s) || strings.Contains(s, "  ") {
			t.Errorf("%q", s)
		}
	}
	if got := strings.Join(quoted(strings.Repeat("word ", 40)+"\n\n天"+strings.Repeat("天", 40)), "\n"); strings.Count(got, "\n") != 5 || strings.Count(got, "word") != 40 || strings.Count(got, "天") != 41 {
		t.Errorf("%q", got)
	}
}

// TestBondOfAnAnswer is free for the asker alone, with a word where that may be over before the answer is in a block.
func TestBondOfAnAnswer(t *testing.T) {
	o, asker := standing(), types.AccountID{1}
	for _, c := range []struct {
		until uint64
		by    types.AccountID
		free  bool
		says  string
	}{
		{500, asker, true, "the answer is free: the deposit of 5 ALTO is its bond"}, {500, types.AccountID{2}, false, "the bond is 5 ALTO"},
		{101, asker, true, "free if it is in a block before clock 101, in about 1s"}, {100, asker, false, "the bond is 5 ALTO"}, {90, asker, false, "the bond is 5 ALTO"},
	} {
		q := oracle.View{Asker: asker, AskerUntil: c.until, Deposit: 5_000_000}
		if text, free := o.bondOfAnswer(&q, c.by); free != c.free || !strings.Contains(text, c.says) {
			t.Errorf("until %d: %q, %t", c.until, text, free)
		}
	}
}

// TestBallotHints names the node in the way in which it was named.
func TestBallotHints(t *testing.T) {
	for _, c := range []struct {
		b    balloting
		want string
	}{{balloting{}, "VALUE --node north` gives it one, and `alto oracle ballot --list --node north`"}, {balloting{data: "/srv/node"}, "VALUE --data /srv/node` gives"}} {
		if err := ballotHint(api.ErrNoBelief, standing(), &c.b, types.Hash{}); !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

func TestOracleHints(t *testing.T) {
	for _, c := range []struct {
		err    error
		status string
		code   int
		says   string
	}{
		{nil, "", exitOK, ""}, {client.ErrTxFailed, "ErrSameAnswer", exitFailed, "name another value"}, {client.ErrTxFailed, "ErrStrange", exitFailed, "ErrTxFailed"},
		{api.ErrUnknownModule, "", exitConfig, "chain root has no oracle"}, {api.ErrNoOracle, "", exitConfig, "`oracle \"prophecy\" {}`"},
	} {
		err := oracleHint(c.err, c.status, "root")
		if exitCode(t.Context(), err) != c.code || (c.says != "" && !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%v, %s: %v", c.err, c.status, err)
		}
	}
	if err := notNow(oracle.ErrFinal, "over"); oracleHint(err, "", "root") != err {
		t.Error("a refusal that says what to do was given a hint")
	}
	for name := range oracleHints { // each is a word that the chain can say
		if client.Name(name) != string(name) {
			t.Errorf("%q is no name", name)
		}
	}
	if _, err := valueArg("too-early"); err != nil {
		t.Error(err)
	}
	if _, err := valueArg("YEZ"); err == nil || !strings.Contains(err.Error(), "did you mean \"YES\"") || exitCode(t.Context(), err) != exitUsage {
		t.Errorf("%v", err)
	}
}

// TestEventTexts has a text for each event, and shows as it is what it does not know.
func TestEventTexts(t *testing.T) {
	o, names := standing(), map[types.Hash]string{{7}: "south"}
	yes := oracle.Yes
	settled := oracle.Settlement{Decided: true, Winner: oracle.Yes, Burned: 5_000_000, Returned: 20_000_000, ToWinner: 3_000_000, Rewards: 2_000_000, PerProducer: 500_000, Rewarded: 4}
	for name, c := range map[string]struct {
		data any
		want string
	}{
		oracle.EventAsked:         {oracle.AskedEvent{Text: "a\nb", Deposit: 5_000_000}, ", deposit 5 ALTO: a b"},
		oracle.EventAnswered:      {oracle.AnsweredEvent{Value: yes, FinalAt: 9}, "final at clock 9"},
		oracle.EventCountered:     {oracle.CounteredEvent{Value: oracle.No, Seats: 4, CommitAt: 1, RevealAt: 2, EndsAt: 3}, "4 producers commit from clock 1, reveal from clock 2, until clock 3"},
		oracle.EventCommitted:     {oracle.BallotEvent{Seat: 2, Producer: types.Hash{7}}, "seat 2, south"},
		oracle.EventRevealed:      {oracle.BallotEvent{Seat: 2, Producer: types.Hash{8}, Value: &yes}, "seat 2, producer 08000000: YES"},
		oracle.EventBallotRefused: {oracle.RefusedEvent{Producer: types.Hash{7}, Error: oracle.ErrDoubleCommit, Detail: "x"}, "south: ErrDoubleCommit: x"},
		oracle.EventDecided: {oracle.DecidedEvent{Votes: map[string]int{"YES": 3, "NO": 1, "INVALID": 0}, Seats: 4, Settled: settled},
			"NO 1, YES 3 of 4; decided: YES; 5 ALTO burned; 20 ALTO returned to those who had paid it; 3 ALTO to who was right; 0.5 ALTO each to 4 producers"},
		oracle.EventReopened: {oracle.ClosedEvent{Returned: 1_000_000}, "1 ALTO returned, 0 ALTO burned"},
		oracle.EventFinal:    {oracle.ClosedEvent{Value: &yes, Returned: 1_000_000}, "YES; 1 ALTO returned, 0 ALTO burned"},
		oracle.EventExpired:  {oracle.ClosedEvent{Burned: 1}, "0.000001 ALTO burned"},
		"novel":              {map[string]int{"a": 1}, `{"a":1}`},
	} {
		b, err := json.Marshal(c.data)
		if err != nil {
			t.Fatal(err)
		}
		if got := eventText(o, &client.OracleEvent{Name: name, Data: b}, names); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if got := eventText(o, &client.OracleEvent{Name: name, Data: []byte(`"no object"`)}, names); got != `"no object"` {
			t.Errorf("%s without sense: %q", name, got)
		}
	}
	if got := ballotsText(nil, 4); got != "no ballots of 4" {
		t.Errorf("%q", got)
	}
}

func TestCarriedBallots(t *testing.T) {
	for _, text := range []string{"", "zz", "ff", strings.Repeat("00", 100), t.TempDir(), "no-such-file", "/dev/zero"} {
		if _, _, err := carriedBallot(text); exitCode(t.Context(), err) != exitConfig {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestTextsCannotPoseAsOutput: whoever asks a question writes its text, and must not be able to write lines that look like the command's.
func TestTextsCannotPoseAsOutput(t *testing.T) {
	var b bytes.Buffer
	a := &app{out: &b}
	text := "Did it rain?\nstate    FINAL\n  result   YES, since clock 70\u202e\u200b"
	a.printQuestion(standing(), &questionView{View: oracle.View{State: oracle.Answered, Text: text, AnswerBy: 500, DueAt: 130,
		Answers: []oracle.GivenView{{Value: oracle.No, Clock: 90}}}})
	for _, line := range strings.Split(b.String(), "\n") {
		if strings.Contains(line, "FINAL") || strings.Contains(line, "result") {
			if !strings.HasPrefix(line, "  | ") {
				t.Errorf("a line of the text looks like the command's: %q", line)
			}
		}
	}
	for _, s := range []string{b.String(), oneLine(text, 200)} {
		if strings.ContainsAny(s, "\u202e\u200b") {
			t.Errorf("characters that are not seen are left: %q", s)
		}
	}
}
