// Command dishonest is a plugin whose module breaks the rules when it is told to. Tests run it as the process that a module is on a
// node, and see what a chain makes of it.
//
// What it does is said by the body of a transaction's action, which is the name of a trick: one of [moduletest.Dishonest], or one of
// those that take a process, see tricks.go. Without a trick it is honest. A block's trick is that of its first transaction that has
// one. "here TRICK" is for the nodes alone whose own configuration says bad = true, so that one node of several can be the
// unlucky one while all run the same rules. A trick under "extend-" is kept in the state, and played from then on by every Extend; one
// under "due-" is scheduled, and played when it is due; one under "query-" is the path of a query.
package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

func main() { sdk.Serve(dishonest{}) }

type dishonest struct{}

// Describe implements plugin.Plugin.
func (dishonest) Describe() plugin.Info {
	return plugin.Info{Name: "dishonest", Version: "1.0.0", API: plugin.API, Kinds: []plugin.KindInfo{{
		Kind: plugin.Module, Rules: []string{"1"},
		Schema: plugin.Schema{Attributes: []plugin.Attribute{
			{Name: "bad", Type: plugin.Bool, Default: "false", Description: "plays the tricks that are for certain nodes only"},
		}},
	}}}
}

// Open implements plugin.Plugin.
func (dishonest) Open(_ context.Context, _ plugin.Host, req plugin.OpenRequest) (any, error) {
	var cfg struct {
		Bad bool `json:"bad"`
	}
	if len(req.Config) > 0 {
		if err := json.Unmarshal(req.Config, &cfg); err != nil {
			return nil, fmt.Errorf("dishonest: settings: %w", err)
		}
	}
	return newLiar(cfg.Bad), nil
}
