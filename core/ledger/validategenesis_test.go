package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/module"
)

// picky is a module that takes one value of its parameter only.
type picky struct {
	module.Module
	window string
}

func (p picky) ValidateParams(_ context.Context, set map[string][]byte) error {
	if got := string(set["window"]); got != p.window || len(set) != 1 {
		return fmt.Errorf("%w: window is %s of %d, want %s", module.ErrBadParams, got, len(set), p.window)
	}
	set["window"] = nil // what it does to the set is its own affair
	return nil
}

// TestValidateGenesis: a module is asked about the values that the genesis document gives its parameters, and no other module's.
func TestValidateGenesis(t *testing.T) {
	var seen []string
	l := governedKit(t, &seen).l
	for range 2 {
		if err := l.With("watch", picky{window: "7"}).ValidateGenesis(t.Context()); err != nil {
			t.Errorf("a good value: %v", err)
		}
	}
	err := l.With("watch", picky{window: "8"}).ValidateGenesis(t.Context())
	if !errors.Is(err, module.ErrBadParams) || !strings.Contains(err.Error(), `module "watch": `) {
		t.Errorf("a bad value: %v", err)
	}
}
