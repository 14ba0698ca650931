package plugintest

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// withDefaults adds the defaults of a schema to a configuration. One that is no object is left as it is.
func withDefaults(s plugin.Schema, config []byte) []byte {
	set := map[string]json.RawMessage{}
	if len(config) > 0 && json.Unmarshal(config, &set) != nil || set == nil {
		return config
	}
	for _, a := range s.Attributes {
		if _, ok := set[a.Name]; !ok && a.Default != "" {
			set[a.Name] = json.RawMessage(a.Default)
		}
	}
	out, err := json.Marshal(set)
	if err != nil { // a default is no JSON; a case is about that
		return config
	}
	return out
}

// checkAttribute checks that default and limits of an attribute are JSON of its type, and that the default is within them.
func checkAttribute(a plugin.Attribute) error {
	if a.Description == "" {
		return fmt.Errorf("it has no description")
	}
	values := map[string]string{"default": a.Default, "min": a.Min, "max": a.Max}
	for what, v := range values {
		if v == "" {
			continue
		}
		if err := isOfType(a.Type, v); err != nil {
			return fmt.Errorf("%s %s: %w", what, v, err)
		}
	}
	if err := isOfType(a.Type, ""); err != nil {
		return err
	}
	if a.Type == plugin.String && a.Default != "" && len(a.OneOf) > 0 {
		var s string
		if json.Unmarshal([]byte(a.Default), &s); !slices.Contains(a.OneOf, s) {
			return fmt.Errorf("default %q is none of %q", s, a.OneOf)
		}
	}
	n := map[string]*big.Int{}
	for what, v := range values {
		if i, ok := new(big.Int).SetString(v, 10); ok {
			n[what] = i
		}
	}
	def, low, high := n["default"], n["min"], n["max"]
	if def != nil && (low != nil && def.Cmp(low) < 0 || high != nil && def.Cmp(high) > 0) || low != nil && high != nil && low.Cmp(high) > 0 {
		return fmt.Errorf("default %s is outside %s to %s", a.Default, a.Min, a.Max)
	}
	return nil
}

// isOfType checks JSON against a type. An empty value stands for any, so that only the type is looked at.
func isOfType(t plugin.AttrType, value string) error {
	var into any
	switch t {
	case plugin.String:
		into = new(string)
	case plugin.Bool:
		into = new(bool)
	case plugin.StringList:
		into = new([]string)
	case plugin.Number, plugin.Duration, plugin.Size, plugin.Amount:
		if _, ok := new(big.Int).SetString(value, 10); !ok && value != "" {
			return fmt.Errorf("a %s is a whole number", t)
		}
		into = new(json.Number)
	default:
		return fmt.Errorf("%q is no type of an attribute", t)
	}
	if value == "" {
		return nil
	}
	if value == "null" {
		return fmt.Errorf("null is no %s", t)
	}
	if err := json.Unmarshal([]byte(value), into); err != nil {
		return fmt.Errorf("no %s: %w", t, err)
	}
	return nil
}
