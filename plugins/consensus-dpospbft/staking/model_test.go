package staking

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"slices"
	"sort"
	"strings"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"

	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/evidence"
	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/pbft"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// model is the same rules once more, in the simplest way: it keeps no totals and no index, walks over all voters and all
// slots, and copies everything before each transaction.
type model struct {
	cfg       Config
	owners    map[types.AccountID]owner
	producers map[types.AccountID]producer // Votes and Stake are not used
	keys      map[types.Hash]types.AccountID
	guilty    map[[2]uint64]uint64 // epoch, seat: slashed
	sets      map[uint64]modelSet

	begun         bool
	epoch         uint64
	start, origin uint64
	seed, mix     types.Hash
	seats         []seat
	set           *types.Set
	early         bool
	leaving       []types.AccountID
	height, slot  uint64
	known         bool
	certified     uint64
	burned        uint64
	next          *types.Set
	clock         uint64
}

type modelSet struct {
	set      *types.Set
	accounts []types.AccountID
	start    uint64
	until    uint64 // clock; 0: in force
}

func newModel(cfg Config) *model {
	return &model{cfg: cfg, owners: map[types.AccountID]owner{}, producers: map[types.AccountID]producer{}, keys: map[types.Hash]types.AccountID{},
		guilty: map[[2]uint64]uint64{}, sets: map[uint64]modelSet{}}
}

func (m *model) clone() *model {
	n := *m
	n.owners, n.producers, n.keys, n.guilty, n.sets = cloneMap(m.owners), cloneMap(m.producers), cloneMap(m.keys), cloneMap(m.guilty), cloneMap(m.sets)
	n.seats, n.leaving = slices.Clone(m.seats), slices.Clone(m.leaving)
	return &n
}

func cloneMap[K comparable, V any](m map[K]V) map[K]V {
	n := make(map[K]V, len(m))
	for k, v := range m {
		n[k] = v
	}
	return n
}

func (m *model) week(clock uint64) uint64 {
	if !m.cfg.Decay {
		return 0
	}
	return clock / (weekMs / m.cfg.SlotMs)
}

// votes walks over all voters.
func (m *model) votes(a types.AccountID) *big.Int {
	sum := new(big.Int)
	for _, o := range m.owners {
		if slices.Contains(o.Approvals, a) {
			f := new(big.Int).SetUint64(uint64(math.Round(math.Exp2(float64(o.Weeks%52)/52) * (1 << 20))))
			f.Lsh(f, uint(min(o.Weeks, 44*52-1)/52))
			sum.Add(sum, f.Mul(f, new(big.Int).SetUint64(o.Stake)))
		}
	}
	return sum
}

// apply does one action and returns the name of its error.
func (m *model) apply(t *module.Tx, a types.Action) Error {
	id := t.Account
	o, p := m.owners[id], m.producers[id]
	_, isProducer := m.producers[id]
	switch a.Name {
	case types.ActionRegisterProducer, types.ActionRotateKey:
		var b types.RegisterBody
		if a.Name == types.ActionRegisterProducer {
			b, _ = types.DecodeRegisterBody(a.Body)
			if isProducer {
				return ErrExists
			}
			if o.Stake < m.cfg.Params.MinStake {
				return ErrMinStake
			}
			p = producer{Name: b.Name}
		} else {
			r, _ := types.DecodeRotateBody(a.Body)
			b.Key, b.Proof = r.Key, r.Proof
			if !isProducer {
				return ErrNotProducer
			}
			if p.Status == Tombstoned {
				return ErrTombstoned
			}
		}
		if _, used := m.keys[b.Key.Hash()]; used {
			return ErrKeyUsed
		}
		if !ed25519.Verify(b.Key.Key, types.PossessionBytes(testChain, id), b.Proof) {
			return ErrPossession
		}
		p.Key = b.Key
		m.keys[b.Key.Hash()], m.producers[id] = id, p
	case types.ActionReactivate:
		switch {
		case !isProducer:
			return ErrNotProducer
		case p.Status == Tombstoned:
			return ErrTombstoned
		case p.Status == Active:
			return ErrActive
		case !p.Founder && o.Stake < m.cfg.Params.MinStake:
			return ErrMinStake
		}
		p.Status = Active
		m.producers[id] = p
		for i := range m.seats {
			if m.seats[i].Account == id {
				m.seats[i].Row, m.seats[i].LastClock = 0, m.clock
			}
		}
	case types.ActionRetire:
		switch {
		case !isProducer:
			return ErrNotProducer
		case p.Status == Tombstoned:
			return ErrTombstoned
		case p.Status == Retired:
			return ErrRetired
		}
		p.Status, p.Founder = Retired, false
		m.producers[id] = p
	case types.ActionStake:
		b, _ := types.DecodeStakeBody(a.Body)
		if len(o.Unbonding) == 0 && o.Stake == 0 {
			o.Weeks = m.week(m.clock)
		}
		o.Stake += b.Amount
		m.owners[id] = o
	case types.ActionUnstake:
		b, _ := types.DecodeStakeBody(a.Body)
		if o.Stake < b.Amount {
			return ErrStake
		}
		at := m.clock + m.cfg.Params.UnbondingTicks
		list := slices.Clone(o.Unbonding)
		found := false
		for i := range list {
			if list[i].Clock == at {
				list[i].Amount += b.Amount
				found = true
			}
		}
		if !found {
			if len(list) == MaxUnbonding {
				return ErrTooManyUnbonding
			}
			list = append(list, unbonding{at, b.Amount})
		}
		sort.Slice(list, func(i, j int) bool { return list[i].Clock < list[j].Clock })
		o.Stake, o.Unbonding = o.Stake-b.Amount, list
		m.store(id, o)
	case types.ActionVote:
		b, _ := types.DecodeVoteBody(a.Body)
		if uint64(len(b.Producers)) > m.cfg.Params.Approvals {
			return ErrApprovals
		}
		if o.Stake == 0 {
			return ErrNoStake
		}
		for _, x := range b.Producers {
			q, ok := m.producers[x]
			switch {
			case !ok:
				return ErrUnknownProducer
			case q.Status == Tombstoned:
				return ErrTombstoned
			case q.Status == Retired:
				return ErrRetired
			}
		}
		o.Approvals, o.Weeks = b.Producers, m.week(m.clock)
		m.owners[id] = o
	case types.ActionEvidence:
		b, _ := types.DecodeEvidenceBody(a.Body)
		return m.accuse(b.Evidence)
	}
	return ""
}

func (m *model) store(id types.AccountID, o owner) {
	if o.Stake == 0 {
		o.Approvals = nil
		if len(o.Unbonding) == 0 {
			delete(m.owners, id)
			return
		}
	}
	m.owners[id] = o
}

func (m *model) accuse(raw []byte) Error {
	v, err := evidence.Decode(raw)
	if err != nil {
		return ErrBadEvidence
	}
	if _, known := m.guilty[[2]uint64{v.Epoch, uint64(v.Seat)}]; known {
		return ErrKnownEvidence
	}
	if v.Epoch > m.epoch {
		return ErrUnknownEpoch
	}
	s, ok := m.sets[v.Epoch]
	if !ok {
		return ErrExpired
	}
	if int(v.Seat) >= len(s.accounts) {
		return ErrBadEvidence
	}
	a := s.accounts[v.Seat]
	p := m.producers[a]
	if p.Status == Tombstoned {
		return ErrKnownEvidence
	}
	if v.Slot <= s.start || v.Verify(testChain, s.set) != nil {
		return ErrBadEvidence
	}
	p.Status = Tombstoned
	m.producers[a] = p
	slashed := uint64(0)
	cut := func(x uint64) uint64 {
		y := new(big.Int).SetUint64(x)
		y.Mul(y, new(big.Int).SetUint64(m.cfg.Params.SlashPPM)).Div(y, big.NewInt(1_000_000))
		slashed += y.Uint64()
		return x - y.Uint64()
	}
	o := m.owners[a]
	o.Stake = cut(o.Stake)
	var list []unbonding
	for _, u := range o.Unbonding {
		if u.Amount = cut(u.Amount); u.Amount > 0 {
			list = append(list, u)
		}
	}
	o.Unbonding = list
	if slashed > 0 {
		m.store(a, o)
	}
	m.burned += slashed
	m.guilty[[2]uint64{v.Epoch, uint64(v.Seat)}] = slashed
	for i := range m.seats {
		if m.seats[i].Account == a {
			m.seats[i].Guilty = true
		}
	}
	return ""
}

// enter fills the seats of a set.
func (m *model) enter(set *types.Set, start uint64) {
	old := m.seats
	m.seats, m.set, m.epoch, m.start = nil, set, set.Epoch, start
	var accounts []types.AccountID
	for _, s := range set.Seats {
		a, ok := m.keys[s.Key.Hash()]
		if !ok {
			a = types.SingleKeyAuthority(s.Key).ID()
			m.keys[s.Key.Hash()] = a
			m.producers[a] = producer{Key: s.Key, Founder: true}
		}
		n := seat{Account: a, LastClock: m.clock}
		for _, o := range old {
			if o.Account == a {
				n.Guilty, n.LastClock, n.Row, n.LastSlot = o.Guilty, o.LastClock, o.Row, o.LastSlot
			}
		}
		m.seats, accounts = append(m.seats, n), append(accounts, a)
	}
	for _, o := range old {
		if !slices.Contains(accounts, o.Account) && o.LastSlot > 0 {
			p := m.producers[o.Account]
			p.LastSlot = o.LastSlot
			m.producers[o.Account] = p
		}
	}
	m.sets[set.Epoch] = modelSet{set, accounts, start, 0}
	m.certified = 0
}

// begin is what a block does before its transactions.
func (m *model) begin(b *module.Block, k uint) {
	m.clock = b.Clock
	info := b.Consensus
	for a, o := range m.owners {
		var list []unbonding
		for _, u := range o.Unbonding {
			if u.Clock > b.Clock {
				list = append(list, u)
			}
		}
		o.Unbonding = list
		m.store(a, o)
	}
	for n, s := range m.sets {
		if s.until > 0 && s.until <= b.Clock {
			delete(m.sets, n)
		}
	}
	set, _ := types.DecodeSet(info.Set)
	if !m.begun {
		m.begun, m.seed, m.origin = true, types.Sum(domainSeed, testChain[:]), info.ParentSlot
		m.enter(set, info.ParentSlot)
		m.slot, m.known, m.height = info.ParentSlot, true, 0
	}
	n := len(m.seats)
	slots, turns := make([]uint64, n), make([]uint64, n)
	group := map[uint64]uint64{}
	for s := m.slot + 1; s < b.Slot && m.known; s++ {
		if i := pbft.LeaderSeat(n, m.cfg.Turn, k, s); i >= 0 {
			slots[i]++
			g := (s >> k) / m.cfg.Turn
			if group[g]++; group[g] == m.cfg.Turn {
				turns[i]++
			}
		}
	}
	for i := range m.seats {
		s := &m.seats[i]
		s.Slots += slots[i]
		s.Turns += turns[i]
		if turns[i] > 0 && k == 0 {
			s.Row++
		}
		if p := m.producers[s.Account]; turns[i] > 0 && s.Row >= m.cfg.Params.JailMissedTurns && p.Status == Active {
			p.Status = Jailed
			m.producers[s.Account] = p
		}
	}
	for i := range set.Seats {
		if set.Seats[i].Key.Hash() == b.Producer {
			m.seats[i].Produced++
			m.seats[i].Row, m.seats[i].LastSlot, m.seats[i].LastClock = 0, b.Slot, b.Clock
		}
	}
	if c, err := types.DecodeCertificate(info.Certificate); err == nil && c.Height > m.certified {
		m.certified = c.Height
		for i := range m.seats {
			if c.Bitmap[i/8]>>(i%8)&1 == 0 {
				m.seats[i].Commits++
			}
		}
	}
	m.height, m.slot = b.Height, b.Slot
	x, err := pbft.DecodeExtra(info.Header)
	if m.known = err == nil; m.known {
		if out, err := ecvrf.ProofToHash(x.VRF); err == nil && 3*(b.Slot-m.origin) < 2*m.cfg.Params.EpochSlots {
			m.mix = types.Sum(domainMix, m.mix[:], out)
		}
	}
	for _, raw := range b.Extensions {
		items, err := decodeExtension(raw)
		if err != nil {
			continue
		}
		for _, v := range items {
			m.accuse(v)
		}
	}
	if info.Closes {
		for _, a := range m.leaving {
			if p := m.producers[a]; p.Status == Active {
				p.Status = Excluded
				m.producers[a] = p
			}
		}
		s := m.sets[m.epoch]
		s.until = b.Clock + m.cfg.Params.EvidenceTicks()
		m.sets[m.epoch] = s
		if !m.early {
			m.seed, m.mix, m.origin = types.Sum(domainSeed, m.seed[:], m.mix[:]), types.Hash{}, b.Slot
		}
		m.enter(m.next, b.Slot)
		m.known = true
	}
}

// end elects, in the simplest way: it sorts all producers.
func (m *model) end(closes bool) {
	m.next, m.leaving, m.early = nil, nil, false
	if closes {
		return
	}
	guilty := false
	for _, s := range m.seats {
		guilty = guilty || s.Guilty
	}
	due := m.slot >= m.origin+m.cfg.Params.EpochSlots
	if !due && !guilty {
		return
	}
	type standing struct {
		id    types.AccountID
		votes *big.Int
		seat  *seat
		p     producer
	}
	var all []*standing
	for id, p := range m.producers {
		s := &standing{id: id, votes: m.votes(id), p: p}
		for i := range m.seats {
			if m.seats[i].Account == id {
				s.seat = &m.seats[i]
			}
		}
		all = append(all, s)
	}
	sort.Slice(all, func(i, j int) bool {
		a, b := all[i], all[j]
		if c := a.votes.Cmp(b.votes); c != 0 {
			return c > 0
		}
		if (a.seat != nil) != (b.seat != nil) {
			return a.seat != nil
		}
		return bytes.Compare(a.id[:], b.id[:]) < 0
	})
	funded := func(s *standing) bool {
		return s.p.Founder || m.owners[s.id].Stake >= m.cfg.Params.MinStake
	}
	var chosen []*standing
	if due {
		n := int(m.cfg.Params.Seats)
		silent := map[types.AccountID]bool{}
		for _, s := range all {
			if s.seat != nil && s.p.Status == Active && s.seat.Row > 0 && m.clock-s.seat.LastClock >= m.cfg.Params.SilenceTicks && funded(s) {
				silent[s.id] = true
			}
			if s.p.Status == Active && funded(s) && !silent[s.id] && (s.seat != nil || s.votes.Sign() > 0) && len(chosen) < n {
				chosen = append(chosen, s)
			}
		}
		least := int(m.cfg.Params.MinSet)
		if least == 0 {
			least = max(4, int(math.Ceil(float64(2*len(m.seats))/3)))
		}
		least = min(least, n)
		for round := range 2 {
			var spare []*standing
			for _, s := range all {
				if s.seat == nil || s.p.Status == Tombstoned || slices.Contains(chosen, s) {
					continue
				}
				unfit := s.p.Status == Jailed || s.p.Status == Excluded || silent[s.id]
				gone := s.p.Status == Retired || s.p.Status == Active && !funded(s)
				if round == 0 && unfit || round == 1 && gone {
					spare = append(spare, s)
				}
			}
			sort.SliceStable(spare, func(i, j int) bool { return spare[i].seat.LastClock > spare[j].seat.LastClock })
			for len(chosen) < least && len(spare) > 0 {
				chosen, spare = append(chosen, spare[0]), spare[1:]
			}
		}
		if len(chosen) == 0 {
			for i := range m.seats {
				for _, s := range all {
					if s.seat == &m.seats[i] {
						chosen = append(chosen, s)
					}
				}
			}
		}
		for i := range m.seats { // in the order of the set, as the module does
			if a := m.seats[i].Account; silent[a] && !slices.ContainsFunc(chosen, func(s *standing) bool { return s.id == a }) {
				m.leaving = append(m.leaving, a)
			}
		}
		naiveShuffle(types.Sum(domainSeed, m.seed[:], m.mix[:]), len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	} else {
		var spare []*standing
		for _, s := range all {
			if s.seat == nil && s.p.Status == Active && s.votes.Sign() > 0 && funded(s) {
				spare = append(spare, s)
			}
		}
		for i := range m.seats {
			for _, s := range all {
				switch {
				case s.seat != &m.seats[i]:
				case !s.seat.Guilty:
					chosen = append(chosen, s)
				case len(spare) > 0:
					chosen, spare = append(chosen, spare[0]), spare[1:]
				}
			}
		}
		if len(chosen) == 0 {
			return
		}
		m.early = true
	}
	var list []types.PublicKey
	for _, s := range chosen {
		list = append(list, s.p.Key)
	}
	m.next = types.EqualSet(m.epoch+1, list)
}

// naiveShuffle draws from big integers and rejects above the largest multiple.
func naiveShuffle(seed types.Hash, n int, swap func(i, j int)) {
	var numbers []uint64
	counter := uint64(0)
	draw := func(below uint64) uint64 {
		for {
			if len(numbers) == 0 {
				h := types.Sum("paloalto/staking/shuffle/1\x00", seed[:], binary.BigEndian.AppendUint64(nil, counter))
				counter++
				for i := 0; i < 32; i += 8 {
					numbers = append(numbers, binary.BigEndian.Uint64(h[i:]))
				}
			}
			v := numbers[0]
			numbers = numbers[1:]
			space := new(big.Int).Lsh(big.NewInt(1), 64)
			skip := new(big.Int).Mod(space, new(big.Int).SetUint64(below))
			if new(big.Int).SetUint64(v).Cmp(skip) >= 0 {
				return v % below
			}
		}
	}
	for i := n - 1; i > 0; i-- {
		swap(i, int(draw(uint64(i+1))))
	}
}

// differs says what of the state is not as the model has it.
func (m *model) differs(c *chain) error {
	escrows := uint64(0)
	seen := map[string]int{}
	for _, v := range c.core.Items() {
		it := v.Item
		prefix, rest, _ := strings.Cut(it.Key, "/")
		seen[prefix]++
		if it == nextSetItem() {
			if m.next == nil || !bytes.Equal(v.Data, m.next.Encode()) {
				return fmt.Errorf("the next set is not %+v", m.next)
			}
			continue
		}
		if w, a, ok := rankOf(it); ok {
			if p := m.producers[a]; p.Status != Active || m.votes(a).Sign() == 0 || bigOf(w).Cmp(m.votes(a)) != 0 {
				return fmt.Errorf("%s stands in the index with %v", a, w)
			}
			continue
		}
		r, err := decode(it, v.Data)
		if err != nil {
			return err
		}
		var a types.AccountID
		copy(a[:], rest)
		switch r := r.(type) {
		case *owner:
			o := m.owners[a]
			if r.Stake != o.Stake || !slices.Equal(r.Unbonding, o.Unbonding) || !slices.Equal(r.Approvals, o.Approvals) || len(r.Approvals) > 0 && r.Weeks != o.Weeks {
				return fmt.Errorf("account %s: %+v, want %+v", a, r, o)
			}
			if got := c.core.Escrow(it); got != r.escrow() {
				return fmt.Errorf("account %s: %d in escrow, want %d", a, got, r.escrow())
			}
			escrows += r.escrow()
		case *producer:
			p, ok := m.producers[a]
			if !ok || r.Key.Hash() != p.Key.Hash() || r.Name != p.Name || r.Status != p.Status || r.Founder != p.Founder || r.LastSlot != p.LastSlot ||
				r.Stake != m.owners[a].Stake || bigOf(r.Votes).Cmp(m.votes(a)) != 0 {
				return fmt.Errorf("producer %s: %+v with votes %v, want %+v with %v", a, r, bigOf(r.Votes), p, m.votes(a))
			}
		case *keyRecord:
			if m.keys[types.Hash([]byte(rest))] != r.Account {
				return fmt.Errorf("key %x is of %s", rest, r.Account)
			}
		case *setRecord:
			s := m.sets[binary.BigEndian.Uint64([]byte(rest))]
			if s.set == nil || !bytes.Equal(r.Set, s.set.Encode()) || !slices.Equal(r.Accounts, s.accounts) || r.Start != s.start {
				return fmt.Errorf("set %x", rest)
			}
		case *conviction:
			n, seat := proofKey(rest)
			if slashed, ok := m.guilty[[2]uint64{n, uint64(seat)}]; !ok || slashed != r.Slashed {
				return fmt.Errorf("conviction %+v", r)
			}
		case *epoch:
			if r.Number != m.epoch || r.Start != m.start || r.Origin != m.origin || r.Seed != m.seed || r.Mix != m.mix || r.Seats != uint64(len(m.seats)) ||
				!slices.Equal(r.Leaving, m.leaving) {
				return fmt.Errorf("epoch %+v, want %d from %d, %d, leaving %v", r, m.epoch, m.start, m.origin, m.leaving)
			}
		case *seatChunk:
			if len(r.Seats) != len(m.seats) {
				return fmt.Errorf("%d seats, want %d", len(r.Seats), len(m.seats))
			}
			for i := range r.Seats {
				if r.Seats[i] != m.seats[i] {
					return fmt.Errorf("seat %d: %+v, want %+v", i, r.Seats[i], m.seats[i])
				}
			}
		}
	}
	ranked := 0
	for a, p := range m.producers {
		if p.Status == Active && m.votes(a).Sign() > 0 {
			ranked++
		}
	}
	next := 0
	if m.next != nil {
		next = 1
		if err := m.next.Validate(); err != nil {
			return err
		}
	}
	for prefix, n := range map[string]int{"a": len(m.owners), "p": len(m.producers), "k": len(m.keys), "set": len(m.sets), "evidence": len(m.guilty),
		"rank": ranked, "next-set": next, "epoch": 1, "seats": 1} {
		if seen[prefix] != n {
			return fmt.Errorf("%d items %q, want %d", seen[prefix], prefix, n)
		}
	}
	if got := c.core.Escrows(); got != escrows {
		return fmt.Errorf("%d in escrow, records say %d", got, escrows)
	}
	if got := c.core.Balance(types.BurnAccount); got != m.burned {
		return fmt.Errorf("%d burned, want %d", got, m.burned)
	}
	return nil
}

func bigOf(w Weight) *big.Int {
	v := new(big.Int).SetUint64(w.Hi)
	return v.Lsh(v, 64).Or(v, new(big.Int).SetUint64(w.Lo))
}
