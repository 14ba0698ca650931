package types

import (
	"crypto/sha256"
	"testing"
)

func TestEnvironmentHash(t *testing.T) {
	// Written down by hand, so that others can hold their own encoding against it.
	raw := "\x03" + "\x06caller" + "\x08\x00\x00\x00\x00\x00\x00\x00\x01" + "\x05clock" + "\x00" + "\x06height" + "\x01\x07"
	part := func(kv ...string) map[string][]byte {
		m := map[string][]byte{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = []byte(kv[i+1])
		}
		return m
	}
	one := "\x00\x00\x00\x00\x00\x00\x00\x01"
	want := Hash(sha256.Sum256([]byte(raw)))
	for name, c := range map[string]struct {
		got  Hash
		same bool
	}{
		"in one part":           {EnvironmentHash(part("height", "\x07", "clock", "", "caller", one)), true},
		"in two parts":          {EnvironmentHash(part("height", "\x07", "clock", ""), part("caller", one)), true},
		"the last part counts":  {EnvironmentHash(part("height", "\x09", "caller", one), part("clock", ""), part("height", "\x07")), true},
		"the first does not":    {EnvironmentHash(part("height", "\x07"), part("clock", "", "caller", one, "height", "\x09")), false},
		"another value":         {EnvironmentHash(part("height", "\x08", "clock", "", "caller", one)), false},
		"one name less":         {EnvironmentHash(part("height", "\x07", "caller", one)), false},
		"a byte of another":     {EnvironmentHash(part("height", "\x07", "clock", "\x06", "caller", one)), false},
		"names into each other": {EnvironmentHash(part("height", "\x07", "clockx", "", "caller", one)), false},
		"none":                  {EnvironmentHash(), false},
	} {
		if (c.got == want) != c.same {
			t.Errorf("%s: %s, want %s: %t", name, c.got, want, c.same)
		}
	}
	if EnvironmentHash() != EnvironmentHash(nil, map[string][]byte{}) || EnvironmentHash() != Hash(sha256.Sum256([]byte{0})) {
		t.Error("nothing is not nothing")
	}
}
