package prophecy

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
	"unicode/utf8"

	"github.com/paloalto-chain/paloalto/sdk/oracle"
)

// What a voter remembers is one file, which is replaced as a whole: there are few disputes at a time, and a node that was
// killed finds the old file or the new.
const (
	storeName   = "ballots.json"
	storeFormat = 1
	maxStore    = 32 << 20 // bytes
)

type storedFile struct {
	Format  int          `json:"format"`
	Ballots []storedItem `json:"ballots"`
}

// storedItem is what is remembered of one dispute.
type storedItem struct {
	Question string        `json:"question"` // id, hexadecimal
	Life     int           `json:"life"`
	Text     string        `json:"text,omitempty"`
	Sources  []string      `json:"sources,omitempty"`
	Value    *oracle.Value `json:"value,omitempty"`   // what is believed
	Offered  *oracle.Value `json:"offered,omitempty"` // what a commit was offered for
	Reason   string        `json:"reason,omitempty"`
	Source   string        `json:"source,omitempty"`
	Attempts int           `json:"attempts,omitempty"`
	AtMs     int64         `json:"at_ms,omitempty"`
	Over     bool          `json:"over,omitempty"`
}

func (e *entry) stored() storedItem {
	s := storedItem{Question: hex.EncodeToString(e.id[:]), Life: e.life, Offered: e.offered, Reason: e.reason, Source: e.source,
		Attempts: e.attempts, Over: e.over}
	if e.question != nil {
		s.Text, s.Sources = e.question.Text, e.question.Sources
	}
	if e.belief != nil {
		s.Value = &e.belief.Value
	}
	if !e.at.IsZero() {
		s.AtMs = e.at.UnixMilli()
	}
	return s
}

// entry is the inverse of stored. What it is given may be anything.
func (s storedItem) entry() (*entry, error) {
	e := &entry{life: s.Life, offered: s.Offered, sealed: s.Offered != nil, reason: s.Reason, source: s.Source, attempts: s.Attempts, over: s.Over}
	id, err := hex.DecodeString(s.Question)
	if err != nil || len(id) != len(e.id) {
		return nil, fmt.Errorf("id %.80q", s.Question)
	}
	e.id = [32]byte(id)
	if s.Life < lifeUnknown || s.Life > 1 || s.Attempts < 0 {
		return nil, fmt.Errorf("life %d, %d attempts", s.Life, s.Attempts)
	}
	for _, v := range []*oracle.Value{s.Value, s.Offered} {
		if v != nil && !v.Valid() {
			return nil, fmt.Errorf("value %d", *v)
		}
	}
	if len(s.Reason) > oracle.MaxReasonBytes || !utf8.ValidString(s.Reason) || len(s.Source) > 64 || !utf8.ValidString(s.Source) {
		return nil, errors.New("a reason or source that is too long or not UTF-8")
	}
	if s.Text != "" {
		q := oracle.Question{ID: e.id, Text: s.Text, Sources: s.Sources}
		if len(s.Text) > oracle.MaxTextBytes || len(s.Sources) > oracle.MaxSources {
			return nil, fmt.Errorf("a question of %d bytes with %d sources", len(s.Text), len(s.Sources))
		}
		for _, src := range s.Sources {
			if len(src) > oracle.MaxSourceBytes {
				return nil, fmt.Errorf("a source of %d bytes", len(src))
			}
		}
		e.question = &q
	}
	if s.Value != nil {
		e.belief = &oracle.Belief{Value: *s.Value, Reason: s.Reason}
	}
	if s.AtMs != 0 {
		e.at = time.UnixMilli(s.AtMs)
	}
	return e, nil
}

// loadStore reads what was remembered. What can't be read is set aside and told to warn; a voter without memory finds again
// what it has committed to, so that is no reason not to start.
func loadStore(dir string, warn func(what string, err error)) ([]*entry, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder for ballots: %w", err)
	}
	leftovers, _ := filepath.Glob(filepath.Join(dir, storeName+".*.tmp"))
	for _, f := range leftovers {
		_ = os.Remove(f) // of a process that was killed while it wrote
	}
	path := filepath.Join(dir, storeName)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var list []*entry
	if err == nil {
		list, err = readStore(path, info, warn)
	}
	if err != nil {
		warn("what was remembered of ballots can't be read and is set aside, as "+storeName+".bad", err)
		if err := os.Rename(path, path+".bad"); err != nil {
			return nil, fmt.Errorf("set aside %s: %w", path, err)
		}
		return nil, nil
	}
	return list, nil
}

func readStore(path string, info fs.FileInfo, warn func(what string, err error)) ([]*entry, error) {
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("it is no file but %s", info.Mode().Type())
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxStore+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxStore {
		return nil, fmt.Errorf("it has more than %d bytes", maxStore)
	}
	return decodeStore(b, warn)
}

func decodeStore(b []byte, warn func(what string, err error)) ([]*entry, error) {
	var file struct { // each by itself, so that one that is damaged takes no others with it
		Format  int               `json:"format"`
		Ballots []json.RawMessage `json:"ballots"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, err
	}
	if file.Format != storeFormat {
		return nil, fmt.Errorf("format %d is unknown", file.Format)
	}
	var out []*entry
	for i, raw := range file.Ballots {
		var s storedItem
		var e *entry
		err := json.Unmarshal(raw, &s)
		if err == nil {
			e, err = s.entry()
		}
		if err != nil {
			warn(fmt.Sprintf("number %d of what was remembered of ballots is left out", i), err)
			continue
		}
		if out = append(out, e); len(out) == maxEntries {
			break
		}
	}
	return out, nil
}

func encodeStore(list []*entry) ([]byte, error) {
	file := storedFile{Format: storeFormat, Ballots: make([]storedItem, len(list))}
	for i, e := range list {
		file.Ballots[i] = e.stored()
	}
	return json.Marshal(file)
}

// writeStore replaces the file; it is on disk when this returns.
func writeStore(dir string, b []byte) (err error) {
	f, err := os.CreateTemp(dir, storeName+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if _, err := f.Write(b); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, storeName)); err != nil {
		return err
	}
	return syncFolder(dir)
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}
