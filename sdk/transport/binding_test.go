package transport

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// testNode is a node's key.
func testNode(seed byte) (ed25519.PrivateKey, types.PublicKey) {
	priv := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	return priv, types.Ed25519Key(priv.Public().(ed25519.PublicKey))
}

// bind makes a certificate as a core does.
func bind(seed byte, sessionKey []byte) []byte {
	priv, pub := testNode(seed)
	return EncodeBinding(pub, ed25519.Sign(priv, BindingBytes(sessionKey)))
}

func TestBinding(t *testing.T) {
	_, node := testNode(1)
	for _, session := range [][]byte{{0}, bytes.Repeat([]byte{7}, 32), make([]byte, MaxSessionKey)} {
		cert := bind(1, session)
		if len(cert) > MaxBinding {
			t.Errorf("a certificate of %d bytes, the limit is %d", len(cert), MaxBinding)
		}
		key, err := VerifyBinding(session, cert)
		if err != nil || key.Hash() != node.Hash() {
			t.Errorf("a session key of %d bytes: %s, %v", len(session), key, err)
		}
	}
}

// TestBindingOfLargestKey: what the format allows fits the bound, whatever schemes come.
func TestBindingOfLargestKey(t *testing.T) {
	cert := EncodeBinding(types.PublicKey{Scheme: 255, Key: make([]byte, types.MaxKeyBytes)}, make([]byte, types.MaxSignatureBytes))
	if len(cert) > MaxBinding {
		t.Errorf("a certificate of %d bytes, the limit is %d", len(cert), MaxBinding)
	}
}

func TestBindingRefused(t *testing.T) {
	session := bytes.Repeat([]byte{7}, 32)
	priv, node := testNode(1)
	_, other := testNode(2)
	good := bind(1, session)
	sign := func(message []byte) []byte { return ed25519.Sign(priv, message) }
	for name, c := range map[string]struct {
		session, cert []byte
		want          error // nil: any
	}{
		"another session key":    {bytes.Repeat([]byte{8}, 32), good, types.ErrBadSignature},
		"a longer session key":   {append(bytes.Clone(session), 0), good, types.ErrBadSignature},
		"another node's key":     {session, EncodeBinding(other, sign(BindingBytes(session))), types.ErrBadSignature},
		"signed without domain":  {session, EncodeBinding(node, sign(session)), types.ErrBadSignature},
		"another domain":         {session, EncodeBinding(node, sign(append([]byte(types.DomainHello), session...))), types.ErrBadSignature},
		"no signature":           {session, EncodeBinding(node, nil), types.ErrBadSignature},
		"an unknown scheme":      {session, EncodeBinding(types.PublicKey{Scheme: 9, Key: node.Key}, sign(BindingBytes(session))), nil},
		"a key too short":        {session, EncodeBinding(types.PublicKey{Scheme: node.Scheme, Key: node.Key[1:]}, sign(BindingBytes(session))), nil},
		"no certificate":         {session, nil, nil},
		"trailing bytes":         {session, append(bytes.Clone(good), 0), nil},
		"no session key":         {nil, bind(1, nil), ErrInvalid},
		"a session key too long": {make([]byte, MaxSessionKey+1), bind(1, make([]byte, MaxSessionKey+1)), ErrInvalid},
		"a certificate too long": {session, make([]byte, MaxBinding+1), ErrInvalid},
	} {
		key, err := VerifyBinding(c.session, c.cert)
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if key.Key != nil || key.Scheme != 0 {
			t.Errorf("%s: it returns the key %s with an error", name, key)
		}
	}
	for i := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			if _, err := VerifyBinding(session, bad); err == nil {
				t.Errorf("bit %d of byte %d does not matter", bit, i)
			}
		}
		if _, err := VerifyBinding(session, good[:i]); err == nil {
			t.Errorf("%d bytes are enough", i)
		}
	}
}

// FuzzVerifyBinding: what is accepted is the one encoding of a key and its signature of the session key.
func FuzzVerifyBinding(f *testing.F) {
	session := bytes.Repeat([]byte{7}, 32)
	good := bind(1, session)
	f.Add(session, good)
	f.Add([]byte{1}, bind(2, []byte{1}))
	f.Add(session, good[:40])
	f.Add(session, append(bytes.Clone(good), 1))
	f.Add([]byte{}, []byte{})
	f.Add(session, []byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, session, cert []byte) {
		key, err := VerifyBinding(session, cert)
		if err != nil {
			return
		}
		if len(session) == 0 || len(session) > MaxSessionKey {
			t.Fatalf("a session key of %d bytes is accepted", len(session))
		}
		if err := key.Validate(); err != nil {
			t.Fatalf("the key that is accepted: %v", err)
		}
		if n := len(cert) - ed25519.SignatureSize; !bytes.Equal(EncodeBinding(key, cert[max(n, 0):]), cert) {
			t.Fatalf("%x is another encoding of a certificate", cert)
		}
	})
}
