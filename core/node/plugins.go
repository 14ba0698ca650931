package node

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/core/journal"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// want is an instance to be opened.
type want struct {
	kind     plugin.Kind
	name     string // of the plugin
	rules    string // version that the genesis document names; "" for what is local by nature
	critical json.RawMessage
	local    json.RawMessage // settings of the node's configuration; may be nil
	settings chainspec.HostSettings
}

// opened is an instance, and the plugin that it is of.
type opened struct {
	process  *host.Process
	instance *host.Instance
}

// shortID is how a chain's folders are called.
func shortID(id types.ChainID) string { return id.String()[:16] }

// openInstance starts the plugin, or shares its process, and opens an instance for a chain; g is nil for the transport.
func (n *Node) openInstance(ctx context.Context, w want, g *chainspec.Genesis, j *journal.Journal) (_ opened, err error) {
	src, err := n.cfg.Catalog.Find(w.kind, w.name)
	if err != nil {
		return opened{}, err
	}
	p, err := n.process(ctx, src, w, n.pluginFolder(w))
	if err != nil {
		return opened{}, err
	}
	defer func() {
		if err != nil {
			_ = p.Release(context.WithoutCancel(ctx))
		}
	}()
	req, s, err := n.request(p, w, g, j)
	if err != nil {
		return opened{}, err
	}
	i, err := p.Open(ctx, req, s)
	if err != nil {
		return opened{}, err
	}
	return opened{p, i}, nil
}

// request makes what an instance is opened with; g is nil for the transport. Without a journal it cannot sign.
func (n *Node) request(p *host.Process, w want, g *chainspec.Genesis, j *journal.Journal) (plugin.OpenRequest, *services, error) {
	info, ok := p.Info().Find(w.kind)
	if !ok {
		return plugin.OpenRequest{}, nil, fmt.Errorf("plugin %q is no %s plugin", w.name, w.kind)
	}
	if w.rules != "" && !slices.Contains(info.Rules, w.rules) {
		return plugin.OpenRequest{}, nil, fmt.Errorf("plugin %q computes by rules %v, the chain by %q: install a build of it that has them", w.name, info.Rules, w.rules)
	}
	cfg, err := chainspec.MergeConfig(info.Schema, w.critical, w.local)
	if err != nil {
		return plugin.OpenRequest{}, nil, fmt.Errorf("plugin %q: %w", w.name, err)
	}
	folder := n.pluginFolder(w)
	req := plugin.OpenRequest{Kind: w.kind, Config: cfg, Rules: w.rules, DataDir: filepath.Join(folder, "node")}
	s := &services{node: n, kind: w.kind, journal: j, gauges: n.gauges, log: n.log.With("plugin", w.name)}
	if g != nil {
		id, key := g.ID(), n.cfg.Signer.Public()
		req.ChainID, req.ChainName, req.Genesis, req.DataDir = id[:], g.Name, g.Encode(), filepath.Join(folder, shortID(id))
		req.Producer = append([]byte{byte(key.Scheme)}, key.Key...)
		s.chain, s.name, s.log = id, g.Name, s.log.With("chain", g.Name)
	}
	return req, s, nil
}

func (n *Node) pluginFolder(w want) string {
	return filepath.Join(n.cfg.Home, "plugins", string(w.kind)+"-"+w.name)
}

// process starts the process of a source, with what the chain's spec says of it.
func (n *Node) process(ctx context.Context, src Source, w want, folder string) (*host.Process, error) {
	if src.InProcess != nil {
		return host.InProcess(src.InProcess), nil
	}
	spec := src.Spec
	spec.Kinds = []plugin.Kind{w.kind}
	spec.DataDir = folder
	applySettings(&spec, w.settings)
	return n.host.Start(ctx, spec)
}

// applySettings puts the reserved attributes of a plugin's block into a host's spec.
func applySettings(spec *host.Spec, s chainspec.HostSettings) {
	if s.Isolation != "" {
		spec.Isolation = host.Isolation(s.Isolation)
	}
	spec.MTLS = spec.MTLS || s.MTLS
	if s.Memory > 0 {
		spec.Limits.Memory = int64(s.Memory)
	}
	if s.OpenFiles > 0 {
		spec.Limits.OpenFiles = s.OpenFiles
	}
	if s.StartTimeout > 0 {
		spec.StartTimeout = s.StartTimeout
	}
	if s.CallTimeout > 0 {
		spec.CallTimeout = s.CallTimeout
	}
	if s.PingTimeout > 0 {
		spec.PingTimeout = s.PingTimeout
	}
}
