package chainspec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"

	"github.com/paloalto-chain/paloalto/sdk/params"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// ErrBadGenesis is wrapped by every error about a genesis document.
var ErrBadGenesis = errors.New("bad genesis document")

// domainGenesis starts what is hashed to a chain's id.
const domainGenesis = "paloalto/genesis/1\x00"

// GenesisFormat is the only format of genesis documents so far.
const GenesisFormat = 1

// Limits of genesis documents.
const (
	MaxGenesisBytes = 2 << 20 // a child's document is bounded by types.MaxGenesisBytes in addition
	MaxModules      = 64
	MaxAllocations  = 4096
	MaxConfigBytes  = 64 << 10
	MaxSlotMs       = 3_600_000

	maxSafeInteger = 1<<53 - 1 // what every JSON reader represents exactly
	maxVestings    = 16        // schedules that one account can have
)

// Genesis is the resolved genesis document of a chain. Everything that is critical to consensus is in it, defaults filled
// in; nothing else is. Its canonical form is JSON without white space, fields in the order of this struct, keys of plugin
// configurations sorted, amounts as decimal strings, no fraction or exponent anywhere; absent fields are left out. The hash of
// that form is the chain's id.
type Genesis struct {
	Format      uint64         `json:"format"` // 1
	Name        string         `json:"name"`
	Parent      *types.ChainID `json:"parent,omitempty"` // nil: a root
	Token       string         `json:"token"`
	Supply      uint64         `json:"supply,string"` // in the smallest unit, of which a token has 10^6
	TimeMs      uint64         `json:"time_ms"`       // Unix milliseconds of slot 0
	SlotMs      uint64         `json:"slot_ms"`       // length of a slot at genesis, and the tick of the chain's clock for ever
	Consensus   Rules          `json:"consensus"`
	VM          *Rules         `json:"vm,omitempty"`
	Oracle      *Rules         `json:"oracle,omitempty"`
	Modules     []ModuleRules  `json:"modules,omitempty"` // in the order of execution, after the native modules
	Limits      Limits         `json:"limits"`
	Fees        Fees           `json:"fees"`
	Allocations []Allocation   `json:"allocations"`
	Producers   []Producer     `json:"producers"`
	Params      *Params        `json:"params,omitempty"` // nil: nothing can change
}

// Rules says what a chain computes with: a plugin, the version of its rules, and its consensus-critical settings, a JSON
// object in the form of plugin.OpenRequest.Config.
type Rules struct {
	Plugin string          `json:"plugin"`
	Rules  string          `json:"rules"`
	Config json.RawMessage `json:"config"`
}

// ModuleRules is a module of the chain's own: the name by which transactions speak to it, and what computes it.
type ModuleRules struct {
	Name   string          `json:"name"`
	Plugin string          `json:"plugin"`
	Rules  string          `json:"rules"`
	Config json.RawMessage `json:"config"`
}

// Limits bounds blocks and transactions.
type Limits struct {
	BlockBytes uint64 `json:"block_bytes"` // of an encoded body
	TxBytes    uint64 `json:"tx_bytes"`    // of a transaction with its signatures
	BlockGas   uint64 `json:"block_gas"`   // Σ max_gas of a block's transactions
}

// Fees is the price list: max(Floor, bytes × PerByte + gas × PerGas), in the smallest unit.
type Fees struct {
	PerByte uint64 `json:"per_byte,string"`
	PerGas  uint64 `json:"per_gas,string"`
	Floor   uint64 `json:"floor,string"`
	BurnPPM uint64 `json:"burn_ppm"` // the share of each fee that is burned, in millionths
}

// Allocation is an account's balance at genesis.
type Allocation struct {
	Name    string          `json:"name"`
	Account types.AccountID `json:"account"`
	Amount  uint64          `json:"amount,string"`
	Vesting *Vesting        `json:"vesting,omitempty"`
}

// Vesting locks an allocation: nothing is free before Cliff, then what has vested since slot 0, in steps. All three count
// ticks of the chain's clock.
type Vesting struct {
	Cliff    uint64 `json:"cliff"`
	Duration uint64 `json:"duration"`
	Step     uint64 `json:"step"`
}

// Producer is a member of the first producer set.
type Producer struct {
	Name  string          `json:"name"`
	Key   types.PublicKey `json:"key"`
	Stake uint64          `json:"stake,string"` // in the smallest unit
}

// ID returns the chain's id. The document must be valid.
func (g *Genesis) ID() types.ChainID { return types.Sum(domainGenesis, g.Encode()) }

// Encode returns the canonical bytes. A document that [Genesis.Validate] refuses is encoded to something that
// [DecodeGenesis] refuses.
func (g *Genesis) Encode() []byte {
	d := *g
	d.Consensus = encodableRules(g.Consensus)
	if g.VM != nil {
		r := encodableRules(*g.VM)
		d.VM = &r
	}
	if g.Oracle != nil {
		r := encodableRules(*g.Oracle)
		d.Oracle = &r
	}
	d.Modules = nil
	for _, m := range g.Modules {
		m.Config = encodableConfig(m.Config)
		d.Modules = append(d.Modules, m)
	}
	if d.Allocations == nil {
		d.Allocations = []Allocation{}
	}
	if d.Producers == nil {
		d.Producers = []Producer{}
	}
	d.Params = g.Params.encodable()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(&d); err != nil {
		return []byte("null") // not reachable: nothing in the document can fail to be written
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func encodableRules(r Rules) Rules {
	r.Config = encodableConfig(r.Config)
	return r
}

func encodableConfig(c json.RawMessage) json.RawMessage {
	out, err := canonicalObject(c)
	if err != nil {
		return json.RawMessage("null")
	}
	return out
}

// DecodeGenesis reads a genesis document and validates it. It accepts exactly what [Genesis.Encode] writes, so that a
// document has one id.
func DecodeGenesis(b []byte) (*Genesis, error) {
	if len(b) > MaxGenesisBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrBadGenesis, len(b), MaxGenesisBytes)
	}
	if err := checkDepth(b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadGenesis, err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var g Genesis
	if err := d.Decode(&g); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadGenesis, err)
	}
	if err := g.Validate(); err != nil {
		return nil, err
	}
	if want := g.Encode(); !bytes.Equal(want, b) {
		return nil, fmt.Errorf("%w: not in canonical form from byte %d on; write it with `alto genesis`", ErrBadGenesis, firstDifference(want, b))
	}
	return &g, nil
}

func firstDifference(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// Validate checks the document by itself: names, bounds, that the allocations add up to the supply, that keys and names
// differ. Whether plugins with these rules exist is the host's affair.
func (g *Genesis) Validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: chain %q: %w", ErrBadGenesis, g.Name, fmt.Errorf(format, args...))
	}
	if g.Format != GenesisFormat {
		return bad("format %d is unknown, this version reads %d", g.Format, GenesisFormat)
	}
	if err := checkName("chain", g.Name); err != nil {
		return bad("%w", err)
	}
	if g.Parent != nil && g.Parent.IsZero() {
		return bad("parent: the id is zero")
	}
	if err := checkToken(g.Token); err != nil {
		return bad("%w", err)
	}
	if g.TimeMs > maxSafeInteger {
		return bad("time_ms %d: at most %d is allowed", g.TimeMs, uint64(maxSafeInteger))
	}
	if g.SlotMs == 0 || g.SlotMs > MaxSlotMs {
		return bad("slot_ms %d: 1 to %d milliseconds are allowed", g.SlotMs, MaxSlotMs)
	}
	if err := g.validateRules(); err != nil {
		return bad("%w", err)
	}
	if err := g.Limits.validate(); err != nil {
		return bad("limits: %w", err)
	}
	if err := g.Fees.validate(); err != nil {
		return bad("fees: %w", err)
	}
	if err := g.validateAllocations(); err != nil {
		return bad("%w", err)
	}
	if err := g.validateProducers(); err != nil {
		return bad("%w", err)
	}
	if err := g.validateParams(); err != nil {
		return bad("%w", err)
	}
	return nil
}

func (g *Genesis) validateRules() error {
	if err := g.Consensus.validate(); err != nil {
		return fmt.Errorf("consensus: %w", err)
	}
	if g.VM != nil {
		if err := g.VM.validate(); err != nil {
			return fmt.Errorf("vm: %w", err)
		}
	}
	if g.Oracle != nil {
		if err := g.Oracle.validate(); err != nil {
			return fmt.Errorf("oracle: %w", err)
		}
	}
	if len(g.Modules) > MaxModules {
		return fmt.Errorf("%d modules, at most %d are allowed", len(g.Modules), MaxModules)
	}
	seen := map[string]bool{}
	for _, m := range g.Modules {
		if err := checkName("module", m.Name); err != nil {
			return err
		}
		if reservedModule(m.Name) {
			return fmt.Errorf("module %q: the name belongs to a native module; choose another", m.Name)
		}
		if seen[m.Name] {
			return fmt.Errorf("module %q: named twice", m.Name)
		}
		seen[m.Name] = true
		if err := (Rules{m.Plugin, m.Rules, m.Config}).validate(); err != nil {
			return fmt.Errorf("module %q: %w", m.Name, err)
		}
	}
	return nil
}

// reservedModule tells whether transactions reach something of the core's own, or the VM or the oracle, under this name.
func reservedModule(name string) bool {
	switch name {
	case types.ModuleAccount, types.ModuleBank, types.ModuleContract, types.ModuleChains, "oracle", "consensus", "vm", "storage",
		"transport", "chain", "core", "stake", params.Module, FeesModule, "limits":
		return true
	}
	return false
}

func (r Rules) validate() error {
	if err := checkName("plugin", r.Plugin); err != nil {
		return err
	}
	if err := checkRulesVersion(r.Rules); err != nil {
		return fmt.Errorf("plugin %q: %w", r.Plugin, err)
	}
	if len(r.Config) > MaxConfigBytes {
		return fmt.Errorf("plugin %q: config of %d bytes, at most %d are allowed", r.Plugin, len(r.Config), MaxConfigBytes)
	}
	if _, err := canonicalObject(r.Config); err != nil {
		return fmt.Errorf("plugin %q: config: %w", r.Plugin, err)
	}
	return nil
}

func (l Limits) validate() error {
	switch {
	case l.BlockBytes == 0 || l.BlockBytes > types.MaxBodyBytes:
		return fmt.Errorf("block_bytes %d: 1 to %d are allowed", l.BlockBytes, types.MaxBodyBytes)
	case l.TxBytes == 0 || l.TxBytes > types.MaxTxBytes:
		return fmt.Errorf("tx_bytes %d: 1 to %d are allowed", l.TxBytes, types.MaxTxBytes)
	case l.TxBytes > l.BlockBytes:
		return fmt.Errorf("tx_bytes %d is more than block_bytes %d", l.TxBytes, l.BlockBytes)
	case l.BlockGas == 0 || l.BlockGas > maxSafeInteger:
		return fmt.Errorf("block_gas %d: 1 to %d is allowed", l.BlockGas, uint64(maxSafeInteger))
	}
	return nil
}

func (f Fees) validate() error {
	if f.BurnPPM > 1_000_000 {
		return fmt.Errorf("burn_ppm %d: at most 1000000, which is all, is allowed", f.BurnPPM)
	}
	return nil
}

func (g *Genesis) validateAllocations() error {
	if g.Supply == 0 {
		return errors.New("supply: it must be more than 0")
	}
	if len(g.Allocations) == 0 || len(g.Allocations) > MaxAllocations {
		return fmt.Errorf("%d allocations, 1 to %d are allowed", len(g.Allocations), MaxAllocations)
	}
	seen, schedules := map[string]bool{}, map[types.AccountID]int{}
	var sum, carry uint64
	for _, a := range g.Allocations {
		if err := checkName("allocation", a.Name); err != nil {
			return err
		}
		if seen[a.Name] {
			return fmt.Errorf("allocation %q: named twice", a.Name)
		}
		seen[a.Name] = true
		if sum, carry = bits.Add64(sum, a.Amount, 0); carry != 0 {
			return fmt.Errorf("allocation %q: the sum of the allocations is more than 64 bits hold", a.Name)
		}
		if v := a.Vesting; v != nil {
			if err := v.validate(); err != nil {
				return fmt.Errorf("allocation %q: vesting: %w", a.Name, err)
			}
			if schedules[a.Account]++; schedules[a.Account] > maxVestings {
				return fmt.Errorf("allocation %q: account %s has more than %d vesting schedules", a.Name, a.Account, maxVestings)
			}
		}
	}
	if sum != g.Supply {
		return fmt.Errorf("the allocations add up to %d, the supply is %d", sum, g.Supply)
	}
	return nil
}

func (v Vesting) validate() error {
	switch {
	case v.Duration == 0 || v.Duration > maxSafeInteger:
		return fmt.Errorf("duration %d: 1 to %d ticks are allowed", v.Duration, uint64(maxSafeInteger))
	case v.Cliff > v.Duration:
		return fmt.Errorf("cliff %d is later than duration %d", v.Cliff, v.Duration)
	case v.Step == 0 || v.Step > v.Duration:
		return fmt.Errorf("step %d: 1 to the duration, %d, is allowed", v.Step, v.Duration)
	}
	return nil
}

func (g *Genesis) validateProducers() error {
	if len(g.Producers) == 0 || len(g.Producers) > types.MaxSeats {
		return fmt.Errorf("%d producers, 1 to %d are allowed", len(g.Producers), types.MaxSeats)
	}
	names, keys := map[string]bool{}, map[types.Hash]string{}
	for _, p := range g.Producers {
		if err := checkName("producer", p.Name); err != nil {
			return err
		}
		if names[p.Name] {
			return fmt.Errorf("producer %q: named twice", p.Name)
		}
		names[p.Name] = true
		if err := p.Key.Validate(); err != nil {
			return fmt.Errorf("producer %q: key: %w", p.Name, err)
		}
		if other, ok := keys[p.Key.Hash()]; ok {
			return fmt.Errorf("producers %q and %q have the same key", other, p.Name)
		}
		keys[p.Key.Hash()] = p.Name
	}
	return nil
}
