package signer

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/paloalto-chain/paloalto/core/journal/disk"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

const maxNameBytes = 64

// KeystoreOptions are how a keystore is opened. The zero value is good.
type KeystoreOptions struct {
	FS disk.FS // nil is the operating system's
	// WorkFactor is the logarithm of scrypt's cost for new files: 18, the default and the most, takes about a second.
	WorkFactor int
}

// Keystore is a folder of keys. Several processes may use it at the same time; its methods may be called concurrently.
type Keystore struct {
	fs   disk.FS
	dir  string
	cost int
}

// Entry describes a key without opening it.
type Entry struct {
	Name      string
	Public    types.PublicKey
	Role      Role
	Encrypted bool
	Err       error // why the file cannot be read; the rest but Name is empty then
}

// OpenKeystore opens a folder of keys, which is created if need be. A folder that others than its owner may use is
// refused.
func OpenKeystore(dir string, opts KeystoreOptions) (*Keystore, error) {
	k := &Keystore{fs: opts.FS, dir: dir, cost: opts.WorkFactor}
	if k.fs == nil {
		k.fs = disk.OS{}
	}
	if k.cost == 0 {
		k.cost = maxWorkFactor
	}
	if k.cost < 1 || k.cost > maxWorkFactor {
		return nil, fmt.Errorf("keystore %s: a work factor of %d, 1 to %d are allowed", dir, k.cost, maxWorkFactor)
	}
	if err := k.fs.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("keystore: %w", err)
	}
	private, err := k.fs.PrivateDir(dir)
	if err != nil {
		return nil, fmt.Errorf("keystore: %w", err)
	}
	if !private {
		return nil, fmt.Errorf("%w: folder %s; take the rights away from everybody but its owner (chmod 700)", ErrExposed, dir)
	}
	return k, nil
}

// checkName keeps names from being paths.
func checkName(name string) error {
	ok := name != "" && len(name) <= maxNameBytes
	for i, c := range []byte(name) {
		alnum := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		ok = ok && (alnum || i > 0 && (c == '.' || c == '_' || c == '-'))
	}
	if !ok {
		return fmt.Errorf("%w: %.80q: small letters, digits and, not in front, \".\", \"_\" and \"-\"; at most %d", ErrBadName, name, maxNameBytes)
	}
	return nil
}

func (k *Keystore) path(name, ext string) string { return filepath.Join(k.dir, name+ext) }

// Create makes a new key, encrypted unless the passphrase is empty. A node's key gets its guard at once.
func (k *Keystore) Create(name string, role Role, passphrase string) (types.PublicKey, error) {
	seed := make([]byte, SeedBytes)
	_, _ = rand.Read(seed) // never fails
	pub, err := k.add(name, role, passphrase, seed, role == RoleNode)
	if err != nil {
		err = fmt.Errorf("create key: %w", err)
	}
	return pub, err
}

// Import stores a seed of 64 hexadecimal digits. A node's key gets no guard, since it may have signed elsewhere: bring
// the guard along, or open the key as that of a new validator if it has not.
func (k *Keystore) Import(name string, role Role, passphrase, seedHex string) (types.PublicKey, error) {
	seed, err := hex.DecodeString(seedHex)
	if err != nil || len(seed) != SeedBytes {
		return types.PublicKey{}, fmt.Errorf("import key %q: a seed is %d hexadecimal digits", name, 2*SeedBytes) // without quoting it
	}
	pub, err := k.add(name, role, passphrase, seed, false)
	if err != nil {
		err = fmt.Errorf("import key: %w", err)
	}
	return pub, err
}

// Export returns the seed of a key, 64 hexadecimal digits. Whoever has it can sign.
func (k *Keystore) Export(name, passphrase string) (string, error) {
	seed, err := k.load(name, passphrase, RoleNode, RoleWallet)
	if err != nil {
		return "", fmt.Errorf("export key: %w", err)
	}
	return hex.EncodeToString(seed), nil
}

// add writes a key under a name that is not taken, complete before it has the name.
func (k *Keystore) add(name string, role Role, passphrase string, seed []byte, guarded bool) (types.PublicKey, error) {
	var none types.PublicKey
	if err := checkName(name); err != nil {
		return none, err
	}
	if role != RoleNode && role != RoleWallet {
		return none, fmt.Errorf("%w: %q is unknown", ErrWrongRole, role)
	}
	file, err := newKeyFile(seed, role, passphrase, k.cost)
	if err != nil {
		return none, err
	}
	lock, err := k.fs.Lock(filepath.Join(k.dir, ".lock"))
	if err != nil {
		return none, fmt.Errorf("%q: %w; it adds a key at this moment, try again", name, err)
	}
	defer lock.Close() //nolint:errcheck // nothing depends on it
	if f, err := k.fs.OpenRead(k.path(name, ".key")); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			_ = f.Close()
		}
		return none, fmt.Errorf("%w: %q in %s", ErrKeyExists, name, k.dir)
	}
	if guarded {
		// Before the key, so that a crash leaves no key without a guard. A guard that has guarded something is another's.
		g, err := createGuard(k.fs, k.path(name, ".guard"), file.public)
		if err != nil {
			return none, fmt.Errorf("%q: %w", name, err)
		}
		if err := g.close(); err != nil {
			return none, fmt.Errorf("%q: %w", name, err)
		}
	}
	if err := k.write(name, file.encode()); err != nil {
		return none, fmt.Errorf("%q: %w", name, err)
	}
	return file.public, nil
}

func (k *Keystore) write(name string, b []byte) error {
	tmp := k.path(name, ".new")
	if err := k.fs.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := k.fs.Create(tmp)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(b, 0); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = k.fs.Rename(tmp, k.path(name, ".key"))
	}
	if err != nil {
		_ = k.fs.Remove(tmp)
		return err
	}
	return k.fs.SyncDir(k.dir)
}

// List describes all keys, by name. A file that cannot be read is listed with its error.
func (k *Keystore) List() ([]Entry, error) {
	names, err := k.fs.List(k.dir)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	var out []Entry
	for _, file := range names {
		name, ok := strings.CutSuffix(file, ".key")
		if !ok || checkName(name) != nil {
			continue
		}
		e, err := k.Entry(name)
		if err != nil {
			e = Entry{Name: name, Err: err}
		}
		out = append(out, e)
	}
	return out, nil
}

// Entry describes one key.
func (k *Keystore) Entry(name string) (Entry, error) {
	file, err := k.read(name)
	if err != nil {
		return Entry{}, err
	}
	return Entry{Name: name, Public: file.public, Role: file.role, Encrypted: file.encrypted}, nil
}

// OpenSigner opens a node's key. passphrase is of no importance if the key is plain.
func (k *Keystore) OpenSigner(name, passphrase string, opts Options) (*Signer, error) {
	seed, err := k.load(name, passphrase, RoleNode)
	if err != nil {
		return nil, fmt.Errorf("open key: %w", err)
	}
	opts.FS = k.fs
	s, err := Open(seed, k.path(name, ".guard"), opts)
	if err != nil {
		return nil, fmt.Errorf("open key %q: %w", name, err)
	}
	return s, nil
}

// OpenWallet opens a wallet's key.
func (k *Keystore) OpenWallet(name, passphrase string) (*Wallet, error) {
	seed, err := k.load(name, passphrase, RoleWallet)
	if err != nil {
		return nil, fmt.Errorf("open wallet: %w", err)
	}
	return NewWallet(seed)
}

// load opens a key that has one of the roles.
func (k *Keystore) load(name, passphrase string, roles ...Role) ([]byte, error) {
	file, err := k.read(name)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(roles, file.role) {
		return nil, fmt.Errorf("%w: %q is a %s key, not a %s key", ErrWrongRole, name, file.role, roles[0])
	}
	seed, err := file.seed(passphrase)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name, err)
	}
	return seed, nil
}

// read reads and parses a key file.
func (k *Keystore) read(name string) (*keyFile, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	path := k.path(name, ".key")
	f, err := k.fs.OpenRead(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %q in %s", ErrNoKey, name, k.dir)
	}
	if err != nil {
		return nil, fmt.Errorf("%q: %w: %w", name, ErrBadKeyFile, err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	private, err := f.Private()
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name, err)
	}
	if !private {
		return nil, fmt.Errorf("%w: %s; take the rights away from everybody but its owner (chmod 600)", ErrExposed, path)
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, keyFileMaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name, err)
	}
	file, err := parseKeyFile(b)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name, err)
	}
	return file, nil
}
