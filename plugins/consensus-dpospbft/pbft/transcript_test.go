package pbft

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/evidence"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/light"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

var rewrite = flag.Bool("transcripts", false, "write the outcomes in testdata/transcripts again")

// puppets are three honest machines, H1 to H3, and a fourth seat, A, whose key the transcript has. With a turn of 1000 slots,
// slots 3000 to 3999 are the fourth's, so that every block is made by the adversary: block 7 is of slot 3007. With a shorter turn
// the others make blocks too, which are named in the same way. Nothing is delivered but by a line of the transcript:
//
//	with RULE ... [turn N] [from S]   begins anew without these rules or with "all", with turns of N slots, in slot S
//	block N on P justify J [slot S] [closes] [epoch E] [wrong proof] [salt S]   makes a block; G is genesis
//	H1 P N        gives a block to H1
//	H1 C N        gives it the block and all PREPAREs for it that there are
//	H1 F N        gives it the block and all COMMITs
//	H1 QC N [seats S,S]   gives it a status with a PrepareQC of those PREPAREs; a seat may be named twice
//	A P N src M [seat S]   the adversary (or that seat, which is its as well) prepares N with another src
//	H1 slot S [+MS]   tells it the time; it makes its block if the slot is its own
//	H1 restarts       from its journal
//	H1 state, H1 journal   show what it is at, and the kinds of its records
//	H1 shown N    by somebody who has all keys of N's epoch: block and certificate, in all ways there are
//	all P N       is H1 P N, H2 P N and H3 P N; so with all that begins with H1
//	committed     names the blocks that a quorum has committed to, whoever knows of it
//	L checkpoint N trusting S     begins a light client at a block, with a trusting period of S slots
//	L shown N at S                shows it that block, as above, in a slot
//
// and ends with what came of it.
type puppets struct {
	setting
	ver     *simVerifier
	sets    []*types.Set
	genesis *types.Header
	hs      [3]*puppet
	blocks  map[string]*Proposal
	names   map[types.BlockID]string
	ps, cs  map[string]map[int][]byte // signed votes: block, seat
	light   *light.Client
}

// setting is what a line "with ..." sets.
type setting struct {
	rules rules
	turn  uint64
	from  uint64 // slot
}

var usual = setting{turn: 1000, from: 3500}

type puppet struct {
	m       *Machine
	now     uint64
	journal []entry
	final   *types.Header
	proof   *types.Finality
}

func newPuppets(t testing.TB, s setting) *puppets {
	p := &puppets{setting: s, ver: newSimVerifier(&sim{plan: plan{rules: s.rules}}), blocks: map[string]*Proposal{}, names: map[types.BlockID]string{},
		ps: map[string]map[int][]byte{}, cs: map[string]map[int][]byte{}}
	var keys []types.PublicKey
	for i := range 4 {
		keys = append(keys, simKeyOf(i).pub)
	}
	for e := range 3 {
		p.sets = append(p.sets, types.EqualSet(uint64(e), keys))
	}
	p.genesis = &types.Header{Chain: types.Sum("test", []byte("chain")), NextSet: p.sets[0].Hash()}
	p.names[p.genesis.ID()] = "G"
	for i := range p.hs {
		p.hs[i] = &puppet{now: simGenesisMs + s.from*500, final: p.genesis}
		if err := p.start(i); err != nil {
			t.Fatal(err)
		}
		p.drain(i)
	}
	return p
}

func (p *puppets) start(i int) error {
	h := p.hs[i]
	st := &consensus.Start{Genesis: p.genesis, Set: p.sets[h.final.Epoch], Key: &p.sets[0].Seats[i].Key, Final: h.final, FinalProof: h.proof, EpochStart: p.genesis,
		NowMs: h.now, GenesisTimeMs: simGenesisMs}
	if h.final.Closes() {
		st.Next = p.sets[h.final.Epoch+1]
	}
	for _, e := range h.journal {
		st.Records = append(st.Records, bytes.Clone(e.record))
	}
	m, err := New(Config{SlotMs: 500, Turn: p.turn, Verifier: p.ver, rules: p.rules, twin: true}, st)
	if err != nil {
		return err
	}
	h.m = m
	return nil
}

func (p *puppets) sign(seat int, purpose string, payload []byte) []byte {
	return p.ver.sign(simKeyOf(seat), types.SignBytes(p.genesis.Chain, purpose, payload))
}

func (p *puppets) header(name string) (*types.Header, error) {
	if name == "G" {
		return p.genesis, nil
	}
	if b := p.blocks[name]; b != nil {
		return b.Header, nil
	}
	return nil, fmt.Errorf("there is no block %s", name)
}

// name names a block, or a slot by its block's number.
func (p *puppets) name(id types.BlockID) string {
	if n := p.names[id]; n != "" {
		return n
	}
	return "?"
}

func short(slot uint64) string {
	if slot == 0 {
		return "G"
	}
	return strconv.Itoa(int(slot) - 3000)
}

// block makes a block and the adversary's votes for it.
func (p *puppets) block(args []string) error {
	name := args[0]
	n, err := strconv.Atoi(strings.TrimRight(name, "abc"))
	if err != nil {
		return err
	}
	var parent, justify *types.Header
	slot, salt := uint64(3000+n), name
	h := &types.Header{Chain: p.genesis.Chain, Producer: simKeyOf(3).hash}
	epochSet, wrong, closes := false, false, false
	for i := 1; i < len(args); i++ {
		next := func() string {
			i++
			if i < len(args) {
				return args[i]
			}
			return ""
		}
		switch args[i] {
		case "on":
			parent, err = p.header(next())
		case "justify":
			justify, err = p.header(next())
		case "slot":
			slot, err = strconv.ParseUint(next(), 10, 64)
		case "epoch":
			h.Epoch, err = strconv.ParseUint(next(), 10, 64)
			epochSet = true
		case "closes":
			closes = true
		case "wrong":
			wrong = next() == "proof"
		case "salt":
			salt = next()
		default:
			err = fmt.Errorf("what is %q?", args[i])
		}
		if err != nil {
			return err
		}
	}
	if !epochSet {
		h.Epoch = parent.Epoch
	}
	if closes {
		h.NextSet = p.sets[h.Epoch+1].Hash()
	}
	set := p.sets[h.Epoch]
	h.Height, h.Slot, h.Parent, h.BodyRoot = parent.Height+1, slot, parent.ID(), types.Sum("test", []byte(salt))
	x := Extra{Justify: Ref{justify.Slot, justify.ID()}, FinalRef: FinalRef{0, 0, p.genesis.ID()}}
	for a := parent; a != nil && h.Epoch > 0; a, _ = p.header(p.name(a.Parent)) {
		if a.Epoch < h.Epoch {
			x.FinalRef = FinalRef{a.Slot, a.Height, a.ID()}
			break
		}
	}
	input := consensus.VRFInput(set.Hash(), h.Slot)
	if wrong {
		input = consensus.VRFInput(set.Hash(), h.Slot+1)
	}
	h.Consensus = append(x.withoutProof(), p.ver.prove(simKeyOf(3), input)...)
	id := h.ID()
	p.names[id] = name
	p.blocks[name] = &Proposal{Header: h, Sig: p.sign(3, PurposePropose, ProposePayload(id, h.Slot))}
	p.ps[name], p.cs[name] = map[int][]byte{}, map[int][]byte{}
	p.prepare(name, 3, justify.Slot)
	p.commit(name, 3)
	return nil
}

// prepare makes a PREPARE that no machine has made.
func (p *puppets) prepare(name string, seat int, src uint64) {
	h := p.blocks[name].Header
	v := &Prepare{Epoch: h.Epoch, Slot: h.Slot, Height: h.Height, ID: h.ID(), Src: src, Seat: uint32(seat)}
	v.Sig = p.sign(seat, PurposePrepare, PreparePayload(p.sets[h.Epoch].Hash(), h.Epoch, h.Slot, h.Height, h.ID(), src))
	p.ps[name][seat] = EncodeMessage(v)
}

func (p *puppets) commit(name string, seat int) {
	h := p.blocks[name].Header
	c := &Commit{Epoch: h.Epoch, Slot: h.Slot, Height: h.Height, ID: h.ID(), Seat: uint32(seat)}
	c.Sig = p.sign(seat, types.PurposeCommit, types.CommitPayload(p.sets[h.Epoch].Hash(), h.Epoch, h.Slot, h.Height, h.ID()))
	p.cs[name][seat] = EncodeMessage(c)
}

// drain carries out what a machine wants and tells of it.
func (p *puppets) drain(i int) []string {
	var told []string
	h := p.hs[i]
	m := h.m
	for m.HasReady() {
		r := m.Ready()
		for _, rec := range r.Persist {
			h.journal = append(h.journal, entry{record: rec})
		}
		for _, u := range r.Sign {
			raw := append(bytes.Clone(u.Message), p.sign(i, u.Purpose, u.Payload)...)
			msg, err := DecodeMessage(raw)
			switch v := msg.(type) {
			case *Prepare:
				told = append(told, fmt.Sprintf("PREPARE %s src %s", p.name(v.ID), short(v.Src)))
				p.ps[p.name(v.ID)][i] = raw
			case *Commit:
				told = append(told, "COMMIT "+p.name(v.ID))
				p.cs[p.name(v.ID)][i] = raw
			case *Proposal:
				told = append(told, p.proposed(v, u.To))
			default:
				told = append(told, fmt.Sprintf("%T %v", msg, err))
			}
			_ = m.Step(&consensus.Message{Payload: raw, NowMs: h.now})
		}
		if r.Build != nil {
			p.build(i, r.Build)
		}
		for _, k := range r.Check {
			c := &consensus.Checked{Block: k.Header.ID(), OK: true, NowMs: h.now}
			if k.Header.Closes() {
				c.Next = p.sets[k.Header.Epoch+1]
			}
			_ = m.Step(c)
		}
		for _, f := range r.Final {
			told = append(told, "final "+p.name(f.Block))
			h.final, _ = p.header(p.name(f.Block))
			if f.Proof != nil {
				h.proof = f.Proof
				if k := len(f.Proof.Suffix); k > 0 {
					told = append(told, fmt.Sprintf("shown by %d after it", k))
				}
			}
		}
		for _, raw := range r.Evidence {
			v, err := evidence.Decode(raw)
			if err != nil || v.VerifyWith(p.genesis.Chain, p.sets[v.Epoch], p.ver.Signature) != nil {
				told = append(told, "bad evidence")
				continue
			}
			told = append(told, fmt.Sprintf("evidence E%d of seat %d", v.Kind, v.Seat))
		}
		if r.Epoch != nil {
			told = append(told, fmt.Sprintf("epoch %d", r.Epoch.Epoch))
		}
		if r.Halt != "" {
			told = append(told, "halt")
		}
	}
	return told
}

// build makes the block that a machine has asked for.
func (p *puppets) build(i int, b *consensus.Build) {
	h, name := p.hs[i], short(b.Slot)
	parent, err := p.header(p.name(b.Parent))
	if err != nil {
		return // it waits in vain
	}
	x := &types.Header{Chain: p.genesis.Chain, Height: parent.Height + 1, Slot: b.Slot, Epoch: b.Epoch, Parent: b.Parent, Producer: simKeyOf(i).hash,
		BodyRoot: types.Sum("test", []byte(name)), Consensus: append(bytes.Clone(b.Consensus), p.ver.prove(simKeyOf(i), b.VRFInput)...)}
	if c, err := types.DecodeCertificate(b.Certificate); err == nil {
		x.CertHeight = c.Height
	}
	p.names[x.ID()] = name
	p.blocks[name], p.ps[name], p.cs[name] = &Proposal{Header: x}, map[int][]byte{}, map[int][]byte{}
	_ = h.m.Step(&consensus.Built{Slot: b.Slot, Parent: b.Parent, Header: x, NowMs: h.now})
}

// proposed takes up a block that a machine has signed.
func (p *puppets) proposed(v *Proposal, to []types.Hash) string {
	name := p.name(v.Header.ID())
	p.blocks[name] = v
	x, err := DecodeExtra(v.Header.Consensus)
	if err != nil {
		return err.Error()
	}
	whom := "to all"
	if to != nil {
		whom = "to some"
	}
	return fmt.Sprintf("PROPOSE %s on %s justify %s %s", name, p.name(v.Header.Parent), p.name(x.Justify.ID), whom)
}

// bought shows that a block is final by signatures of all seats of its epoch, given by whoever has the keys by now. Next is nil if
// the block does not close its epoch.
func (p *puppets) bought(name string) (h *types.Header, next *types.Set, proof *types.Finality, err error) {
	if h, err = p.header(name); err != nil {
		return nil, nil, nil, err
	}
	set := p.sets[h.Epoch]
	c := &types.Certificate{Scheme: types.CertEd25519List, SetHash: set.Hash(), Epoch: h.Epoch, Slot: h.Slot, Height: h.Height, Block: h.ID(), Bitmap: []byte{0b1111}}
	for seat := range set.Seats {
		c.Signatures = append(c.Signatures, p.sign(seat, types.PurposeCommit, types.CommitPayload(c.SetHash, c.Epoch, c.Slot, c.Height, c.Block)))
	}
	if h.Closes() {
		next = p.sets[h.Epoch+1]
	}
	return h, next, &types.Finality{Cert: c}, nil
}

// shown tells a machine of a block and its certificate in all ways there are, the last being what its core has found out.
func (p *puppets) shown(i int, name string) ([]string, error) {
	if p.blocks[name] == nil {
		return nil, fmt.Errorf("there is no block %s", name)
	}
	h, next, proof, err := p.bought(name)
	if err != nil {
		return nil, err
	}
	m := p.hs[i].m
	status := func(epoch uint64) Message {
		return &Status{Epoch: epoch, Slot: 3500, Head: Ref{h.Slot, h.ID()}, HeadHeight: h.Height, Final: proof.Cert}
	}
	list := []Message{status(h.Epoch), status(m.set.Epoch), &Proofs{Items: []*Proof{{Commit: proof.Cert}}}}
	if next != nil {
		list = append(list, &HandOver{Header: h, Next: next, Proof: proof})
	}
	var told []string
	for _, msg := range append(list, p.blocks[name]) {
		told = append(told, p.deliver(i, EncodeMessage(msg))...)
	}
	_ = m.Step(&consensus.Finalised{Header: h, Proof: proof, Next: next, NowMs: p.hs[i].now})
	return append(told, p.drain(i)...), nil
}

// lightScheme has a light client check signatures as the machines do.
type lightScheme struct{ *simVerifier }

func (lightScheme) ID() types.CertScheme { return types.CertEd25519List }

func (v lightScheme) Verify(keys []types.PublicKey, msg []byte, sigs [][]byte) error {
	for i := range keys {
		if err := v.Signature(keys[i], msg, sigs[i]); err != nil {
			return err
		}
	}
	return nil
}

// doLight carries out a line about the light client: L checkpoint N trusting S, or L shown N at S.
func (p *puppets) doLight(args []string) (string, error) {
	if len(args) != 5 {
		return "", fmt.Errorf("the light client needs 5 words, not %d", len(args))
	}
	slots, err := strconv.ParseUint(args[4], 10, 64)
	if err != nil {
		return "", err
	}
	h, next, proof, err := p.bought(args[2])
	if err != nil {
		return "", err
	}
	switch args[1] {
	case "checkpoint":
		schemes, err := light.NewSchemes(lightScheme{p.ver})
		if err != nil {
			return "", err
		}
		if h.Height == 0 {
			next = p.sets[0]
		}
		c := light.Checkpoint{ID: h.ID(), Opened: h, Set: next}
		c.Chain, c.GenesisTimeMs, c.SlotMs, c.TrustingMs = p.genesis.Chain, simGenesisMs, 500, 500*slots
		p.light, err = light.New(c, schemes)
		return "", err
	case "shown":
		now := simGenesisMs + 500*slots
		if next != nil {
			err = p.light.Advance(h, next, proof, now)
		} else {
			err = p.light.Verify(light.Claim{Header: h, Proof: proof}, now)
		}
		switch {
		case errors.Is(err, light.ErrExpired):
			return "refused: not trusted any more", nil
		case errors.Is(err, light.ErrEpoch):
			return "refused: not of this epoch", nil
		case errors.Is(err, light.ErrConflict):
			return "refused: conflict", nil
		case err != nil:
			return "", err
		}
		return fmt.Sprintf("final, epoch %d", p.light.Epoch().Number), nil
	}
	return "", fmt.Errorf("what is %q?", args[1])
}

func (p *puppets) deliver(i int, payload []byte) []string {
	h := p.hs[i]
	_ = h.m.Step(&consensus.Message{From: types.Sum("test", []byte("adversary")), Payload: payload, NowMs: h.now})
	return p.drain(i)
}

// do carries out a line and returns what came of it.
func (p *puppets) do(line string) (string, error) {
	args := strings.Fields(line)
	if args[0] == "block" {
		return "", p.block(args[1:])
	}
	if args[0] == "A" { // A P N src M [seat S]
		seat, src := 3, uint64(0)
		if len(args) > 6 {
			seat, _ = strconv.Atoi(args[6])
		}
		if args[1] == "C" {
			if len(args) > 4 {
				seat, _ = strconv.Atoi(args[4])
			}
			p.commit(args[2], seat)
			return "", nil
		}
		if args[4] != "G" {
			n, err := strconv.Atoi(args[4])
			if err != nil {
				return "", err
			}
			src = 3000 + uint64(n)
		}
		p.prepare(args[2], seat, src)
		return "", nil
	}
	switch args[0] {
	case "L":
		return p.doLight(args)
	case "committed":
		return p.committed(), nil
	case "all":
		var told []string
		for _, h := range []string{"H1", "H2", "H3"} {
			got, err := p.do(h + strings.TrimPrefix(line, "all"))
			if err != nil {
				return "", err
			}
			if got != "nothing" {
				told = append(told, h+" "+got)
			}
		}
		if len(told) == 0 {
			return "nothing", nil
		}
		return strings.Join(told, "; "), nil
	}
	i := int(args[0][len(args[0])-1]) - '1'
	if len(args[0]) != 2 || args[0][0] != 'H' || i < 0 || i > 2 || len(args) < 2 {
		return "", fmt.Errorf("there is no %s", args[0])
	}
	h := p.hs[i]
	var told []string
	switch args[1] {
	case "P", "C", "F":
		b := p.blocks[args[2]]
		if b == nil {
			return "", fmt.Errorf("there is no block %s", args[2])
		}
		told = p.deliver(i, EncodeMessage(b))
		votes := map[string]map[int][]byte{"C": p.ps[args[2]], "F": p.cs[args[2]]}[args[1]]
		for seat := range 4 {
			if raw := votes[seat]; raw != nil {
				told = append(told, p.deliver(i, raw)...)
			}
		}
	case "QC":
		b := p.blocks[args[2]].Header
		q := &PrepareQC{Epoch: b.Epoch, Slot: b.Slot, Height: b.Height, ID: b.ID()}
		seats := []string{"0", "1", "2", "3"}
		if len(args) > 4 {
			seats = strings.Split(args[4], ",")
		}
		for _, s := range seats {
			seat, _ := strconv.Atoi(s)
			if raw := p.ps[args[2]][seat]; raw != nil {
				msg, _ := DecodeMessage(raw)
				v := msg.(*Prepare)
				q.Votes = append(q.Votes, PrepareSig{Seat: v.Seat, Src: v.Src, Sig: v.Sig})
			}
		}
		told = p.deliver(i, EncodeMessage(&Status{Epoch: b.Epoch, Slot: 3500, Head: Ref{b.Slot, b.ID()}, HeadHeight: b.Height, High: &Proof{Prepare: q}}))
		told = append(told, "high "+p.name(h.m.high.id))
	case "slot":
		slot, _ := strconv.ParseUint(args[2], 10, 64)
		h.now = simGenesisMs + slot*500
		if len(args) > 3 {
			ms, _ := strconv.ParseInt(args[3], 10, 64)
			h.now = uint64(int64(h.now) + ms)
		}
		_ = h.m.Step(&consensus.Woken{NowMs: h.now})
		told = p.drain(i)
	case "shown":
		var err error
		if told, err = p.shown(i, args[2]); err != nil {
			return "", err
		}
	case "restarts":
		if err := p.start(i); err != nil {
			return "", err
		}
		told = p.drain(i)
	case "state":
		m := h.m
		return fmt.Sprintf("epoch %d final %s lock %s high %s head %s prepared %s fork %s", m.set.Epoch, p.name(m.final.id), p.name(m.lock.ID), p.name(m.high.id),
			p.name(m.head.id), short(m.lastPrep.Slot), short(m.forkSlot)), nil
	case "journal":
		for _, e := range h.journal {
			r, err := decodeRecord(e.record)
			if err != nil {
				return "", err
			}
			told = append(told, [...]string{recHeader: "header", recOwn: "own", recProof: "proof", recPrepare: "prepare", recCommit: "commit", recEpoch: "epoch"}[r.kind])
		}
		return strings.Join(told, " "), nil
	default:
		return "", fmt.Errorf("what is %q?", args[1])
	}
	told = slices.DeleteFunc(told, func(s string) bool { return s == "" })
	if len(told) == 0 {
		return "nothing", nil
	}
	return strings.Join(told, ", "), nil
}

// settingNamed reads the words after "with".
func settingNamed(words []string) (s setting, err error) {
	s = usual
	r := &s.rules
	for i := 0; i < len(words); i++ {
		switch n := words[i]; n {
		case "turn", "from":
			v := uint64(0)
			if i++; i < len(words) {
				v, err = strconv.ParseUint(words[i], 10, 64)
			}
			if err != nil || v == 0 {
				return s, fmt.Errorf("%s needs a number above 0", n)
			}
			if n == "turn" {
				s.turn = v
			} else {
				s.from = v
			}
		case "all":
		case "onePhase":
			r.onePhase = true
		case "noR2":
			r.noR2 = true
		case "noR3":
			r.noR3 = true
		case "noR4":
			r.noR4 = true
		case "noForkSlot":
			r.noForkSlot = true
		case "anySrc":
			r.anySrc = true
		case "anyJustify":
			r.anyJustify = true
		case "forgetVotes":
			r.forgetVotes = true
		case "noBackoff":
			r.noBackoff = true
		case "earlySet":
			r.earlySet = true
		case "keepSuffix":
			r.keepSuffix = true
		default:
			return s, fmt.Errorf("there is no rule %q", n)
		}
	}
	return s, nil
}

// TestTranscripts plays the files in testdata/transcripts: pitfalls of the design, and the shortest runs that lead to conflicting
// finality without a rule (c1 to c6). A line "with ..." begins anew with rules switched off, or with all; a file whose name begins with c must then end with two blocks final that
// exclude one another, and with all rules it must not.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/transcripts/*.txt")
	if err != nil || len(files) < 16 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			p := newPuppets(t, usual)
			finals := map[string]bool{}
			conflicts := strings.HasPrefix(filepath.Base(file), "c")
			section := "all rules"
			end := func() {
				if !conflicts {
					return
				}
				if two := finals["conflict"]; two == (section == "all rules") {
					t.Errorf("%s: two blocks that exclude one another are final: %t", section, two)
				}
				finals = map[string]bool{}
			}
			for i, line := range strings.Split(strings.TrimRight(string(raw), "\n"), "\n") {
				body, want, told := strings.Cut(line, "=>")
				body, want = strings.TrimRight(body, " "), strings.TrimSpace(want)
				switch {
				case body == "" || body[0] == '#':
					out = append(out, line)
					continue
				case strings.HasPrefix(body, "with "):
					end()
					section = body
					s, err := settingNamed(strings.Fields(body)[1:])
					if err != nil {
						t.Fatalf("line %d: %v", i+1, err)
					}
					p = newPuppets(t, s)
					out = append(out, line)
					continue
				}
				got, err := p.do(body)
				if err != nil {
					t.Fatalf("line %d: %s: %v", i+1, body, err)
				}
				p.note(finals)
				if got == "" {
					out = append(out, line)
					continue
				}
				out = append(out, fmt.Sprintf("%-14s => %s", body, got))
				if !*rewrite && (!told || got != want) {
					t.Errorf("line %d (%s): %s => %s, want %s", i+1, section, body, got, want)
				}
			}
			end()
			if *rewrite {
				if err := os.WriteFile(file, []byte(strings.Join(out, "\n")+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// committed names what note finds.
func (p *puppets) committed() string {
	finals := map[string]bool{}
	p.note(finals)
	conflict := finals["conflict"]
	delete(finals, "conflict")
	list := slices.SortedFunc(maps.Keys(finals), func(a, b string) int {
		return cmp.Or(cmp.Compare(p.blocks[a].Header.Slot, p.blocks[b].Header.Slot), cmp.Compare(a, b))
	})
	switch {
	case len(list) == 0:
		return "nothing"
	case conflict:
		return strings.Join(list, ", ") + ", which exclude one another"
	}
	return strings.Join(list, ", ")
}

// note adds the blocks that a quorum has committed to, whoever knows of it, and whether two of them exclude one another.
func (p *puppets) note(finals map[string]bool) {
	var ids []*types.Header
	for name, votes := range p.cs {
		if len(votes) >= 3 {
			finals[name] = true
			ids = append(ids, p.blocks[name].Header)
		}
	}
	below := func(a, b *types.Header) bool {
		for b != nil && b.Slot > a.Slot {
			b, _ = p.header(p.name(b.Parent))
		}
		return b != nil && b.ID() == a.ID()
	}
	for _, a := range ids {
		for _, b := range ids {
			if a != b && !below(a, b) && !below(b, a) {
				finals["conflict"] = true
			}
		}
	}
}
