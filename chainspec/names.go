package chainspec

import (
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// checkName says what is wrong with a name of something: 1 to 64 of a–z, 0–9, "-" and "_", a letter first. Names become
// names of folders, files and metrics labels, so nothing else is let in.
func checkName(what, name string) error {
	if name == "" {
		return fmt.Errorf("%s: the name is empty", what)
	}
	if len(name) > types.MaxNameBytes {
		return fmt.Errorf("%s %q…: the name has %d bytes, at most %d are allowed", what, name[:16], len(name), types.MaxNameBytes)
	}
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '-' && c != '_') {
			return fmt.Errorf("%s %q: a name is made of a–z, 0–9, \"-\" and \"_\", and starts with a letter", what, name)
		}
	}
	return nil
}

// checkToken says what is wrong with a token's symbol: 1 to 12 of A–Z and 0–9, a letter first.
func checkToken(token string) error {
	if token == "" {
		return errors.New("token: the symbol is empty")
	}
	ok := len(token) <= 12
	for i, c := range []byte(token) {
		letter := c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			ok = false
		}
	}
	if !ok {
		return fmt.Errorf("token %.20q: a symbol is 1 to 12 of A–Z and 0–9, and starts with a letter", token)
	}
	return nil
}

// checkRulesVersion says what is wrong with a version of rules: 1 to 64 printable ASCII characters without spaces.
func checkRulesVersion(v string) error {
	if v == "" || len(v) > types.MaxNameBytes {
		return fmt.Errorf("rules version %.80q: 1 to %d characters are allowed", v, types.MaxNameBytes)
	}
	for _, c := range []byte(v) {
		if c <= ' ' || c > '~' {
			return fmt.Errorf("rules version %q: only printable ASCII without spaces is allowed", v)
		}
	}
	return nil
}
