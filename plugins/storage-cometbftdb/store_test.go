package cometbftdb

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/storage/storagetest"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		childMain()
		return
	}
	// goleveldb's pool drain ends by itself, within a second after the database is closed.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

var backends = []string{pebbleBackend, levelBackend, memBackend}

func openRequest(dir, backend string) plugin.OpenRequest {
	cfg, err := json.Marshal(config{Backend: backend, Cache: 4 << 20})
	if err != nil {
		panic(err)
	}
	return plugin.OpenRequest{Kind: plugin.Storage, ChainID: []byte("chain-id-of-32-bytes-for-a-test!"), ChainName: "test", Config: cfg,
		Rules: rulesVersion, DataDir: dir}
}

func openTest(dir, backend string) (*Store, error) {
	v, err := Plugin().Open(context.Background(), nil, openRequest(dir, backend))
	if err != nil {
		return nil, err
	}
	return v.(*Store), nil
}

func factory(backend string) storagetest.Factory {
	return storagetest.Factory{Volatile: backend == memBackend, Open: func(dir string) (storage.Store, func() error, error) {
		s, err := openTest(dir, backend)
		if err != nil {
			return nil, nil, err
		}
		return s, s.Close, nil
	}}
}

func TestConformance(t *testing.T) {
	for _, b := range backends {
		t.Run(b, func(t *testing.T) { storagetest.Run(t, factory(b)) })
	}
}

func TestConformanceRemote(t *testing.T) {
	for _, b := range backends {
		t.Run(b, func(t *testing.T) { storagetest.Run(t, storagetest.Remote(factory(b))) })
	}
}

func mustOpen(t testing.TB, dir, backend string) *Store {
	t.Helper()
	s, err := openTest(dir, backend)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestDescribe(t *testing.T) {
	info := Plugin().Describe()
	ki, ok := info.Find(plugin.Storage)
	if !ok || info.Name != "cometbftdb" || !info.API.Overlaps(plugin.API) {
		t.Fatalf("describes itself as %+v", info)
	}
	for _, a := range ki.Schema.Attributes {
		if a.ConsensusCritical {
			t.Errorf("attribute %s is consensus-critical; nodes may choose their storage", a.Name)
		}
		if !json.Valid([]byte(a.Default)) {
			t.Errorf("default of %s is not JSON: %s", a.Name, a.Default)
		}
	}
	// The defaults of the schema are the defaults of the code.
	cfg, err := parseConfig(nil)
	if err != nil || cfg.Backend != pebbleBackend || cfg.Cache != defaultCache {
		t.Fatalf("default configuration is %+v, %v", cfg, err)
	}
}

func TestBadConfig(t *testing.T) {
	for name, c := range map[string]struct {
		config string
		want   string
	}{
		"not JSON":        {`{`, "unexpected EOF"},
		"unknown":         {`{"backand":"pebbledb"}`, "backand"},
		"unknown backend": {`{"backend":"rocksdb"}`, `"rocksdb" is not one of`},
		"small cache":     {`{"cache":1}`, "outside"},
		"trailing":        {`{} {}`, "more than one value"},
	} {
		t.Run(name, func(t *testing.T) {
			req := openRequest(t.TempDir(), memBackend)
			req.Config = []byte(c.config)
			_, err := Plugin().Open(t.Context(), nil, req)
			if !errors.Is(err, plugin.ErrBadConfig) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error is %v, want %q and ErrBadConfig", err, c.want)
			}
		})
	}
	req := openRequest(t.TempDir(), memBackend)
	req.Kind = plugin.VM
	if _, err := Plugin().Open(t.Context(), nil, req); !errors.Is(err, plugin.ErrWrongKind) {
		t.Fatalf("a VM: %v", err)
	}
	req = openRequest("", pebbleBackend)
	if _, err := Plugin().Open(t.Context(), nil, req); !errors.Is(err, plugin.ErrBadConfig) {
		t.Fatalf("no folder: %v", err)
	}
	req = openRequest(t.TempDir(), memBackend)
	req.Rules = "9"
	if _, err := Plugin().Open(t.Context(), nil, req); !errors.Is(err, plugin.ErrBadConfig) {
		t.Fatalf("unknown rules: %v", err)
	}
}

func TestFolderInUse(t *testing.T) {
	for _, b := range []string{pebbleBackend, levelBackend} {
		dir := t.TempDir()
		mustOpen(t, dir, b)
		_, err := openTest(dir, b)
		if err == nil || !strings.Contains(err.Error(), dir+" is in use by another process") {
			t.Errorf("%s: opening a folder twice: %v", b, err)
		}
	}
}

func put(t testing.TB, s storage.Store, from uint64, sync bool, kvs ...string) storage.Status {
	t.Helper()
	b := storage.Batch{From: from, To: from + 1, Sync: sync}
	for i := 0; i < len(kvs); i += 2 {
		b.Puts = append(b.Puts, storage.KV{Key: []byte(kvs[i]), Value: []byte(kvs[i+1])})
	}
	st, err := s.Apply(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// filled makes a closed store of 30 synced versions, some of them large enough to be in tables.
func filled(t testing.TB, backend string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s, err := openTest(dir, backend)
	if err != nil {
		t.Fatal(err)
	}
	for v := range uint64(30) {
		put(t, s, v, true, "key", strings.Repeat("v", 500))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestHostileFolders(t *testing.T) {
	for _, b := range []string{pebbleBackend, levelBackend} {
		for name, c := range map[string]struct {
			spoil func(t *testing.T, dir string)
			want  error
			text  string
		}{
			"label is not JSON": {func(t *testing.T, dir string) { write(t, filepath.Join(dir, labelFile), "junk") }, storage.ErrCorrupt, labelFile},
			"label is huge": {func(t *testing.T, dir string) {
				write(t, filepath.Join(dir, labelFile), strings.Repeat(" ", maxLabel+1))
			}, storage.ErrCorrupt, labelFile},
			"label of a later format": {func(t *testing.T, dir string) {
				replace(t, filepath.Join(dir, labelFile), `"format":1`, `"format":2`)
			}, storage.ErrCorrupt, "format 2"},
			"label of another chain": {func(t *testing.T, dir string) {
				replace(t, filepath.Join(dir, labelFile), `"chain":"63`, `"chain":"64`)
			}, storage.ErrInvalid, "store of chain 64"},
			"label of another backend": {func(t *testing.T, dir string) {
				replace(t, filepath.Join(dir, labelFile), `"backend":"`+b, `"backend":"memdb`)
			}, plugin.ErrBadConfig, "made with backend memdb"},
			"no label": {func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, labelFile))) }, storage.ErrCorrupt, b + ".db"},
			"no database": {func(t *testing.T, dir string) {
				must(t, os.RemoveAll(filepath.Join(dir, b+".db")))
			}, storage.ErrCorrupt, b + ".db"},
			"database is a file": {func(t *testing.T, dir string) {
				must(t, os.RemoveAll(filepath.Join(dir, b+".db")))
				write(t, filepath.Join(dir, b+".db"), "")
			}, nil, b + ".db"},
			"manifest cut": {func(t *testing.T, dir string) {
				for _, f := range glob(t, filepath.Join(dir, b+".db", "MANIFEST-*")) {
					must(t, os.Truncate(f, 20))
				}
			}, nil, b + ".db"},
			"manifests gone": {func(t *testing.T, dir string) {
				for _, f := range glob(t, filepath.Join(dir, b+".db", "MANIFEST-*")) {
					must(t, os.Remove(f))
				}
			}, storage.ErrCorrupt, b + ".db"},
		} {
			t.Run(b+"/"+name, func(t *testing.T) {
				dir := filled(t, b)
				c.spoil(t, dir)
				s, err := openTest(dir, b)
				if err == nil {
					st := s.read()
					t.Fatalf("opens at %+v", errors.Join(s.Close(), io.EOF, errorOf(st)))
				}
				if (c.want != nil && !errors.Is(err, c.want)) || !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), dir) {
					t.Fatalf("error is %v, want %v with %q and the path", err, c.want, c.text)
				}
				// Refusing must leave nothing locked behind.
				if _, err2 := openTest(dir, b); err2 == nil || strings.Contains(err2.Error(), "in use") || strings.Contains(err2.Error(), "lock held") {
					t.Fatalf("a second try says %v", err2)
				}
			})
		}
	}
}

type statusError storage.Status

func (s statusError) Error() string  { return "version" }
func errorOf(s storage.Status) error { return statusError(s) }
func must(t testing.TB, err error)   { t.Helper(); noError(t, err) }
func write(t testing.TB, path, s string) {
	t.Helper()
	noError(t, os.WriteFile(path, []byte(s), 0o600))
}
func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func glob(t testing.TB, pattern string) []string {
	t.Helper()
	out, err := filepath.Glob(pattern)
	noError(t, err)
	if len(out) == 0 {
		t.Fatalf("no file %s", pattern)
	}
	return out
}

func replace(t testing.TB, path, old, repl string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	noError(t, err)
	if !strings.Contains(string(raw), old) {
		t.Fatalf("%s has no %s: %s", path, old, raw)
	}
	write(t, path, strings.Replace(string(raw), old, repl, 1))
}
