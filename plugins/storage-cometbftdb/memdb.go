package cometbftdb

import (
	dbm "github.com/cometbft/cometbft-db"
)

// memEngine keeps nothing. Its reader is the live database: the store lets no write run beside a reader.
type memEngine struct{ mem *dbm.MemDB }

func (e *memEngine) db() dbm.DB                { return e.mem }
func (e *memEngine) snapshot() (reader, error) { return memReader{e.mem}, nil }
func (e *memEngine) sync() error               { return nil }
func (e *memEngine) full() <-chan struct{}     { return nil }
func (e *memEngine) broken() error             { return nil }
func (e *memEngine) abandon()                  {}
func (e *memEngine) close() error              { return e.mem.Close() }
func (e *memEngine) traits() traits {
	return traits{volatile: true, exclusive: true, keepsSlices: true}
}

type memReader struct{ mem *dbm.MemDB }

func (r memReader) get(key []byte) ([]byte, error) {
	v, err := r.mem.Get(key)
	if v != nil {
		v = append([]byte{}, v...)
	}
	return v, err
}

func (r memReader) iter(start, end []byte) (iterator, error) {
	it, err := r.mem.Iterator(start, end)
	if err != nil {
		return nil, err
	}
	return &memIterator{it: it}, nil
}

func (r memReader) close() error { return nil }

type memIterator struct {
	it      dbm.Iterator
	started bool
}

func (i *memIterator) next() bool {
	if i.started && i.it.Valid() {
		i.it.Next()
	}
	i.started = true
	return i.it.Valid()
}

func (i *memIterator) key() []byte   { return i.it.Key() }
func (i *memIterator) value() []byte { return i.it.Value() }
func (i *memIterator) close() error {
	if err := i.it.Error(); err != nil {
		return err
	}
	return i.it.Close()
}
