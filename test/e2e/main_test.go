// Package e2e_test runs networks of real processes and treats them badly: plugins, nodes and supervisors are killed and stopped
// under load, and what must be left standing is looked at from outside, by the API and by what the kernel says of processes,
// sockets and ports.
package e2e_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// alto is the binary, built once.
var alto string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "e2e-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	alto = filepath.Join(dir, "alto")
	code := 1
	if out, err := exec.Command("go", "build", "-o", alto, "../../cmd/alto").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build alto: %v\n%s", err, out)
	} else {
		code = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// spec is the network of most tests: short slots, and plugins that are not given up when they are stopped for a while.
const spec = `
chain "root" {
  consensus "dpospbft" {
    slot         = "200ms"
    producers    = 4
    ping_timeout = "60s"
  }
  vm "forth" { ping_timeout = "60s" }
  storage "cometbftdb" {
    backend      = "pebbledb"
    ping_timeout = "60s"
  }
  oracle "prophecy" { ping_timeout = "60s" }
  transport "udp" { ping_timeout = "60s" }
}

network "local" {
  nodes  = 4
  faucet = "community"
}
`
