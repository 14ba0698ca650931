package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/light"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// bytesFlag is bytes on a command line: in hexadecimal, from a file, or as text.
type bytesFlag struct{ name, value, text string }

func (b *bytesFlag) add(c *cobra.Command, name, of string) {
	b.name = name
	c.Flags().StringVar(&b.value, name, "", of+", in hexadecimal, or @FILE for what is in a file")
	c.Flags().StringVar(&b.text, "text", "", of+", as text")
}

// read returns the bytes, at most limit.
func (b *bytesFlag) read(limit int) (out []byte, err error) {
	switch path, file := strings.CutPrefix(b.value, "@"); {
	case b.text != "" && b.value != "":
		return nil, coded(exitUsage, fmt.Errorf("--%s and --text exclude each other", b.name))
	case b.text != "":
		out = []byte(b.text)
	case file:
		if out, err = readLimited(path, limit); err != nil {
			return nil, coded(exitConfig, fmt.Errorf("--%s: %w", b.name, err))
		}
	default:
		if out, err = hex.DecodeString(strings.TrimPrefix(b.value, "0x")); err != nil {
			return nil, coded(exitUsage, fmt.Errorf("--%s %q: %w; write hexadecimal digits, @FILE, or --text TEXT", b.name, b.value, err))
		}
	}
	if len(out) > limit {
		return nil, coded(exitUsage, fmt.Errorf("--%s: %d bytes, at most %d are allowed", b.name, len(out), limit))
	}
	return out, nil
}

// asking is what `alto query` is told.
type asking struct {
	target
	argument                    bytesFlag
	prove                       bool
	as, genesis, id, checkpoint string
	timeout                     time.Duration
}

// maxArgument is the most that a node takes as the argument of a question.
const maxArgument = 64 << 10

func (a *app) queryCmd() *cobra.Command {
	var o asking
	c := &cobra.Command{
		Use: "query MODULE PATH", Short: "Ask a module of a chain",
		Long: "Asks a module, native or from a plugin, about the state after the newest final block and prints its answer, which is JSON. Which paths\n" +
			"there are, each module says.\n\n" +
			"With --as the question is signed, by the permission that the account's links ask for (\"MODULE.query\"), so that the module can show what\n" +
			"only that account may see.\n\n" +
			"With --prove the answer is about the state one block before, and the items of the state that it rests on come with proofs. They are\n" +
			"verified as a light client does, from the chain's id or from a block that closed an epoch: --genesis, --chain-id and --checkpoint say\n" +
			"what you trust; otherwise it is what this network's folder holds, or with --api the node's word. Proven is what the items held, and that\n" +
			"others did not exist. Not proven is the answer that the module makes of them, nor that it names all that it should rest on.",
		Example: "  alto query oracle terms\n  alto query names owner/alice --prove\n  alto query names note/alice --as alice -o json",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), o.timeout)
			defer cancel()
			v, err := a.query(ctx, &o, api.QueryRequest{Module: args[0], Path: args[1], Prove: o.prove})
			if err != nil {
				if timedOut(err) {
					err = coded(exitTimeout, err)
				}
				return err
			}
			return a.print(v, func() { a.printQuery(v) })
		},
	}
	targetFlags(c, &o.target)
	o.argument.add(c, "argument", "the argument of the question")
	f := c.Flags()
	f.BoolVar(&o.prove, "prove", false, "ask for proofs, and verify them")
	f.StringVar(&o.as, "as", "", "ask in the name of this account, by its key")
	f.StringVar(&o.genesis, "genesis", "", "with --prove: file of the genesis document that you trust")
	f.StringVar(&o.id, "chain-id", "", "with --prove: id of the chain that you trust")
	f.StringVar(&o.checkpoint, "checkpoint", "", "with --prove: HEIGHT:ID of a block that closed an epoch, that you trust")
	f.DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait")
	return c
}

// queryView is an answer as the command prints it.
type queryView struct {
	Module string           `json:"module"`
	Path   string           `json:"path"`
	Height uint64           `json:"height"`
	Caller *types.AccountID `json:"caller,omitempty"`
	Answer json.RawMessage  `json:"answer"`
	Proven *provenAnswer    `json:"proven,omitempty"`
}

// provenAnswer is what is proven of an answer.
type provenAnswer struct {
	Block  types.BlockID `json:"block"` // final; its state root is that after block Height of the answer
	Height uint64        `json:"height"`
	Epoch  uint64        `json:"epoch"`
	Slot   uint64        `json:"slot"`
	TimeMs uint64        `json:"time_ms"`
	Anchor string        `json:"anchor"` // what it rests on: network, chain, checkpoint, node
	Items  []provenItem  `json:"items"`
}

type provenItem struct {
	Place string  `json:"place"`
	Key   string  `json:"key"`   // hexadecimal
	Value *string `json:"value"` // hexadecimal; null: there is no such item
}

func (a *app) query(ctx context.Context, o *asking, q api.QueryRequest) (v *queryView, err error) {
	if !o.prove && (o.genesis != "" || o.id != "" || o.checkpoint != "") {
		return nil, coded(exitUsage, errors.New("--genesis, --chain-id and --checkpoint say what a proof rests on, and go with --prove"))
	}
	if q.Argument, err = o.argument.read(maxArgument); err != nil {
		return nil, err
	}
	s, err := a.connect(ctx, o.target)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if o.as != "" {
		w, err := a.wallet(o.as, s.dir)
		if err != nil {
			return nil, err
		}
		if q.Auth, err = s.QueryAuth(ctx, s.chain, w.Account(), q, w); err != nil {
			return nil, err
		}
	}
	v = &queryView{Module: q.Module, Path: q.Path}
	if !o.prove {
		ans, err := s.Ask(ctx, s.chain, q)
		if err != nil {
			return nil, err
		}
		v.Height, v.Caller, v.Answer = ans.Height, ans.Caller, queryJSON(ans.JSON)
		return v, nil
	}
	trust, anchor, err := a.queryTrust(ctx, s, o)
	if err != nil {
		return nil, err
	}
	l, err := s.Light(ctx, trust)
	if err != nil {
		return nil, unproven(err)
	}
	ans, err := l.Query(ctx, q)
	if err != nil {
		return nil, unproven(err)
	}
	info, err := s.Chain(ctx, s.chain)
	if err != nil {
		return nil, err
	}
	h := ans.At
	v.Height, v.Caller, v.Answer = h.Height-1, ans.Caller, queryJSON(ans.JSON)
	v.Proven = &provenAnswer{Block: h.ID(), Height: h.Height, Epoch: h.Epoch, Slot: h.Slot, TimeMs: info.Params.SlotTimeMs(h.Slot), Anchor: anchor, Items: []provenItem{}}
	for _, it := range ans.Items {
		x := provenItem{Place: hex.EncodeToString(it.Place[:]), Key: hex.EncodeToString(it.Key)}
		if it.Value != nil {
			value := hex.EncodeToString(it.Value)
			x.Value = &value
		}
		v.Proven.Items = append(v.Proven.Items, x)
	}
	return v, nil
}

// unproven gives what does not prove itself the exit code of a certificate that does not verify.
func unproven(err error) error {
	switch {
	case errors.Is(err, light.ErrExpired):
		return coded(exitDifferent, fmt.Errorf("%w: ask somebody whom you trust for the block that closed a later epoch, and say --checkpoint HEIGHT:ID", err))
	case errors.Is(err, client.ErrUnproven):
		return coded(exitDifferent, err)
	}
	return err
}

// queryTrust decides what a proof rests on, and names it.
func (a *app) queryTrust(ctx context.Context, s *session, o *asking) (client.Trust, string, error) {
	said, err := trustOf(o.genesis, o.id, o.checkpoint, "")
	if err != nil {
		return client.Trust{}, "", err
	}
	t := client.Trust{Chain: said.Chain, Checkpoint: said.Checkpoint, Height: said.Height}
	if !t.Checkpoint.IsZero() && t.Height == 0 {
		return t, "", coded(exitUsage, fmt.Errorf("--checkpoint %q: write HEIGHT:ID", o.checkpoint))
	}
	anchor := "chain"
	if t.Chain.IsZero() && s.state != nil {
		for _, c := range s.state.Chains {
			if c.Name == s.chain || c.ID.String() == s.chain {
				t.Chain, anchor = c.ID, "network"
			}
		}
	}
	if t.Chain.IsZero() {
		info, err := s.Chain(ctx, s.chain)
		if err != nil {
			return t, "", err
		}
		t.Chain, anchor = info.Status.ID, "node"
	}
	if !t.Checkpoint.IsZero() {
		anchor = "checkpoint"
	}
	return t, anchor, nil
}

// queryJSON is an answer as JSON, whatever the node has sent.
func queryJSON(b []byte) json.RawMessage {
	if len(b) == 0 {
		return json.RawMessage("null")
	}
	if json.Valid(b) {
		return b
	}
	quoted, _ := json.Marshal(string(b)) // a string is never refused
	return quoted
}

func (a *app) printQuery(v *queryView) {
	var pretty bytes.Buffer
	if json.Indent(&pretty, v.Answer, "", "  ") != nil {
		pretty.Write(v.Answer)
	}
	fmt.Fprintf(a.out, "%s\n", pretty.Bytes())
	if v.Caller != nil {
		a.progress("asked in the name of %s", v.Caller)
	}
	p := v.Proven
	if p == nil {
		a.progress("as of block %d, by the word of the node", v.Height)
		return
	}
	rests := map[string]string{"network": "the chain's id in this network's folder", "chain": "the chain that you trust", "checkpoint": "the checkpoint that you trust",
		"node": "nothing that you have said: the chain's id is the node's word; say --chain-id, --genesis or --checkpoint"}[p.Anchor]
	fmt.Fprintf(a.out, "proven: what %d item(s) of %s held after block %d, by block %d (%s) of epoch %d, which is final\n", len(p.Items), v.Module, v.Height, p.Height, p.Block,
		p.Epoch)
	for _, it := range p.Items {
		held := "nothing"
		if it.Value != nil {
			held = shortHex(*it.Value)
		}
		fmt.Fprintf(a.out, "  item     %s held %s\n", itemKeyText(it.Key), held)
	}
	fmt.Fprintf(a.out, "  made     %s, slot %d\n  rests on %s\nnot proven: the answer that the module makes of them, and that it rests on nothing else\n",
		time.UnixMilli(int64(p.TimeMs)).UTC().Format(time.RFC3339), p.Slot, rests)
}

// itemKeyText shows a key as text if it is one.
func itemKeyText(key string) string {
	b, _ := hex.DecodeString(key) // it was made from bytes
	for _, c := range b {
		if c < ' ' || c > '~' {
			return shortHex(key)
		}
	}
	return fmt.Sprintf("%q", b)
}

// shortHex cuts long hexadecimal.
func shortHex(s string) string {
	if s == "" {
		return "no bytes"
	}
	if len(s) > 72 {
		return fmt.Sprintf("%s… (%d bytes)", s[:64], len(s)/2)
	}
	return s
}
