package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// TestClaimsOf: all claims of a transaction are found, and those of one lock among them, so that nobody can hide one behind others.
func TestClaimsOf(t *testing.T) {
	claim := func(lock byte, evidence string) types.Action {
		return types.Action{Name: types.ActionClaim, Body: types.ClaimBody{Lock: types.Hash{lock}, Code: []byte{1}, Evidence: []byte(evidence)}.Encode()}
	}
	envelope := func(module string, actions ...types.Action) []byte {
		tx := types.Transaction{Account: types.AccountID{7}, Module: module, Actions: actions}
		return (&types.Envelope{Raw: tx.Encode()}).Encode()
	}
	two := envelope(types.ModuleContract, claim(1, "dust"), claim(2, "the secret"), types.Action{Name: types.ActionClaim, Body: []byte{1}},
		types.Action{Name: types.ActionRefund, Body: types.LockRefBody{Lock: types.Hash{2}}.Encode()})
	first, second := types.Hash{1}, types.Hash{2}
	for name, c := range map[string]struct {
		envelope []byte
		only     *types.Hash
		want     []string
	}{
		"all":            {two, nil, []string{"64757374", "74686520736563726574"}},
		"one":            {two, &second, []string{"74686520736563726574"}},
		"the other":      {two, &first, []string{"64757374"}},
		"none":           {two, &types.Hash{3}, nil},
		"another module": {envelope(types.ModuleBank, claim(1, "dust")), nil, nil},
	} {
		list, err := claimsOf(c.envelope, c.only)
		var got []string
		for _, v := range list {
			got = append(got, v.Evidence)
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
	if _, err := claimsOf([]byte{1, 2, 3}, nil); err == nil {
		t.Error("garbage is an envelope")
	}
}

// TestNewFile: a file that is there is kept, since it may be somebody's only secret.
func TestNewFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret.hex")
	if err := newFile(path, "first\n"); err != nil {
		t.Fatal(err)
	}
	err := newFile(path, "second\n")
	if code := exitCode(t.Context(), err); err == nil || code != exitConfig {
		t.Errorf("%v, exit code %d", err, code)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "first\n" {
		t.Errorf("%q, %v", b, err)
	}
}

// TestQuestions: whatever the order and however often they are named, what is sent is a list that the chain takes.
func TestQuestions(t *testing.T) {
	id := func(b byte) string { return types.Hash{b}.String() }
	for name, c := range map[string]struct {
		questions []string
		want      []byte
		ok        bool
	}{
		"none":         {nil, nil, true},
		"in order":     {[]string{id(1), id(2)}, []byte{1, 2}, true},
		"out of order": {[]string{id(2), id(1), id(2)}, []byte{1, 2}, true},
		"no id":        {[]string{"7"}, nil, false},
		"too many":     {[]string{id(1), id(2), id(3), id(4), id(5), id(6), id(7), id(8), id(9)}, nil, false},
	} {
		got, err := (&contractRun{questions: c.questions}).check()
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var first []byte
		for _, q := range got {
			first = append(first, q[0])
		}
		if !slices.Equal(first, c.want) {
			t.Errorf("%s: %v, want %v", name, first, c.want)
		}
		if _, err := types.DecodeRunBody(types.RunBody{Questions: got}.Encode()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (&contractRun{evidence: evidenceOf{file: "x", pushes: []string{"1"}}}).check(); err == nil {
		t.Error("evidence in two ways")
	}
}
