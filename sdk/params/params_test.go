package params

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

func sample() Set {
	return Set{Changes: []Change{{"a.b", json.RawMessage("1")}, {"a.c", json.RawMessage(`"x"`)}}, NotBefore: 7, Note: "why"}
}

func TestRoundTrips(t *testing.T) {
	s := sample()
	got, err := DecodeSet(s.Encode())
	if err != nil || !reflect.DeepEqual(got, s) {
		t.Fatalf("%+v, %v", got, err)
	}
	p := Pending{Set: s, By: types.AccountID{9}, Height: 5, Clock: 6}
	if got, err := DecodePending(p.Encode()); err != nil || !reflect.DeepEqual(*got, p) {
		t.Fatalf("%+v, %v", got, err)
	}
	v := Value{JSON: json.RawMessage("true"), Height: 3}
	if got, err := DecodeValue(v.Encode()); err != nil || !reflect.DeepEqual(got, v) {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestMalformedSets(t *testing.T) {
	change := func(name, value string) Change { return Change{name, json.RawMessage(value)} }
	many := make([]Change, MaxChanges+1)
	for i := range many {
		many[i] = change("a."+string(rune('a'+i)), "1")
	}
	for name, s := range map[string]Set{
		"empty":      {},
		"not sorted": {Changes: []Change{change("b", "1"), change("a", "1")}},
		"twice":      {Changes: []Change{change("a", "1"), change("a", "1")}},
		"too many":   {Changes: many},
		"long name":  {Changes: []Change{change(strings.Repeat("a", MaxNameBytes+1), "1")}},
		"long value": {Changes: []Change{change("a", strings.Repeat("1", MaxValueBytes+1))}},
		"long note":  {Changes: []Change{change("a", "1")}, Note: strings.Repeat("a", MaxNoteBytes+1)},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := DecodeSet(s.Encode()); err == nil {
				t.Fatalf("accepted: %+v", got)
			}
		})
	}
	good := sample().Encode()
	if _, err := DecodeSet(append(bytes.Clone(good), 0)); err == nil {
		t.Fatal("something follows, and it is accepted")
	}
	for i := range good {
		if _, err := DecodeSet(good[:i]); err == nil {
			t.Fatalf("the first %d bytes are accepted", i)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(sample().Encode())
	f.Add(Pending{Set: sample()}.Encode())
	f.Add(Value{JSON: json.RawMessage("1")}.Encode())
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := DecodeSet(b); err == nil && !bytes.Equal(s.Encode(), b) {
			t.Fatalf("a set has two forms: %x, %x", b, s.Encode())
		}
		if p, err := DecodePending(b); err == nil && !bytes.Equal(p.Encode(), b) {
			t.Fatalf("a pending change has two forms: %x", b)
		}
		if v, err := DecodeValue(b); err == nil && !bytes.Equal(v.Encode(), b) {
			t.Fatalf("a value has two forms: %x", b)
		}
		_, _ = DecodeRegistry(b)
	})
}
