package bytecode

import (
	"errors"
	"strings"
	"testing"
)

// TestBadCode has encodings that the loader refuses.
func TestBadCode(t *testing.T) {
	l := DefaultLimits()
	l.Definitions, l.Variables, l.DataBytes = 2, 3, 4096
	for name, c := range map[string]struct{ code, want string }{
		"nothing":                       {"", "a header has 5"},
		"too short":                     {"\x02\x00\x00\x00", "a header has 5"},
		"an earlier format":             {"\x01\x00\x00\x00\x00", "format 1"},
		"a later format":                {"\x03\x00\x00\x00\x00", "format 3"},
		"flags":                         {"\x02\x04\x00\x00\x00", "flags"},
		"declared and not read":         {"\x02\x00\x01\x00\x00", "read are 0x0"},
		"read and not declared":         {"\x02\x00\x00\x00\x00\x13\x00", "read are 0x1"},
		"an unknown word is declared":   {"\x02\x00\x80\x80\x02\x00\x00", "unknown environment"},
		"declaration, longer form":      {"\x02\x00\x80\x00\x00\x00", "unknown environment"},
		"data beyond the end":           {"\x02\x00\x00\x02\x01", "bytes of data"},
		"data above the limit":          {"\x02\x00\x00\x81\x20" + strings.Repeat("x", 4097) + "\x00", "at most 4096"},
		"data that end with 0":          {"\x02\x00\x00\x02x\x00\x00", "end with a 0"},
		"no number of words":            {"\x02\x00\x00\x01x", "words"},
		"more words than allowed":       {"\x02\x00\x00\x00\x03\x00\x00\x00", "at most 2"},
		"number of words, longer form":  {"\x02\x00\x00\x00\x80\x00", "at most"},
		"a word beyond the end":         {"\x02\x00\x00\x00\x01\x05\xc0", "ends after"},
		"the end in code":               {"\x02\x00\x00\x00\x00\x00", "unknown opcode"},
		"the host opcode in code":       {"\x02\x00\x00\x00\x00\x1f", "unknown opcode"},
		"an unknown opcode":             {"\x02\x00\x00\x00\x00\xbf", "unknown opcode"},
		"verify-zk":                     {"\x02\x00\x00\x00\x00\x83", "verify-zk is not available"},
		"an integer, longer form":       {"\x02\x00\x00\x00\x00\x01\xc8\x81\x00", "shortest form"},
		"an integer with its own byte":  {"\x02\x00\x00\x00\x00\x01\x7e", "shortest form"},
		"an integer cut off":            {"\x02\x00\x00\x00\x00\x01\xc8", "shortest form"},
		"an integer above 64 bits":      {"\x02\x00\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "shortest form"},
		"bytes cut off":                 {"\x02\x00\x00\x00\x00\x02\x02a", "no more than there are"},
		"too many bytes":                {"\x02\x00\x00\x00\x00\x02\x81\x08" + strings.Repeat("a", 1025), "at most 1024"},
		"a jump into an instruction":    {"\x02\x00\x00\x00\x00\x03\x00\x04\x01\xc8\x01", "no instruction of this body"},
		"a jump beyond the end":         {"\x02\x00\x00\x00\x00\x03\x00\x04", "no instruction of this body"},
		"a jump cut off":                {"\x02\x00\x00\x00\x00\x03\x00", "without a target"},
		"a word that calls itself":      {"\x02\x00\x00\x00\x01\x02\x05\x00", "not defined before"},
		"a word that calls a later one": {"\x02\x00\x00\x00\x02\x02\x05\x01\x00", "not defined before"},
		"a call of no word":             {"\x02\x00\x00\x00\x00\x05\x00", "not defined before"},
		"exit outside of a word":        {"\x02\x00\x00\x00\x00\x07", "outside of a word"},
		"recurse outside of a word":     {"\x02\x00\x00\x00\x00\x06", "outside of a word"},
		"an unknown environment word":   {"\x02\x00\x00\x00\x00\x13\x0f", "environment"},
		"environment cut off":           {"\x02\x00\x00\x00\x00\x13", "environment"},
		"a slot above the limit":        {"\x02\x00\x00\x00\x00\x17\x03", "slot 3, there are 3"},
		"a slot, longer form":           {"\x02\x00\x00\x00\x00\x17\x81\x00", "slot"},
	} {
		err := (&Program{}).Load([]byte(c.code), &l, false)
		if !errors.Is(err, ErrBadCode) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	for name, code := range map[string]string{"evidence with dup": "\x02\x00\x00\x00\x00\xc0\x20", "evidence with data": "\x02\x00\x00\x01x\x00",
		"evidence with a convention": "\x02\x02\x00\x00\x00"} {
		if err := (&Program{}).Load([]byte(code), &l, true); !errors.Is(err, ErrBadCode) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
