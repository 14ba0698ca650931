package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/client/bundle"
	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/light"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func (a *app) chainCertificateCmd() *cobra.Command {
	c := &cobra.Command{Use: "certificate", Short: "Export a proof that a block is final, and verify one offline",
		Example: "  alto chain certificate export --height 120 --out block.json\n  alto chain certificate export --account community --out account.json\n  alto chain certificate verify block.json"}
	c.AddCommand(a.certificateExportCmd(), a.certificateVerifyCmd())
	return c
}

// wanted is what a bundle is to show.
type wanted struct {
	height, epoch *uint64
	account       string
	from          uint64
}

func (a *app) certificateExportCmd() *cobra.Command {
	var t target
	var height, epoch, from uint64
	var account, out string
	c := &cobra.Command{
		Use: "export", Short: "Write a file that proves what is final, to somebody who asks no node",
		Long: "Writes a file that shows that a block is final, by default the newest: its header, the finality proof, the set of producers of its epoch, and\n" +
			"the closing block, proof and set of each epoch before, from genesis on. With --epoch it ends with that epoch's set; with --account it shows\n" +
			"what the state holds of an account, too. --from leaves out the epochs before one, for readers who trust its first block as a checkpoint.",
		Example: "  alto chain certificate export --height 120 --out block.json\n  alto chain certificate export --account community --out account.json\n  alto chain certificate export --epoch 7 --from 5", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			w := wanted{account: account, from: from}
			f := c.Flags()
			if f.Changed("height") {
				w.height = &height
			}
			if f.Changed("epoch") {
				w.epoch = &epoch
			}
			n := 0
			for _, name := range []string{"height", "epoch", "account"} {
				if f.Changed(name) {
					n++
				}
			}
			if n > 1 {
				return coded(exitUsage, errors.New("--height, --epoch and --account exclude each other"))
			}
			s, err := a.connect(c.Context(), t)
			if err != nil {
				return err
			}
			defer s.Close()
			b, err := a.bundleOf(c.Context(), s, w)
			if err != nil {
				return err
			}
			rep, err := b.Verify(bundle.Options{NowMs: nowMs(), Trusting: 1 << 62})
			if err != nil {
				return fmt.Errorf("what node %s answered proves nothing: %w", s.node, err)
			}
			raw, err := b.Encode()
			if err != nil {
				return err
			}
			if out == "" {
				_, err = a.out.Write(raw)
			} else if err = os.WriteFile(out, raw, 0o644); err == nil {
				a.progress("%s: %d bytes", out, len(raw))
			}
			if err == nil {
				a.progress("it begins with block %s at height %d, which opened epoch %d with set %s", rep.Start.ID, rep.Start.Height, rep.Start.Epoch, rep.Start.SetHash)
			}
			return err
		},
	}
	targetFlags(c, &t)
	f := c.Flags()
	f.Uint64Var(&height, "height", 0, "prove the block at this height (default: the newest final one)")
	f.Uint64Var(&epoch, "epoch", 0, "prove the set of this epoch")
	f.StringVar(&account, "account", "", "prove what the newest state with a certificate holds of this account")
	f.Uint64Var(&from, "from", 0, "begin with this epoch instead of genesis")
	f.StringVar(&out, "out", "", "file to write to (default: standard output)")
	return c
}

func nowMs() uint64 { return uint64(time.Now().UnixMilli()) }

// bundleOf asks a node for what shows what is wanted.
func (a *app) bundleOf(ctx context.Context, s *session, w wanted) (*bundle.Bundle, error) {
	info, err := s.Chain(ctx, s.chain)
	if err != nil {
		return nil, err
	}
	b := &bundle.Bundle{Format: bundle.Format, Chain: info.Status.ID, Genesis: json.RawMessage(info.Genesis), Epochs: []bundle.Epoch{}}
	var last uint64
	switch {
	case w.epoch != nil:
		last = *w.epoch
	default:
		height := client.Newest
		if w.height != nil {
			height = *w.height
		}
		if w.account != "" {
			id, err := a.account(w.account, s.dir)
			if err != nil {
				return nil, err
			}
			if b.Account, height, err = provenAccount(ctx, s, id); err != nil {
				return nil, err
			}
		}
		if b.Block, last, err = provenBlock(ctx, s, height); err != nil {
			return nil, err
		}
	}
	if w.from > last {
		return nil, coded(exitUsage, fmt.Errorf("--from %d: what is to be proven is of epoch %d already", w.from, last))
	}
	if last-w.from > bundle.MaxEpochs {
		return nil, coded(exitUsage, fmt.Errorf("%d epochs, at most %d are possible; begin later with --from EPOCH", last-w.from, bundle.MaxEpochs))
	}
	for n := w.from; n <= last; n++ {
		e, err := s.Epoch(ctx, s.chain, n)
		if err != nil {
			return nil, err
		}
		header, set := e.Opened.Encode(), e.Set.Encode()
		switch {
		case n == w.from:
			b.Start = bundle.Start{Header: header, Set: set}
		case e.Proof == nil:
			return nil, fmt.Errorf("epoch %d: the node has no proof of its first block", n)
		default:
			b.Epochs = append(b.Epochs, bundle.Epoch{Header: header, Finality: e.Proof.Encode(), Set: set})
		}
	}
	return b, nil
}

// provenBlock returns a block with the proof that makes it final, which may be of a block above, and its epoch.
func provenBlock(ctx context.Context, s *session, height uint64) (*bundle.Block, uint64, error) {
	if height == 0 {
		return nil, 0, coded(exitUsage, errors.New("block 0 is genesis, which needs no proof; --epoch 0 shows its set"))
	}
	headers, proof, err := s.ProvenBlock(ctx, s.chain, height)
	if err != nil {
		return nil, 0, err
	}
	out := &bundle.Block{Header: headers[0].Encode(), Finality: proof.Encode()}
	for _, h := range headers[1:] {
		out.Path = append(out.Path, h.Encode())
	}
	return out, headers[len(headers)-1].Epoch, nil
}

// provenAccount returns what the state holds of an account, and the height of the block that has the state's root.
func provenAccount(ctx context.Context, s *session, id types.AccountID) (*bundle.Account, uint64, error) {
	acc, err := s.ProvenAccount(ctx, s.chain, id)
	if err != nil {
		return nil, 0, err
	}
	out := &bundle.Account{Account: id}
	for _, p := range acc.Proofs {
		if p.Proof == nil {
			return nil, 0, fmt.Errorf("account %s: the node gave an item without a proof", id)
		}
		it := bundle.Item{Module: p.Module, Place: p.Place[:], Key: p.Key, Proof: p.Proof.Encode()}
		if len(p.Value) > 0 {
			v := bundle.Hex(p.Value)
			it.Value = &v
		}
		out.Items = append(out.Items, it)
	}
	return out, acc.ProofHeight, nil
}

// certificateView is what a bundle was found to show.
type certificateView struct {
	File string `json:"file"`
	*bundle.Report
	Account *provenView `json:"account,omitempty"`
}

// provenView is an account as a bundle proves it.
type provenView struct {
	Account  types.AccountID `json:"account"`
	Token    string          `json:"token"`
	Balance  uint64          `json:"balance,string"`
	Revealed bool            `json:"revealed"`
}

func (a *app) certificateVerifyCmd() *cobra.Command {
	var genesis, chain, checkpoint, setHash, at string
	var trusting time.Duration
	c := &cobra.Command{
		Use: "verify FILE", Short: "Verify a file that proves what is final, without a node",
		Long: "Verifies a file of `alto chain certificate export`; it asks nobody. What you trust from elsewhere is said by --genesis or --chain-id, by\n" +
			"--checkpoint, a block that opened an epoch, or by --set-hash; without any of them the file only shows that it is consistent, and the\n" +
			"chain's id has to be compared by eye. Signers are believed for the trusting period of the chain: after that a checkpoint is needed.\n" +
			"The exit code is 0 if all is as the file says, and 2 if not.",
		Example: "  alto chain certificate verify block.json --genesis root.genesis.json\n  alto chain certificate verify block.json --checkpoint 3600:9f2c…\n  alto chain certificate verify account.json -o json", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o := bundle.Options{NowMs: nowMs(), Trusting: trusting}
			var err error
			if o.Trust, err = trustOf(genesis, chain, checkpoint, setHash); err != nil {
				return err
			}
			if at != "" {
				t, err := time.Parse(time.RFC3339, at)
				if err != nil || t.UnixMilli() < 0 {
					return coded(exitUsage, fmt.Errorf("--at %q: write a time such as 2030-01-31T12:00:00Z", at))
				}
				o.NowMs = uint64(t.UnixMilli())
			}
			raw, err := readLimited(args[0], bundle.MaxBytes)
			if err != nil {
				return coded(exitConfig, err)
			}
			v, err := verifyBundle(raw, o)
			if err != nil {
				err = fmt.Errorf("%s: %w", args[0], err)
				if errors.Is(err, light.ErrExpired) {
					err = fmt.Errorf("%w: ask somebody whom you trust for the block that opened a later epoch, and say --checkpoint HEIGHT:ID", err)
				}
				return coded(exitDifferent, err)
			}
			v.File = args[0]
			return a.print(v, func() { a.printCertificate(v) })
		},
	}
	f := c.Flags()
	f.StringVar(&genesis, "genesis", "", "file of the genesis document that you trust")
	f.StringVar(&chain, "chain-id", "", "id of the chain that you trust")
	f.StringVar(&checkpoint, "checkpoint", "", "HEIGHT:ID or ID of a block that opened an epoch, that you trust")
	f.StringVar(&setHash, "set-hash", "", "hash of an epoch's set that you trust")
	f.StringVar(&at, "at", "", "verify as of this time, as in 2030-01-31T12:00:00Z (default: now)")
	f.DurationVar(&trusting, "trusting", 0, "how long signers are believed (default: as the genesis document says)")
	return c
}

func readLimited(path string, limit int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it is only read
	raw, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(raw) > limit {
		err = fmt.Errorf("%s: it has more than %d bytes", path, limit)
	}
	return raw, err
}

// trustOf reads what the user trusts.
func trustOf(genesis, chain, checkpoint, setHash string) (t bundle.Trust, err error) {
	usage := func(flag string, err error) error { return coded(exitUsage, fmt.Errorf("%s: %w", flag, err)) }
	if chain != "" {
		if t.Chain, err = types.ParseHash(chain); err != nil {
			return t, usage("--chain-id", err)
		}
	}
	if genesis != "" {
		raw, err := readLimited(genesis, chainspec.MaxGenesisBytes)
		if err != nil {
			return t, coded(exitConfig, err)
		}
		g, err := chainspec.DecodeGenesis(bytes.TrimSpace(raw))
		if err != nil {
			return t, coded(exitConfig, fmt.Errorf("%s: %w", genesis, err))
		}
		if !t.Chain.IsZero() && t.Chain != g.ID() {
			return t, usage("--genesis", fmt.Errorf("%s is of chain %s, --chain-id says %s", genesis, g.ID(), t.Chain))
		}
		t.Chain = g.ID()
	}
	if checkpoint != "" {
		id := checkpoint
		if height, rest, ok := strings.Cut(checkpoint, ":"); ok {
			if t.Height, err = strconv.ParseUint(height, 10, 64); err != nil {
				return t, usage("--checkpoint", fmt.Errorf("%q is no height; write HEIGHT:ID", height))
			}
			id = rest
		}
		if t.Checkpoint, err = types.ParseHash(id); err != nil {
			return t, usage("--checkpoint", err)
		}
	}
	if setHash != "" {
		if t.SetHash, err = types.ParseHash(setHash); err != nil {
			return t, usage("--set-hash", err)
		}
	}
	return t, nil
}

// verifyBundle verifies a file, and reads the account that it proves.
func verifyBundle(raw []byte, o bundle.Options) (*certificateView, error) {
	b, err := bundle.Decode(raw)
	if err != nil {
		return nil, err
	}
	rep, err := b.Verify(o)
	if err != nil {
		return nil, err
	}
	v := &certificateView{Report: rep}
	if rep.Account == nil {
		return v, nil
	}
	acc, auth, err := ledger.AccountOf(context.Background(), provenState{rep.Account}, rep.Account.Account)
	if err != nil {
		return nil, fmt.Errorf("%w: account %s: %w", bundle.ErrInvalid, rep.Account.Account, err)
	}
	var g struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(b.Genesis, &g); err != nil {
		return nil, err
	}
	v.Account = &provenView{rep.Account.Account, g.Token, acc.Balance, auth != nil}
	return v, nil
}

// provenState is a state of which only what is proven is known.
type provenState struct{ a *bundle.Account }

// Get implements ledger.View.
func (p provenState) Get(_ context.Context, items []state.Item) ([][]byte, error) {
	out := make([][]byte, len(items))
	for i, it := range items {
		v, ok := p.a.Lookup(it.Module, it.Place, it.Key)
		if !ok {
			return nil, fmt.Errorf("there is no proof of its %s", it.Module)
		}
		out[i] = v
	}
	return out, nil
}

func (a *app) printCertificate(v *certificateView) {
	fmt.Fprintf(a.out, "%s is good\n  chain     %s, %s\n", v.File, v.Name, v.Chain)
	if v.Anchor == "none" {
		fmt.Fprintf(a.out, "  rests on  nothing that you have said: compare the chain's id, or say --chain-id, --genesis, --checkpoint or --set-hash\n")
	} else {
		fmt.Fprintf(a.out, "  rests on  the %s that you trust\n", strings.ReplaceAll(v.Anchor, ", ", " and the "))
	}
	fmt.Fprintf(a.out, "  begins    at height %d with epoch %d: %d seats, set %s\n", v.Start.Height, v.Start.Epoch, v.Start.Seats, v.Start.SetHash)
	for _, e := range v.Epochs {
		fmt.Fprintf(a.out, "  epoch     %d: %d seats, set %s, by block %s at height %d, which %d have signed for\n", e.Epoch, e.Seats, e.SetHash, e.ID, e.Height, e.Signed)
	}
	if b := v.Block; b != nil {
		by := fmt.Sprintf("%d of at least %d have signed for it", b.Signed, b.Threshold)
		if b.Above > 0 {
			by += fmt.Sprintf(", by way of a block %d above", b.Above)
		}
		fmt.Fprintf(a.out, "  block     %d (%s) of epoch %d is final: %s\n  slot      %d, %s\n", b.Height, b.ID, b.Epoch, by, b.Slot,
			time.UnixMilli(int64(b.TimeMs)).UTC().Format(time.RFC3339))
	}
	if x := v.Account; x != nil {
		fmt.Fprintf(a.out, "  account   %s had %s %s after block %d\n", x.Account, amountText(x.Balance), x.Token, v.Block.Height-1)
	}
}
