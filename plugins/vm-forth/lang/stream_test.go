package lang

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// TestStream feeds pieces, of which some are wrong or wait for more.
func TestStream(t *testing.T) {
	s, err := NewStream(limits(), Paloalto, false)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct{ text, want string }{
		{": a 1 ; create t 7 ,", "0 [a c1] main  data 0 0700000000000000"},
		{"a t", "1 [] main 0500c0 data 8 0700000000000000"},
		{": b a", "incomplete"},
		{"1 if 2", "incomplete"},
		{"macro m 1", "incomplete"},
		{"( comment", "incomplete"},
		{":", "incomplete"},
		{": b a ; variable v 8 , zorkmid", "f.fs:8:24: unknown word \"zorkmid\""},
		{": b a ; 8 , b ' b", "1 [b 0500] main 0501"},
		{": b ;", "is defined already"},
		{"5 value x : c x ;", "2 [c 1700] main c51800"},
		{"if c then", "3 [] main 040005"},
		{"100 constant h", "3 [] main  data"},
		{"h", "3 [] main 01c801 data"},
		{"case", "incomplete"},
		{"then", "then without if"},
	} {
		p, err := s.Compile("f.fs", c.text, i+1)
		got := fmt.Sprint(err)
		if errors.Is(err, ErrIncomplete) {
			got = "incomplete"
		}
		if err == nil {
			var words []string
			for _, w := range p.Words {
				words = append(words, fmt.Sprintf("%s %x", w.Name, w.Code))
			}
			got = fmt.Sprintf("%d %v main %x data %d %x", p.First, words, p.Main, p.DataFrom, p.Data)
		} else if !errors.Is(err, vm.ErrSyntax) {
			t.Errorf("%q: %v", c.text, err)
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%q: %s, want %s", c.text, got, c.want)
		}
	}
	if names := s.Names(); !slices.Equal(names, []string{"a", "t", "b", "x", "c", "h"}) {
		t.Error(names)
	}
	if _, err := NewStream(limits(), Forth2012, false); !errors.Is(err, vm.ErrUnsupported) {
		t.Error(err)
	}
}

// TestStreamBodies sees that no body is longer than jumps reach, whatever the limits of a session.
func TestStreamBodies(t *testing.T) {
	l := limits()
	l.CodeBytes = 1 << 20
	s, err := NewStream(l, Paloalto, false)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("1 drop ", 40_000)
	for _, text := range []string{"1 if " + long + " then", ": w 1 if " + long + " then ;"} {
		if _, err := s.Compile("", text, 1); !errors.Is(err, vm.ErrTooLarge) {
			t.Error(err)
		}
	}
}

// TestStreamMaps has the places of instructions, which count from the start of each body.
func TestStreamMaps(t *testing.T) {
	s, err := NewStream(limits(), Chalang, false)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Compile("f.fs", "\\ dialect: chalang\n: sq dup * ; int 4\nsq call", 1)
	if err != nil {
		t.Fatal(err)
	}
	for pc, want := range []string{"2:6", "2:10"} {
		if e, ok := p.Words[0].Map.Find(uint64(pc)); !ok || fmt.Sprintf("%d:%d", e.Line, e.Column) != want || e.Word != "sq" {
			t.Errorf("%d: %+v, want %s", pc, e, want)
		}
	}
	if e, ok := p.Map.Find(1); !ok || e.Line != 3 || e.Word != "" {
		t.Errorf("%+v", e)
	}
}
