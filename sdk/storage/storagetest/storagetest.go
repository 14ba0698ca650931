// Package storagetest is the conformance suite of the storage kind: named cases that every store passes, in process and
// behind a gRPC connection.
//
// A store's own test calls [Run] with a [Factory]; [Remote] turns one factory into another whose stores are reached
// through gRPC over a unix socket. [Memory] is the reference: the simplest store that passes, in memory, also used as a
// fake by the tests of others. Each case comes with a store, in this package's tests, that only this case fails.
package storagetest

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/storage"
)

// T is what a case needs of a *testing.T. A runner outside of go test can implement it: Fatalf must not return.
type T interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	TempDir() string
	Context() context.Context
}

// Factory opens stores.
type Factory struct {
	// Open opens the store in a folder, a new one if the folder is empty. The function that it returns closes the store.
	// A case opens a folder again only after it has closed it.
	Open func(dir string) (s storage.Store, closeStore func() error, err error)
	// Volatile says that the store keeps nothing when it is closed: Durable must stay 0.
	Volatile bool
}

// Case is one property of a store.
type Case struct {
	Name string
	Why  string // what goes wrong in a chain whose store does not have it
	Run  func(t T, f Factory)
}

// Cases returns all cases.
func Cases() []Case {
	var out []Case
	out = append(out, readCases()...)
	out = append(out, scanCases()...)
	out = append(out, applyCases()...)
	out = append(out, limitCases()...)
	out = append(out, durabilityCases()...)
	return out
}

// Run runs all cases as subtests.
func Run(t *testing.T, f Factory) {
	t.Helper()
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) { c.Run(t, f) })
	}
}

// opened is a store under test and how to end it. Its methods fail the test on errors that the case does not expect.
type opened struct {
	storage.Store
	t     T
	f     Factory
	dir   string
	close func() error
}

// open opens a store in a folder of its own.
func open(t T, f Factory) *opened {
	t.Helper()
	return openAt(t, f, t.TempDir())
}

func openAt(t T, f Factory, dir string) *opened {
	t.Helper()
	s, c, err := f.Open(dir)
	if err != nil {
		t.Fatalf("open a store: %v", err)
	}
	return &opened{s, t, f, dir, c}
}

// done closes the store; cases defer it.
func (o *opened) done() {
	if o.close == nil {
		return
	}
	c := o.close
	o.close = nil
	if err := c(); err != nil {
		o.t.Errorf("close: %v", err)
	}
}

// reopen closes the store and opens its folder again.
func (o *opened) reopen() *opened {
	o.t.Helper()
	o.done()
	return openAt(o.t, o.f, o.dir)
}

// must applies a batch that has to succeed, and checks the status.
func (o *opened) must(b storage.Batch) storage.Status {
	o.t.Helper()
	st, err := o.Apply(o.t.Context(), b)
	if err != nil {
		o.t.Fatalf("apply %d to %d: %v", b.From, b.To, err)
	}
	if st.Version != b.To || st.Durable > st.Version {
		o.t.Fatalf("apply %d to %d answers version %d, durable %d", b.From, b.To, st.Version, st.Durable)
	}
	return st
}

// put applies one batch of puts: key, value, key, value, …
func (o *opened) put(from uint64, keyValues ...string) storage.Status {
	o.t.Helper()
	b := storage.Batch{From: from, To: from + 1}
	for i := 0; i < len(keyValues); i += 2 {
		b.Puts = append(b.Puts, kv(keyValues[i], keyValues[i+1]))
	}
	return o.must(b)
}

func (o *opened) status(sync bool) storage.Status {
	o.t.Helper()
	st, err := o.Status(o.t.Context(), sync)
	if err != nil {
		o.t.Fatalf("status: %v", err)
	}
	if st.Durable > st.Version {
		o.t.Fatalf("status says version %d, durable %d", st.Version, st.Durable)
	}
	return st
}

// wantVersion checks the current version.
func (o *opened) wantVersion(v uint64) {
	o.t.Helper()
	if st := o.status(false); st.Version != v {
		o.t.Fatalf("version is %d, want %d", st.Version, v)
	}
}

// get reads values.
func (o *opened) get(keys ...string) ([][]byte, uint64) {
	o.t.Helper()
	vs, v, err := o.Get(o.t.Context(), bytesOf(keys))
	if err != nil {
		o.t.Fatalf("get %q: %v", keys, err)
	}
	if len(vs) != len(keys) {
		o.t.Fatalf("get %q: %d values for %d keys", keys, len(vs), len(keys))
	}
	return vs, v
}

// wantValue checks one value; absent is nil.
func (o *opened) wantValue(key string, want []byte) {
	o.t.Helper()
	vs, _ := o.get(key)
	if !same(vs[0], want) {
		o.t.Fatalf("value of %q is %s, want %s", key, show(vs[0]), show(want))
	}
}

// scan reads one page.
func (o *opened) scan(start, end string, limit int) storage.Page {
	o.t.Helper()
	p, err := o.Scan(o.t.Context(), boundOf(start), boundOf(end), limit)
	if err != nil {
		o.t.Fatalf("scan %q to %q, limit %d: %v", start, end, limit, err)
	}
	if len(p.Items) > limit {
		o.t.Fatalf("scan %q to %q, limit %d: %d items", start, end, limit, len(p.Items))
	}
	return p
}

// wantScan checks the keys and values of a whole range, read in one page.
func (o *opened) wantScan(start, end string, want ...storage.KV) {
	o.t.Helper()
	p := o.scan(start, end, storage.MaxPage)
	if diff := diffItems(p.Items, want); diff != "" {
		o.t.Fatalf("scan %q to %q: %s", start, end, diff)
	}
}

func diffItems(got, want []storage.KV) string {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Sprintf("ends after %d items, %q is missing", i, want[i].Key)
		case i >= len(want):
			return fmt.Sprintf("item %d, %q, is too much", i, got[i].Key)
		case !bytes.Equal(got[i].Key, want[i].Key):
			return fmt.Sprintf("item %d has key %q, want %q", i, got[i].Key, want[i].Key)
		case !bytes.Equal(got[i].Value, want[i].Value):
			return fmt.Sprintf("item %d, %q, has value %s, want %s", i, got[i].Key, show(got[i].Value), show(want[i].Value))
		}
	}
	return ""
}

func kv(k, v string) storage.KV { return storage.KV{Key: []byte(k), Value: []byte(v)} }

func bytesOf(keys []string) [][]byte {
	out := make([][]byte, len(keys))
	for i, k := range keys {
		out[i] = []byte(k)
	}
	return out
}

func boundOf(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

// same compares values; nil differs from empty.
func same(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func show(v []byte) string {
	switch {
	case v == nil:
		return "absent"
	case len(v) > 40:
		return fmt.Sprintf("%q… (%d bytes)", v[:40], len(v))
	}
	return fmt.Sprintf("%q", v)
}
