// Command unruly is a storage plugin whose manners depend on the name of its file, so that tests build it once and copy it:
//
//	…-exits    ends before it serves, with last words
//	…-api      speaks an API version that no alto speaks
//	…-slow     never answers at all
//	any other  behaves, and keeps its data in memory
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/storage/storagetest"
)

func main() {
	name := filepath.Base(os.Args[0])
	p := unruly{name: name, api: plugin.API}
	switch {
	case strings.HasSuffix(name, "-exits"):
		fmt.Fprintln(os.Stderr, "unruly: the moon is in the wrong phase")
		os.Exit(7)
	case strings.HasSuffix(name, "-api"):
		p.api = plugin.Range{Min: plugin.API.Max + 41, Max: plugin.API.Max + 42}
	case strings.HasSuffix(name, "-slow"):
		select {}
	}
	sdk.Serve(p)
}

type unruly struct {
	name string
	api  plugin.Range
}

// Describe implements plugin.Plugin.
func (u unruly) Describe() plugin.Info {
	return plugin.Info{Name: u.name, Version: "0.3.1", API: u.api, Kinds: []plugin.KindInfo{{
		Kind: plugin.Storage, Rules: []string{"1"},
		Schema: plugin.Schema{Attributes: []plugin.Attribute{{Name: "shelves", Type: plugin.Number, Description: "how many there are", Default: "3"}}},
	}}}
}

// Open implements plugin.Plugin.
func (u unruly) Open(context.Context, plugin.Host, plugin.OpenRequest) (any, error) {
	return storagetest.NewMemory(), nil
}
