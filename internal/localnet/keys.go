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

// Wallet signs transactions with a key of a keystore; it is a client.Signer.
type Wallet struct{ *signer.Wallet }

// Sign signs what client.Sign asks for: a transaction of a chain, and nothing else.
func (w Wallet) Sign(msg []byte) ([]byte, error) {
	const prefix = len(types.DomainTx) + len(types.ChainID{})
	if len(msg) < prefix || !bytes.HasPrefix(msg, []byte(types.DomainTx)) {
		return nil, fmt.Errorf("sign: this is no transaction")
	}
	return w.SignTx(types.ChainID(msg[len(types.DomainTx):prefix]), msg[prefix:])
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
