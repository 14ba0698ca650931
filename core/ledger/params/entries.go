package params

import (
	"encoding/json"
	"fmt"
	"sort"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/sdk/params"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// descriptions are those of the chain's own settings.
func descriptions() map[string]string {
	return map[string]string{
		"fees.burn_ppm":      "share of each fee that is burned, in millionths",
		"fees.floor":         "least fee of a transaction",
		"fees.per_byte":      "fee of each byte of a transaction with its signatures",
		"fees.per_gas":       "fee of each unit of gas that a transaction uses",
		"limits.block_bytes": "most bytes of a block's body",
		"limits.block_gas":   "most that the max_gas of a block's transactions sum to",
		"limits.tx_bytes":    "most bytes of a transaction with its signatures",
	}
}

// entries lists the parameters, and the chain's own settings that cannot change.
func (m *Module) entries(values Values) []params.Entry {
	native := descriptions()
	words := func(name string) string {
		if d := native[name]; d != "" {
			return d
		}
		return m.cfg.Descriptions[name]
	}
	out := []params.Entry{}
	for i := range m.registry.list {
		p := &m.registry.list[i]
		out = append(out, params.Entry{Name: p.Name, Type: string(p.Type), Value: values[i].JSON, Genesis: p.Value, Min: p.Min, Max: p.Max,
			Step: p.Step, OneOf: p.OneOf, ChangedAt: values[i].Height, Description: words(p.Name)})
	}
	for _, p := range fixed(m.cfg.Genesis) {
		if _, governed := m.registry.index[p.Name]; !governed {
			p.Description = words(p.Name)
			out = append(out, p)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

func fixed(g *chainspec.Genesis) []params.Entry {
	entry := func(name string, t plugin.AttrType, v uint64) params.Entry {
		raw := json.RawMessage(fmt.Sprint(v))
		return params.Entry{Name: name, Type: string(t), Value: raw, Genesis: raw, Fixed: true}
	}
	return []params.Entry{
		entry("fees.burn_ppm", plugin.Number, g.Fees.BurnPPM), entry("fees.floor", plugin.Amount, g.Fees.Floor),
		entry("fees.per_byte", plugin.Amount, g.Fees.PerByte), entry("fees.per_gas", plugin.Amount, g.Fees.PerGas),
		entry("limits.block_bytes", plugin.Size, g.Limits.BlockBytes), entry("limits.block_gas", plugin.Number, g.Limits.BlockGas),
		entry("limits.tx_bytes", plugin.Size, g.Limits.TxBytes),
	}
}
