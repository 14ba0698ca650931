// Package conformance runs the conformance suites against the plugins that this repository ships, as the processes that they
// are on a node: the binary is built once, and package plugintest starts it. The plugins' own tests run the same suites in
// process and over a connection; what shows here besides is what a process adds — the handshake, the token, handles, limits of
// messages, and that a process ends and starts again.
package conformance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// alto is the path of the binary under test.
var alto string

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	alto = filepath.Join(dir, "alto")
	if out, err := exec.Command("go", "build", "-o", alto, "github.com/paloalto-chain/paloalto/cmd/alto").CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build the binary under test: %w\n%s", err, out)
	}
	if code = m.Run(); code == 0 {
		err = goleak.Find()
	}
	return code, err
}
