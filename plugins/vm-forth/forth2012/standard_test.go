package forth2012

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStandard runs the tests of this package that are written in Forth. The numbers see to it that none goes missing.
func TestStandard(t *testing.T) {
	for file, passed := range map[string]int{
		"core.fs": 103, "coreext.fs": 70, "double.fs": 35, "string.fs": 43, "exception.fs": 29, "locals.fs": 26, "facility.fs": 8, "tools.fs": 28,
	} {
		t.Run(file, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join("testdata", file))
			if err != nil {
				t.Fatal(err)
			}
			out := eval(t, newTest(t), file, string(b))
			if out.Error != "" || out.Failed > 0 || out.Passed != passed {
				t.Errorf("%d passed, want %d; %d failed; %s\n%s", out.Passed, passed, out.Failed, out.Error, strings.TrimSpace(out.Text))
			}
			if len(out.Stack) > 0 {
				t.Errorf("the stack has %v", out.Stack)
			}
		})
	}
}
