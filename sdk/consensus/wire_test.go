package consensus

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	consensusv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/consensus/v1"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func testKey(i byte) types.PublicKey {
	return types.Ed25519Key(ed25519.NewKeyFromSeed(append(make([]byte, 31), i)).Public().(ed25519.PublicKey))
}

func testSet(epoch uint64) *types.Set {
	return types.EqualSet(epoch, []types.PublicKey{testKey(1), testKey(2), testKey(3), testKey(4)})
}

func testHeader(height uint64) *types.Header {
	return &types.Header{Chain: types.Sum("chain"), Height: height, Slot: height + 1, Epoch: 3, Producer: testKey(1).Hash(), Shard: []byte{1},
		Consensus: []byte("consensus"), NextSet: testSet(4).Hash()}
}

func testProof(height uint64) *types.Finality {
	return &types.Finality{Suffix: []*types.Header{testHeader(height + 1)}, Cert: &types.Certificate{Scheme: types.CertEd25519List, Epoch: 3,
		SetHash: testSet(3).Hash(), Height: height + 1, Slot: height + 2, Block: testHeader(height + 1).ID(), Bitmap: []byte{7},
		Signatures: [][]byte{{1}, {2}, {3}}}}
}

func testStart() *Start {
	key := testKey(2)
	return &Start{Genesis: testHeader(0), Set: testSet(3), Key: &key, Snapshot: []byte("snapshot"), Records: [][]byte{[]byte("a"), []byte("bc")},
		Final: testHeader(9), FinalProof: testProof(9), EpochStart: testHeader(5), EpochProof: testProof(5), Next: testSet(4), NowMs: 12,
		GenesisTimeMs: 11}
}

func testEvents() []Event {
	h, id := testHeader(7), types.Sum("id")
	return []Event{
		&Woken{NowMs: 5},
		&Message{From: types.Sum("peer"), Payload: []byte("payload"), NowMs: 6},
		&Built{Slot: 8, Parent: id, Header: h, Next: testSet(4), NowMs: 7},
		&Checked{Block: id, OK: true, Reason: "none", Next: testSet(4), NowMs: 8},
		&Finalised{Header: h, Proof: testProof(7), Next: testSet(4), NowMs: 9},
	}
}

func testReady() *Ready {
	id, trouble := types.Sum("head"), "clock"
	peers := []types.Hash{types.Sum("p"), types.Sum("q")}
	return &Ready{
		Persist: [][]byte{[]byte("r")}, Snapshot: []byte("s"),
		Sign:  []Unsigned{{Purpose: types.PurposeCommit, Ordinal: 4, Payload: []byte("p"), Message: []byte("m"), To: peers}},
		Send:  []Outbound{{Payload: []byte("o"), To: peers}},
		Build: &Build{Slot: 3, Parent: id, Epoch: 2, Consensus: []byte("c"), VRFInput: []byte("v"), Certificate: []byte("t"), Empty: true, DeadlineMs: 9},
		Check: []Check{{Header: testHeader(4), From: peers}}, Head: &id,
		Final:    []Final{{Block: id, Proof: testProof(4)}},
		Evidence: [][]byte{[]byte("e")}, Epoch: testSet(4), WakeAtMs: 77, Halt: "halt", Trouble: &trouble,
	}
}

// full checks that no field of a sample is zero, so that one that comes new cannot be forgotten here.
func full(t *testing.T, v any) {
	t.Helper()
	r := reflect.ValueOf(v)
	if r.Kind() == reflect.Pointer {
		r = r.Elem()
	}
	for i := range r.NumField() {
		if f := r.Field(i); f.IsZero() {
			t.Errorf("field %s of the sample of %s is zero", r.Type().Field(i).Name, r.Type())
		}
	}
}

// over marshals a message and reads it back.
func over[M any, P interface {
	*M
	proto.Message
}](t *testing.T, p P) P {
	t.Helper()
	b, err := proto.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	out := P(new(M))
	if err := proto.Unmarshal(b, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEventsCrossTheWire(t *testing.T) {
	for _, e := range testEvents() {
		full(t, e)
		w, err := eventToWire(e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := eventFromWire(over(t, w))
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("%v\n got %+v\nwant %+v", err, got, e)
		}
	}
	// What may be left out stays left out.
	for _, e := range []Event{&Message{Payload: []byte("own")}, &Built{Slot: 1}, &Checked{}, &Finalised{Header: testHeader(1)}} {
		w, err := eventToWire(e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := eventFromWire(over(t, w))
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("%v\n got %+v\nwant %+v", err, got, e)
		}
	}
	for _, e := range []Event{nil, testStart(), &Finalised{}} {
		if _, err := eventToWire(e); !errors.Is(err, ErrInvalid) {
			t.Errorf("%T: %v", e, err)
		}
	}
}

func TestReadyCrossesTheWire(t *testing.T) {
	r := testReady()
	full(t, r)
	full(t, r.Sign[0])
	full(t, r.Send[0])
	full(t, r.Build)
	full(t, r.Check[0])
	full(t, r.Final[0])
	for _, want := range []*Ready{r, {}, {Final: []Final{{Block: types.Sum("ancestor")}}}, {Trouble: new(string)}} {
		got, err := readyFromWire(over(t, readyToWire(want)))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
		}
	}
}

// pieces hands out the pieces of a start.
func pieces(t *testing.T, s *Start) func() (*consensusv1.Event, error) {
	t.Helper()
	list, err := startPieces(9, s)
	if err != nil {
		t.Fatal(err)
	}
	return func() (*consensusv1.Event, error) {
		if len(list) == 0 {
			return nil, io.EOF
		}
		e := list[0]
		list = list[1:]
		return over(t, e), nil
	}
}

func TestStartCrossesTheWire(t *testing.T) {
	full(t, testStart())
	plain := &Start{Genesis: testHeader(0), Set: testSet(0), Final: testHeader(0), EpochStart: testHeader(0)}
	large := testStart()
	large.Snapshot = make([]byte, 2*pieceBytes+5)
	large.Snapshot[2*pieceBytes] = 1
	for range 5 {
		large.Records = append(large.Records, make([]byte, MaxRecordBytes))
	}
	for name, want := range map[string]*Start{"full": testStart(), "plain": plain, "in pieces": large} {
		h, got, err := readStart(pieces(t, want))
		if err != nil || h != 9 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, handle %d", name, err, h)
		}
	}
	// The first epoch is opened by the genesis block.
	first := *plain
	first.EpochStart = nil
	if _, got, err := readStart(pieces(t, &first)); err != nil || !reflect.DeepEqual(got, plain) {
		t.Errorf("without the block that opened the epoch: %v, %+v", err, got)
	}
}

func TestBadWire(t *testing.T) {
	for name, change := range map[string]func(s *consensusv1.Start){
		"genesis":     func(s *consensusv1.Start) { s.GenesisHeader = []byte{1} },
		"set":         func(s *consensusv1.Start) { s.Set = nil },
		"final":       func(s *consensusv1.Start) { s.FinalHeader = nil },
		"final proof": func(s *consensusv1.Start) { s.FinalProof = []byte{1} },
		"epoch start": func(s *consensusv1.Start) { s.EpochHeader = []byte{1} },
		"epoch proof": func(s *consensusv1.Start) { s.EpochProof = []byte{1} },
		"next set":    func(s *consensusv1.Start) { s.NextSet = []byte{1} },
		"key":         func(s *consensusv1.Start) { s.Key = []byte{1} },
	} {
		list, err := startPieces(9, testStart())
		if err != nil {
			t.Fatal(err)
		}
		change(list[0].GetStart())
		if _, _, err := readStart(func() (*consensusv1.Event, error) { return list[0], nil }); !errors.Is(err, ErrInvalid) {
			t.Errorf("start, %s: %v", name, err)
		}
	}
	bad := []byte{1}
	for name, w := range map[string]*consensusv1.Event{
		"nothing":            {},
		"sender":             {Kind: &consensusv1.Event_Message{Message: &consensusv1.Message{From: bad}}},
		"parent":             {Kind: &consensusv1.Event_Built{Built: &consensusv1.Built{}}},
		"built header":       {Kind: &consensusv1.Event_Built{Built: &consensusv1.Built{Parent: make([]byte, 32), Header: bad}}},
		"built set":          {Kind: &consensusv1.Event_Built{Built: &consensusv1.Built{Parent: make([]byte, 32), NextSet: bad}}},
		"checked block":      {Kind: &consensusv1.Event_Checked{Checked: &consensusv1.Checked{Block: bad}}},
		"checked set":        {Kind: &consensusv1.Event_Checked{Checked: &consensusv1.Checked{Block: make([]byte, 32), NextSet: bad}}},
		"finalised header":   {Kind: &consensusv1.Event_Finalised{Finalised: &consensusv1.Finalised{}}},
		"finalised proof":    {Kind: &consensusv1.Event_Finalised{Finalised: &consensusv1.Finalised{Header: testHeader(1).Encode(), Proof: bad}}},
		"finalised set":      {Kind: &consensusv1.Event_Finalised{Finalised: &consensusv1.Finalised{Header: testHeader(1).Encode(), NextSet: bad}}},
		"start in the midst": {Kind: &consensusv1.Event_Start{Start: &consensusv1.Start{}}},
	} {
		if e, err := eventFromWire(w); !errors.Is(err, ErrInvalid) {
			t.Errorf("event, %s: %v, %v", name, e, err)
		}
	}
	for name, change := range map[string]func(r *consensusv1.Ready){
		"sign to":     func(r *consensusv1.Ready) { r.Sign[0].To = [][]byte{bad} },
		"send to":     func(r *consensusv1.Ready) { r.Send[0].To = [][]byte{bad} },
		"build":       func(r *consensusv1.Ready) { r.Build.Parent = bad },
		"check":       func(r *consensusv1.Ready) { r.Check[0].Header = bad },
		"check from":  func(r *consensusv1.Ready) { r.Check[0].From = [][]byte{bad} },
		"head":        func(r *consensusv1.Ready) { r.Head = bad },
		"final":       func(r *consensusv1.Ready) { r.Final[0].Block = bad },
		"final proof": func(r *consensusv1.Ready) { r.Final[0].Proof = bad },
		"epoch":       func(r *consensusv1.Ready) { r.Epoch.Set = bad },
	} {
		w := readyToWire(testReady())
		change(w)
		if r, err := readyFromWire(w); !errors.Is(err, ErrMisbehaved) {
			t.Errorf("ready, %s: %v, %v", name, r, err)
		}
	}
}

// TestVRFInput fixes what producers prove.
func TestVRFInput(t *testing.T) {
	set := types.Hash(bytes.Repeat([]byte{0xab}, 32))
	got := VRFInput(set, 1203)
	want := "70616c6f616c746f2f7672662f3100" + strings.Repeat("ab", 32) + "b309" // domain, set, varint of the slot
	if hex.EncodeToString(got) != want {
		t.Errorf("input %x, want %s", got, want)
	}
	if string(got) == string(VRFInput(set, 1204)) || string(got) == string(VRFInput(types.Sum("other"), 1203)) {
		t.Error("slot and set do not both count")
	}
}

func FuzzEventFromWire(f *testing.F) {
	for _, e := range testEvents() {
		w, err := eventToWire(e)
		if err != nil {
			f.Fatal(err)
		}
		b, err := proto.Marshal(w)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		w := &consensusv1.Event{}
		if proto.Unmarshal(b, w) != nil {
			return
		}
		_, _, _ = readStart(func() (*consensusv1.Event, error) { return w, nil })
		e, err := eventFromWire(w)
		if err != nil {
			return
		}
		again, err := eventToWire(e)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := eventFromWire(again); err != nil || !reflect.DeepEqual(got, e) {
			t.Fatalf("%v\n got %+v\nwant %+v", err, got, e)
		}
	})
}

func FuzzReadyFromWire(f *testing.F) {
	b, err := proto.Marshal(readyToWire(testReady()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		w := &consensusv1.Ready{}
		if proto.Unmarshal(b, w) != nil {
			return
		}
		r, err := readyFromWire(w)
		if err != nil {
			return
		}
		if _, err := readyFromWire(readyToWire(r)); err != nil {
			t.Fatal(err)
		}
	})
}
