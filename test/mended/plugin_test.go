//go:build linux

package mended

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// The builds of the plugin. All have the same rules; two have a flaw besides.
const (
	good   = "good"
	mortal = "mortal" // it ends when it executes something named "die"
	random = "random" // it computes something else in each process
)

// moody is a plugin whose module counts its actions.
type moody struct {
	build string
	draw  uint64 // of the process
}

func (moody) Describe() plugin.Info {
	return plugin.Info{Name: "moody", Version: "1.0.0", API: plugin.API, Kinds: []plugin.KindInfo{{Kind: plugin.Module, Rules: []string{"1"}}}}
}

func (p moody) Open(context.Context, plugin.Host, plugin.OpenRequest) (any, error) {
	return &rules{build: p.build, draw: p.draw}, nil
}

type rules struct {
	module.Module
	build string
	draw  uint64
}

var count = module.Item{Key: "count"}

func (r *rules) Check(_ context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	out := make([]module.TxCheck, len(txs))
	for i := range out {
		out[i].Reads = []module.Item{count}
	}
	return out, nil
}

// do is an action, or what is due.
func (r *rules) do(name string) {
	if name == "die" && r.build == mortal {
		fmt.Fprintln(os.Stderr, "moody: I cannot go on")
		os.Exit(3)
	}
}

func (r *rules) Execute(_ context.Context, b *module.Block, _ module.Reader) (*module.Outcome, error) {
	n := uint64(0)
	for _, v := range b.Values {
		if v.Item == count && len(v.Data) == 8 {
			n = binary.BigEndian.Uint64(v.Data)
		}
	}
	for _, d := range b.Due {
		r.do(string(d.Data))
	}
	out := &module.Outcome{Txs: make([]module.Result, len(b.Txs))}
	for i, t := range b.Txs {
		res := &out.Txs[i]
		for _, a := range t.Actions {
			n++
			if a.Name == "later" { // what its body says is done a while later
				id := types.Sum("moody", t.ID[:])
				res.Schedule = append(res.Schedule, module.Schedule{Clock: b.Clock + 5, ID: id, Item: count, Data: a.Body})
				continue
			}
			r.do(a.Name)
		}
		if r.build == random {
			n += r.draw
		}
		res.Gas = t.MaxGas / 2
		res.Writes = []module.Write{{Item: count, Data: binary.BigEndian.AppendUint64(nil, n)}}
	}
	return out, nil
}

func (r *rules) Extend(context.Context, uint64, module.Reader) ([]byte, error) { return nil, nil }

func (r *rules) Query(context.Context, module.Query, module.Reader) (module.Answer, error) {
	return module.Answer{}, module.ErrUnknownPath
}

func (r *rules) ValidateParams(context.Context, map[string][]byte) error { return nil }
