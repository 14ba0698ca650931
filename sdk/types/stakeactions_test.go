package types

import (
	"bytes"
	"crypto/ed25519"
	"strings"
	"testing"
)

// FuzzStakeActions decodes any bytes as each body; what is accepted is encoded the same again.
func FuzzStakeActions(f *testing.F) {
	key := Ed25519Key(make(ed25519.PublicKey, 32))
	for i, b := range [][]byte{
		RegisterBody{key, make([]byte, 64), "node-1"}.Encode(), RotateBody{key, make([]byte, 64)}.Encode(), StakeBody{1 << 50}.Encode(),
		VoteBody{[]AccountID{{1}, {2}}}.Encode(), EvidenceBody{[]byte("proof")}.Encode(),
	} {
		f.Add(byte(i), b)
	}
	f.Fuzz(func(t *testing.T, which byte, raw []byte) {
		var back []byte
		var err error
		switch which % 5 {
		case 0:
			var b RegisterBody
			b, err = DecodeRegisterBody(raw)
			back = b.Encode()
		case 1:
			var b RotateBody
			b, err = DecodeRotateBody(raw)
			back = b.Encode()
		case 2:
			var b StakeBody
			b, err = DecodeStakeBody(raw)
			back = b.Encode()
		case 3:
			var b VoteBody
			b, err = DecodeVoteBody(raw)
			back = b.Encode()
		case 4:
			var b EvidenceBody
			b, err = DecodeEvidenceBody(raw)
			back = b.Encode()
		}
		if err == nil && !bytes.Equal(back, raw) {
			t.Fatalf("%x is written as %x", raw, back)
		}
	})
}

func TestStakeActions(t *testing.T) {
	key := Ed25519Key(make(ed25519.PublicKey, 32))
	for name, err := range map[string]error{
		"key of no scheme":  second(DecodeRegisterBody(RegisterBody{Key: PublicKey{Key: key.Key}}.Encode())),
		"short key":         second(DecodeRotateBody(RotateBody{Key: PublicKey{SchemeEd25519, key.Key[:31]}}.Encode())),
		"long name":         second(DecodeRegisterBody(RegisterBody{Key: key, Name: strings.Repeat("n", 65)}.Encode())),
		"name with a space": second(DecodeRegisterBody(RegisterBody{Key: key, Name: "a b"}.Encode())),
		"nothing":           second(DecodeStakeBody(StakeBody{}.Encode())),
		"twice the same":    second(DecodeVoteBody(VoteBody{[]AccountID{{1}, {1}}}.Encode())),
		"not in order":      second(DecodeVoteBody(VoteBody{[]AccountID{{2}, {1}}}.Encode())),
		"31":                second(DecodeVoteBody(VoteBody{make([]AccountID, 31)}.Encode())),
		"bytes left over":   second(DecodeEvidenceBody(append(EvidenceBody{[]byte{1}}.Encode(), 0))),
	} {
		if err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if b, err := DecodeVoteBody(VoteBody{}.Encode()); err != nil || b.Producers != nil {
		t.Errorf("an empty vote: %+v, %v", b, err)
	}
	if a, b := PossessionBytes(Hash{1}, AccountID{1}), PossessionBytes(Hash{2}, AccountID{1}); bytes.Equal(a, b) {
		t.Error("a signature of one chain counts on another")
	}
}

func second[T any](_ T, err error) error { return err }
