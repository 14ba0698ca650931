package chainspec

import (
	"encoding/json"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// MergeConfig makes the configuration that a plugin is opened with: the consensus-critical settings of the genesis document,
// a node's own settings for the rest, and defaults for what neither says. Critical settings are never taken from local.
func MergeConfig(schema plugin.Schema, critical, local json.RawMessage) (json.RawMessage, error) {
	fixed, err := decodeSettings(critical)
	if err != nil {
		return nil, fmt.Errorf("settings of the genesis document: %w", err)
	}
	own, err := decodeSettings(local)
	if err != nil {
		return nil, fmt.Errorf("settings of the node: %w", err)
	}
	out := settings{}
	for _, a := range schema.Attributes {
		v, ok := fixed[a.Name]
		switch {
		case ok && !a.ConsensusCritical:
			return nil, fmt.Errorf("the genesis document sets %q, which the plugin's schema calls local; another version of the plugin made it", a.Name)
		case !ok && !a.ConsensusCritical:
			v, ok = own[a.Name]
		}
		if !ok {
			if a.Default == "" && a.Required {
				return nil, fmt.Errorf("%q is required and has no value", a.Name)
			}
			if a.Default == "" {
				continue
			}
			v = json.RawMessage(a.Default)
		}
		if err := allowed(a, v); err != nil {
			return nil, fmt.Errorf("%s: %w", a.Name, err)
		}
		out[a.Name] = v
	}
	for name := range fixed {
		if _, known := schema.Find(name); !known {
			return nil, fmt.Errorf("the genesis document sets %q, which the plugin does not know; install the version that the chain was made for", name)
		}
	}
	return out.all(), nil
}

func decodeSettings(raw json.RawMessage) (settings, error) {
	c, err := canonicalObject(raw)
	if err != nil {
		return nil, err
	}
	s := settings{}
	err = json.Unmarshal(c, &s)
	return s, err
}

// localSettings returns what of a block's configuration is not critical.
func localSettings(b Block) json.RawMessage {
	all, err := decodeSettings(b.Config)
	if err != nil {
		return nil
	}
	critical, err := decodeSettings(b.Critical)
	if err != nil {
		return nil
	}
	for name := range critical {
		delete(all, name)
	}
	return all.all()
}
