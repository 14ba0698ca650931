package pbft

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

var update = flag.Bool("update", false, "write testdata/golden.txt again")

func testHash(s string) types.Hash { return types.Sum("test", []byte(s)) }

func testSig(b byte) []byte { return bytes.Repeat([]byte{b}, sigBytes) }

func testExtra() *Extra {
	return &Extra{Justify: Ref{17, testHash("justify")}, FinalRef: FinalRef{16, 12, testHash("final")}, VRF: bytes.Repeat([]byte{9}, consensus.VRFBytes)}
}

func testHeader() *types.Header {
	return &types.Header{Shard: []byte{}, Chain: testHash("chain"), Height: 15, Slot: 19, Epoch: 3, Clock: 19, Parent: testHash("parent"), Producer: testHash("producer"),
		BodyRoot: testHash("body"), CertHeight: 12, Consensus: testExtra().Encode()}
}

func testQC() *Proof {
	return &Proof{Prepare: &PrepareQC{Epoch: 3, Slot: 17, Height: 13, ID: testHash("justify"),
		Votes: []PrepareSig{{0, 16, testSig(1)}, {2, 15, testSig(2)}, {3, 16, testSig(3)}}}}
}

func testCert() *types.Certificate {
	return &types.Certificate{Scheme: types.CertEd25519List, SetHash: testHash("set"), Epoch: 3, Slot: 16, Height: 12, Block: testHash("final"),
		Bitmap: []byte{0b1101}, Signatures: [][]byte{testSig(4), testSig(5), testSig(6)}}
}

// samples are one message of each kind, by name.
func samples() []struct {
	name string
	msg  Message
} {
	p := &Proposal{Header: testHeader(), Justify: testQC(), Cert: testCert(), Sig: testSig(7)}
	return []struct {
		name string
		msg  Message
	}{
		{"proposal", p},
		{"proposal-bare", &Proposal{Header: testHeader(), Sig: testSig(7)}},
		{"prepare", &Prepare{Epoch: 3, Slot: 19, Height: 15, ID: testHash("block"), Src: 17, Seat: 2, Support: []*Proof{testQC(), {Commit: testCert()}}, Sig: testSig(8)}},
		{"commit", &Commit{Epoch: 3, Slot: 19, Height: 15, ID: testHash("block"), Seat: 2, Proof: testQC(), Sig: testSig(9)}},
		{"status", &Status{Epoch: 3, Slot: 20, Head: Ref{19, testHash("block")}, HeadHeight: 15, High: testQC(), Final: testCert()}},
		{"status-at-genesis", &Status{Head: Ref{0, testHash("genesis")}}},
		{"get-headers", &GetHeaders{Want: testHash("block"), Have: []types.BlockID{testHash("a"), testHash("b")}}},
		{"headers", &Headers{Items: []*Proposal{p, {Header: testHeader(), Sig: testSig(1)}}}},
		{"get-proofs", &GetProofs{IDs: []types.BlockID{testHash("a")}}},
		{"hand-over", testHandOver()},
		{"proofs", &Proofs{Items: []*Proof{testQC(), {Commit: testCert()}}}},
	}
}

func testHandOver() *HandOver {
	h := testHeader()
	h.NextSet = testHash("next")
	last := testHeader()
	last.Height++
	return &HandOver{Header: h, Next: types.EqualSet(4, []types.PublicKey{simKeyOf(0).pub, simKeyOf(1).pub}),
		Proof: &types.Finality{Cert: testCert(), Suffix: []*types.Header{last}}}
}

func sampleRecords() map[string][]byte {
	v := voted{Epoch: 3, Slot: 19, Height: 15, Src: 17, ID: testHash("block")}
	return map[string][]byte{
		"record-header":  headerRecord(&node{h: testHeader(), sig: testSig(1)}),
		"record-epoch":   epochRecord(&node{h: testHandOver().Header, show: testHandOver().Proof}, testHandOver().Next),
		"record-closing": headerRecord(&node{h: testHandOver().Header, sig: testSig(1), next: testHandOver().Next}),
		"record-own":     ownRecord(testHeader()),
		"record-proof":   proofRecord(testQC()),
		"record-prepare": prepareRecord(v, 18),
		"record-commit":  commitRecord(voted{Epoch: 3, Slot: 19, Height: 15, ID: testHash("block")}),
	}
}

func TestMessages(t *testing.T) {
	for _, s := range samples() {
		raw := EncodeMessage(s.msg)
		got, err := DecodeMessage(raw)
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		if !reflect.DeepEqual(got, s.msg) {
			t.Errorf("%s: got %+v, want %+v", s.name, got, s.msg)
		}
		for n := range raw {
			if _, err := DecodeMessage(raw[:n]); err == nil {
				t.Errorf("%s: the first %d of %d bytes are accepted", s.name, n, len(raw))
			}
		}
		if _, err := DecodeMessage(append(bytes.Clone(raw), 0)); err == nil {
			t.Errorf("%s: a byte too much is accepted", s.name)
		}
	}
	if _, err := DecodeMessage(make([]byte, MaxMessageBytes+1)); err == nil {
		t.Error("a message that is too large is accepted")
	}
}

// TestUnsignedMessage shows that what the core appends its signature to becomes the message.
func TestUnsignedMessage(t *testing.T) {
	for _, m := range []Message{&Prepare{ID: testHash("x")}, &Commit{ID: testHash("x"), Proof: testQC()}, &Proposal{Header: testHeader()}} {
		if _, err := DecodeMessage(append(EncodeMessage(m), testSig(1)...)); err != nil {
			t.Errorf("%T: %v", m, err)
		}
	}
}

// TestGolden fixes messages, payloads and records to the byte: nodes of different builds speak with one another, and journals
// outlive builds.
func TestGolden(t *testing.T) {
	var out bytes.Buffer
	line := func(name string, b []byte) { fmt.Fprintf(&out, "%-20s %s\n", name, hex.EncodeToString(b)) }
	for _, s := range samples() {
		line(s.name, EncodeMessage(s.msg))
	}
	recs := sampleRecords()
	for _, name := range []string{"record-header", "record-own", "record-proof", "record-prepare", "record-commit", "record-closing", "record-epoch"} {
		line(name, recs[name])
	}
	line("extra", testExtra().Encode())
	line("propose-payload", ProposePayload(testHash("block"), 19))
	line("prepare-payload", PreparePayload(testHash("set"), 3, 19, 15, testHash("block"), 17))
	const file = "testdata/golden.txt"
	if *update {
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, exp := strings.Split(out.String(), "\n"), strings.Split(string(want), "\n")
	if len(got) != len(exp) {
		t.Fatalf("%d lines, want %d", len(got), len(exp))
	}
	for i := range got {
		if got[i] != exp[i] {
			t.Errorf("got  %s\nwant %s", got[i], exp[i])
		}
	}
}

func FuzzDecodeMessage(f *testing.F) {
	for _, s := range samples() {
		f.Add(EncodeMessage(s.msg))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := DecodeMessage(b); err == nil && !bytes.Equal(EncodeMessage(m), b) {
			t.Fatalf("%x becomes %x", b, EncodeMessage(m))
		}
	})
}

func FuzzDecodeExtra(f *testing.F) {
	f.Add(testExtra().Encode())
	f.Add((&Extra{}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if x, err := DecodeExtra(b); err == nil && !bytes.Equal(x.Encode(), b) {
			t.Fatalf("%x becomes %x", b, x.Encode())
		}
	})
}
