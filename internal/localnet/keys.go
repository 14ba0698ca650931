package localnet

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/paloalto-chain/paloalto/core/signer"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// KeysDir returns the folder of a network's own account keys.
func KeysDir(dir string) string { return filepath.Join(dir, "keys") }

// ensureKey returns the public key of a name, and makes the key if there is none.
func ensureKey(dir, name string, role signer.Role) (types.PublicKey, error) {
	store, err := signer.OpenKeystore(dir, signer.KeystoreOptions{})
	if err != nil {
		return types.PublicKey{}, err
	}
	e, err := store.Entry(name)
	if errors.Is(err, signer.ErrNoKey) || errors.Is(err, fs.ErrNotExist) {
		return store.Create(name, role, "")
	}
	return e.Public, err
}

// Wallet signs transactions, and rights to ask a module, with a key of a keystore; it is a client.Signer.
type Wallet struct{ *signer.Wallet }

// Sign signs what client.Sign and client.SignQuery ask for, a transaction of a chain or the right to ask one, and nothing else.
func (w Wallet) Sign(msg []byte) ([]byte, error) {
	for _, of := range []struct {
		domain string
		sign   func(types.ChainID, []byte) ([]byte, error)
	}{{types.DomainTx, w.SignTx}, {types.DomainQuery, w.SignQuery}} {
		prefix := len(of.domain) + len(types.ChainID{})
		if len(msg) >= prefix && bytes.HasPrefix(msg, []byte(of.domain)) {
			return of.sign(types.ChainID(msg[len(of.domain):prefix]), msg[prefix:])
		}
	}
	return nil, fmt.Errorf("sign: this is neither a transaction nor a right to ask")
}

// Account returns the account that the key alone is the authority of.
func (w Wallet) Account() types.AccountID { return types.SingleKeyAuthority(w.Public()).ID() }

// OpenWallet opens an account key by name.
func OpenWallet(dir, name, passphrase string) (Wallet, error) {
	store, err := signer.OpenKeystore(dir, signer.KeystoreOptions{})
	if err != nil {
		return Wallet{}, err
	}
	w, err := store.OpenWallet(name, passphrase)
	if err != nil {
		return Wallet{}, err
	}
	return Wallet{w}, nil
}
