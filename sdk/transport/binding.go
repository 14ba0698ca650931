package transport

import (
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// DomainBinding begins what a node key signs to bind a transport's session key to the node.
const DomainBinding = "paloalto/transport/1\x00"

// MaxSessionKey is the longest session key, in bytes, and MaxBinding the longest certificate.
const (
	MaxSessionKey = types.MaxKeyBytes
	MaxBinding    = types.MaxKeyBytes + types.MaxSignatureBytes + 16
)

// BindingBytes is what the node key signs.
func BindingBytes(sessionKey []byte) []byte { return append([]byte(DomainBinding), sessionKey...) }

// EncodeBinding makes the certificate that plugin.Host.BindTransport returns: the node's key, and its signature of
// [BindingBytes].
func EncodeBinding(node types.PublicKey, signature []byte) []byte {
	e := types.NewEncoder(128)
	e.Byte(byte(node.Scheme))
	e.Blob(node.Key)
	e.Blob(signature)
	return e.Bytes()
}

// VerifyBinding checks a certificate that a session key belongs to a node, and returns the node's key. The certificate says
// nothing about when: whoever holds the session key is the node, so a transport makes a new one whenever it is opened and
// never stores it.
func VerifyBinding(sessionKey, certificate []byte) (types.PublicKey, error) {
	if len(sessionKey) == 0 || len(sessionKey) > MaxSessionKey || len(certificate) > MaxBinding {
		return types.PublicKey{}, fmt.Errorf("transport certificate of %d bytes for a session key of %d: %w", len(certificate), len(sessionKey), ErrInvalid)
	}
	d := types.NewDecoder(certificate)
	key := types.PublicKey{Scheme: types.Scheme(d.Byte()), Key: d.Blob(types.MaxKeyBytes)}
	sig := d.Blob(types.MaxSignatureBytes)
	if err := d.Finish(); err != nil {
		return types.PublicKey{}, fmt.Errorf("transport certificate: %w", err)
	}
	if err := types.VerifySignature(key, BindingBytes(sessionKey), sig); err != nil {
		return types.PublicKey{}, fmt.Errorf("transport certificate: %w", err)
	}
	return key, nil
}
