package chainspec

import (
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// The white paper's split of one billion ALTO, in percent. It is the genesis of a root chain with the token ALTO that names no
// allocations.
func paperSplit() []share {
	return []share{
		{name: "contract", ppm: 300_000}, {name: "community", ppm: 100_000}, {name: "ecology", ppm: 220_000},
		{name: "cornerstone", ppm: 210_000}, {name: "foundation", ppm: 100_000}, {name: "development", ppm: 60_000},
		{name: "consultants", ppm: 10_000},
	}
}

// allShares is 100 % in millionths.
const allShares = 1_000_000

// share is an allocation before the supply is known.
type share struct {
	name    string
	ppm     uint64
	account *types.AccountID
	vesting *vestingTimes
}

type vestingTimes struct{ cliff, duration, step time.Duration }

var genesisSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "token"}, {Name: "supply"}},
	Blocks:     []hcl.BlockHeaderSchema{{Type: "allocation", LabelNames: []string{"name"}}, {Type: "producer", LabelNames: []string{"name"}}},
}

var allocationSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "share", Required: true}, {Name: "account"}},
	Blocks:     []hcl.BlockHeaderSchema{{Type: "vesting"}},
}

// genesisReader is a genesis block under way: the token is needed before the plugins' blocks, the slot comes from them.
type genesisReader struct {
	block   hcl.Range // of the genesis block, or of the chain if there is none
	content *hcl.BodyContent
	attrs   *attributes
	ctx     *hcl.EvalContext
	root    bool
	out     GenesisBlock
	bad     bool
}

func (l *loader) startGenesis(in *instance, ctx *hcl.EvalContext) *genesisReader {
	g := &genesisReader{block: in.block.DefRange, ctx: ctx, root: in.chain.Parent == "", attrs: evaluated(nil, ctx), content: &hcl.BodyContent{}}
	if in.parentBad {
		g.root = false
	}
	if b := l.single(in, "genesis"); b != nil {
		g.block = b.DefRange
		c, d := b.Body.Content(genesisSchema)
		l.report(d...)
		g.bad = d.HasErrors()
		g.content, g.attrs = c, evaluated(c.Attributes, ctx)
	}
	token, ok := g.attrs.text("token")
	switch {
	case ok:
		if err := checkToken(token); err != nil {
			g.attrs.fail("token", "bad token", err)
			token, g.bad = DefaultToken, true
		}
	case g.root:
		token = DefaultToken
	default:
		if !in.parentBad && !g.bad {
			g.attrs.missing("token", g.block, "a child chain mints a token of its own; name it in a genesis block")
		}
		token, g.bad = DefaultToken, true
	}
	g.out.Token = token
	return g
}

func (l *loader) finishGenesis(g *genesisReader, slotMs uint64) GenesisBlock {
	var shares []share
	seen := map[string]bool{}
	for _, b := range g.content.Blocks.OfType("allocation") {
		s, d := g.allocation(b)
		l.report(d...)
		g.bad = g.bad || d.HasErrors()
		if seen[s.name] {
			l.report(fault(b.LabelRanges[0], "allocation named twice", "There is another allocation %q in this chain.", s.name))
			g.bad = true
		}
		seen[s.name] = true
		shares = append(shares, s)
	}
	paper := len(shares) == 0 && g.root && g.out.Token == DefaultToken
	supply, ok := g.attrs.amount("supply", g.out.Token)
	switch {
	case ok && supply == 0:
		g.attrs.fail("supply", "bad supply", errors.New("it must be more than 0"))
	case !ok && paper:
		supply = DefaultSupply * Unit
	case !ok && !g.bad:
		g.attrs.missing("supply", g.block, "how many tokens there are, for ever")
	}
	if paper {
		shares = paperSplit()
	} else if len(shares) == 0 && !g.bad {
		l.report(fault(g.block, "no allocations", "Somebody must own the %s: add allocation blocks whose shares add up to 100.", g.out.Token))
	}
	l.report(g.attrs.diags...)
	if g.bad || len(g.attrs.diags) > 0 {
		return g.out
	}
	g.out.Supply = supply
	l.report(g.amounts(shares, supply, slotMs)...)
	l.report(g.producers()...)
	return g.out
}

// amounts turns shares into amounts.
func (g *genesisReader) amounts(shares []share, supply, slotMs uint64) (diags hcl.Diagnostics) {
	var sum uint64
	for _, s := range shares {
		sum += s.ppm // each is at most 100 %, and a file holds few
	}
	if len(shares) > 0 && sum != allShares {
		place := g.block
		if b := g.content.Blocks.OfType("allocation"); len(b) > 0 {
			place = b[0].DefRange
		}
		return hcl.Diagnostics{fault(place, "shares do not add up to 100", "The shares of the allocations add up to %s; they must add up to exactly 100.", formatShare(sum))}
	}
	for _, s := range shares {
		v := new(big.Int).SetUint64(supply)
		rest := new(big.Int)
		v.QuoRem(v.Mul(v, new(big.Int).SetUint64(s.ppm)), big.NewInt(allShares), rest)
		if rest.Sign() != 0 {
			diags = append(diags, fault(g.block, "share is no whole amount", "The share of %q, %s %% of %s, is no whole number of the smallest unit, 0.000001 %s.",
				s.name, formatShare(s.ppm), FormatAmount(supply, g.out.Token), g.out.Token))
			continue
		}
		a := AllocationBlock{Name: s.name, Amount: v.Uint64(), Account: s.account}
		if t := s.vesting; t != nil {
			a.Vesting = &Vesting{ticks(t.cliff, slotMs), ticks(t.duration, slotMs), ticks(t.step, slotMs)}
		}
		g.out.Allocations = append(g.out.Allocations, a)
	}
	return diags
}

// ticks rounds up, so that nothing is free before the time that the spec says.
func ticks(d time.Duration, slotMs uint64) uint64 {
	slot := slotMs * uint64(time.Millisecond)
	return (uint64(d) + slot - 1) / slot
}

func formatShare(ppm uint64) string {
	s := fmt.Sprintf("%d.%04d", ppm/10_000, ppm%10_000)
	for s[len(s)-1] == '0' {
		s = s[:len(s)-1]
	}
	if s[len(s)-1] == '.' {
		s = s[:len(s)-1]
	}
	return s
}

func (g *genesisReader) allocation(b *hcl.Block) (s share, diags hcl.Diagnostics) {
	s.name = b.Labels[0]
	if err := checkName("allocation", s.name); err != nil {
		diags = append(diags, fault(b.LabelRanges[0], "bad name", "%s.", err))
	}
	c, d := b.Body.Content(allocationSchema)
	diags = append(diags, d...)
	a := evaluated(c.Attributes, g.ctx)
	if v, ok := a.known("share"); ok {
		text, err := asDecimal(v)
		if err == nil {
			s.ppm, err = parseDecimal(text, allShares/100)
		}
		if err == nil && (s.ppm == 0 || s.ppm > allShares) {
			err = fmt.Errorf("%s is not allowed; it must be more than 0 and at most 100", text)
		}
		if err != nil {
			a.fail("share", "bad share", fmt.Errorf("%w; it is a percentage of the supply with at most four decimals", err))
		}
	}
	if text, ok := a.text("account"); ok {
		id, err := types.ParseAccountID(text)
		if err != nil {
			a.fail("account", "bad account", err)
		}
		s.account = &id
	}
	diags = append(diags, a.diags...)
	for i, v := range c.Blocks {
		if i > 0 {
			diags = append(diags, fault(v.DefRange, "vesting block written twice", "An allocation has one schedule."))
			break
		}
		t, d := g.vesting(v)
		diags = append(diags, d...)
		s.vesting = t
	}
	return s, diags
}

func (g *genesisReader) vesting(b *hcl.Block) (*vestingTimes, hcl.Diagnostics) {
	a := newAttributes(b.Body, g.ctx, "cliff", "duration", "step")
	var t vestingTimes
	var ok bool
	t.cliff, _ = a.duration("cliff")
	if t.duration, ok = a.duration("duration"); !ok {
		a.missing("duration", b.DefRange, "when all of it has vested, counted from slot 0")
	}
	if t.step, ok = a.duration("step"); !ok {
		t.step = 1 // a tick, after rounding up
	}
	if len(a.diags) > 0 {
		return nil, a.diags
	}
	switch {
	case t.duration == 0:
		a.fail("duration", "bad vesting", errors.New("it must be more than 0"))
	case t.cliff > t.duration:
		a.fail("cliff", "bad vesting", errors.New("it is later than the duration"))
	case t.step == 0 || t.step > t.duration:
		a.fail("step", "bad vesting", errors.New("it must be more than 0 and at most the duration"))
	}
	return &t, a.diags
}

func (g *genesisReader) producers() (diags hcl.Diagnostics) {
	names, keys := map[string]bool{}, map[types.Hash]string{}
	for _, b := range g.content.Blocks.OfType("producer") {
		p := Producer{Name: b.Labels[0]}
		if err := checkName("producer", p.Name); err != nil {
			diags = append(diags, fault(b.LabelRanges[0], "bad name", "%s.", err))
		}
		if names[p.Name] {
			diags = append(diags, fault(b.LabelRanges[0], "producer named twice", "There is another producer %q in this chain.", p.Name))
		}
		names[p.Name] = true
		a := newAttributes(b.Body, g.ctx, "key", "stake")
		p.Stake, _ = a.amount("stake", g.out.Token)
		if text, ok := a.text("key"); !ok {
			a.missing("key", b.DefRange, "the producer's public key, altopub1…; `alto keys list` shows keys")
		} else if key, err := types.ParsePublicKey(text); err != nil {
			a.fail("key", "bad key", err)
		} else if other, ok := keys[key.Hash()]; ok {
			a.fail("key", "key used twice", fmt.Errorf("producer %q has the same", other))
		} else {
			keys[key.Hash()], p.Key = p.Name, key
		}
		diags = append(diags, a.diags...)
		g.out.Producers = append(g.out.Producers, p)
	}
	if len(g.out.Producers) > types.MaxSeats {
		diags = append(diags, fault(g.block, "too many producers", "A chain has at most %d.", types.MaxSeats))
	}
	return diags
}

// limits reads the limits block, or takes the defaults.
func (l *loader) limits(in *instance, ctx *hcl.EvalContext) Limits {
	out := Limits{BlockBytes: DefaultBlockBytes, TxBytes: DefaultTxBytes, BlockGas: DefaultBlockGas}
	b := l.single(in, "limits")
	if b == nil {
		return out
	}
	a := newAttributes(b.Body, ctx, "block_bytes", "tx_bytes", "block_gas")
	if v, ok := a.size("block_bytes"); ok {
		out.BlockBytes = v
		if v == 0 || v > types.MaxBodyBytes {
			a.fail("block_bytes", "out of range", fmt.Errorf("%s is not allowed; it must be 1B to %s", formatSize(v), formatSize(types.MaxBodyBytes)))
		}
	}
	if v, ok := a.size("tx_bytes"); ok {
		out.TxBytes = v
		if v == 0 || v > types.MaxTxBytes {
			a.fail("tx_bytes", "out of range", fmt.Errorf("%s is not allowed; it must be 1B to %s", formatSize(v), formatSize(types.MaxTxBytes)))
		}
	}
	if v, ok := a.integer("block_gas", 1, maxSafeInteger); ok {
		out.BlockGas = v
	}
	if len(a.diags) == 0 && out.TxBytes > out.BlockBytes {
		a.diags = append(a.diags, fault(b.DefRange, "limits contradict each other", "tx_bytes, %s, is more than block_bytes, %s.", formatSize(out.TxBytes), formatSize(out.BlockBytes)))
	}
	l.report(a.diags...)
	return out
}

// fees reads the fees block, or takes the defaults.
func (l *loader) fees(in *instance, ctx *hcl.EvalContext, token string) Fees {
	out := Fees{PerByte: DefaultPerByte, Floor: DefaultFloor}
	b := l.single(in, "fees")
	if b == nil {
		return out
	}
	a := newAttributes(b.Body, ctx, "per_byte", "per_gas", "floor", "burn_ppm")
	for name, to := range map[string]*uint64{"per_byte": &out.PerByte, "per_gas": &out.PerGas, "floor": &out.Floor} {
		if v, ok := a.amount(name, token); ok {
			*to = v
		}
	}
	if v, ok := a.integer("burn_ppm", 0, 1_000_000); ok {
		out.BurnPPM = v
	}
	l.report(a.diags...)
	return out
}
