package signer

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/core/journal/disk/disktest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func TestMain(m *testing.M) {
	runVictim() // does not return in a process that is to be killed
	goleak.VerifyTestMain(m)
}

const (
	keyDir   = "/keys"
	guardDir = "/keys/north.guard"
)

var (
	testSeed  = bytes.Repeat([]byte{7}, SeedBytes)
	testChain = types.Hash{1}
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newSigner opens a new validator's key in memory.
func newSigner(t testing.TB) (*Signer, *disktest.FS) {
	t.Helper()
	fs := disktest.New(newRand(1))
	s, err := Open(testSeed, guardDir, Options{FS: fs, NewValidator: true})
	check(t, err)
	return s, fs
}

func request(purpose string, ordinal uint64, what int) Request {
	return Request{purpose, ordinal, fmt.Appendf(nil, "%s %d %d", purpose, ordinal, what)}
}

// sign signs one request and returns its result.
func sign(t testing.TB, s *Signer, r Request) ([]byte, error) {
	t.Helper()
	out, err := s.SignAll(testChain, 0, []Request{r})
	check(t, err)
	if err := out[0].Err; err == nil {
		check(t, types.VerifySignature(s.Public(), types.SignBytes(testChain, r.Purpose, r.Payload), out[0].Sig))
	} else if out[0].Sig != nil {
		t.Fatal("a refusal came with a signature")
	}
	return out[0].Sig, out[0].Err
}
