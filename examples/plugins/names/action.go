package main

import (
	"crypto/sha256"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// gas of a transaction. It must be the same everywhere; the core charges at least one for each byte of the transaction.
const gas = 2_000

// Limits in bytes.
const (
	longestName = 32
	longestNote = 256
)

// action is what a transaction wants.
type action struct {
	kind, name string
	text       string          // of a note
	to         types.AccountID // of a transfer
}

// parse reads the one action of a transaction. wrong names what is wrong with it whatever the state is; Check and Execute ask alike.
func parse(t *module.Tx) (a action, wrong string) {
	if len(t.Actions) != 1 {
		return a, "ErrUnknownAction"
	}
	var more bool
	a.kind = t.Actions[0].Name
	a.name, a.text, more = strings.Cut(string(t.Actions[0].Body), "=")
	if !goodName(a.name) {
		return a, "ErrBadName"
	}
	switch a.kind {
	case "claim", "release":
		if more {
			return a, "ErrBadName"
		}
	case "note":
		if !more || len(a.text) > longestNote {
			return a, "ErrBadNote"
		}
	case "transfer":
		var err error
		if a.to, err = types.ParseAccountID(a.text); err != nil || a.to == (types.AccountID{}) {
			return a, "ErrBadAccount"
		}
	default:
		return a, "ErrUnknownAction"
	}
	if t.MaxGas < gas {
		return a, module.ErrOutOfGas
	}
	return a, ""
}

func goodName(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= longestName
}

// owned is where the owner of a name lies, and noted where his note does: anywhere in the state, so that claims spread over it.
func owned(name string) module.Item { return item("n/", name) }
func noted(name string) module.Item { return item("p/", name) }

func item(space, name string) module.Item {
	h := sha256.Sum256([]byte(name))
	return module.Item{Place: types.Place(h[:8]), Key: space + name}
}

// accountOf reads what an item holds.
func accountOf(data []byte) (a types.AccountID, ok bool) {
	if len(data) != len(a) {
		return a, false
	}
	return types.AccountID(data), true
}
