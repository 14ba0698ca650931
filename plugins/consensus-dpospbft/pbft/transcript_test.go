package pbft

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// puppets are three honest machines and a fourth seat whose key the test has. With a turn of 1000 slots, slots 3000 to 3999 are
// the fourth's, so that every block is made by the adversary.
type puppets struct {
	t       *testing.T
	set     *types.Set
	genesis *types.Header
	ms      [3]*Machine
	blocks  map[string]*Proposal
	ps, cs  map[string]map[int][]byte // signed votes: block, seat
}

func newPuppets(t *testing.T, r rules) *puppets {
	s := newSim(1, plan{n: 4, slotMs: 500, turn: 1, delayMs: 1})
	p := &puppets{t: t, set: s.set, genesis: s.genesis, blocks: map[string]*Proposal{}, ps: map[string]map[int][]byte{}, cs: map[string]map[int][]byte{}}
	for i := range p.ms {
		m, err := New(Config{SlotMs: 500, Turn: 1000, Verifier: modelVerifier{}, rules: r}, &consensus.Start{Genesis: p.genesis, Set: p.set,
			Key: &p.set.Seats[i].Key, Final: p.genesis, NowMs: simGenesisMs + 3500*500, GenesisTimeMs: simGenesisMs})
		if err != nil {
			t.Fatal(err)
		}
		p.ms[i] = m
		p.drain(i)
	}
	return p
}

// block makes a block on a parent, in slot 3000 + number, with justify.
func (p *puppets) block(name, parent, justify string) {
	ref := func(name string) (*types.Header, Ref) {
		if name == "G" {
			return p.genesis, Ref{0, p.genesis.ID()}
		}
		h := p.blocks[name].Header
		return h, Ref{h.Slot, h.ID()}
	}
	ph, pr := ref(parent)
	_, jr := ref(justify)
	n, _ := strconv.Atoi(name)
	x := Extra{Justify: jr, FinalRef: FinalRef{0, 0, p.genesis.ID()}}
	h := &types.Header{Chain: p.genesis.Chain, Height: ph.Height + 1, Slot: 3000 + uint64(n), Parent: pr.ID, Producer: p.set.Seats[3].Key.Hash(),
		Consensus: x.Encode()}
	p.blocks[name] = &Proposal{Header: h, Sig: p.sign(3, PurposePropose, ProposePayload(h.ID(), h.Slot))}
	setHash := p.set.Hash()
	pre := &Prepare{Slot: h.Slot, Height: h.Height, ID: h.ID(), Src: jr.Slot, Seat: 3}
	pre.Sig = p.sign(3, PurposePrepare, PreparePayload(setHash, 0, h.Slot, h.Height, h.ID(), jr.Slot))
	p.ps[name] = map[int][]byte{3: EncodeMessage(pre)}
	com := &Commit{Slot: h.Slot, Height: h.Height, ID: h.ID(), Seat: 3}
	com.Sig = p.sign(3, types.PurposeCommit, types.CommitPayload(setHash, 0, h.Slot, h.Height, h.ID()))
	p.cs[name] = map[int][]byte{3: EncodeMessage(com)}
}

func (p *puppets) sign(seat int, purpose string, payload []byte) []byte {
	return modelSign(p.set.Seats[seat].Key, types.SignBytes(p.genesis.Chain, purpose, payload))
}

func (p *puppets) drain(i int) {
	m := p.ms[i]
	for m.HasReady() {
		r := m.Ready()
		for _, u := range r.Sign {
			raw := append(append([]byte(nil), u.Message...), p.sign(i, u.Purpose, u.Payload)...)
			msg, err := DecodeMessage(raw)
			if err != nil {
				p.t.Fatal(err)
			}
			for name, b := range p.blocks {
				switch v := msg.(type) {
				case *Prepare:
					if v.ID == b.Header.ID() {
						p.ps[name][i] = raw
					}
				case *Commit:
					if v.ID == b.Header.ID() {
						p.cs[name][i] = raw
					}
				}
			}
			_ = m.Step(&consensus.Message{Payload: raw})
		}
		for _, k := range r.Check {
			_ = m.Step(&consensus.Checked{Block: k.Header.ID(), OK: true})
		}
	}
}

// play carries out a transcript such as "H1P2", which gives block 2 to H1 and tells whether H1 prepares it, and "H1C2", which
// gives all PREPAREs for it. It returns the first step that is refused.
func (p *puppets) play(script string) string {
	adversary := types.Sum("test", []byte("adversary"))
	for _, step := range strings.Fields(script) {
		i, name := int(step[1]-'1'), step[3:]
		_ = p.ms[i].Step(&consensus.Message{From: adversary, Payload: EncodeMessage(p.blocks[name])})
		p.drain(i)
		votes := p.ps
		if step[2] == 'C' {
			votes = p.cs
			for seat := range 4 {
				if raw := p.ps[name][seat]; raw != nil {
					_ = p.ms[i].Step(&consensus.Message{From: adversary, Payload: raw})
					p.drain(i)
				}
			}
		}
		if votes[name][i] == nil {
			return step
		}
	}
	return ""
}

// TestTranscripts plays the shortest known runs that lead to conflicting finality without a rule: without it every step is
// taken, with it the run ends where it must.
func TestTranscripts(t *testing.T) {
	for _, c := range []struct {
		name, blocks, script, refused, final string
		without                              rules
	}{
		{"R2", "1(G,G) 2(G,G)", "H1P1 H1P2 H2P1 H2C1 H2P2 H1C2 H2C2 H3C1", "H2P2", "1 2", rules{noR2: true}},
		{"R4", "1(G,G) 2(G,G)", "H1P1 H1P2 H2P1 H1C1 H2C1 H3P2 H1C2 H2C2", "H1C1", "1 2", rules{noR4: true}},
		{"forkSlot", "1(G,G) 2(G,G) 3(1,G)", "H1P1 H1P2 H1P3 H2P1 H1C1 H2C1 H3P2 H2C2 H3C2", "H1C1", "1 2", rules{noForkSlot: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, r := range []rules{{}, c.without} {
				p := newPuppets(t, r)
				for _, b := range strings.Fields(c.blocks) {
					refs := strings.Split(strings.Trim(b[1:], "()"), ",")
					p.block(b[:1], refs[0], refs[1])
				}
				refused := p.play(c.script)
				if r == (rules{}) {
					if refused != c.refused {
						t.Errorf("with all rules the first step refused is %q, want %q", refused, c.refused)
					}
					continue
				}
				if refused != "" {
					t.Fatalf("without the rule step %s is refused", refused)
				}
				for _, name := range strings.Fields(c.final) {
					if n := len(p.cs[name]); n < 3 {
						t.Errorf("without the rule block %s has %d COMMITs", name, n)
					}
				}
			}
		})
	}
}

// TestConflictHalts gives a machine two certificates that exclude one another.
func TestConflictHalts(t *testing.T) {
	p := newPuppets(t, rules{})
	p.block("1", "G", "G")
	p.block("2", "G", "G")
	from := types.Sum("test", []byte("adversary"))
	cert := func(name string) *types.Certificate {
		h := p.blocks[name].Header
		c := &types.Certificate{Scheme: types.CertEd25519List, SetHash: p.set.Hash(), Slot: h.Slot, Height: h.Height, Block: h.ID(), Bitmap: []byte{0b1011}}
		for _, seat := range []int{0, 1, 3} {
			c.Signatures = append(c.Signatures, p.sign(seat, types.PurposeCommit, types.CommitPayload(c.SetHash, 0, h.Slot, h.Height, h.ID())))
		}
		return c
	}
	for _, viaCore := range []bool{false, true} {
		t.Run(fmt.Sprintf("by the core %t", viaCore), func(t *testing.T) {
			m := p.ms[0]
			if viaCore {
				m = p.ms[1]
			}
			for _, name := range []string{"1", "2"} {
				_ = m.Step(&consensus.Message{From: from, Payload: EncodeMessage(p.blocks[name])})
				for m.HasReady() {
					for _, k := range m.Ready().Check {
						_ = m.Step(&consensus.Checked{Block: k.Header.ID(), OK: true})
					}
				}
			}
			_ = m.Step(&consensus.Message{From: from, Payload: EncodeMessage(&Status{Final: cert("1")})})
			if m.Halted() != "" || m.final.h.Slot != 3001 {
				t.Fatalf("halted %q, final slot %d", m.Halted(), m.final.h.Slot)
			}
			m.Ready()
			if viaCore {
				_ = m.Step(&consensus.Finalised{Header: p.blocks["2"].Header, Cert: cert("2")})
			} else {
				_ = m.Step(&consensus.Message{From: from, Payload: EncodeMessage(&Status{Final: cert("2")})})
			}
			if m.Halted() == "" || m.Ready().Halt == "" {
				t.Fatal("two conflicting certificates do not stop the machine")
			}
		})
	}
}
