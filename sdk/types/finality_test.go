package types

import (
	"errors"
	"testing"
)

func TestFinality(t *testing.T) {
	set := testSet(4)
	x := testHeader()
	if !x.Closes() {
		t.Fatal("the sample does not close its epoch")
	}
	if err := testFinality(set, 0, 1, 3).Verify(set, x); err != nil {
		t.Error(err)
	}
	direct := &Finality{Cert: testCertificate(x.Chain, set, 0, 1, 3)}
	if err := direct.Verify(set, x); err != nil {
		t.Error(err)
	}
	if err := testFinality(set, 0, 1).Verify(set, x); !errors.Is(err, ErrBadCertificate) {
		t.Errorf("two of four: %v", err)
	}
	if err := (*Finality)(nil).Verify(set, x); !errors.Is(err, ErrBadCertificate) {
		t.Errorf("no proof: %v", err)
	}
	genesis := &Header{NextSet: set.Hash()}
	if genesis.Closes() {
		t.Error("the genesis block closes an epoch")
	}
}

// TestForgedFinality signs every forgery anew, so that nothing but the links is wrong with it.
func TestForgedFinality(t *testing.T) {
	set := testSet(4)
	for _, c := range []struct {
		name  string
		forge func(x *Header, f *Finality)
	}{
		{"another block", func(x *Header, _ *Finality) { x.BodyRoot[0] ^= 1 }},
		{"a block that does not close its epoch", func(x *Header, f *Finality) {
			x.NextSet = Hash{}
			relink(x, f)
		}},
		{"the genesis block", func(x *Header, f *Finality) {
			x.Height = 0
			f.Suffix[0].Height, f.Suffix[1].Height = 1, 2
			relink(x, f)
		}},
		{"another epoch in the suffix", func(x *Header, f *Finality) { f.Suffix[0].Epoch++; relink(x, f) }},
		{"another chain in the suffix", func(x *Header, f *Finality) { f.Suffix[1].Chain[0] ^= 1; relink(x, f) }},
		{"a slot that does not grow", func(x *Header, f *Finality) { f.Suffix[1].Slot = f.Suffix[0].Slot; relink(x, f) }},
		{"a height too much", func(x *Header, f *Finality) { f.Suffix[1].Height++; relink(x, f) }},
		{"a closing block in the suffix", func(x *Header, f *Finality) { f.Suffix[0].NextSet = testHash("set"); relink(x, f) }},
		{"another parent", func(x *Header, f *Finality) {
			relink(x, f)
			f.Suffix[1].Parent[0] ^= 1
			resign(f)
		}},
		{"a header missing", func(x *Header, f *Finality) { f.Suffix = f.Suffix[1:] }},
		{"the last header missing", func(x *Header, f *Finality) { f.Suffix = f.Suffix[:1] }},
		{"headers swapped", func(x *Header, f *Finality) { f.Suffix[0], f.Suffix[1] = f.Suffix[1], f.Suffix[0] }},
		{"no suffix at all", func(x *Header, f *Finality) { f.Suffix = nil }},
		{"certificate of another height", func(x *Header, f *Finality) { f.Cert.Height++; signCertificate(f.Cert, testHeader().Chain, 0, 1, 3) }},
		{"certificate of another slot", func(x *Header, f *Finality) { f.Cert.Slot++; signCertificate(f.Cert, testHeader().Chain, 0, 1, 3) }},
		{"no certificate", func(x *Header, f *Finality) { f.Cert = nil }},
		{"too many headers", func(x *Header, f *Finality) {
			for len(f.Suffix) <= MaxSuffix {
				s := *f.Suffix[len(f.Suffix)-1]
				s.Height++
				s.Slot++
				f.Suffix = append(f.Suffix, &s)
			}
			relink(x, f)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, f := testHeader(), testFinality(set, 0, 1, 3)
			c.forge(x, f)
			if err := f.Verify(set, x); !errors.Is(err, ErrBadCertificate) {
				t.Errorf("error %v", err)
			}
		})
	}
	// The certificate of an epoch says nothing of a block of another.
	x, other := testHeader(), testSet(4)
	other.Epoch = 8
	f := &Finality{Cert: testCertificate(x.Chain, other, 0, 1, 3)}
	if err := f.Verify(other, x); !errors.Is(err, ErrBadCertificate) {
		t.Errorf("the certificate of the next epoch: %v", err)
	}
}

// relink makes the headers of a suffix follow one another again, and signs for the last.
func relink(x *Header, f *Finality) {
	p := x
	for _, s := range f.Suffix {
		s.Parent = p.ID()
		p = s
	}
	resign(f)
}

func resign(f *Finality) {
	tip := f.Suffix[len(f.Suffix)-1]
	f.Cert.Block, f.Cert.Height, f.Cert.Slot = tip.ID(), tip.Height, tip.Slot
	signCertificate(f.Cert, testHeader().Chain, 0, 1, 3)
}
