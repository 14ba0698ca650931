// Package cometbftdb is the storage plugin over cometbft-db, with its backends pebbledb, goleveldb and memdb, none of
// which needs cgo.
//
// Layout. An instance owns its data folder: LOCK (flock; one process at a time), store.json (format, backend and chain;
// written before the database, so that a folder of another chain or backend is refused rather than mixed up) and the
// database's own folder. Every key of a chain is stored behind the byte 'd'; the key "m" holds the version and is written
// in the same batch as the items, which is what makes an Apply idempotent over a crash.
//
// Durability. pebbledb writes a batch to its log without waiting, and Durable follows when somebody asks for a sync: its
// log is synced in order and before it is rotated, so what a crash leaves is always a prefix of the versions. goleveldb
// does not sync a log that it rotates, so each batch is synced there and Durable equals Version. memdb keeps nothing:
// Durable stays 0 for ever, and the core keeps and replays its journal.
//
// A full disk. An Apply that would not leave room is refused before it touches the database. If the disk fills up all
// the same, pebbledb, which would end the process, is held up below its file system until there is room, while Apply
// answers storage.ErrNoSpace and reads go on; goleveldb is opened again before the next batch. No batch is ever there in
// part.
package cometbftdb

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// Names of the backends, as in the attribute "backend".
const (
	pebbleBackend  = "pebbledb"
	levelBackend   = "goleveldb"
	memBackend     = "memdb"
	rulesVersion   = "1"
	defaultCache   = 16 << 20
	smallestCache  = 1 << 20
	largestCache   = 64 << 30
	pluginName     = "cometbftdb"
	pluginVersion  = "0.1.0"
	attrBackend    = "backend"
	attrCache      = "cache"
	backendHelp    = "the database; memdb keeps nothing over a restart and is for tests"
	cacheHelp      = "memory for cached blocks of the database, for each chain"
	errUnsupported = "rules version %q is unknown, this build has %q: %w"
)

// Plugin returns the plugin.
func Plugin() plugin.Plugin { return storagePlugin{} }

type storagePlugin struct{}

// Describe implements plugin.Plugin.
func (storagePlugin) Describe() plugin.Info {
	return plugin.Info{Name: pluginName, Version: pluginVersion, API: plugin.API, Kinds: []plugin.KindInfo{{
		Kind:  plugin.Storage,
		Rules: []string{rulesVersion},
		Schema: plugin.Schema{Attributes: []plugin.Attribute{
			{Name: attrBackend, Type: plugin.String, Default: `"` + pebbleBackend + `"`, Description: backendHelp,
				OneOf: []string{pebbleBackend, levelBackend, memBackend}},
			{Name: attrCache, Type: plugin.Size, Default: fmt.Sprint(defaultCache), Description: cacheHelp,
				Min: fmt.Sprint(smallestCache), Max: fmt.Sprint(int64(largestCache))},
		}},
	}}}
}

// config is what a chain spec says; see the schema.
type config struct {
	Backend string `json:"backend"`
	Cache   int64  `json:"cache"`
}

// Open implements plugin.Plugin. The instance is a [*Store].
func (storagePlugin) Open(_ context.Context, host plugin.Host, req plugin.OpenRequest) (any, error) {
	if req.Kind != plugin.Storage {
		return nil, fmt.Errorf("open a %s instance of %s: %w", req.Kind, pluginName, plugin.ErrWrongKind)
	}
	if req.Rules != "" && req.Rules != rulesVersion {
		return nil, fmt.Errorf(errUnsupported, req.Rules, rulesVersion, plugin.ErrBadConfig)
	}
	cfg, err := parseConfig(req.Config)
	if err != nil {
		return nil, err
	}
	return openStore(req.DataDir, req.ChainID, cfg, host)
}

func parseConfig(raw []byte) (config, error) {
	cfg := config{Backend: pebbleBackend, Cache: defaultCache}
	if len(raw) > 0 {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&cfg); err != nil {
			return cfg, fmt.Errorf("%s: %v: %w", pluginName, err, plugin.ErrBadConfig)
		}
		if dec.More() {
			return cfg, fmt.Errorf("%s: more than one value: %w", pluginName, plugin.ErrBadConfig)
		}
	}
	switch cfg.Backend {
	case pebbleBackend, levelBackend, memBackend:
	default:
		return cfg, fmt.Errorf("%s: backend %q is not one of %s, %s, %s: %w", pluginName, cfg.Backend, pebbleBackend, levelBackend,
			memBackend, plugin.ErrBadConfig)
	}
	if cfg.Cache < smallestCache || cfg.Cache > largestCache {
		return cfg, fmt.Errorf("%s: cache of %d bytes is outside %d to %d: %w", pluginName, cfg.Cache, smallestCache, int64(largestCache),
			plugin.ErrBadConfig)
	}
	return cfg, nil
}
