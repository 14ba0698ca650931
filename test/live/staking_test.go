package live

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"slices"

	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/core/signer"
	"github.com/paloalto-chain/paloalto/internal/load"
	"github.com/paloalto-chain/paloalto/internal/localnet"
	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/staking"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// ask queries the module face of the consensus plugin on a node, over its absences.
func (n *network) ask(node int, path string, out any) {
	n.Helper()
	n.await("query "+path+" of "+n.name(node), func() error {
		raw, _, err := n.clients[node].Query(n.ctx, n.chain, types.ModuleConsensus, path, nil)
		if err == nil {
			err = json.Unmarshal(raw, out)
		}
		return err
	})
}

func (n *network) producers(node int) (p staking.Producers) {
	n.Helper()
	n.ask(node, staking.PathProducers, &p)
	return p
}

// seated tells whether a node's key has a seat in a set.
func (n *network) seated(p staking.Producers, node int) bool {
	return slices.ContainsFunc(p.Schedule, func(x staking.Producer) bool { return x.Key.Hash() == n.state.Nodes[node].Key.Hash() })
}

// do sends one action of the consensus module from an account, and waits until it is final.
func (n *network) do(node int, a load.Account, name string, body []byte, spend uint64) {
	n.Helper()
	env, _, err := n.clients[node].Make(n.ctx, n.chain, a.Account(), types.ModuleConsensus, []types.Action{{Name: name, Body: body, MaxSpend: spend}},
		client.BuildOptions{}, a)
	if err == nil {
		_, err = n.clients[node].SubmitAndWait(n.ctx, n.chain, env, client.Final)
	}
	if err != nil {
		n.Fatalf("%s of %s: %v", name, a.Account(), err)
	}
}

// register makes an account a producer that signs with a node's key.
func (n *network) register(by int, a load.Account, node int) {
	n.Helper()
	n.do(by, a, types.ActionRegisterProducer, types.RegisterBody{Key: n.state.Nodes[node].Key, Proof: n.possession(node, a.Account()), Name: n.name(node)}.Encode(), 0)
}

// possession is a node's word that its key is for an account.
func (n *network) possession(node int, account types.AccountID) []byte {
	n.Helper()
	store, err := signer.OpenKeystore(filepath.Join(localnet.NodeDir(n.dir, n.name(node)), "keys"), signer.KeystoreOptions{})
	if err != nil {
		n.Fatal(err)
	}
	text, err := store.Export(localnet.NodeKeyName, "")
	if err != nil {
		n.Fatal(err)
	}
	seed, err := hex.DecodeString(text)
	if err != nil {
		n.Fatal(err)
	}
	return ed25519.Sign(ed25519.NewKeyFromSeed(seed), types.PossessionBytes(n.state.Chains[0].ID, account))
}

// vote replaces the votes of an account.
func (n *network) vote(by int, a load.Account, producers ...types.AccountID) {
	n.Helper()
	slices.SortFunc(producers, func(x, y types.AccountID) int { return bytes.Compare(x[:], y[:]) })
	n.do(by, a, types.ActionVote, types.VoteBody{Producers: producers}.Encode(), 0)
}

// stake stakes an amount of the smallest unit.
func (n *network) stake(by int, a load.Account, amount uint64) {
	n.Helper()
	n.do(by, a, types.ActionStake, types.StakeBody{Amount: amount}.Encode(), amount)
}

// epoch returns the epoch of a node's newest final block.
func (v *view) epoch(node int) uint64 {
	if h := v.headers[v.high[node]]; h != nil {
		return h.Epoch
	}
	return 0
}

// awaitEpoch waits until nodes have a final block of an epoch or a later one.
func (n *network) awaitEpoch(epoch uint64, nodes ...int) {
	n.Helper()
	n.view.await("the next epoch", func(v *view) bool {
		for _, i := range nodes {
			if v.epoch(i) < epoch {
				return false
			}
		}
		return true
	})
}

// epochNow returns the epoch of the newest final block that a node has told of.
func (n *network) epochNow(node int) uint64 {
	n.view.mu.Lock()
	defer n.view.mu.Unlock()
	return n.view.epoch(node)
}
