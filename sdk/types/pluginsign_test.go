package types_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/paloalto-chain/paloalto/core/signer"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// TestPluginSignatures verifies what a node's signer signs for a plugin, as core/node asks it to.
func TestPluginSignatures(t *testing.T) {
	s, err := signer.Open(bytes.Repeat([]byte{7}, signer.SeedBytes), t.TempDir(), signer.Options{NewValidator: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	chain, payload := types.Hash{1}, []byte("payload")
	out, err := s.SignAll(chain, 0, []signer.Request{{Purpose: types.PluginPurpose("oracle", "ballot"), Ordinal: 9, Payload: payload}})
	if err != nil || out[0].Err != nil {
		t.Fatal(err, out)
	}
	if err := types.VerifySignature(s.Public(), types.PluginSignBytes(chain, "oracle", "ballot", payload), out[0].Sig); err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string][]byte{
		"another chain":   types.PluginSignBytes(types.Hash{2}, "oracle", "ballot", payload),
		"another kind":    types.PluginSignBytes(chain, "vm", "ballot", payload),
		"another purpose": types.PluginSignBytes(chain, "oracle", "ballots", payload),
		"another payload": types.PluginSignBytes(chain, "oracle", "ballot", payload[1:]),
	} {
		if err := types.VerifySignature(s.Public(), other, out[0].Sig); !errors.Is(err, types.ErrBadSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
