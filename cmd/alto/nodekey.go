package main

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/paloalto-chain/paloalto/core/signer"
	"github.com/paloalto-chain/paloalto/internal/localnet"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// nodeKeyName is what a node's own key is called in its folder.
const nodeKeyName = "node"

// hasKey tells whether a folder has a key file of a name.
func hasKey(folder, name string) bool {
	_, err := os.Stat(filepath.Join(folder, name+".key"))
	return err == nil
}

// networkNode returns the key folder of a local network's node; ok is false if there is none of that name.
func networkNode(name, dir string) (folder string, ok bool) {
	if dir == "" || name != filepath.Base(name) {
		return "", false
	}
	folder = localnet.KeysDir(localnet.NodeDir(dir, name))
	return folder, hasKey(folder, nodeKeyName)
}

// nodePublic returns the public key of a local network's node.
func nodePublic(name, dir string) (k types.PublicKey, ok bool) {
	folder, ok := networkNode(name, dir)
	if !ok {
		return k, false
	}
	store, err := signer.OpenKeystore(folder, signer.KeystoreOptions{})
	if err != nil {
		return k, false
	}
	e, err := store.Entry(nodeKeyName)
	return e.Public, err == nil
}

// findNodeKey finds a node's key: of a node of the network, by its name in the user's folder, or in a data folder.
func (a *app) findNodeKey(text, dir string) (folder, name string, err error) {
	if folder, ok := networkNode(text, dir); ok {
		return folder, nodeKeyName, nil
	}
	user := filepath.Join(a.home, "keys")
	if text == filepath.Base(text) && hasKey(user, text) {
		return user, text, nil
	}
	for _, folder := range []string{localnet.KeysDir(text), text} {
		if hasKey(folder, nodeKeyName) {
			return folder, nodeKeyName, nil
		}
	}
	return "", "", coded(exitConfig, fmt.Errorf("--key %q: no node of the network, no key in %s and no node's data folder; `alto keys new NAME --node` makes a key", text, user))
}

// nodeSeed opens a node's key. It is not guarded: the caller signs nothing that a node signs.
func (a *app) nodeSeed(folder, name string) (ed25519.PrivateKey, error) {
	store, err := signer.OpenKeystore(folder, signer.KeystoreOptions{})
	if err != nil {
		return nil, coded(exitConfig, err)
	}
	e, err := store.Entry(name)
	if err != nil {
		return nil, coded(exitConfig, err)
	}
	if e.Role != signer.RoleNode {
		return nil, coded(exitConfig, fmt.Errorf("key %q in %s is an account's, not a node's; `alto keys new NAME --node` makes one", name, folder))
	}
	pass := os.Getenv("ALTO_PASSPHRASE")
	if e.Encrypted && pass == "" {
		return nil, coded(exitConfig, fmt.Errorf("key %q in %s is encrypted: set ALTO_PASSPHRASE", name, folder))
	}
	text, err := store.Export(name, pass)
	if err != nil {
		return nil, coded(exitConfig, err)
	}
	seed, err := hex.DecodeString(text)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, coded(exitConfig, fmt.Errorf("key %q in %s is damaged", name, folder))
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// possession returns a key and its signature for an account: what a key is called, or both as `alto stake prove` prints them.
func (a *app) possession(text, dir string, chain types.ChainID, account types.AccountID) (types.PublicKey, []byte, error) {
	if text == "" {
		return types.PublicKey{}, nil, coded(exitUsage, errors.New("--key KEY is missing: the key that the node signs with"))
	}
	if key, sig, ok := strings.Cut(text, ":"); ok && strings.HasPrefix(key, "altopub1") {
		k, err := types.ParsePublicKey(key)
		if err != nil {
			return k, nil, coded(exitUsage, fmt.Errorf("--key: %w", err))
		}
		proof, err := hex.DecodeString(sig)
		if err == nil {
			err = types.VerifySignature(k, types.PossessionBytes(chain, account), proof)
		}
		if err != nil {
			return k, nil, coded(exitUsage, fmt.Errorf("--key: the proof is not one for account %s on this chain: %w", account, err))
		}
		return k, proof, nil
	}
	folder, name, err := a.findNodeKey(text, dir)
	if err != nil {
		return types.PublicKey{}, nil, err
	}
	key, err := a.nodeSeed(folder, name)
	if err != nil {
		return types.PublicKey{}, nil, err
	}
	return types.Ed25519Key(key.Public().(ed25519.PublicKey)), ed25519.Sign(key, types.PossessionBytes(chain, account)), nil
}

// nodeWallet signs transactions for the account of a node's key, which is a founder's. ok is false if the network has no such
// node.
func (a *app) nodeWallet(name, dir string) (w localnet.Wallet, ok bool, err error) {
	folder, ok := networkNode(name, dir)
	if !ok {
		return w, false, nil
	}
	key, err := a.nodeSeed(folder, nodeKeyName)
	if err != nil {
		return w, true, err
	}
	x, err := signer.NewWallet(key.Seed())
	return localnet.Wallet{Wallet: x}, true, err
}
