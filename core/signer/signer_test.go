package signer

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/paloalto-chain/paloalto/core/journal/disk/disktest"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func TestGuardRules(t *testing.T) {
	s, _ := newSigner(t)
	first, err := sign(t, s, request("commit", 5, 0))
	check(t, err)
	for _, tc := range []struct {
		name string
		r    Request
		want error
	}{
		{"the same again", request("commit", 5, 0), nil},
		{"another for the ordinal", request("commit", 5, 1), ErrRefused},
		{"a smaller ordinal", request("commit", 4, 0), ErrRefused},
		{"another purpose", request("prepare", 4, 0), nil},
		{"a larger ordinal", request("commit", 6, 0), nil},
		{"what was last before", request("commit", 5, 0), ErrRefused},
		{"the largest ordinal", request("commit", 1<<64-1, 0), nil},
		{"nothing is above it", request("commit", 0, 0), ErrRefused},
		{"no purpose", request("", 9, 0), ErrBadRequest},
		{"a long purpose", request(strings.Repeat("x", MaxPurposeBytes+1), 9, 0), ErrBadRequest},
		{"the longest purpose", request(strings.Repeat("x", MaxPurposeBytes), 9, 0), nil},
	} {
		sig, err := sign(t, s, tc.r)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
		if tc.name == "the same again" && !bytes.Equal(sig, first) {
			t.Error("it was signed differently")
		}
	}
	out, err := s.SignAll(types.Hash{2}, 0, []Request{request("commit", 1, 0)})
	if err != nil || out[0].Err != nil {
		t.Errorf("another chain: %v, %v", err, out)
	}
}

func TestGuardWithinACall(t *testing.T) {
	s, fs := newSigner(t)
	fs.Inject(nil)
	out, err := s.SignAll(testChain, 9, []Request{
		request("a", 1, 0), request("a", 1, 1), request("a", 1, 0), request("", 1, 0), request("a", 2, 0), request("a", 1, 0), request("b", 1, 0),
	})
	check(t, err)
	for i, want := range []error{nil, ErrRefused, nil, ErrBadRequest, nil, ErrRefused, nil} {
		if !errors.Is(out[i].Err, want) || (want == nil) != (out[i].Sig != nil) {
			t.Errorf("request %d: %v", i, out[i].Err)
		}
	}
	if n := fs.Steps(); n != 2 {
		t.Errorf("%d operations instead of a write and a sync", n)
	}
	fs.Inject(nil)
	if _, err := sign(t, s, request("a", 2, 0)); err != nil || fs.Steps() != 0 {
		t.Errorf("to sign again took %d operations, %v", fs.Steps(), err)
	}
	if out, err := s.SignAll(testChain, 1, nil); len(out) != 0 || err != nil {
		t.Errorf("nothing to sign: %v, %v", out, err)
	}
}

func TestPurposesAreBounded(t *testing.T) {
	s, _ := newSigner(t)
	for i := range maxPurposes {
		_, err := sign(t, s, request(fmt.Sprint("p", i), 1, 0))
		check(t, err)
	}
	if _, err := sign(t, s, request("one more", 1, 0)); !errors.Is(err, ErrRefused) {
		t.Errorf("%v", err)
	}
	if _, err := sign(t, s, request("p0", 2, 0)); err != nil {
		t.Errorf("a known purpose: %v", err)
	}
}

func TestGuardSurvivesReopening(t *testing.T) {
	s, fs := newSigner(t)
	_, err := s.SignAll(testChain, 70, []Request{request("a", 5, 0), request("b", 8, 0)})
	check(t, err)
	check(t, s.Close())
	if _, err := s.SignAll(testChain, 0, []Request{request("a", 6, 0)}); !errors.Is(err, errClosed) {
		t.Errorf("after closing: %v", err)
	}
	if _, err := Open(testSeed, guardDir, Options{FS: fs, NewValidator: true}); !errors.Is(err, ErrGuardExists) {
		t.Errorf("as a new validator: %v", err)
	}
	s, err = Open(testSeed, guardDir, Options{FS: fs})
	check(t, err)
	for _, tc := range []struct {
		r    Request
		want error
	}{{request("a", 5, 1), ErrRefused}, {request("a", 5, 0), nil}, {request("b", 7, 0), ErrRefused}, {request("b", 9, 0), nil}} {
		if _, err := sign(t, s, tc.r); !errors.Is(err, tc.want) {
			t.Errorf("%v: %v", tc.r.Purpose, err)
		}
	}
	for end, want := range map[uint64]error{69: ErrStaleJournal, 0: ErrStaleJournal, 70: nil, 71: nil} {
		if err := s.CheckJournal(testChain, end); !errors.Is(err, want) {
			t.Errorf("a journal that ends at %d: %v", end, err)
		}
	}
	check(t, s.CheckJournal(types.Hash{9}, 0))
	if _, err := Open(testSeed, guardDir, Options{FS: fs}); !errors.Is(err, ErrInUse) {
		t.Errorf("second time: %v", err)
	}
}

func TestGuardOpenErrors(t *testing.T) {
	fs := disktest.New(newRand(1))
	if _, err := Open(testSeed, guardDir, Options{FS: fs}); !errors.Is(err, ErrMissingGuard) {
		t.Errorf("no folder: %v", err)
	}
	check(t, fs.MkdirAll(guardDir))
	if _, err := Open(testSeed, guardDir, Options{FS: fs}); !errors.Is(err, ErrMissingGuard) {
		t.Errorf("empty folder: %v", err)
	}
	if _, err := Open(testSeed[1:], guardDir, Options{FS: fs}); err == nil {
		t.Error("a short seed was accepted")
	}
	s, err := Open(testSeed, guardDir, Options{FS: fs, NewValidator: true})
	check(t, err)
	check(t, s.Close())
	other := bytes.Repeat([]byte{8}, SeedBytes)
	if _, err := Open(other, guardDir, Options{FS: fs}); !errors.Is(err, ErrBadGuard) {
		t.Errorf("the guard of another key: %v", err)
	}
}

// The guard is made smaller again and again, and forgets nothing.
func TestCompaction(t *testing.T) {
	s, fs := newSigner(t)
	payload := bytes.Repeat([]byte{1}, 10)
	n := uint64(0)
	for s.guard.log.Start() < 3*guardCompactBytes {
		n++
		reqs := make([]Request, 0, 64)
		for i := range 64 {
			reqs = append(reqs, Request{fmt.Sprintf("purpose %d", i), n, payload})
		}
		out, err := s.SignAll(testChain, n, reqs)
		check(t, err)
		check(t, out[63].Err)
	}
	if size := s.guard.log.End() - s.guard.log.Start(); size > guardCompactBytes+32<<10 {
		t.Errorf("the guard has %d bytes", size)
	}
	check(t, s.Close())
	s, err := Open(testSeed, guardDir, Options{FS: fs})
	check(t, err)
	for i := range 64 {
		if _, err := sign(t, s, request(fmt.Sprintf("purpose %d", i), n, 1)); !errors.Is(err, ErrRefused) {
			t.Fatalf("purpose %d: %v", i, err)
		}
	}
	if err := s.CheckJournal(testChain, n-1); !errors.Is(err, ErrStaleJournal) {
		t.Errorf("%v", err)
	}
}

// Of many callers that want different things signed for one ordinal, one gets its signature.
func TestConcurrentSigning(t *testing.T) {
	s, _ := newSigner(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	signed := map[uint64]map[string]bool{}
	for w := range 8 {
		wg.Go(func() {
			for o := uint64(1); o <= 40; o++ {
				out, err := s.SignAll(testChain, o, []Request{request("a", o, w%3)})
				if err != nil {
					t.Error(err)
					return
				}
				if out[0].Err == nil {
					mu.Lock()
					if signed[o] == nil {
						signed[o] = map[string]bool{}
					}
					signed[o][string(out[0].Sig)] = true
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if len(signed) == 0 {
		t.Fatal("nothing was signed")
	}
	for o, sigs := range signed {
		if len(sigs) != 1 {
			t.Errorf("ordinal %d has %d signatures", o, len(sigs))
		}
	}
}

// Examples 19 to 21 in appendix B.4 of RFC 9381.
func TestVRFVectors(t *testing.T) {
	for _, tc := range []struct{ sk, alpha, pi, beta string }{
		{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "",
			"7d9c633ffeee27349264cf5c667579fc583b4bda63ab71d001f89c10003ab46f14adf9a3cd8b8412d9038531e865c341cafa73589b023d14311c331a9ad15ff2fb37831e00f0acaa6d73bc9997b06501",
			"9d574bf9b8302ec0fc1e21c3ec5368269527b87b462ce36dab2d14ccf80c53cccf6758f058c5b1c856b116388152bbe509ee3b9ecfe63d93c3b4346c1fbc6c54"},
		{"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "72",
			"47b327393ff2dd81336f8a2ef10339112401253b3c714eeda879f12c509072ef055b48372bb82efbdce8e10c8cb9a2f9d60e93908f93df1623ad78a86a028d6bc064dbfc75a6a57379ef855dc6733801",
			"38561d6b77b71d30eb97a062168ae12b667ce5c28caccdf76bc88e093e4635987cd96814ce55b4689b3dd2947f80e59aac7b7675f8083865b46c89b2ce9cc735"},
		{"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "af82",
			"926e895d308f5e328e7aa159c06eddbe56d06846abf5d98c2512235eaa57fdce35b46edfc655bc828d44ad09d1150f31374e7ef73027e14760d42e77341fe05467bb286cc2c9d7fde29120a0b2320d04",
			"121b7f9b9aaaa29099fc04a94ba52784d44eac976dd1a3cca458733be5cd090a7b5fbd148444f17f8daf1fb55cb04b1ae85a626e30a54b4b0f8abf4a43314a58"},
	} {
		seed, _ := hex.DecodeString(tc.sk)
		alpha, _ := hex.DecodeString(tc.alpha)
		s, err := Open(seed, guardDir, Options{FS: disktest.New(newRand(1)), NewValidator: true})
		check(t, err)
		pi, err := s.ProveVRF(alpha)
		check(t, err)
		if hex.EncodeToString(pi) != tc.pi {
			t.Errorf("alpha %q: proof %x", tc.alpha, pi)
		}
		beta, err := VerifyVRF(s.Public(), alpha, pi)
		if err != nil || hex.EncodeToString(beta) != tc.beta {
			t.Errorf("alpha %q: %x, %v", tc.alpha, beta, err)
		}
		for i := range pi {
			bad := bytes.Clone(pi)
			bad[i] ^= 1
			if _, err := VerifyVRF(s.Public(), alpha, bad); !errors.Is(err, types.ErrBadSignature) {
				t.Fatalf("byte %d: %v", i, err)
			}
		}
		if _, err := VerifyVRF(s.Public(), append(alpha, 0), pi); err == nil {
			t.Error("the proof verifies for another input")
		}
		if _, err := VerifyVRF(s.Public(), alpha, pi[1:]); err == nil {
			t.Error("a short proof verifies")
		}
		if _, err := VerifyVRF(types.PublicKey{}, alpha, pi); err == nil {
			t.Error("no key at all verifies")
		}
	}
}

func TestDerive(t *testing.T) {
	s, _ := newSigner(t)
	base, err := s.Derive("salt", testChain)
	check(t, err)
	if got := hex.EncodeToString(base); got != "cbf08510dd343312b4b103a83027c8cd97b4686360bf8a13de30d981d2a8be13" {
		t.Errorf("secrets have changed: %s", got) // what was committed to with them could not be opened any more
	}
	other, err := Open(bytes.Repeat([]byte{8}, SeedBytes), guardDir, Options{FS: disktest.New(newRand(1)), NewValidator: true})
	check(t, err)
	for name, fn := range map[string]func() ([]byte, error){
		"label": func() ([]byte, error) { return s.Derive("salt2", testChain) },
		"chain": func() ([]byte, error) { return s.Derive("salt", types.Hash{2}) },
		"key":   func() ([]byte, error) { return other.Derive("salt", testChain) },
	} {
		if got, err := fn(); err != nil || len(got) != 32 || bytes.Equal(got, base) {
			t.Errorf("another %s: %x, %v", name, got, err)
		}
	}
	if again, _ := s.Derive("salt", testChain); !bytes.Equal(again, base) {
		t.Error("it differs the second time")
	}
}

func TestSignHello(t *testing.T) {
	s, _ := newSigner(t)
	msg := []byte(types.DomainHello + "hello")
	sig, err := s.SignHello(msg)
	check(t, err)
	check(t, types.VerifySignature(s.Public(), msg, sig))
	for name, m := range map[string][]byte{
		"nothing": nil, "only the domain": []byte(types.DomainHello), "a vote": types.SignBytes(testChain, "commit", []byte("x")),
		"a transaction": types.TxSignBytes(testChain, []byte("x")), "a binding": transport.BindingBytes([]byte("x")),
	} {
		if _, err := s.SignHello(m); !errors.Is(err, ErrBadRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBindTransport(t *testing.T) {
	s, _ := newSigner(t)
	cert, err := s.BindTransport([]byte("session"))
	check(t, err)
	key, err := transport.VerifyBinding([]byte("session"), cert)
	if err != nil || !sameKey(key, s.Public()) {
		t.Errorf("%v, %v", key, err)
	}
	if _, err := transport.VerifyBinding([]byte("sessiom"), cert); !errors.Is(err, types.ErrBadSignature) {
		t.Errorf("another session: %v", err)
	}
	for i := range cert {
		bad := bytes.Clone(cert)
		bad[i] ^= 1
		if _, err := transport.VerifyBinding([]byte("session"), bad); err == nil {
			t.Errorf("byte %d does not matter", i)
		}
		if _, err := transport.VerifyBinding([]byte("session"), cert[:i]); err == nil {
			t.Errorf("%d bytes are enough", i)
		}
	}
	for _, n := range []int{0, transport.MaxSessionKey + 1} {
		if _, err := s.BindTransport(make([]byte, n)); !errors.Is(err, ErrBadRequest) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestWallet(t *testing.T) {
	w, err := NewWallet(testSeed)
	check(t, err)
	sig, err := w.SignTx(testChain, []byte("tx"))
	check(t, err)
	check(t, types.VerifySignature(w.Public(), types.TxSignBytes(testChain, []byte("tx")), sig))
	for _, n := range []int{0, types.MaxTxBytes + 1} {
		if _, err := w.SignTx(testChain, make([]byte, n)); !errors.Is(err, ErrBadRequest) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := NewWallet(nil); err == nil {
		t.Error("no seed was accepted")
	}
}

func ExampleKeystore() {
	dir, err := os.MkdirTemp("", "keys")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)                                         //nolint:errcheck // an example
	keys, err := OpenKeystore(dir, KeystoreOptions{WorkFactor: 10}) // low, so that the example is quick
	if err != nil {
		panic(err)
	}
	pub, err := keys.Create("north", RoleNode, "correct horse")
	if err != nil {
		panic(err)
	}
	s, err := keys.OpenSigner("north", "correct horse", Options{})
	if err != nil {
		panic(err)
	}
	defer s.Close() //nolint:errcheck // an example
	results, err := s.SignAll(types.Hash{1}, 0, []Request{
		{Purpose: "commit", Ordinal: 7, Payload: []byte("block A")},
		{Purpose: "commit", Ordinal: 7, Payload: []byte("block B")},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(types.VerifySignature(pub, types.SignBytes(types.Hash{1}, "commit", []byte("block A")), results[0].Sig))
	fmt.Println(errors.Is(results[1].Err, ErrRefused))
	// Output:
	// <nil>
	// true
}

func BenchmarkSignAll(b *testing.B) {
	for _, n := range []int{1, 2, 8} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, err := Open(testSeed, b.TempDir(), Options{NewValidator: true})
			check(b, err)
			reqs := make([]Request, n)
			o := uint64(0)
			for b.Loop() {
				o++
				for i := range reqs {
					reqs[i] = Request{fmt.Sprint("purpose", i), o, testSeed}
				}
				if _, err := s.SignAll(testChain, o, reqs); err != nil {
					b.Fatal(err)
				}
			}
			check(b, s.Close())
		})
	}
}
