package types

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

func TestEncodeAfterDecodeIsTheIdentity(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			got, err := k.decode(k.sample)
			if err != nil || !bytes.Equal(got, k.sample) {
				t.Fatalf("decode and encode: %v\n got %x\nwant %x", err, got, k.sample)
			}
		})
	}
}

// TestDamagedEncodings cuts, extends and changes every sample: a decoder either refuses, with ErrMalformed, or has
// understood exactly the bytes that it was shown.
func TestDamagedEncodings(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			check := func(b []byte, mustFail bool) {
				t.Helper()
				got, err := k.decode(b)
				switch {
				case err == nil && mustFail:
					t.Fatalf("accepted %x", b)
				case err == nil && !bytes.Equal(got, b):
					t.Fatalf("accepted %x\n  as %x", b, got)
				case err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrBadSet) && !errors.Is(err, ErrThreshold) &&
					!errors.Is(err, ErrCycle):
					t.Fatalf("error %v wraps no known error", err)
				}
			}
			for n := range k.sample {
				check(k.sample[:n], true)
			}
			check(append(bytes.Clone(k.sample), 0), true)
			for i := range k.sample {
				for range 4 {
					b := bytes.Clone(k.sample)
					b[i] ^= byte(1 + rng.IntN(255))
					check(b, false)
				}
			}
		})
	}
}

func TestFieldsSurviveTheRoundTrip(t *testing.T) {
	chain := testHash("chain")
	// Decoders return empty slices where there was nil, so the samples here have none.
	tx := testTransaction()
	tx.Actions[1].Body = []byte{}
	body := testBody(chain)
	body.Extensions[1].Data = []byte{}
	receipt := testReceipt()
	receipt.Events[0].Item, receipt.Events[1].Data = []byte{}, []byte{}
	same := func(name string, want, got any, err error) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\n got %+v\nwant %+v", name, err, got, want)
		}
	}
	gotTx, err := DecodeTransaction(tx.Encode())
	same("transaction", tx, gotTx, err)
	gotEnv, err := DecodeEnvelope(testEnvelope(chain).Encode())
	same("envelope", testEnvelope(chain), gotEnv, err)
	gotHeader, err := DecodeHeader(testHeader().Encode())
	same("header", testHeader(), gotHeader, err)
	gotBody, err := DecodeBody(body.Encode())
	same("body", body, gotBody, err)
	gotSet, err := DecodeSet(testSet(5).Encode())
	same("set", testSet(5), gotSet, err)
	cert := testCertificate(chain, testSet(4), 1, 2, 3)
	gotCert, err := DecodeCertificate(cert.Encode())
	same("certificate", cert, gotCert, err)
	gotReceipt, err := DecodeReceipt(receipt.Encode())
	same("receipt", receipt, gotReceipt, err)
	gotAuth, err := DecodeAuthority(testAuthority().Encode())
	same("authority", testAuthority(), gotAuth, err)
	gotHistory, err := DecodeHistory(testHistory(13).Encode())
	same("history", testHistory(13), gotHistory, err)
	gotMerkle, err := DecodeMerkleProof(testMerkleProof().Encode())
	same("merkle proof", testMerkleProof(), gotMerkle, err)
	gotState, err := DecodeStateProof(testStateProof().Encode())
	same("state proof", testStateProof(), gotState, err)
}

func TestDecoderPrimitives(t *testing.T) {
	for _, c := range []struct {
		name string
		in   string
		read func(d *Decoder)
		ok   bool
	}{
		{"varint of one byte", "\x7f", func(d *Decoder) { d.Uint() }, true},
		{"largest varint", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", func(d *Decoder) { d.Uint() }, true},
		{"varint beyond 64 bits", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", func(d *Decoder) { d.Uint() }, false},
		{"varint of eleven bytes", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", func(d *Decoder) { d.Uint() }, false},
		{"varint with a zero too many", "\x80\x00", func(d *Decoder) { d.Uint() }, false},
		{"cut varint", "\x80", func(d *Decoder) { d.Uint() }, false},
		{"no varint", "", func(d *Decoder) { d.Uint() }, false},
		{"largest uint32", "\xff\xff\xff\xff\x0f", func(d *Decoder) { d.Uint32() }, true},
		{"uint32 too large", "\x80\x80\x80\x80\x10", func(d *Decoder) { d.Uint32() }, false},
		{"blob", "\x02ab", func(d *Decoder) { d.Blob(2) }, true},
		{"blob above its limit", "\x02ab", func(d *Decoder) { d.Blob(1) }, false},
		{"blob that is cut", "\x03ab", func(d *Decoder) { d.Blob(9) }, false},
		{"blob of a huge length", "\xff\xff\xff\xff\xff\xff\xff\xff\x7fab", func(d *Decoder) { d.Blob(1 << 40) }, false},
		{"count", "\x02abcd", func(d *Decoder) { d.Count(2, 2); d.Raw(4) }, true},
		{"count above its limit", "\x03abcdef", func(d *Decoder) { d.Count(2, 2); d.Raw(6) }, false},
		{"count that cannot fit", "\x02abc", func(d *Decoder) { d.Count(9, 2); d.Raw(3) }, false},
		{"hash", strings.Repeat("h", 32), func(d *Decoder) { d.Hash() }, true},
		{"cut hash", strings.Repeat("h", 31), func(d *Decoder) { d.Hash() }, false},
		{"negative raw", "", func(d *Decoder) { d.Raw(-1) }, false},
		{"left over", "ab", func(d *Decoder) { d.Byte() }, false},
	} {
		d := NewDecoder([]byte(c.in))
		c.read(d)
		if err := d.Finish(); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: error %v, want success %v", c.name, err, c.ok)
		}
	}
}

func TestFirstDecodingErrorSticks(t *testing.T) {
	d := NewDecoder([]byte{0x80, 0x00, 1, 2, 3})
	d.Uint()
	first := d.Err()
	if first == nil {
		t.Fatal("no error")
	}
	if d.Byte() != 0 || d.Uint() != 0 || d.Raw(1) != nil || d.Blob(3) != nil || d.String(3) != "" || d.Count(9, 1) != 0 ||
		!d.Hash().IsZero() || d.Uint32() != 0 {
		t.Error("a read after an error returned something")
	}
	d.Fail("another")
	if d.Finish() != first {
		t.Errorf("error %v, want the first, %v", d.Finish(), first)
	}
}

func TestBoundsOfDecoders(t *testing.T) {
	tx := testTransaction()
	tx.Actions = nil
	if _, err := DecodeTransaction(tx.Encode()); !errors.Is(err, ErrMalformed) {
		t.Errorf("transaction without actions: %v", err)
	}
	tx = testTransaction()
	tx.Actions = make([]Action, MaxActions+1)
	if _, err := DecodeTransaction(tx.Encode()); !errors.Is(err, ErrMalformed) {
		t.Errorf("transaction with too many actions: %v", err)
	}
	tx = testTransaction()
	tx.Actions[0].Body = make([]byte, MaxTxBytes)
	if _, err := DecodeTransaction(tx.Encode()); !errors.Is(err, ErrMalformed) {
		t.Errorf("transaction above its size: %v", err)
	}
	env := &Envelope{Raw: []byte("x"), Signatures: make([]Signature, MaxSignatures+1)}
	if _, err := DecodeEnvelope(env.Encode()); !errors.Is(err, ErrMalformed) {
		t.Errorf("envelope with too many signatures: %v", err)
	}
	h := testHeader()
	h.Consensus = make([]byte, MaxConsensusBytes+1)
	if _, err := DecodeHeader(h.Encode()); !errors.Is(err, ErrMalformed) {
		t.Errorf("header with too many bytes of consensus: %v", err)
	}
	body := &Body{Extensions: make([]Extension, MaxExtensions+1)}
	if _, err := DecodeBody(body.Encode()); !errors.Is(err, ErrMalformed) {
		t.Errorf("body with too many extensions: %v", err)
	}
	for _, c := range []struct {
		name  string
		sizes []int
		ok    bool
	}{
		{"the longest extension", []int{MaxExtensionBytes}, true},
		{"an extension that is too long", []int{MaxExtensionBytes + 1}, false},
		{"as much as all may have", []int{MaxExtensionBytes, MaxAllExtensionBytes - MaxExtensionBytes, 0}, true},
		{"a byte more", []int{MaxExtensionBytes, MaxAllExtensionBytes - MaxExtensionBytes, 1}, false},
		{"two of the longest", []int{MaxExtensionBytes, MaxExtensionBytes}, false},
		{"many", []int{4096, 4096, 4096, 4096, 4096, 4096, 4096, 4096, 4096, 4096, 4096, 4096, 4096, 4096, 4096, 4096}, true},
	} {
		body := &Body{}
		for _, n := range c.sizes {
			body.Extensions = append(body.Extensions, Extension{"m", make([]byte, n)})
		}
		if _, err := DecodeBody(body.Encode()); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := DecodeBody(make([]byte, MaxBodyBytes+1)); !errors.Is(err, ErrMalformed) {
		t.Errorf("body above its size: %v", err)
	}
	if _, err := DecodeHistory(History{Count: MaxHistory + 1, Peaks: make([]Hash, 2)}.Encode()); !errors.Is(err, ErrMalformed) {
		t.Errorf("history with too many headers: %v", err)
	}
}

func TestDomainsSeparate(t *testing.T) {
	chain, raw := testHash("chain"), testTransaction().Encode()
	if string(TxSignBytes(chain, raw)) == string(SignBytes(chain, "tx", raw)) {
		t.Error("what a plugin has signed could be a transaction")
	}
	if TxIDOf(chain, raw) == TxIDOf(testHash("other"), raw) {
		t.Error("the id of a transaction does not depend on the chain")
	}
	if TxIDOf(chain, raw) != Sum("", TxSignBytes(chain, raw)) {
		t.Error("the id of a transaction is not the hash of its signed bytes")
	}
	if string(SignBytes(chain, "a", []byte("bc"))) == string(SignBytes(chain, "ab", []byte("c"))) {
		t.Error("purpose and payload run into each other")
	}
	if StatePathOf("a", Place{}, "bc") == StatePathOf("ab", Place{}, "c") {
		t.Error("module and key run into each other")
	}
	seen := map[string]bool{}
	for _, d := range []string{DomainTx, DomainHeader, DomainBody, DomainCertificate, DomainSet, DomainSign, DomainAccount,
		DomainKey, DomainExtension, DomainReceipt, DomainHello, DomainStateKey, DomainStateValue, DomainStateLeaf, DomainStateBranch} {
		if seen[d] || !strings.HasPrefix(d, "paloalto/") || strings.Count(d, "\x00") != 1 || !strings.HasSuffix(d, "\x00") {
			t.Errorf("domain %q", d)
		}
		seen[d] = true
	}
}

func TestBodyRootCommitsToEveryPart(t *testing.T) {
	chain := testHash("chain")
	body := testBody(chain)
	ids := []TxID{testHash("1"), testHash("2")}
	root, ext := body.BodyRoot(ids), body.ExtensionRoot()
	if body.BodyRoot([]TxID{ids[1], ids[0]}) == root {
		t.Error("order of ids")
	}
	body.Certificate = append([]byte{}, body.Certificate...)
	body.Certificate[0] ^= 1
	if body.BodyRoot(ids) == root {
		t.Error("certificate")
	}
	body = testBody(chain)
	body.Txs[0], body.Txs[1] = body.Txs[1], body.Txs[0]
	if body.BodyRoot(ids) == root {
		t.Error("order of envelopes")
	}
	if body.ExtensionRoot() != ext {
		t.Error("transactions changed the extension root")
	}
	body.Extensions[0].Data = []byte("ballo")
	body.Extensions[1].Module = "tchains"
	if body.ExtensionRoot() == ext {
		t.Error("extension")
	}
	if !(&Body{}).ExtensionRoot().IsZero() {
		t.Error("no extensions")
	}
}

func TestTotalSpend(t *testing.T) {
	tx := &Transaction{Actions: []Action{{MaxSpend: 1 << 63}, {MaxSpend: 1<<63 - 1}}}
	if sum, ok := tx.TotalSpend(); !ok || sum != 1<<64-1 {
		t.Errorf("%d %v", sum, ok)
	}
	tx.Actions = append(tx.Actions, Action{MaxSpend: 1})
	if _, ok := tx.TotalSpend(); ok {
		t.Error("overflow not seen")
	}
}

func TestNextClock(t *testing.T) {
	for _, c := range []struct{ clock, parentSlot, slot, want uint64 }{
		{10, 10, 11, 11}, {10, 10, 18, 18}, {10, 10, 19, 18}, {10, 100, 100_000, 18},
	} {
		if got := NextClock(c.clock, c.parentSlot, c.slot); got != c.want {
			t.Errorf("NextClock(%d, %d, %d) = %d, want %d", c.clock, c.parentSlot, c.slot, got, c.want)
		}
	}
}
