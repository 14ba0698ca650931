package live

import (
	"fmt"
	"strings"
	"time"
)

// specification is the network of a scenario.
type specification struct {
	nodes, producers int
	slot             time.Duration
	consensus        []string // further lines of the consensus block
	oracle           []string // lines of the oracle block
	chain            []string // further lines of the chain block
}

func (s specification) text() string {
	return fmt.Sprintf(`
chain "root" {
  consensus "dpospbft" {
    slot      = %q
    producers = %d
    %s
  }
  vm "forth" {}
  storage "cometbftdb" { backend = "pebbledb" }
  oracle "prophecy" {
    %s
  }
  transport "udp" {}
  %s
}

network "local" {
  nodes  = %d
  faucet = "community"
}
`, s.slot, s.producers, strings.Join(s.consensus, "\n    "), strings.Join(s.oracle, "\n    "), strings.Join(s.chain, "\n  "), s.nodes)
}

// shortEpochs are the lines for epochs that end while a scenario runs, and what has to fit them.
func shortEpochs(epoch string) []string {
	return []string{fmt.Sprintf("epoch = %q", epoch), `unbonding = "10m"`, `trusting = "5m"`}
}
