package state

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// sink is a store that only counts.
type sink struct{ version uint64 }

func (s *sink) Get(_ context.Context, keys [][]byte) ([][]byte, uint64, error) {
	return make([][]byte, len(keys)), s.version, nil
}

func (s *sink) Scan(context.Context, []byte, []byte, int) (storage.Page, error) {
	return storage.Page{Version: s.version}, nil
}

func (s *sink) Apply(_ context.Context, b storage.Batch) (storage.Status, error) {
	s.version = b.To
	return storage.Status{Version: b.To, Durable: b.To}, b.Check()
}

func (s *sink) Status(context.Context, bool) (storage.Status, error) {
	return storage.Status{Version: s.version, Durable: s.version}, nil
}

func account(i int) Item {
	var id [32]byte
	r := rand.NewPCG(uint64(i), 1)
	for j := 0; j < 32; j += 8 {
		binary.BigEndian.PutUint64(id[j:], r.Uint64())
	}
	return Item{"ledger.balance", types.Place(id[:8]), string(id[:])}
}

const accounts = 1_000_000

func filled(b *testing.B, workers int) *DB {
	b.Helper()
	db := open(b, &sink{}, Options{Workers: workers})
	for at := 0; at < accounts; at += 20_000 {
		changes := make([]Change, 20_000)
		for i := range changes {
			changes[i] = Change{account(at + i), binary.BigEndian.AppendUint64(nil, uint64(i))}
		}
		commit(b, db, derive(b, db.Base(), changes), db.Version()+1)
	}
	return db
}

// BenchmarkBlock is a block of 20,000 changed accounts out of a million: its layer, with the root, and its commit.
func BenchmarkBlock(b *testing.B) {
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprint("workers=", workers), func(b *testing.B) {
			db := filled(b, workers)
			r := rand.New(rand.NewPCG(1, 1))
			block := func() []Change {
				changes := make([]Change, 20_000)
				for i := range changes {
					changes[i] = Change{account(r.IntN(accounts)), binary.BigEndian.AppendUint64(nil, r.Uint64())}
				}
				return changes
			}
			b.Run("derive", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					b.StopTimer()
					changes := block()
					b.StartTimer()
					l := derive(b, db.Base(), changes)
					b.StopTimer()
					commit(b, db, l, db.Version()+1)
					b.StartTimer()
				}
			})
			b.Run("commit", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					b.StopTimer()
					l := derive(b, db.Base(), block())
					b.StartTimer()
					commit(b, db, l, db.Version()+1)
				}
			})
		})
	}
}

// BenchmarkMemory reports what an account takes in memory.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		heap := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		outside := func(r *regions) (n uint64) {
			for _, m := range r.list {
				n += uint64(len(m))
			}
			return n
		}
		before := heap()
		db := filled(b, 1)
		b.ReportMetric(float64(heap()-before+outside(db.forest.branches.mapped)+outside(db.forest.leaves.mapped))/accounts, "B/account")
		runtime.KeepAlive(db)
	}
}
