package bytecode

import (
	"encoding/hex"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// TestGasTable has the hash of each version of the gas schedule that chains were made with. It fails when a price changes:
// then the version has to be a new one, and a line is added here.
func TestGasTable(t *testing.T) {
	known := map[int]string{2: "56f631ccfae272b26f561bb002167c36ac990d996c1ee6a15a33a607cb3c9d03"}
	got := GasTableHash()
	if known[GasVersion] != hex.EncodeToString(got[:]) {
		t.Fatalf("the gas schedule of version %d has the hash %x, chains of that version have %s in their genesis; new prices are a new version\n%s",
			GasVersion, got, known[GasVersion], Schedule())
	}
}

// TestGasTableIsComplete sees that no constant of gas.go is left out of what is hashed.
func TestGasTableIsComplete(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "gas.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	text, found := Schedule(), 0
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			for _, n := range s.(*ast.ValueSpec).Names {
				if n.Name == "GasVersion" {
					continue
				}
				if found++; !strings.Contains(text, "\nconstant "+n.Name+" ") {
					t.Errorf("the schedule has no %s", n.Name)
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("%d constants in gas.go", found)
	}
	for op, i := range Opcodes {
		if i.Name != "" && !strings.Contains(text, " "+i.Name+" ") {
			t.Errorf("the schedule has no opcode %d", op)
		}
	}
}
