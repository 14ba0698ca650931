package signer

import (
	"errors"
	"fmt"
	"sync"

	"github.com/paloalto-chain/paloalto/core/journal"
	"github.com/paloalto-chain/paloalto/core/journal/disk"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

const (
	guardSegmentBytes = 256 << 10
	guardCompactBytes = guardSegmentBytes / 2 // after which a new snapshot replaces what came before

	// maxPurposes bounds the purposes of a chain, which plugins choose, and maxChains the chains of a guard.
	maxPurposes = 256
	maxChains   = 1 << 12
)

// wish is a request to sign as the guard sees it; one without a purpose is passed over.
type wish struct {
	purpose string
	ordinal uint64
	digest  types.Hash
}

// guard decides what may be signed, and remembers it.
type guard struct {
	dir string
	log *journal.Journal

	mu       sync.Mutex
	state    guardState
	snapshot journal.Position // of the newest one
}

// openGuard opens the guard of a key, which has to exist.
func openGuard(fsys disk.FS, dir string, pub types.PublicKey) (*guard, error) {
	g, err := loadGuard(fsys, dir, true)
	switch {
	case errors.Is(err, journal.ErrNotExist):
		return nil, missingGuard(dir)
	case err != nil:
		return nil, err
	case g.state.pub == nil:
		_ = g.log.Close()
		return nil, missingGuard(dir)
	case !sameKey(*g.state.pub, pub):
		_ = g.log.Close()
		return nil, fmt.Errorf("%w: %s is the guard of key %s, not of %s", ErrBadGuard, dir, g.state.pub, pub)
	}
	return g, nil
}

func missingGuard(dir string) error {
	return fmt.Errorf("%w: %s; without it nobody knows what the key has signed. Put it back, or take the seat with a new key; only if the key has "+
		"never signed anything may the guard be begun anew, as for a new validator: alto node run --new-validator", ErrMissingGuard, dir)
}

// createGuard begins the guard of a key. One that has guarded nothing yet may be there: it was begun before a crash.
func createGuard(fsys disk.FS, dir string, pub types.PublicKey) (*guard, error) {
	g, err := loadGuard(fsys, dir, false)
	if err != nil {
		return nil, err
	}
	if len(g.state.chains) > 0 {
		_ = g.log.Close()
		return nil, fmt.Errorf("%w: %s; open the key without saying that it is that of a new validator", ErrGuardExists, dir)
	}
	g.state.pub = &pub
	if err := g.compact(); err != nil {
		_ = g.log.Close()
		return nil, guardError(err)
	}
	return g, nil
}

// loadGuard opens the log and reads it. The state has no key if there is no snapshot and nothing else either.
func loadGuard(fsys disk.FS, dir string, mustExist bool) (*guard, error) {
	log, err := journal.Open(dir, journal.Options{FS: fsys, SegmentBytes: guardSegmentBytes, MustExist: mustExist})
	if errors.Is(err, journal.ErrCorrupt) {
		return nil, fmt.Errorf("%w: %w", ErrBadGuard, err)
	}
	if errors.Is(err, ErrInUse) {
		return nil, fmt.Errorf("guard: %w; two processes must never sign with one key: end the other first", err)
	}
	if err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	g := &guard{dir: dir, log: log}
	if err := g.replay(); err != nil {
		_ = log.Close()
		return nil, err
	}
	return g, nil
}

func (g *guard) replay() error {
	early := false // records without a snapshot before them: those of a segment that was about to be deleted
	err := g.log.Replay(g.log.Start(), func(pos journal.Position, rec journal.Record) error {
		switch rec.Type {
		case recSnapshot:
			state, err := decodeSnapshot(rec.Data)
			if err != nil {
				return fmt.Errorf("%w: %s at %d: %w", ErrBadGuard, g.dir, pos, err)
			}
			g.state, g.snapshot = state, pos
		case recSigned:
			entry, err := decodeSigned(rec.Data)
			if err == nil && g.state.pub != nil {
				err = g.state.apply(entry)
			}
			if err != nil {
				return fmt.Errorf("%w: %s at %d: %w", ErrBadGuard, g.dir, pos, err)
			}
			early = early || g.state.pub == nil
		default:
			return fmt.Errorf("%w: %s at %d: a record of type %d", ErrBadGuard, g.dir, pos, rec.Type)
		}
		return nil
	})
	if errors.Is(err, journal.ErrCorrupt) {
		err = fmt.Errorf("%w: %w", ErrBadGuard, err)
	}
	if err == nil && g.state.pub == nil && early {
		err = fmt.Errorf("%w: %s: it has no snapshot; files are missing", ErrBadGuard, g.dir)
	}
	return err
}

// allow decides about wishes, in order, and returns when the decisions are on the disk.
func (g *guard) allow(chain types.Hash, position uint64, wishes []wish) ([]error, error) {
	verdicts, err := g.decide(chain, position, wishes)
	if err != nil {
		return nil, err
	}
	// Also if nothing is new: what is signed again may have been decided by a call that is still waiting here.
	if err := g.log.Sync(); err != nil {
		return nil, guardError(err)
	}
	return verdicts, nil
}

func (g *guard) decide(chain types.Hash, position uint64, wishes []wish) ([]error, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	verdicts := make([]error, len(wishes))
	entry := signedEntry{chain: chain, position: position}
	staged := map[string]mark{}
	room := g.state.room(chain)
	for i, w := range wishes {
		if w.purpose == "" {
			continue
		}
		last, known := staged[w.purpose]
		if !known {
			last, known = g.state.mark(chain, w.purpose)
		}
		switch {
		case known && w.ordinal == last.ordinal && w.digest == last.digest:
		case known && w.ordinal == last.ordinal:
			verdicts[i] = fmt.Errorf("%w: chain %s, purpose %q: something else was signed for ordinal %d", ErrRefused, chain.Short(), w.purpose, w.ordinal)
		case known && w.ordinal < last.ordinal:
			verdicts[i] = fmt.Errorf("%w: chain %s, purpose %q: ordinal %d is below %d, which was signed", ErrRefused, chain.Short(), w.purpose, w.ordinal, last.ordinal)
		case !known && room == 0:
			verdicts[i] = fmt.Errorf("%w: chain %s: more than %d purposes, or %d chains", ErrRefused, chain.Short(), maxPurposes, maxChains)
		default:
			if !known {
				room--
			}
			staged[w.purpose] = mark{w.ordinal, w.digest}
			entry.wishes = append(entry.wishes, w)
		}
	}
	if len(entry.wishes) == 0 {
		return verdicts, nil
	}
	if g.log.End()-g.snapshot >= guardCompactBytes {
		if err := g.compact(); err != nil && !errors.Is(err, ErrNoSpace) {
			return nil, guardError(err)
		}
	}
	if _, _, err := g.log.Append(journal.Record{Type: recSigned, Data: entry.encode()}); err != nil {
		return nil, guardError(err)
	}
	return verdicts, g.state.apply(entry)
}

// compact writes a snapshot into a new segment and deletes the segments before. A crash on the way leaves either or
// both, and both say the same.
func (g *guard) compact() error {
	if err := g.log.Roll(); err != nil {
		return err
	}
	pos, _, err := g.log.Append(journal.Record{Type: recSnapshot, Data: g.state.encode()})
	if err != nil {
		return err
	}
	if err := g.log.Sync(); err != nil {
		return err
	}
	g.snapshot = pos
	return g.log.DropBefore(pos)
}

func (g *guard) position(chain types.Hash) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.state.chains[chain]; c != nil {
		return c.position
	}
	return 0
}

func (g *guard) close() error { return g.log.Close() }

// guardError translates the log's errors.
func guardError(err error) error {
	switch {
	case errors.Is(err, journal.ErrFailed):
		return fmt.Errorf("%w: %w", ErrFailed, err)
	case errors.Is(err, journal.ErrClosed):
		return fmt.Errorf("%w: %w", ErrRefused, errClosed)
	}
	return fmt.Errorf("guard: %w", err)
}
