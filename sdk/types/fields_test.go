package types

import (
	"bytes"
	"reflect"
	"slices"
	"testing"
)

// changed is a value of which one field is not as it was.
type changed[T any] struct {
	name    string
	changed *T
}

// fieldsOf returns copies of a value, in each of which another field has changed. It finds the fields by itself, so that one
// that comes new cannot be forgotten.
func fieldsOf[T any](t *testing.T, v *T) (out []changed[T]) {
	t.Helper()
	typ := reflect.TypeFor[T]()
	for i := range typ.NumField() {
		c := new(T)
		*c = *v
		f := reflect.ValueOf(c).Elem().Field(i)
		switch x := f.Interface().(type) {
		case Hash:
			x[31] ^= 1
			f.Set(reflect.ValueOf(x))
		case []byte:
			f.SetBytes(append(bytes.Clone(x), 1))
		case [][]byte:
			f.Set(reflect.ValueOf(append(slices.Clone(x), []byte{1})))
		case []Seat:
			_, k := testKey(99)
			f.Set(reflect.ValueOf(append(slices.Clone(x), Seat{Key: k, Weight: 1})))
		case PublicKey:
			_, k := testKey(99)
			f.Set(reflect.ValueOf(k))
		case *Certificate:
			y := *x
			y.Slot++
			f.Set(reflect.ValueOf(&y))
		case []*Header:
			f.Set(reflect.ValueOf(append(slices.Clone(x), testHeader())))
		default:
			switch {
			case f.CanUint():
				f.SetUint(f.Uint() + 1)
			default:
				t.Fatalf("field %s of %s is of type %s, which this test cannot change yet", typ.Field(i).Name, typ, f.Type())
			}
		}
		out = append(out, changed[T]{typ.Field(i).Name, c})
	}
	return out
}

// differ checks that a value and all its changed copies have different bytes.
func differ[T any](t *testing.T, v *T, encode func(*T) []byte) {
	t.Helper()
	seen := map[string]string{string(encode(v)): "the value itself"}
	for _, f := range fieldsOf(t, v) {
		b := string(encode(f.changed))
		if other, ok := seen[b]; ok {
			t.Errorf("%T: a change of %s encodes like %s", v, f.name, other)
		}
		seen[b] = "a change of " + f.name
	}
}

// TestEveryFieldIsEncoded changes one field after another: none may be left out of what is signed and hashed.
func TestEveryFieldIsEncoded(t *testing.T) {
	set := testSet(4)
	differ(t, testHeader(), (*Header).Encode)
	differ(t, testHeader(), func(h *Header) []byte { id := h.ID(); return id[:] })
	differ(t, testCertificate(testHash("chain"), set, 0, 1, 3), (*Certificate).Encode)
	differ(t, set, (*Set).Encode)
	differ(t, set, func(s *Set) []byte { h := s.Hash(); return h[:] })
	differ(t, &set.Seats[1], func(s *Seat) []byte { return (&Set{Seats: []Seat{*s}}).Encode() })
	differ(t, testFinality(set, 0, 1, 3), (*Finality).Encode)
}

// TestHeaderRoundTripOfFields reads each changed header back.
func TestHeaderRoundTripOfFields(t *testing.T) {
	for _, f := range fieldsOf(t, testHeader()) {
		got, err := DecodeHeader(f.changed.Encode())
		if err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		if !reflect.DeepEqual(got, f.changed) {
			t.Errorf("%s: %+v is read as %+v", f.name, f.changed, got)
		}
	}
}

// TestCommitSignsEverything changes what a commit is about: the signed bytes must differ each time.
func TestCommitSignsEverything(t *testing.T) {
	sign := func(chain Hash, purpose string, set Hash, epoch, slot, height uint64, id BlockID) string {
		return string(SignBytes(chain, purpose, CommitPayload(set, epoch, slot, height, id)))
	}
	c, s, id := testHash("chain"), testHash("set"), testHash("block")
	seen := map[string]string{}
	for what, b := range map[string]string{
		"nothing": sign(c, PurposeCommit, s, 7, 1203, 1000, id),
		"chain":   sign(testHash("other"), PurposeCommit, s, 7, 1203, 1000, id),
		"purpose": sign(c, "prepare", s, 7, 1203, 1000, id),
		"set":     sign(c, PurposeCommit, testHash("other"), 7, 1203, 1000, id),
		"epoch":   sign(c, PurposeCommit, s, 8, 1203, 1000, id),
		"slot":    sign(c, PurposeCommit, s, 7, 1204, 1000, id),
		"height":  sign(c, PurposeCommit, s, 7, 1203, 1001, id),
		"block":   sign(c, PurposeCommit, s, 7, 1203, 1000, testHash("other")),
	} {
		if other, ok := seen[b]; ok {
			t.Errorf("a change of %s signs the same as a change of %s", what, other)
		}
		seen[b] = what
	}
}
