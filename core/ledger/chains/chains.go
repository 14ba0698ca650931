// Package chains is the native module that records child chains: chains.spawn carries the resolved genesis document of a
// child, and when it is final every node can start the child from the record alone.
package chains

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/ledger/native"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Module implements module.Module.
type Module struct {
	native.Base
	self types.ChainID

	mu     sync.Mutex
	judged map[types.Hash]verdict // by the hash of a document
}

// verdict is what is thought of a document. It rests on the document's bytes and nothing else, so that remembering it only
// saves time: reading a long one takes a node as long as verifying some hundred signatures, and it is asked at
// admission, before a block and in it.
type verdict struct {
	id    types.ChainID
	name  string
	error string // the name of err; empty: it is a child of this chain
	err   error
}

// maxJudged bounds the documents whose verdict is remembered.
const maxJudged = 1024

// New returns the module of a chain.
func New(self types.ChainID) *Module {
	return &Module{Base: native.Base{Name: types.ModuleChains}, self: self, judged: map[types.Hash]verdict{}}
}

// Names of errors that this module gives.
const (
	ErrBadGenesis = "ErrBadGenesis" // the document is not valid
	ErrNotMyChild = "ErrNotMyChild" // its parent is another chain, or none
	ErrExists     = "ErrExists"     // the child is recorded already
)

// Item is where the genesis document of a child lies.
func Item(child types.ChainID) module.Item {
	it := module.Item{Key: "genesis" + string(child[:])}
	copy(it.Place[:], child[:])
	return it
}

// Spawned is the data of the event "spawned".
type Spawned struct {
	Chain types.ChainID `json:"chain"`
	Name  string        `json:"name"`
}

// decode reads an action. name is that of what is wrong with it.
func (m *Module) decode(a types.Action) (doc []byte, v verdict, name string, err error) {
	if a.Name != "spawn" {
		return nil, v, native.ErrUnknownAction, fmt.Errorf("chains has no action %q; it has spawn", a.Name)
	}
	b, err := types.DecodeSpawnBody(a.Body)
	if err != nil {
		return nil, v, native.ErrMalformed, err
	}
	v = m.judge(b.Genesis)
	return b.Genesis, v, v.error, v.err
}

func (m *Module) judge(doc []byte) verdict {
	key := types.Sum("chains/judged\x00", doc)
	m.mu.Lock()
	v, ok := m.judged[key]
	m.mu.Unlock()
	if ok {
		return v
	}
	g, err := chainspec.DecodeGenesis(doc)
	switch {
	case err != nil:
		v = verdict{error: ErrBadGenesis, err: err}
	case g.Parent == nil || *g.Parent != m.self:
		v = verdict{error: ErrNotMyChild, err: fmt.Errorf("the document's parent is not chain %s", m.self)}
	default:
		v = verdict{id: g.ID(), name: g.Name}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.judged) >= maxJudged {
		clear(m.judged)
	}
	m.judged[key] = v
	return v
}

func gas(t *module.Tx) uint64 { return types.GasSpawn * uint64(len(t.Actions)) }

// Check implements module.Module.
func (m *Module) Check(_ context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	out := make([]module.TxCheck, len(txs))
	for i, t := range txs {
		if out[i].Gas = gas(&t); out[i].Gas > t.MaxGas {
			out[i] = module.TxCheck{Error: module.ErrOutOfGas}
			continue
		}
		for _, a := range t.Actions {
			_, v, name, err := m.decode(a)
			if err != nil {
				out[i] = module.TxCheck{Error: name}
				break
			}
			out[i].Reads = append(out[i].Reads, Item(v.id))
		}
	}
	return out, nil
}

// Execute implements module.Module.
func (m *Module) Execute(_ context.Context, b *module.Block, _ module.Reader) (*module.Outcome, error) {
	known := map[module.Item]bool{}
	for _, v := range b.Values {
		known[v.Item] = v.Data != nil
	}
	out := &module.Outcome{Txs: make([]module.Result, len(b.Txs))}
	var room native.Room
	for i := range b.Txs {
		t := &b.Txs[i]
		r := module.Result{Gas: gas(t)}
		if r.Gas > t.MaxGas {
			out.Txs[i] = native.Failed(module.ErrOutOfGas, nil, t.MaxGas)
			continue
		}
		fresh := map[module.Item]bool{}
		for _, a := range t.Actions {
			doc, v, name, err := m.decode(a)
			if err != nil {
				r = native.Failed(name, err, r.Gas)
				break
			}
			id := v.id
			it := Item(id)
			if known[it] || fresh[it] {
				r = native.Failed(ErrExists, fmt.Errorf("chain %s is already recorded", id), r.Gas)
				break
			}
			fresh[it] = true
			r.Writes = append(r.Writes, module.Write{Item: it, Data: doc})
			ev := native.Event("spawned", Spawned{id, v.name})
			ev.Item = id[:]
			r.Events = append(r.Events, ev)
		}
		if room.Fits(&r) {
			for it := range fresh {
				known[it] = true
			}
		}
		out.Txs[i] = r
	}
	return out, nil
}

// Query answers "list", with the ids and names of all children after the id in the argument, and "genesis" with the document
// of the child whose id is the argument.
func (m *Module) Query(ctx context.Context, q module.Query, r module.Reader) (module.Answer, error) {
	switch q.Path {
	case "genesis":
		id, err := types.HashFromBytes(q.Argument)
		if err != nil {
			return module.Answer{}, fmt.Errorf("%w: genesis wants a chain id: %w", module.ErrInvalid, err)
		}
		v, err := r.Read(ctx, module.BlockTx, []module.Item{Item(id)})
		if err != nil {
			return module.Answer{}, err
		}
		return module.Answer{JSON: v[0], RestsOn: []module.Item{Item(id)}}, nil
	case "list":
		var start module.Item
		if id, err := types.HashFromBytes(q.Argument); err == nil {
			start = Item(id)
			start.Key += "\x00"
		}
		var end module.Item
		for i := range end.Place {
			end.Place[i] = 0xff
		}
		end.Key = "h"
		values, _, err := r.Scan(ctx, module.BlockTx, start, end, 64)
		if err != nil {
			return module.Answer{}, err
		}
		list := []Spawned{}
		var rests []module.Item
		for _, v := range values {
			g, err := chainspec.DecodeGenesis(v.Data)
			if err != nil {
				return module.Answer{}, fmt.Errorf("recorded genesis: %w", err)
			}
			list, rests = append(list, Spawned{g.ID(), g.Name}), append(rests, v.Item)
		}
		b, err := json.Marshal(list)
		return module.Answer{JSON: b, RestsOn: rests}, err
	}
	return m.Base.Query(ctx, q, r)
}
