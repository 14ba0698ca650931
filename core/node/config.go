package node

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/core/journal"
	"github.com/paloalto-chain/paloalto/core/signer"
	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Source is where a plugin comes from: a process of the host, or, for tests and as the yardstick of what the process boundary
// costs, a value in this process.
type Source struct {
	Spec      host.Spec
	InProcess plugin.Plugin
}

// Catalog knows the plugins that a node may run.
type Catalog interface {
	// Find returns the source of a plugin. The error names what there is and what to do.
	Find(kind plugin.Kind, name string) (Source, error)
}

// Config is what a node is made from.
type Config struct {
	Home     string // data folder; absolute
	Node     *chainspec.Node
	Genesis  map[string][]byte // documents of the chains that Node names, by chain name
	Signer   *signer.Signer
	Catalog  Catalog
	Log      *slog.Logger
	Registry *prometheus.Registry // nil: metrics are counted nowhere
	Host     host.Options         // LogDir and Logger are filled in
	Journal  journal.Options      // of every chain; the zero value is good, and tests inject faults here
	State    state.Options        // of every chain; the zero value is good
}

// Errors.
var (
	ErrClosed       = errors.New("the node is closed")
	ErrUnknownChain = errors.New("unknown chain")
)

// StageError says at which stage of its start a node failed.
type StageError struct {
	Node, Stage string
	Err         error
}

func (e *StageError) Error() string { return fmt.Sprintf("node %s: %s: %v", e.Node, e.Stage, e.Err) }

// Unwrap returns the cause.
func (e *StageError) Unwrap() error { return e.Err }

// Named is a chain's name and id.
type Named struct {
	Name string
	ID   types.ChainID
}
