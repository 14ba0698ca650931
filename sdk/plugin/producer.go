package plugin

import (
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// maxProducerBytes is one byte of scheme and the longest key of any scheme.
const maxProducerBytes = 1 + types.MaxKeyBytes

// EncodeProducer writes a key as [OpenRequest].Producer has it: the scheme in one byte, then the key.
func EncodeProducer(k types.PublicKey) []byte {
	return append([]byte{byte(k.Scheme)}, k.Key...)
}

// DecodeProducer reads an [OpenRequest].Producer. The error wraps ErrBadConfig if it is none, an empty one too.
func DecodeProducer(b []byte) (types.PublicKey, error) {
	if len(b) == 0 {
		return types.PublicKey{}, fmt.Errorf("%w: this node makes no blocks of the chain, so it has no producer's key", ErrBadConfig)
	}
	k := types.PublicKey{Scheme: types.Scheme(b[0]), Key: append([]byte(nil), b[1:]...)}
	if err := k.Validate(); err != nil {
		return types.PublicKey{}, fmt.Errorf("%w: producer's key: %w", ErrBadConfig, err)
	}
	return k, nil
}
