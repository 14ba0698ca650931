package cometbftdb

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/storage"
)

const (
	labelFile   = "store.json"
	lockFile    = "LOCK"
	labelFormat = 1
	maxLabel    = 4096
)

// label says whose folder it is.
type label struct {
	Format  int    `json:"format"`
	Backend string `json:"backend"`
	Chain   string `json:"chain"`
	// Created is set once the database has its first version; until then a half-made database may be thrown away.
	Created bool `json:"created"`
}

// folder is a locked data folder.
type folder struct {
	dir   string
	lock  *os.File
	label label
}

// openFolder creates, locks and checks a data folder. If the database has not been created yet, what a crash may have
// left of it is removed.
func openFolder(dir string, chain []byte, backend string) (f *folder, err error) {
	if dir == "" {
		return nil, fmt.Errorf("%s needs a data folder for backend %s: %w", pluginName, backend, plugin.ErrBadConfig)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", classify(err))
	}
	f = &folder{dir: dir}
	if f.lock, err = lockFolder(dir); err != nil {
		return nil, err
	}
	if err := f.check(chain, backend); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// check reads the label, or writes it into a new folder.
func (f *folder) check(chain []byte, backend string) error {
	dir := f.dir
	want := label{Format: labelFormat, Backend: backend, Chain: hex.EncodeToString(chain)}
	got, err := readLabel(filepath.Join(dir, labelFile))
	switch {
	case errors.Is(err, os.ErrNotExist):
		if err := f.mustBeFresh(); err != nil {
			return err
		}
		f.label = want
		return f.writeLabel()
	case err != nil:
		return err
	case got.Format != labelFormat:
		return fmt.Errorf("%s has format %d, this build reads %d: %w", dir, got.Format, labelFormat, storage.ErrCorrupt)
	case got.Chain != want.Chain:
		return fmt.Errorf("%s is the store of chain %s, not of %s: use the data folder that belongs to the chain: %w", dir,
			short(got.Chain), short(want.Chain), storage.ErrInvalid)
	case got.Backend != want.Backend:
		return fmt.Errorf("%s was made with backend %s, the configuration says %s: change it back, or remove the folder to sync the chain again: %w",
			dir, got.Backend, want.Backend, plugin.ErrBadConfig)
	}
	f.label = got
	if !got.Created {
		if err := os.RemoveAll(f.database()); err != nil {
			return fmt.Errorf("remove a half-made database: %w", err)
		}
	}
	return nil
}

// database is the folder that cometbft-db makes.
func (f *folder) database() string { return filepath.Join(f.dir, f.label.Backend+".db") }

// mustBeFresh refuses a folder without a label that holds a database.
func (f *folder) mustBeFresh() error {
	found, err := filepath.Glob(filepath.Join(escapeGlob(f.dir), "*.db"))
	if err != nil {
		return fmt.Errorf("look into %s: %w", f.dir, err)
	}
	if len(found) > 0 {
		return fmt.Errorf("%s was not made by this plugin, %s is missing beside it: %w", found[0], labelFile, storage.ErrCorrupt)
	}
	return nil
}

func escapeGlob(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		switch s[i] {
		case '*', '?', '[', '\\':
			out = append(out, '\\')
		}
		out = append(out, s[i])
	}
	return string(out)
}

// created notes that the database is complete.
func (f *folder) created() error {
	f.label.Created = true
	return f.writeLabel()
}

// writeLabel replaces the label as a whole, durably.
func (f *folder) writeLabel() error {
	raw, err := json.Marshal(f.label)
	if err != nil {
		return fmt.Errorf("encode %s: %w", labelFile, err)
	}
	tmp := filepath.Join(f.dir, labelFile+".tmp")
	w, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", labelFile, classify(err))
	}
	_, err = w.Write(append(raw, '\n'))
	err = errors.Join(err, w.Sync())
	err = errors.Join(err, w.Close())
	if err == nil {
		err = os.Rename(tmp, filepath.Join(f.dir, labelFile))
	}
	if err == nil {
		err = syncDir(f.dir)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", labelFile, classify(err))
	}
	return nil
}

func (f *folder) close() error { return f.lock.Close() }

func readLabel(path string) (l label, err error) {
	file, err := os.Open(path)
	if err != nil {
		return l, fmt.Errorf("read the store's label: %w", err)
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxLabel+1))
	if err != nil {
		return l, fmt.Errorf("read %s: %w", path, err)
	}
	if len(raw) > maxLabel {
		return l, fmt.Errorf("%s is longer than %d bytes: %w", path, maxLabel, storage.ErrCorrupt)
	}
	if err := json.Unmarshal(raw, &l); err != nil {
		return l, fmt.Errorf("%s: %v: %w", path, err, storage.ErrCorrupt)
	}
	return l, nil
}

// lockFolder takes the folder's lock, which ends with the process at the latest.
func lockFolder(dir string) (*os.File, error) {
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", classify(err))
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		cause := fmt.Errorf("lock %s: %w", path, err)
		if errors.Is(err, unix.EWOULDBLOCK) {
			cause = fmt.Errorf("%s is in use by another process or instance; only one may have it open: %w", dir, storage.ErrInvalid)
		}
		return nil, errors.Join(cause, f.Close())
	}
	return f, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func short(hexID string) string {
	if len(hexID) > 8 {
		return hexID[:8]
	}
	if hexID == "" {
		return "(none)"
	}
	return hexID
}
