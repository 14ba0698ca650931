package chainspec

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// Encode writes node.hcl. [LoadNode] reads it back to an equal value if the node is one that LoadNode could have read.
func (n *Node) Encode() []byte {
	f := hclwrite.NewEmptyFile()
	root := f.Body()
	b := root.AppendNewBlock("node", nil).Body()
	setText(b, "name", n.Name)
	setText(b, "listen", n.Listen)
	if n.API != "" {
		setText(b, "api", n.API)
	}
	if len(n.Follow) > 0 {
		var ids []cty.Value
		for _, id := range n.Follow {
			ids = append(ids, cty.StringVal(id.String()))
		}
		b.SetAttributeValue("follow", cty.TupleVal(ids))
	}
	for _, p := range n.Plugins {
		root.AppendNewline()
		writePluginSource(root, p)
	}
	root.AppendNewline()
	writeBlock(root, "transport", []string{n.Transport.Plugin}, n.Transport.Config, n.Transport.Host)
	for _, p := range n.Peers {
		root.AppendNewline()
		b := root.AppendNewBlock("peer", []string{p.Name}).Body()
		setText(b, "id", p.ID.String())
		setText(b, "address", p.Address)
	}
	for _, c := range n.Chains {
		root.AppendNewline()
		b := root.AppendNewBlock("chain", []string{c.Name}).Body()
		setText(b, "genesis", c.Genesis)
		if c.Checkpoint != nil {
			setText(b, "checkpoint", c.Checkpoint.String())
		}
		writeNodeChain(b, c)
	}
	if d := n.Defaults; d.Storage.Plugin+d.Consensus.Plugin+d.VM.Plugin+d.Oracle.Plugin != "" || d.Paranoid {
		root.AppendNewline()
		writeNodeChain(root.AppendNewBlock("defaults", nil).Body(), d)
	}
	return hclwrite.Format(f.Bytes())
}

func writeNodeChain(b *hclwrite.Body, c NodeChain) {
	if c.Paranoid {
		b.SetAttributeValue("paranoid", cty.True)
	}
	if c.Storage.Plugin != "" {
		writeBlock(b, "storage", []string{c.Storage.Plugin}, c.Storage.Config, c.Storage.Host)
	}
	for _, x := range []struct {
		kind  string
		local LocalBlock
	}{{"consensus", c.Consensus}, {"vm", c.VM}, {"oracle", c.Oracle}} {
		if x.local.Plugin != "" {
			writeBlock(b, x.kind, []string{x.local.Plugin}, x.local.Local, x.local.HostSettings)
		}
	}
	for _, m := range c.Modules {
		writeBlock(b, "module", []string{m.Name, m.Plugin}, m.Local, m.HostSettings)
	}
}

func writePluginSource(body *hclwrite.Body, p PluginSource) {
	b := body.AppendNewBlock("plugin", []string{p.Name}).Body()
	setText(b, "source", p.Source)
	if p.Version != "" {
		setText(b, "version", p.Version)
	}
	if p.SHA256 != "" {
		setText(b, "sha256", p.SHA256)
	}
}

// writeBlock writes a plugin's block: its settings in the form of Config, then those of the host.
func writeBlock(body *hclwrite.Body, kind string, labels []string, config json.RawMessage, h HostSettings) {
	b := body.AppendNewBlock(kind, labels).Body()
	s, err := decodeSettings(config)
	if err != nil {
		s = nil // not a configuration that LoadNode could have read
	}
	for _, name := range sortedKeys(s) {
		if v, ok := settingValue(s[name]); ok {
			b.SetAttributeValue(name, v)
		}
	}
	if h.Isolation != "" {
		setText(b, "isolation", h.Isolation)
	}
	if h.MTLS {
		b.SetAttributeValue("mtls", cty.True)
	}
	if h.Memory > 0 {
		setText(b, "memory", formatSize(h.Memory))
	}
	if h.OpenFiles > 0 {
		b.SetAttributeValue("open_files", cty.NumberUIntVal(h.OpenFiles))
	}
	for _, t := range []struct {
		name string
		d    time.Duration
	}{{"start_timeout", h.StartTimeout}, {"call_timeout", h.CallTimeout}, {"ping_timeout", h.PingTimeout}} {
		if t.d > 0 {
			setText(b, t.name, formatDuration(t.d))
		}
	}
}

// settingValue turns JSON in the form of Config into a value of HCL.
func settingValue(raw json.RawMessage) (cty.Value, bool) {
	var text string
	var list []string
	var flag bool
	switch {
	case json.Unmarshal(raw, &text) == nil:
		return cty.StringVal(text), true
	case json.Unmarshal(raw, &flag) == nil:
		return cty.BoolVal(flag), true
	case json.Unmarshal(raw, &list) == nil:
		values := []cty.Value{}
		for _, s := range list {
			values = append(values, cty.StringVal(s))
		}
		return cty.TupleVal(values), true
	}
	n, err := wholeNumber(string(raw))
	if err != nil {
		return cty.NilVal, false
	}
	v, err := cty.ParseNumberVal(fmt.Sprint(n))
	return v, err == nil
}

func setText(b *hclwrite.Body, name, s string) { b.SetAttributeValue(name, cty.StringVal(s)) }
