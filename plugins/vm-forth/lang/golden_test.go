package lang

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

var update = flag.Bool("update", false, "write what comes out into the golden files")

const separator = "----\n"

// TestGolden compiles each file of testdata: a source, a line ----, and what it gives: its warnings and the code, or the
// error. The name of a file of evidence starts with "evidence".
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			source, want, _ := strings.Cut(string(b), separator)
			got := golden(vm.Source{Text: source, File: "f.fs", Evidence: strings.HasPrefix(filepath.Base(file), "evidence")})
			if *update {
				if err := os.WriteFile(file, []byte(source+separator+got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// golden says what comes out of a source.
func golden(s vm.Source) string {
	out, err := Compile(s, limits())
	if err != nil {
		return err.Error() + "\n"
	}
	text := ""
	for _, w := range out.Warnings {
		text += w + "\n"
	}
	asm, err := bytecode.Disassemble(out.Code, limits())
	if err != nil {
		return text + err.Error() + "\n"
	}
	again, err := Compile(vm.Source{Text: asm, Evidence: s.Evidence}, limits())
	if err != nil || !bytes.Equal(again.Code, out.Code) {
		return text + fmt.Sprintf("disassembles to what does not assemble to the same: %v\n", err)
	}
	return text + fmt.Sprintf("%x\n%s", out.Code, asm)
}
