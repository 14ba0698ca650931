package cometbftdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/storage"
)

// Apply implements storage.Store.
func (s *Store) Apply(ctx context.Context, b storage.Batch) (storage.Status, error) {
	if err := b.Check(); err != nil {
		return storage.Status{}, fmt.Errorf("apply: %w", err)
	}
	unlock, err := s.beginWrite(ctx)
	if err != nil {
		return storage.Status{}, fmt.Errorf("apply %d to %d: %w", b.From, b.To, err)
	}
	defer unlock()
	switch st := s.read(); {
	case b.To == st.Version:
		if b.Sync {
			return s.syncNow(ctx)
		}
		return st, nil
	case b.From != st.Version:
		return storage.Status{}, fmt.Errorf("apply %d to %d at version %d: %w", b.From, b.To, st.Version, storage.ErrWrongVersion)
	}
	if s.folder != nil {
		if err := s.room(s.folder.dir, b.Bytes()); err != nil {
			return storage.Status{}, fmt.Errorf("apply %d to %d: %w", b.From, b.To, err)
		}
	}
	if !s.outlives() {
		err = s.finish(s.write(b))
	} else {
		// The slices belong to the caller, and the write may outlive the call: the batch is built before it starts.
		err = s.start(ctx, b)
	}
	if err != nil {
		return storage.Status{}, fmt.Errorf("apply %d to %d to %s: %w", b.From, b.To, s.where(), err)
	}
	return s.read(), nil
}

// Status implements storage.Store.
func (s *Store) Status(ctx context.Context, sync bool) (storage.Status, error) {
	if err := ctx.Err(); err != nil {
		return storage.Status{}, err
	}
	if !sync {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.closed {
			return storage.Status{}, fmt.Errorf("status: %w", storage.ErrClosed)
		}
		return s.status, nil
	}
	unlock, err := s.beginWrite(ctx)
	if err != nil {
		return storage.Status{}, fmt.Errorf("sync: %w", err)
	}
	defer unlock()
	return s.syncNow(ctx)
}

func (s *Store) read() storage.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// outlives tells whether a write may be held up by a full disk.
func (s *Store) outlives() bool { return s.eng.full() != nil }

// beginWrite takes the right to write, after whatever was pending is done and the database is fit to be written.
func (s *Store) beginWrite(ctx context.Context) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case s.writing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	unlock = func() { <-s.writing }
	if err := s.ready(ctx); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

func (s *Store) ready(ctx context.Context) error {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return storage.ErrClosed
	}
	if s.pending != nil {
		if err := s.await(ctx); err != nil {
			return err
		}
	}
	if s.suspect || s.eng.broken() != nil {
		s.suspect = true
		if err := s.reopen(); err != nil {
			return err
		}
	}
	select {
	case <-s.eng.full():
		return fmt.Errorf("%s waits for room on its disk: %w", s.where(), storage.ErrNoSpace)
	default:
		return nil
	}
}

// start runs a write that a full disk may hold up, and waits for it or for the disk to be full.
func (s *Store) start(ctx context.Context, b storage.Batch) error {
	batch, err := s.build(b)
	if err != nil {
		return err
	}
	op := &operation{done: make(chan struct{})}
	s.pending = op
	go func() {
		defer close(op.done)
		op.err = s.commit(batch, b.To, b.Sync)
	}()
	return s.await(ctx)
}

// await waits for the pending operation. If the disk is full, or the context ends, the operation stays pending.
func (s *Store) await(ctx context.Context) error {
	select {
	case <-s.pending.done:
	default:
		select {
		case <-s.pending.done:
		case <-s.eng.full():
			return fmt.Errorf("%s waits for room on its disk: %w", s.where(), storage.ErrNoSpace)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	op := s.pending
	s.pending = nil
	return s.finish(op.err)
}

// finish looks at the outcome of a write.
func (s *Store) finish(err error) error {
	if err != nil && s.traits.reopenOnFail {
		s.suspect = true
	}
	return err
}

// syncNow makes everything durable; the right to write is held.
func (s *Store) syncNow(ctx context.Context) (storage.Status, error) {
	if st := s.read(); s.traits.volatile || st.Durable == st.Version {
		return st, nil
	}
	op := &operation{done: make(chan struct{})}
	s.pending = op
	go func() {
		defer close(op.done)
		op.err = s.makeDurable()
	}()
	if err := s.await(ctx); err != nil {
		return storage.Status{}, fmt.Errorf("sync %s: %w", s.where(), err)
	}
	return s.read(), nil
}

func (s *Store) makeDurable() error {
	version := s.read().Version
	if err := s.eng.sync(); err != nil {
		return classify(err)
	}
	if err := s.eng.broken(); err != nil {
		return classify(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Durable = max(s.status.Durable, version)
	return nil
}

func (s *Store) write(b storage.Batch) error {
	batch, err := s.build(b)
	if err != nil {
		return err
	}
	return s.commit(batch, b.To, b.Sync)
}

// builtBatch is the part of cometbft-db's batch that a commit needs.
type builtBatch interface {
	Write() error
	WriteSync() error
	Close() error
}

// build puts a batch together, with the version in it. It copies what the database would keep.
func (s *Store) build(b storage.Batch) (_ builtBatch, err error) {
	batch := s.eng.db().NewBatch()
	defer func() {
		if err != nil {
			err = errors.Join(err, batch.Close())
		}
	}()
	buf := make([]byte, 0, storage.MaxKeyBytes+1)
	key := func(k []byte) []byte {
		if s.traits.keepsSlices {
			return prefixed(k)
		}
		return append(append(buf[:0], dataPrefix), k...)
	}
	for _, kv := range b.Puts {
		v := kv.Value
		if v == nil || s.traits.keepsSlices {
			v = append([]byte{}, v...)
		}
		if err := batch.Set(key(kv.Key), v); err != nil {
			return nil, fmt.Errorf("put %x: %w", kv.Key, err)
		}
	}
	for _, k := range b.Deletes {
		if err := batch.Delete(key(k)); err != nil {
			return nil, fmt.Errorf("delete %x: %w", k, err)
		}
	}
	if err := batch.Set(versionKey, binary.BigEndian.AppendUint64(nil, b.To)); err != nil {
		return nil, fmt.Errorf("put the version: %w", err)
	}
	return batch, nil
}

// commit writes a batch and shows the new version to readers. The batch is visible before it is synced: a reader never
// waits for the disk.
func (s *Store) commit(batch builtBatch, to uint64, sync bool) (err error) {
	defer func() { err = errors.Join(err, batch.Close()) }()
	if s.traits.exclusive {
		s.gate.Lock()
		defer s.gate.Unlock()
	}
	if s.traits.syncEach {
		err = batch.WriteSync()
	} else {
		err = batch.Write()
	}
	if err != nil {
		return classify(err)
	}
	if err := s.eng.broken(); err != nil {
		return classify(err)
	}
	r, err := s.eng.snapshot()
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.drop(s.current)
	s.current = &view{reader: r, version: to, users: 1}
	s.status.Version = to
	if s.traits.syncEach {
		s.status.Durable = to
	}
	s.mu.Unlock()
	if sync && !s.traits.syncEach && !s.traits.volatile {
		return s.makeDurable()
	}
	return nil
}

// reopen closes the database and opens it again, which settles whether the failed write took effect.
func (s *Store) reopen() error {
	s.gate.Lock()
	defer s.gate.Unlock()
	if err := s.shut(); err != nil && s.host != nil {
		s.host.Log("warn", "close after a failed write", map[string]string{"store": s.where(), "error": err.Error()})
	}
	if err := s.openEngine(); err != nil {
		return err
	}
	s.suspect = false
	return nil
}

// shut closes the view and the database; the gate is held for writing.
func (s *Store) shut() error {
	s.mu.Lock()
	if s.current != nil {
		s.drop(s.current)
		s.current = nil
	}
	s.mu.Unlock()
	if s.eng == nil {
		return nil
	}
	err := s.eng.close()
	s.eng = nil
	return err
}

// Close ends the instance after the calls that are under way. If the disk is full, what is not durable is given up.
func (s *Store) Close() error {
	s.writing <- struct{}{}
	defer func() { <-s.writing }()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	if s.pending != nil {
		s.eng.abandon()
		<-s.pending.done
		s.pending = nil
	}
	s.gate.Lock()
	defer s.gate.Unlock()
	err := s.shut()
	if s.folder != nil {
		err = errors.Join(err, s.folder.close())
	}
	if err != nil {
		return fmt.Errorf("close %s: %w", s.where(), err)
	}
	return nil
}
