package types

import (
	"crypto/sha256"
	"testing"
)

func TestEnvironmentHash(t *testing.T) {
	// Written down by hand, so that others can hold their own encoding against it.
	list := "\x03" + "\x06caller" + "\x08\x00\x00\x00\x00\x00\x00\x00\x01" + "\x05clock" + "\x00" + "\x06height" + "\x01\x07"
	part := func(kv ...string) map[string][]byte {
		m := map[string][]byte{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = []byte(kv[i+1])
		}
		return m
	}
	one := "\x00\x00\x00\x00\x00\x00\x00\x01"
	common := CommonEnvironmentHash(part("slot", "\x02"))
	if common != Hash(sha256.Sum256([]byte("\x01\x04slot\x01\x02"))) || CommonEnvironmentHash(nil) != Hash(sha256.Sum256([]byte{0})) {
		t.Error("the common part has another hash")
	}
	want := Hash(sha256.Sum256(append(common[:], list...)))
	for name, c := range map[string]struct {
		got  Hash
		same bool
	}{
		"the same":              {EnvironmentHash(common, part("height", "\x07", "clock", "", "caller", one)), true},
		"another common part":   {EnvironmentHash(CommonEnvironmentHash(nil), part("height", "\x07", "clock", "", "caller", one)), false},
		"another value":         {EnvironmentHash(common, part("height", "\x08", "clock", "", "caller", one)), false},
		"one name less":         {EnvironmentHash(common, part("height", "\x07", "caller", one)), false},
		"a byte of another":     {EnvironmentHash(common, part("height", "\x07", "clock", "\x06", "caller", one)), false},
		"names into each other": {EnvironmentHash(common, part("height", "\x07", "clockx", "", "caller", one)), false},
		"none":                  {EnvironmentHash(common, nil), false},
	} {
		if (c.got == want) != c.same {
			t.Errorf("%s: %s, want %s: %t", name, c.got, want, c.same)
		}
	}
}
