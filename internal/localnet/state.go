package localnet

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// State is what a network consists of, as network.json holds it.
type State struct {
	Format    int         `json:"format"` // 1
	Name      string      `json:"name"`
	Spec      string      `json:"spec"` // absolute path of the file that it was made from
	CreatedMs uint64      `json:"created_ms"`
	Faucet    string      `json:"faucet,omitempty"` // name of the allocation that pays for the records of new chains unless told otherwise
	Nodes     []NodeState `json:"nodes"`
	Chains    []Chain     `json:"chains"`
}

// NodeState is a node of the network.
type NodeState struct {
	Name   string          `json:"name"`
	Listen string          `json:"listen"` // of the transport, host:port
	API    string          `json:"api"`    // host:port
	Key    types.PublicKey `json:"key"`
}

// Chain is a chain of the network, and the file of its genesis document below the network's folder.
type Chain struct {
	Name    string        `json:"name"`
	ID      types.ChainID `json:"id"`
	Parent  string        `json:"parent,omitempty"`
	Genesis string        `json:"genesis"`
	Spawned bool          `json:"spawned,omitempty"` // by a transaction on its parent, after the network was made
}

const stateFile = "network.json"

// ErrNoNetwork says that a folder holds no network.
var ErrNoNetwork = errors.New("there is no such network")

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// Dir returns the folder of a network below ALTO_HOME.
func Dir(home, name string) string { return filepath.Join(home, "networks", name) }

// NodeDir returns the data folder of a node.
func NodeDir(dir, node string) string { return filepath.Join(dir, "nodes", node) }

// ReadState reads a network's description. It fails with [ErrNoNetwork] if there is none.
func ReadState(dir string) (*State, error) {
	b, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s; `alto up SPEC` makes one", ErrNoNetwork, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("network: %w", err)
	}
	var s State
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("network: %s is damaged: %w", filepath.Join(dir, stateFile), err)
	}
	if s.Format != 1 {
		return nil, fmt.Errorf("network: %s has format %d, this alto knows 1", filepath.Join(dir, stateFile), s.Format)
	}
	for _, n := range s.Nodes {
		if !nameForm.MatchString(n.Name) {
			return nil, fmt.Errorf("network: %s: bad node name %q", filepath.Join(dir, stateFile), n.Name)
		}
	}
	return &s, nil
}

// write replaces network.json as a whole.
func (s *State) write(dir string) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, stateFile), append(b, '\n'))
}

// writeFile replaces a file so that a crash leaves the old or the new one.
func writeFile(path string, b []byte) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// AddChain records a chain that was spawned, and keeps its document.
func AddChain(dir string, c Chain, doc []byte) error {
	s, err := ReadState(dir)
	if err != nil {
		return err
	}
	for _, have := range s.Chains {
		if have.ID == c.ID {
			return nil
		}
	}
	c.Genesis = filepath.Join("genesis", c.Name+"-"+c.ID.String()[:8]+".json")
	if err := writeFile(filepath.Join(dir, c.Genesis), doc); err != nil {
		return fmt.Errorf("network: %w", err)
	}
	s.Chains = append(s.Chains, c)
	return s.write(dir)
}

// Document reads the genesis document of a chain.
func (s *State) Document(dir string, c Chain) ([]byte, error) {
	return os.ReadFile(filepath.Join(dir, c.Genesis))
}
