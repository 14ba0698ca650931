package oracle

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func someKey(i int) (ed25519.PrivateKey, types.PublicKey) {
	seed := types.Sum("test key\x00", fmt.Append(nil, i))
	k := ed25519.NewKeyFromSeed(seed[:])
	return k, types.Ed25519Key(k.Public().(ed25519.PublicKey))
}

func someKeys(n int) (out []types.PublicKey) {
	for i := range n {
		_, k := someKey(i)
		out = append(out, k)
	}
	return out
}

func sampleBallot(phase State) Ballot {
	b := Ballot{Question: types.Sum("q\x00"), CommitAt: 520, Phase: phase, Serial: 7}
	if phase == Commit {
		b.Commit = types.Sum("commit\x00")
	} else {
		b.Value, b.Salt = TooEarly, types.Sum("salt\x00")
	}
	return b
}

func sampleCarried() Carried {
	key, pub := someKey(1)
	b := sampleBallot(Reveal)
	return Carried{b, pub, ed25519.Sign(key, types.PluginSignBytes(types.Hash{1}, "oracle", b.Purpose(), b.Payload()))}
}

func sampleDispute() *Dispute {
	return &Dispute{
		ID: types.Sum("q\x00"), Life: 1, Countered: 510, CommitAt: 520, RevealAt: 530, EndsAt: 540, Producers: someKeys(4),
		Commits: []Committed{{0, types.Sum("a\x00"), 521}, {1, types.Sum("b\x00"), 522}, {3, types.Sum("c\x00"), 520}},
		Reveals: []Revealed{{1, No, 533}, {3, Invalid, 530}}, Over: 541,
		Settled: &Settlement{Decided: true, Winner: No, Burned: 1, Returned: 2, ToWinner: 3, Rewards: 4, PerProducer: 5, Rewarded: 6, Kept: 7, Reopened: true},
	}
}

func TestDisputeRoundTrip(t *testing.T) {
	want := sampleDispute()
	got, err := DecodeDispute(want.Encode(), want.EncodeCommits())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%v\n%+v\n%+v", err, got, want)
	}
	v := reflect.ValueOf(*want.Settled)
	for i := range v.NumField() {
		if v.Field(i).IsZero() && v.Type().Field(i).Name != "Winner" {
			t.Errorf("the sample leaves out %s", v.Type().Field(i).Name)
		}
	}
}

func TestBallotsKeepTheirFields(t *testing.T) {
	want := []Ballot{sampleBallot(Commit), sampleBallot(Reveal)}
	got, err := DecodeBallots(EncodeBallots(want))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%v\n%+v\n%+v", err, got, want)
	}
	c, err := DecodeCarried(sampleCarried().Encode())
	if err != nil || !reflect.DeepEqual(c, sampleCarried()) {
		t.Fatalf("%v\n%+v", err, c)
	}
	if EncodeBallots(nil) != nil {
		t.Error("no ballots make an extension")
	}
	most := make([]Ballot, MaxBallots)
	for i := range most {
		most[i] = Ballot{Phase: Reveal, CommitAt: math.MaxUint64, Serial: math.MaxUint64}
	}
	if n := len(EncodeBallots(most)); n > MaxExtensionBytes || n > types.MaxExtensionBytes {
		t.Errorf("an extension of %d bytes", n)
	}
	if _, err := DecodeBallots(EncodeBallots(append(most, most[0]))); !errors.Is(err, types.ErrMalformed) {
		t.Errorf("too many ballots: %v", err)
	}
}

func TestDisputeIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Dispute){
		"third life":         func(d *Dispute) { d.Life = 2 },
		"clocks backwards":   func(d *Dispute) { d.RevealAt = d.CommitAt - 1 },
		"end before reveals": func(d *Dispute) { d.EndsAt = d.RevealAt - 1 },
		"seat twice":         func(d *Dispute) { d.Reveals[1].Seat = 1 },
		"seats backwards":    func(d *Dispute) { d.Reveals[1].Seat = 0 },
		"no such seat":       func(d *Dispute) { d.Reveals[1].Seat = 4 },
		"no such value":      func(d *Dispute) { d.Reveals[1].Value = 4 },
		"bad key":            func(d *Dispute) { d.Producers[2].Key = d.Producers[2].Key[1:] },
		"too many seats":     func(d *Dispute) { d.Producers = make([]types.PublicKey, types.MaxSeats+1) },
		"commit of no seat":  func(d *Dispute) { d.Commits[2].Seat = 4 },
		"commits backwards":  func(d *Dispute) { d.Commits[2].Seat = 1 },
		"no such winner":     func(d *Dispute) { d.Settled.Winner = 9 },
	} {
		d := sampleDispute()
		spoil(d)
		if _, err := DecodeDispute(d.Encode(), d.EncodeCommits()); !errors.Is(err, types.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := DecodeDispute(sampleDispute().Encode(), []byte{1, 0}); !errors.Is(err, types.ErrMalformed) {
		t.Errorf("an item of no commits: %v", err)
	}
}

// TestLargestDispute has as many seats as a set may have, all of which have voted, at the latest clocks there are.
func TestLargestDispute(t *testing.T) {
	d := &Dispute{Life: 1, Countered: math.MaxUint64, CommitAt: math.MaxUint64, RevealAt: math.MaxUint64, EndsAt: math.MaxUint64, Producers: someKeys(types.MaxSeats)}
	for i := range d.Producers {
		d.Commits = append(d.Commits, Committed{i, types.Hash{byte(i)}, math.MaxUint64})
		d.Reveals = append(d.Reveals, Revealed{i, Yes, math.MaxUint64})
	}
	d.Settled, d.Over = &Settlement{Burned: math.MaxUint64, Returned: math.MaxUint64, ToWinner: math.MaxUint64}, math.MaxUint64
	if a, b := len(d.Encode()), len(d.EncodeCommits()); a > module.MaxValueBytes || b > module.MaxValueBytes {
		t.Fatalf("items of %d and %d bytes", a, b)
	}
	back, err := DecodeDispute(d.Encode(), d.EncodeCommits())
	if err != nil || !reflect.DeepEqual(back, d) {
		t.Fatal(err)
	}
	r := sampleRecord()
	r.Answers = append(r.Answers, r.Answers[1:]...)
	history, err := json.Marshal(NewHistory(r, [2]*Dispute{d, d}))
	if err != nil || len(history) > module.MaxAnswerBytes {
		t.Fatalf("a history of %d bytes, %v", len(history), err)
	}
	v := NewView(someTerms(), r)
	v.Dispute = NewDisputeView(d)
	if b, err := json.Marshal(v); err != nil || len(b) > module.MaxAnswerBytes {
		t.Fatalf("a question of %d bytes, %v", len(b), err)
	}
}

// TestCommitBinds changes each part of what is committed to.
func TestCommitBinds(t *testing.T) {
	chain, q, p, salt := types.ChainID{1}, [32]byte{2}, types.Hash{3}, [32]byte{4}
	seen := map[types.Hash]string{}
	for name, h := range map[string]types.Hash{
		"as it is": BallotCommit(chain, q, p, Yes, salt), "chain": BallotCommit(types.ChainID{9}, q, p, Yes, salt),
		"question": BallotCommit(chain, [32]byte{9}, p, Yes, salt), "producer": BallotCommit(chain, q, types.Hash{9}, Yes, salt),
		"value": BallotCommit(chain, q, p, No, salt), "salt": BallotCommit(chain, q, p, Yes, [32]byte{9}),
	} {
		if other, ok := seen[h]; ok {
			t.Errorf("%s and %s are the same", name, other)
		}
		seen[h] = name
	}
	if got := BallotCommit(chain, q, p, Yes, salt).String(); got != "6e294faa1208231dce156cf44d26aa2071e0fc6fd1e399327745df0044a3abbc" {
		t.Errorf("the commit has become %s", got)
	}
}

func TestCarriedSignature(t *testing.T) {
	chain := types.ChainID{1}
	if err := sampleCarried().Verify(chain); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Carried){
		"question":     func(c *Carried) { c.Ballot.Question[0]++ },
		"dispute":      func(c *Carried) { c.Ballot.CommitAt++ },
		"value":        func(c *Carried) { c.Ballot.Value = Yes },
		"salt":         func(c *Carried) { c.Ballot.Salt[0]++ },
		"serial":       func(c *Carried) { c.Ballot.Serial++ },
		"phase":        func(c *Carried) { c.Ballot.Phase = Commit },
		"key":          func(c *Carried) { _, c.Key = someKey(2) },
		"signature":    func(c *Carried) { c.Sig[5]++ },
		"no signature": func(c *Carried) { c.Sig = nil },
	} {
		c := sampleCarried()
		if spoil(&c); !errors.Is(c.Verify(chain), types.ErrBadSignature) {
			t.Errorf("another %s: %v", name, c.Verify(chain))
		}
	}
	if err := sampleCarried().Verify(types.ChainID{2}); !errors.Is(err, types.ErrBadSignature) {
		t.Errorf("another chain: %v", err)
	}
}

func TestIndex(t *testing.T) {
	id := types.Sum("q\x00")
	start, end := DisputeIndexRange()
	var last module.Item
	for _, clock := range []uint64{0, 1, 255, 256, 1 << 40, math.MaxUint64} {
		it := DisputeIndex(clock, id)
		if it.Compare(start) < 0 || it.Compare(end) >= 0 || it.Compare(last) <= 0 {
			t.Fatalf("clock %d: %q", clock, it.Key)
		}
		last = it
		if back, err := ParseDisputeIndex(it); err != nil || back != id {
			t.Fatalf("clock %d: %x, %v", clock, back, err)
		}
	}
	for _, it := range []module.Item{{}, Item(id), DisputeItem(id, 0), {Key: last.Key + "x"}, {Key: last.Key, Place: types.Place{1}}} {
		if _, err := ParseDisputeIndex(it); err == nil {
			t.Errorf("%q is in the index", it.Key)
		}
	}
	items := []module.Item{Item(id), DisputeItem(id, 0), DisputeItem(id, 1), CommitsItem(id, 0), CommitsItem(id, 1)}
	for i, a := range items {
		if a.Place != items[0].Place || IsItem(a) != (i == 0) || strings.HasPrefix(a.Key, ExportedPrefix) != (i == 0) {
			t.Errorf("item %d: %+v", i, a)
		}
		for _, b := range items[:i] {
			if a == b {
				t.Errorf("%q twice", a.Key)
			}
		}
	}
}

func TestQuorum(t *testing.T) {
	for n, want := range map[int]int{0: 1, 1: 1, 2: 2, 3: 3, 4: 3, 5: 4, 6: 5, 7: 5, 21: 15, 1024: 683} {
		d := &Dispute{Producers: make([]types.PublicKey, n)}
		if got := d.Quorum(); got != want {
			t.Errorf("of %d: %d, want %d", n, got, want)
		}
		for seat := range n {
			v, ok := d.Verdict()
			if ok != (seat >= want) || ok && v != No {
				t.Fatalf("%d of %d: %s, %t", seat, n, v, ok)
			}
			d.Reveals = append(d.Reveals, Revealed{Seat: seat, Value: No})
		}
	}
}

func TestWindows(t *testing.T) {
	for _, tc := range []struct {
		n              int
		turn           uint64
		commit, reveal uint64
	}{{0, 2, 20, 30}, {1, 2, 20, 30}, {2, 2, 20, 30}, {3, 2, 24, 30}, {4, 2, 32, 32}, {21, 6, 504, 504}, {1024, 1 << 20, 1 << 32, 1 << 32}} {
		terms := someTerms()
		terms.Turn = tc.turn
		if c, r := terms.Windows(tc.n); c != tc.commit || r != tc.reveal {
			t.Errorf("%d producers with turns of %d: %d and %d, want %d and %d", tc.n, tc.turn, c, r, tc.commit, tc.reveal)
		}
	}
}

func TestLives(t *testing.T) {
	g := func(counter bool) Given { return Given{Counter: counter} }
	for name, tc := range map[string]struct {
		answers []Given
		want    [2]bool
	}{
		"none":         {nil, [2]bool{}},
		"answered":     {[]Given{g(false)}, [2]bool{}},
		"first":        {[]Given{g(false), g(true)}, [2]bool{true, false}},
		"second alone": {[]Given{g(false), g(false), g(true)}, [2]bool{false, true}},
		"both":         {[]Given{g(false), g(true), g(false), g(true)}, [2]bool{true, true}},
	} {
		r := &Record{Answers: tc.answers}
		if got := [2]bool{r.WasDisputed(0), r.WasDisputed(1)}; got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestWithBallotLeavesTheOldOneAlone(t *testing.T) {
	d := sampleDispute()
	before, commits := d.Encode(), d.EncodeCommits()
	n := d.WithCommit(Committed{2, types.Hash{1}, 525}).WithReveal(Revealed{0, Yes, 531})
	if c, ok := n.CommitOf(2); !ok || c.Clock != 525 {
		t.Error("the commit is not there")
	}
	if r, ok := n.RevealOf(0); !ok || r.Value != Yes {
		t.Error("the reveal is not there")
	}
	if _, ok := n.RevealOf(2); ok {
		t.Error("a reveal that nobody made")
	}
	if !bytes.Equal(before, d.Encode()) || !bytes.Equal(commits, d.EncodeCommits()) {
		t.Error("the dispute before has changed")
	}
	if _, err := DecodeDispute(n.Encode(), n.EncodeCommits()); err != nil {
		t.Error(err)
	}
}
