// Package builtin names the plugins that the binary alto holds. It is the only place that does.
package builtin

import (
	"sort"

	dpospbft "github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft"
	prophecy "github.com/paloalto-chain/paloalto/plugins/oracle"
	cometbftdb "github.com/paloalto-chain/paloalto/plugins/storage-cometbftdb"
	udp "github.com/paloalto-chain/paloalto/plugins/transport-udp"
	forth "github.com/paloalto-chain/paloalto/plugins/vm-forth"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// Plugins returns them.
func Plugins() []plugin.Plugin {
	return []plugin.Plugin{dpospbft.Plugin(), forth.Plugin(), cometbftdb.Plugin(), prophecy.Plugin(), udp.Plugin()}
}

// Schemas describes plugins: the built-in ones, and others that are added. It implements chainspec.Schemas.
type Schemas []plugin.Info

// Describe returns the schemas of the built-in plugins.
func Describe() Schemas {
	var s Schemas
	for _, p := range Plugins() {
		s = append(s, p.Describe())
	}
	return s
}

// Plugin implements chainspec.Schemas.
func (s Schemas) Plugin(name string, kind plugin.Kind) (plugin.Info, bool) {
	for _, i := range s {
		if _, ok := i.Find(kind); ok && i.Name == name {
			return i, true
		}
	}
	return plugin.Info{}, false
}

// Names implements chainspec.Schemas.
func (s Schemas) Names(kind plugin.Kind) []string {
	var out []string
	for _, i := range s {
		if _, ok := i.Find(kind); ok {
			out = append(out, i.Name)
		}
	}
	sort.Strings(out)
	return out
}
