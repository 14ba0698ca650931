package signer

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Role is what a key is for.
type Role string

// The roles.
const (
	RoleNode   Role = "node"   // votes, blocks and greetings, behind the guard
	RoleWallet Role = "wallet" // transactions
)

// A key file is text:
//
//	paloalto key 1
//	public altopub1…
//	role node
//	plain
//	64 hexadecimal digits of the seed
//
// or, encrypted with a passphrase, "age" instead of "plain" and below it an armoured age file with the seed's 32 bytes.
// Everything is written in exactly one way.
const (
	keyFileMagic    = "paloalto key 1"
	keyFileMaxBytes = 16 << 10

	// maxWorkFactor bounds what a file can make the reader do: 2^18 takes about a second and 256 MiB.
	maxWorkFactor = 18
)

// keyFile is a parsed key file.
type keyFile struct {
	public    types.PublicKey
	role      Role
	encrypted bool
	secret    string // hexadecimal, or armoured
}

func (k *keyFile) encode() []byte {
	kind := "plain"
	if k.encrypted {
		kind = "age"
	}
	return fmt.Appendf(nil, "%s\npublic %s\nrole %s\n%s\n%s\n", keyFileMagic, k.public, k.role, kind, k.secret)
}

// parseKeyFile reads a key file. It opens nothing. Errors never quote what is in a key file, since a secret may stand
// anywhere in one that somebody has edited; for the same reason they leave causes out.
func parseKeyFile(b []byte) (*keyFile, error) {
	if len(b) > keyFileMaxBytes {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrBadKeyFile, keyFileMaxBytes)
	}
	parts := strings.SplitN(string(b), "\n", 5)
	if len(parts) != 5 || parts[0] != keyFileMagic {
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrBadKeyFile, keyFileMagic)
	}
	public, err := types.ParsePublicKey(strings.TrimPrefix(parts[1], "public "))
	if err != nil {
		return nil, fmt.Errorf("%w: the public key is malformed", ErrBadKeyFile)
	}
	k := &keyFile{public: public, role: Role(strings.TrimPrefix(parts[2], "role ")), encrypted: parts[3] == "age",
		secret: strings.TrimSuffix(parts[4], "\n")}
	if k.role != RoleNode && k.role != RoleWallet {
		return nil, fmt.Errorf("%w: the role is unknown", ErrBadKeyFile)
	}
	if !bytes.Equal(k.encode(), b) {
		return nil, fmt.Errorf("%w: it is not as it was written", ErrBadKeyFile)
	}
	return k, nil
}

// newKeyFile makes the file of a seed; without a passphrase it is plain.
func newKeyFile(seed []byte, role Role, passphrase string, workFactor int) (*keyFile, error) {
	k := &keyFile{public: publicOf(ed25519.NewKeyFromSeed(seed)), role: role, encrypted: passphrase != ""}
	if !k.encrypted {
		k.secret = hex.EncodeToString(seed)
		return k, nil
	}
	to, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, fmt.Errorf("encrypt key: %w", err)
	}
	to.SetWorkFactor(workFactor)
	var out bytes.Buffer
	text := armor.NewWriter(&out)
	w, err := age.Encrypt(text, to)
	if err == nil {
		_, err = w.Write(seed)
	}
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = text.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("encrypt key: %w", err)
	}
	k.secret = strings.TrimSuffix(out.String(), "\n")
	return k, nil
}

// seed opens the secret and checks that it is that of the public key.
func (k *keyFile) seed(passphrase string) ([]byte, error) {
	seed, err := k.open(passphrase)
	if err != nil {
		return nil, err
	}
	if len(seed) != SeedBytes {
		return nil, fmt.Errorf("%w: the secret has not %d bytes", ErrBadKeyFile, SeedBytes)
	}
	if !sameKey(publicOf(ed25519.NewKeyFromSeed(seed)), k.public) {
		return nil, fmt.Errorf("%w: the secret is not that of the public key", ErrBadKeyFile)
	}
	return seed, nil
}

func (k *keyFile) open(passphrase string) ([]byte, error) {
	if !k.encrypted {
		seed, err := hex.DecodeString(k.secret)
		if err != nil {
			return nil, fmt.Errorf("%w: the secret is not hexadecimal", ErrBadKeyFile)
		}
		return seed, nil
	}
	if passphrase == "" {
		return nil, ErrNeedPassphrase
	}
	id, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, fmt.Errorf("decrypt key: %w", err)
	}
	id.SetMaxWorkFactor(maxWorkFactor)
	r, err := age.Decrypt(armor.NewReader(strings.NewReader(k.secret)), id)
	var mismatch *age.NoIdentityMatchError
	if errors.As(err, &mismatch) {
		return nil, ErrWrongPassphrase
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the encrypted part is damaged, or takes too much work", ErrBadKeyFile)
	}
	seed, err := io.ReadAll(io.LimitReader(r, SeedBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%w: the encrypted part is damaged", ErrBadKeyFile)
	}
	return seed, nil
}
