package main

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func claim(id, action, name string) module.Tx {
	return module.Tx{ID: sha256.Sum256([]byte(id)), Account: types.AccountID{1}, Actions: []types.Action{{Name: action, Body: []byte(name)}},
		MaxGas: 10_000, Bytes: 300}
}

func factory() moduletest.Factory {
	poor := claim("poor", "claim", "poor")
	poor.MaxGas = 1
	return moduletest.Factory{
		Open: func() (moduletest.Instance, error) { return moduletest.Instance{Module: names{}}, nil },
		Valid: func(seed uint64, n int) []module.Tx {
			var out []module.Tx
			for i := range n {
				name := fmt.Sprintf("name-%d-%d", seed, i)
				out = append(out, claim(name, "claim", name))
			}
			return out
		},
		Malformed: []module.Tx{claim("a", "steal", "x"), claim("b", "claim", ""), claim("c", "claim", fmt.Sprintf("%033d", 0)), poor},
		Paths:     []string{"owner/name-77-0", "owner/nobody"},
	}
}

func TestInProcess(t *testing.T)   { moduletest.Run(t, factory()) }
func TestOverTheWire(t *testing.T) { moduletest.Run(t, moduletest.Remote(factory())) }
