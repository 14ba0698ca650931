package signer

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"filippo.io/age/armor"
	"golang.org/x/sys/unix"

	"github.com/paloalto-chain/paloalto/core/journal/disk/disktest"
)

const testWork = 5 // cheap encryption

func newKeystore(t testing.TB) (*Keystore, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a", "keys")
	k, err := OpenKeystore(dir, KeystoreOptions{WorkFactor: testWork})
	check(t, err)
	return k, dir
}

func TestKeystore(t *testing.T) {
	k, dir := newKeystore(t)
	north, err := k.Create("north", RoleNode, "secret")
	check(t, err)
	user, err := k.Create("user.1", RoleWallet, "")
	check(t, err)
	seed := strings.Repeat("0a", 32)
	south, err := k.Import("south", RoleNode, "other", seed)
	check(t, err)
	if got, err := k.Export("south", "other"); err != nil || got != seed {
		t.Errorf("export: %s, %v", got, err)
	}
	list, err := k.List()
	check(t, err)
	want := []Entry{{Name: "north", Public: north, Role: RoleNode, Encrypted: true}, {Name: "south", Public: south, Role: RoleNode, Encrypted: true},
		{Name: "user.1", Public: user, Role: RoleWallet}}
	if len(list) != len(want) {
		t.Fatalf("%v", list)
	}
	for i, w := range want {
		if g := list[i]; g.Name != w.Name || !sameKey(g.Public, w.Public) || g.Role != w.Role || g.Encrypted != w.Encrypted || g.Err != nil {
			t.Errorf("%+v", g)
		}
	}
	s, err := k.OpenSigner("north", "secret", Options{})
	check(t, err)
	if !sameKey(s.Public(), north) {
		t.Error("another key")
	}
	if _, err := k.OpenSigner("north", "secret", Options{}); !errors.Is(err, ErrInUse) {
		t.Errorf("second time: %v", err)
	}
	check(t, s.Close())
	w, err := k.OpenWallet("user.1", "")
	check(t, err)
	if !sameKey(w.Public(), user) {
		t.Error("another key")
	}
	if _, err := k.OpenSigner("south", "other", Options{}); !errors.Is(err, ErrMissingGuard) {
		t.Errorf("an imported key: %v", err)
	}
	s, err = k.OpenSigner("south", "other", Options{NewValidator: true})
	check(t, err)
	check(t, s.Close())
	for name, mode := range map[string]os.FileMode{"": 0o700, "north.key": 0o600, "user.1.key": 0o600, "north.guard": 0o700} {
		info, err := os.Stat(filepath.Join(dir, name))
		check(t, err)
		if info.Mode().Perm() != mode {
			t.Errorf("%q has the rights %v", name, info.Mode())
		}
	}
	for _, name := range []string{"north.key", "south.key"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		check(t, err)
		if bytes.Contains(b, []byte(seed)) || bytes.Contains(b, []byte("plain")) {
			t.Errorf("%s is not encrypted", name)
		}
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "user.1.key")); !bytes.Contains(b, []byte("\nplain\n")) {
		t.Error("a plain file does not say so")
	}
}

func TestKeystoreErrors(t *testing.T) {
	k, dir := newKeystore(t)
	_, err := k.Create("north", RoleNode, "secret")
	check(t, err)
	_, err = k.Create("user", RoleWallet, "")
	check(t, err)
	before, err := os.ReadFile(filepath.Join(dir, "north.key"))
	check(t, err)
	seed := strings.Repeat("0a", 32)
	for name, tc := range map[string]struct {
		fn   func() error
		want error
	}{
		"taken":            {func() error { _, err := k.Create("north", RoleNode, ""); return err }, ErrKeyExists},
		"taken, import":    {func() error { _, err := k.Import("north", RoleWallet, "", seed); return err }, ErrKeyExists},
		"role":             {func() error { _, err := k.Create("x", "king", ""); return err }, ErrWrongRole},
		"node as wallet":   {func() error { _, err := k.OpenWallet("north", "secret"); return err }, ErrWrongRole},
		"wallet as node":   {func() error { _, err := k.OpenSigner("user", "", Options{}); return err }, ErrWrongRole},
		"unknown":          {func() error { _, err := k.Export("nobody", ""); return err }, ErrNoKey},
		"unknown entry":    {func() error { _, err := k.Entry("nobody"); return err }, ErrNoKey},
		"no passphrase":    {func() error { _, err := k.OpenSigner("north", "", Options{}); return err }, ErrNeedPassphrase},
		"wrong passphrase": {func() error { _, err := k.OpenSigner("north", "Secret", Options{}); return err }, ErrWrongPassphrase},
		"empty name":       {func() error { _, err := k.Create("", RoleNode, ""); return err }, ErrBadName},
		"path":             {func() error { _, err := k.Create("../north", RoleNode, ""); return err }, ErrBadName},
		"dot":              {func() error { _, err := k.Create(".north", RoleNode, ""); return err }, ErrBadName},
		"capital":          {func() error { _, err := k.Entry("North"); return err }, ErrBadName},
		"zero byte":        {func() error { _, err := k.Entry("a\x00"); return err }, ErrBadName},
		"long":             {func() error { _, err := k.Entry(strings.Repeat("a", maxNameBytes+1)); return err }, ErrBadName},
	} {
		if err := tc.fn(); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range []string{"", seed[1:], seed + "00", "zz" + seed[2:]} {
		_, err := k.Import("new", RoleNode, "", bad)
		if err == nil || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("seed %q: %v", bad, err)
		}
	}
	if after, _ := os.ReadFile(filepath.Join(dir, "north.key")); !bytes.Equal(before, after) {
		t.Error("the key was overwritten")
	}
	for _, work := range []int{-1, maxWorkFactor + 1} {
		if _, err := OpenKeystore(dir, KeystoreOptions{WorkFactor: work}); err == nil {
			t.Errorf("work factor %d was accepted", work)
		}
	}
	check(t, os.Chmod(filepath.Join(dir, "user.key"), 0o640))
	if _, err := k.OpenWallet("user", ""); !errors.Is(err, ErrExposed) {
		t.Errorf("a file that others may read: %v", err)
	}
	check(t, os.Chmod(dir, 0o750))
	if _, err := OpenKeystore(dir, KeystoreOptions{}); !errors.Is(err, ErrExposed) {
		t.Errorf("a folder that others may read: %v", err)
	}
	if _, err := OpenKeystore(filepath.Join(dir, "north.key"), KeystoreOptions{}); err == nil {
		t.Error("a file was taken for a folder")
	}
}

// A guard that has guarded something is not given to another key.
func TestCreateBesideAGuard(t *testing.T) {
	k, dir := newKeystore(t)
	_, err := k.Create("north", RoleNode, "")
	check(t, err)
	s, err := k.OpenSigner("north", "", Options{})
	check(t, err)
	_, err = sign(t, s, request("a", 1, 0))
	check(t, err)
	check(t, s.Close())
	check(t, os.Remove(filepath.Join(dir, "north.key")))
	if _, err := k.Create("north", RoleNode, ""); !errors.Is(err, ErrGuardExists) {
		t.Errorf("%v", err)
	}
}

func TestCreateAtTheSameTime(t *testing.T) {
	k, _ := newKeystore(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for range 16 {
		wg.Go(func() {
			_, err := k.Create("north", RoleWallet, "")
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				made++
			} else if !errors.Is(err, ErrKeyExists) && !errors.Is(err, ErrInUse) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made != 1 {
		t.Errorf("the key was made %d times", made)
	}
}

// Whatever is where a key should be is an error, and never a hang.
func TestHostileKeyFiles(t *testing.T) {
	k, dir := newKeystore(t)
	_, err := k.Create("good", RoleWallet, "")
	check(t, err)
	_, err = k.Create("secret", RoleWallet, "word")
	check(t, err)
	good, err := os.ReadFile(filepath.Join(dir, "good.key"))
	check(t, err)
	secret, err := os.ReadFile(filepath.Join(dir, "secret.key"))
	check(t, err)
	costly := bytes.Replace(secret, []byte("age-encryption"), []byte("age-encryption"), 1)
	for name, b := range map[string][]byte{
		"empty": nil, "zeros": make([]byte, 100), "large": bytes.Repeat([]byte("paloalto key 1\n"), 10000), "half": good[:len(good)/2],
		"no newline": good[:len(good)-1], "more": append(bytes.Clone(good), '\n'), "windows": bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")),
		"version": bytes.Replace(good, []byte("key 1"), []byte("key 2"), 1), "role": bytes.Replace(good, []byte("role wallet"), []byte("role thief"), 1),
		"kind": bytes.Replace(good, []byte("\nplain\n"), []byte("\nrot13\n"), 1), "capitals": upperSecret(good),
		"another seed":  append(good[:len(good)-3:len(good)-3], "00\n"...),
		"short seed":    append(good[:len(good)-3:len(good)-3], '\n'),
		"seed as age":   bytes.Replace(good, []byte("\nplain\n"), []byte("\nage\n"), 1),
		"age as plain":  bytes.Replace(costly, []byte("\nage\n"), []byte("\nplain\n"), 1),
		"swapped":       swapSecret(good, secret),
		"damaged armor": bytes.Replace(secret, []byte("BEGIN AGE"), []byte("BEGIN ABE"), 1),
	} {
		check(t, os.WriteFile(filepath.Join(dir, "bad.key"), b, 0o600))
		if _, err := k.Export("bad", "word"); !errors.Is(err, ErrBadKeyFile) {
			t.Errorf("%s: %v", name, err)
		} else if len(good) > 70 && strings.Contains(err.Error(), string(good[len(good)-40:len(good)-1])) {
			t.Errorf("%s: the error gives the secret away", name)
		}
	}
	check(t, os.Remove(filepath.Join(dir, "bad.key")))
	for name, fn := range map[string]func(path string) error{
		"pipe":   func(path string) error { return unix.Mkfifo(path, 0o600) },
		"link":   func(path string) error { return os.Symlink(filepath.Join(dir, "good.key"), path) },
		"folder": func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		path := filepath.Join(dir, "bad.key")
		check(t, fn(path))
		if _, err := k.Export("bad", ""); !errors.Is(err, ErrBadKeyFile) {
			t.Errorf("%s: %v", name, err)
		}
		list, err := k.List()
		if err != nil || len(list) != 3 || list[0].Name != "bad" || list[0].Err == nil {
			t.Errorf("%s: %v, %v", name, list, err)
		}
		if _, err := k.Create("bad", RoleWallet, ""); !errors.Is(err, ErrKeyExists) {
			t.Errorf("%s was taken for a free name: %v", name, err)
		}
		check(t, os.Remove(path))
	}
}

// A file cannot make its reader work or allocate without bounds.
func TestCostlyKeyFile(t *testing.T) {
	file, err := newKeyFile(bytes.Repeat([]byte{3}, SeedBytes), RoleWallet, "word", testWork)
	check(t, err)
	raw, err := io.ReadAll(armor.NewReader(strings.NewReader(file.secret)))
	check(t, err)
	line := raw[:bytes.Index(raw, []byte(" 5\n"))]
	for work, want := range map[string]error{" 19\n": ErrBadKeyFile, " 30\n": ErrBadKeyFile, " 62\n": ErrBadKeyFile} {
		var out bytes.Buffer
		w := armor.NewWriter(&out)
		_, err = w.Write(append(append(bytes.Clone(line), work...), raw[len(line)+3:]...))
		check(t, err)
		check(t, w.Close())
		costly := *file
		costly.secret = out.String()
		if _, err := costly.seed("word"); !errors.Is(err, want) {
			t.Errorf("%q: %v", work, err)
		}
	}
}

func upperSecret(b []byte) []byte {
	i := bytes.LastIndexByte(b[:len(b)-1], '\n') + 1
	return append(b[:i:i], append(bytes.Repeat([]byte("A"), 64), '\n')...)
}

// swapSecret puts the public key of one file before the secret of another.
func swapSecret(public, secret []byte) []byte {
	p, s := bytes.SplitN(public, []byte("\n"), 3), bytes.SplitN(secret, []byte("\n"), 3)
	return bytes.Join([][]byte{s[0], p[1], s[2]}, []byte("\n"))
}

// Nothing is left under the name if a step of writing the key fails.
func TestCreateFails(t *testing.T) {
	full := errors.New("full")
	for at := range 8 {
		fs := disktest.New(newRand(1))
		k, err := OpenKeystore(keyDir, KeystoreOptions{FS: fs})
		check(t, err)
		fs.Inject(func(step int, _ disktest.Op, _ string) *disktest.Fault {
			if step == at {
				return &disktest.Fault{Err: full, Short: 3}
			}
			return nil
		})
		_, err = k.Create("x", RoleWallet, "")
		steps := fs.Steps()
		if err != nil && !errors.Is(err, full) {
			t.Errorf("step %d: %v", at, err)
		}
		if (err == nil) != (steps <= at) {
			t.Errorf("step %d of %d: %v", at, steps, err)
		}
		fs.Inject(nil)
		if _, err := k.Create("x", RoleWallet, ""); err != nil && !errors.Is(err, ErrKeyExists) {
			t.Errorf("step %d, once more: %v", at, err)
		}
		if list, _ := k.List(); len(list) != 1 || list[0].Err != nil {
			t.Errorf("step %d: %v", at, list)
		}
	}
}

func FuzzKeyFile(f *testing.F) {
	seed, _ := hex.DecodeString(strings.Repeat("0a", 32))
	for _, pass := range []string{"", "word"} {
		k, err := newKeyFile(seed, RoleNode, pass, 1)
		check(f, err)
		f.Add(k.encode())
	}
	f.Add([]byte(keyFileMagic + "\n\n\n\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := parseKeyFile(b)
		if err != nil {
			if !errors.Is(err, ErrBadKeyFile) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(k.encode(), b) {
			t.Fatal("it is written differently")
		}
		if bytes.Contains(b, []byte("scrypt")) {
			return // to try a passphrase takes long
		}
		if s, err := k.seed("word"); err == nil && len(s) != SeedBytes {
			t.Fatal("a seed of another length")
		}
	})
}
