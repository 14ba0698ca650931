package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/params"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func (a *app) chainParamsCmd() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use: "params", Short: "List the parameters of a chain, and change them",
		Long: "Lists every parameter with its value for the next block, what it may become, and where the value comes from: the genesis document, or the block\n" +
			"that changed it. A setting that cannot change is called fixed. A change that waits is shown below.",
		Example: "  alto chain params\n  alto chain params --chain root -o json\n  alto chain params set fees.floor=0.0002 --from community", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.connect(c.Context(), t)
			if err != nil {
				return err
			}
			defer s.Close()
			r, height, err := s.Registry(c.Context(), s.chain)
			if err != nil {
				return err
			}
			ref, err := s.Reference(c.Context(), s.chain)
			if err != nil {
				return err
			}
			return a.printParams(s.chain, ref, r, height)
		},
	}
	targetFlags(c, &t)
	c.AddCommand(a.chainParamsSetCmd(), a.chainParamsCancelCmd())
	return c
}

func (a *app) printParams(chain string, ref *client.Reference, r *params.Registry, height uint64) error {
	if a.output != "table" {
		return a.print(struct {
			Chain  string `json:"chain"`
			Height uint64 `json:"height"`
			*params.Registry
		}{chain, height, r}, nil)
	}
	token := ref.Params.Token
	err := printList(a, r.Params, []string{"PARAMETER", "VALUE", "MIN", "MAX", "STEP", "SOURCE"}, func(e params.Entry) []any {
		least, most, step := valueText(e.Type, e.Min, token), valueText(e.Type, e.Max, token), valueText(e.Type, e.Step, token)
		if len(e.OneOf) > 0 {
			least = strings.Join(e.OneOf, "|")
		}
		source := "genesis"
		switch {
		case e.Fixed:
			source = "fixed"
		case e.ChangedAt > 0:
			source = fmt.Sprintf("block %d", e.ChangedAt)
		}
		return []any{e.Name, valueText(e.Type, e.Value, token), least, most, step, source}
	})
	if err != nil {
		return err
	}
	if r.Authority == nil {
		fmt.Fprintf(a.out, "nobody may change them\n")
	} else {
		fmt.Fprintf(a.out, "%s may change them\n", r.Authority)
	}
	if p := r.Pending; p != nil {
		when := "at the end of the epoch"
		switch {
		case !r.Epochs:
			when = fmt.Sprintf("at clock %d, now %d", p.Clock, ref.Clock)
		case p.NotBefore > ref.Clock:
			when = fmt.Sprintf("at the end of the epoch that has clock %d, now %d", p.NotBefore, ref.Clock)
		}
		fmt.Fprintf(a.out, "a change waits since block %d, to take effect %s\n", p.Height, when)
		for _, c := range p.Changes {
			kind := ""
			if e := r.Find(c.Name); e != nil {
				kind = e.Type
			}
			fmt.Fprintf(a.out, "  %s  %s -> %s\n", c.Name, valueText(kind, c.From, token), valueText(kind, c.To, token))
		}
		if p.Note != "" {
			fmt.Fprintf(a.out, "  note  %q\n", p.Note)
		}
	}
	return nil
}

// valueText shows a value the way that "set" reads it; "-" for none.
func valueText(kind string, raw json.RawMessage, token string) string {
	if len(raw) == 0 {
		return "-"
	}
	n, err := strconv.ParseUint(string(raw), 10, 64)
	switch {
	case err == nil && kind == string(plugin.Amount):
		return amountText(n) + " " + token
	case err == nil && kind == string(plugin.Duration):
		return chainspec.FormatDuration(time.Duration(n))
	case err == nil && kind == string(plugin.Size):
		return chainspec.FormatSize(n)
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// parseValue reads what a parameter is to become.
func parseValue(e *params.Entry, text, token string) (json.RawMessage, error) {
	number := func(n uint64, err error) (json.RawMessage, error) {
		return json.RawMessage(strconv.FormatUint(n, 10)), err
	}
	switch plugin.AttrType(e.Type) {
	case plugin.Amount:
		return number(parseAmount(text, token))
	case plugin.Duration:
		d, err := chainspec.ParseDuration(text)
		return number(uint64(d), err)
	case plugin.Size:
		return number(chainspec.ParseSize(text))
	case plugin.Number:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no whole number", text)
		}
		return json.RawMessage(strconv.FormatInt(n, 10)), nil
	case plugin.Bool:
		if text != "true" && text != "false" {
			return nil, fmt.Errorf("%q: it must be true or false", text)
		}
		return json.RawMessage(text), nil
	case plugin.String:
		if !slices.Contains(e.OneOf, text) {
			return nil, fmt.Errorf("%q: it must be one of %s%s", text, strings.Join(e.OneOf, ", "), didYouMean(text, e.OneOf))
		}
		return json.Marshal(text)
	}
	return nil, fmt.Errorf("it is a %s, which this version of alto does not know", e.Type)
}

// parseChanges reads NAME=VALUE arguments.
func parseChanges(r *params.Registry, args []string, token string) ([]params.Change, error) {
	var out []params.Change
	for _, arg := range args {
		name, text, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, fmt.Errorf("%q: write NAME=VALUE", arg)
		}
		e := r.Find(name)
		if e == nil {
			var names []string
			for _, p := range r.Params {
				names = append(names, p.Name)
			}
			return nil, fmt.Errorf("the chain has no parameter %q%s; `alto chain params` lists them", name, didYouMean(name, names))
		}
		if e.Fixed {
			return nil, fmt.Errorf("%s is fixed for the life of the chain", name)
		}
		v, err := parseValue(e, text, token)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, params.Change{Name: name, Value: v})
	}
	slices.SortFunc(out, func(x, y params.Change) int { return strings.Compare(x.Name, y.Name) })
	for i := range out[1:] {
		if out[i].Name == out[i+1].Name {
			return nil, fmt.Errorf("%s is there twice", out[i].Name)
		}
	}
	if len(out) > params.MaxChanges {
		return nil, fmt.Errorf("%d changes, at most %d can be made at once", len(out), params.MaxChanges)
	}
	return out, nil
}

func (a *app) chainParamsSetCmd() *cobra.Command {
	var o sending
	var after time.Duration
	var note string
	c := &cobra.Command{
		Use: "set NAME=VALUE... --from NAME", Short: "Schedule a change of parameters",
		Long: "Schedules a change, all of it or nothing: every module is asked whether it can live with the whole set, now and again when it is to take effect.\n" +
			"That is at the end of the epoch, or in a day on a chain without epochs. One change waits at a time. Only the account that the chain's params block\n" +
			"names may do this. Amounts are in tokens, durations and sizes have a unit.",
		Example: "  alto chain params set fees.floor=0.0002 --from community\n  alto chain params set fees.per_byte=0.000002 fees.burn_ppm=500000 --from community --note \"as agreed\"\n" +
			"  alto chain params set oracle.challenge=12h --from community --after 48h",
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(note) > params.MaxNoteBytes {
				return coded(exitUsage, fmt.Errorf("--note has %d bytes, at most %d are allowed", len(note), params.MaxNoteBytes))
			}
			if after < 0 {
				return coded(exitUsage, errors.New("--after lies in the past"))
			}
			s, tx, err := a.send(c.Context(), &o, params.Module, func(s *session, ref *client.Reference, _ types.AccountID) ([]types.Action, error) {
				r, _, err := s.Registry(c.Context(), s.chain)
				if err != nil {
					return nil, err
				}
				list, err := parseChanges(r, args, ref.Params.Token)
				if err != nil {
					return nil, coded(exitUsage, err)
				}
				set := params.Set{Changes: list, Note: note}
				if after > 0 {
					tick := time.Duration(ref.Params.SlotMs) * time.Millisecond
					set.NotBefore = ref.Clock + uint64((after+tick-1)/tick)
				}
				return []types.Action{{Name: params.ActionSet, Body: set.Encode()}}, nil
			})
			return a.sent(s, tx, err)
		},
	}
	sendFlags(c, &o)
	c.Flags().DurationVar(&after, "after", 0, "not before this time has passed, by the chain's clock")
	c.Flags().StringVar(&note, "note", "", "why, for people")
	return c
}

func (a *app) chainParamsCancelCmd() *cobra.Command {
	var o sending
	c := &cobra.Command{
		Use: "cancel --from NAME", Short: "Cancel the change of parameters that waits",
		Long:    "Cancels the change that waits, so that another can be scheduled. Only the account that may change parameters may do this.",
		Example: "  alto chain params cancel --from community\n  alto chain params cancel --from community --chain root\n  alto chain params cancel --from community --wait accepted",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, tx, err := a.send(c.Context(), &o, params.Module, func(*session, *client.Reference, types.AccountID) ([]types.Action, error) {
				return []types.Action{{Name: params.ActionCancel}}, nil
			})
			return a.sent(s, tx, err)
		},
	}
	sendFlags(c, &o)
	return c
}
