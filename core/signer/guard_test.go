package signer

import (
	"bytes"
	"errors"
	"testing"

	"github.com/paloalto-chain/paloalto/core/journal"
	"github.com/paloalto-chain/paloalto/core/journal/disk/disktest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// sampleState is a state with two chains.
func sampleState(t testing.TB) guardState {
	t.Helper()
	w, err := NewWallet(testSeed)
	check(t, err)
	pub := w.Public()
	s := guardState{pub: &pub}
	check(t, s.apply(signedEntry{testChain, 7, []wish{{"a", 1, types.Hash{1}}, {"b", 2, types.Hash{2}}, {"a", 3, types.Hash{3}}}}))
	check(t, s.apply(signedEntry{types.Hash{2}, 1 << 63, []wish{{"commit", 1<<64 - 1, types.Hash{4}}}}))
	return s
}

// What is in the log, though its CRCs are right, is not believed.
func TestBadGuardRecords(t *testing.T) {
	state := sampleState(t)
	snapshot := journal.Record{Type: recSnapshot, Data: state.encode()}
	signed := func(ordinal uint64) journal.Record {
		return journal.Record{Type: recSigned, Data: signedEntry{testChain, 9, []wish{{"a", ordinal, types.Hash{9}}}}.encode()}
	}
	for name, tc := range map[string]struct {
		recs []journal.Record
		want error
	}{
		"nothing":                     {nil, ErrMissingGuard},
		"a snapshot":                  {[]journal.Record{snapshot}, nil},
		"a snapshot and more":         {[]journal.Record{snapshot, signed(4)}, nil},
		"no snapshot":                 {[]journal.Record{signed(4)}, ErrBadGuard},
		"an ordinal twice":            {[]journal.Record{snapshot, signed(4), signed(4)}, ErrBadGuard},
		"an ordinal that goes back":   {[]journal.Record{snapshot, signed(2)}, ErrBadGuard},
		"records before the snapshot": {[]journal.Record{signed(2), signed(1), snapshot}, nil},
		"an unknown type":             {[]journal.Record{snapshot, {Type: 9}}, ErrBadGuard},
		"an empty snapshot":           {[]journal.Record{{Type: recSnapshot}}, ErrBadGuard},
		"a snapshot and a byte":       {[]journal.Record{{Type: recSnapshot, Data: append(state.encode(), 0)}}, ErrBadGuard},
		"an empty record":             {[]journal.Record{snapshot, {Type: recSigned}}, ErrBadGuard},
	} {
		fs := disktest.New(newRand(1))
		log, err := journal.Open(guardDir, journal.Options{FS: fs, SegmentBytes: guardSegmentBytes})
		check(t, err)
		_, _, err = log.Append(tc.recs...)
		check(t, err)
		check(t, log.Close())
		if _, err := Open(testSeed, guardDir, Options{FS: fs}); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
		if tc.want == ErrBadGuard {
			if _, err := Open(testSeed, guardDir, Options{FS: fs, NewValidator: true}); !errors.Is(err, ErrBadGuard) {
				t.Errorf("%s, as a new validator: %v", name, err)
			}
		}
	}
}

// Each single byte of the guard that is wrong is noticed; at most the last record, if it is such as a crash leaves, is
// taken for torn.
func TestDamagedGuard(t *testing.T) {
	s, fs := newSigner(t)
	for o := range uint64(3) {
		_, err := sign(t, s, request("a", o+1, 0))
		check(t, err)
	}
	end := int(s.guard.log.End())
	names, err := fs.List(guardDir)
	check(t, err)
	path := guardDir + "/" + names[0]
	raw, err := fs.ReadFile(path)
	check(t, err)
	fs = fs.Restart()
	for i := range end + 40 { // the segment's header and all records
		bad := bytes.Clone(raw)
		bad[i] ^= 0x10
		check(t, fs.WriteFile(path, bad))
		if _, err := Open(testSeed, guardDir, Options{FS: fs}); !errors.Is(err, ErrBadGuard) {
			t.Fatalf("byte %d of %d: %v", i, end, err)
		}
	}
}

func TestFailedGuard(t *testing.T) {
	s, fs := newSigner(t)
	fs.Inject(func(step int, op disktest.Op, _ string) *disktest.Fault {
		if op == disktest.Sync && step < 5 {
			return &disktest.Fault{Err: errors.New("input/output error")}
		}
		return nil
	})
	for range 8 {
		out, err := s.SignAll(testChain, 1, []Request{request("a", 1, 0)})
		if out != nil || !errors.Is(err, ErrFailed) {
			t.Fatalf("%v, %v", out, err)
		}
	}
}

func TestFullGuard(t *testing.T) {
	s, fs := newSigner(t)
	fs.Inject(func(_ int, op disktest.Op, _ string) *disktest.Fault {
		if op == disktest.Write {
			return &disktest.Fault{Err: ErrNoSpace, Short: 20}
		}
		return nil
	})
	for range 3 {
		if out, err := s.SignAll(testChain, 1, []Request{request("a", 1, 0)}); out != nil || !errors.Is(err, journal.ErrNoSpace) {
			t.Fatalf("%v, %v", out, err)
		}
	}
	fs.Inject(nil)
	if _, err := sign(t, s, request("a", 1, 1)); err != nil { // nothing was signed, so that the choice is free
		t.Errorf("with room again: %v", err)
	}
}

func FuzzGuardRecords(f *testing.F) {
	state := sampleState(f)
	f.Add(true, state.encode())
	f.Add(false, signedEntry{testChain, 9, []wish{{"a", 4, types.Hash{9}}}}.encode())
	f.Add(true, []byte{})
	f.Fuzz(func(t *testing.T, snapshot bool, b []byte) {
		if snapshot {
			s, err := decodeSnapshot(b)
			if err == nil && !bytes.Equal(s.encode(), b) {
				t.Fatal("it is written differently")
			}
			return
		}
		e, err := decodeSigned(b)
		if err == nil && !bytes.Equal(e.encode(), b) {
			t.Fatal("it is written differently")
		}
	})
}
