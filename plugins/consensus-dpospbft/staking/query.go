package staking

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/evidence"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Paths of queries.
const (
	PathProducers = "producers" // ?after=…&limit=…; Producers
	PathAll       = "all"       // ?after=…&limit=…; All
	PathProducer  = "producer/" // and an account; Producer
	PathAccount   = "account/"  // and an account; Account
	PathEvidence  = "evidence"  // ?after=…&limit=…; Convictions
	PathEpoch     = "epoch"     // Epoch
	PathSet       = "set"       // of the epoch in force, or set/NUMBER; Set
)

// Bounds of a page.
const (
	MaxPage      = 200
	defaultPage  = 50
	maxPathBytes = 512
)

// Producer is what a query shows of a producer. What has a seat counts from the beginning of the epoch, but Row and LastSlot.
type Producer struct {
	Seat     *int            `json:"seat,omitempty"` // position in the order; none if it is not in the set in force
	Account  types.AccountID `json:"account"`
	Key      types.PublicKey `json:"key"`                // that signs now, or would in the next set
	NextKey  string          `json:"next_key,omitempty"` // from the next set on, where it differs
	Name     string          `json:"name,omitempty"`
	State    string          `json:"state"` // active, standby, jailed, excluded, retired, tombstoned
	Votes    string          `json:"votes"` // in the smallest unit of stake, decay included
	Stake    uint64          `json:"stake"` // the account's own
	LastSlot uint64          `json:"last_slot"`

	Produced      uint64 `json:"produced"`
	MissedSlots   uint64 `json:"missed_slots"`
	MissedTurns   uint64 `json:"missed_turns"`
	MissedCommits uint64 `json:"missed_commits"`
	Row           uint64 `json:"missed_in_a_row"` // turns
}

// Producers are the set in force, in its order, and a page of the candidates beside it, by rank. Schedule is empty where after
// asks for a further page; Next is what to ask with for the next one.
type Producers struct {
	Epoch    uint64     `json:"epoch"`
	Schedule []Producer `json:"schedule"`
	Standbys []Producer `json:"standbys"`
	Next     string     `json:"next,omitempty"`
}

// All are a page of all that have ever registered, by account: also those whom nobody votes for, and those that cannot be
// elected.
type All struct {
	Producers []Producer `json:"producers"`
	Next      string     `json:"next,omitempty"`
}

// Unbonding is an amount that is given back at a clock.
type Unbonding struct {
	Clock  uint64 `json:"clock"`
	Amount uint64 `json:"amount"`
}

// Account is what an account has staked, and its vote.
type Account struct {
	Account   types.AccountID   `json:"account"`
	Stake     uint64            `json:"stake"`
	Unbonding []Unbonding       `json:"unbonding"`
	Approvals []types.AccountID `json:"approvals"`
	Week      uint64            `json:"week"`  // in which the vote was cast
	Votes     string            `json:"votes"` // for each of the approvals
}

// Conviction is evidence that was accepted.
type Conviction struct {
	ID       types.Hash      `json:"id"`
	Kind     string          `json:"kind"`
	Producer types.AccountID `json:"producer"`
	Epoch    uint64          `json:"epoch"`
	Seat     uint32          `json:"seat"`
	Slot     uint64          `json:"slot"`
	Height   uint64          `json:"height"`
	Clock    uint64          `json:"clock"`
	Slashed  uint64          `json:"slashed"`
}

// Convictions are a page, by epoch and seat.
type Convictions struct {
	Evidence []Conviction `json:"evidence"`
	Next     string       `json:"next,omitempty"`
}

// Member is a seat of a set.
type Member struct {
	Account types.AccountID `json:"account"`
	Key     types.PublicKey `json:"key"`
}

// Epoch is the epoch in force. EndSlot is the first slot in which a regular tally is due. Next is the next set while the next
// block has to close the epoch.
type Epoch struct {
	Epoch     uint64     `json:"epoch"`
	StartSlot uint64     `json:"start_slot"`
	EndSlot   uint64     `json:"end_slot"`
	Seats     uint64     `json:"seats"`
	Seed      types.Hash `json:"seed"`
	Height    uint64     `json:"height"`
	Slot      uint64     `json:"slot"`
	Clock     uint64     `json:"clock"`
	Closing   string     `json:"closing,omitempty"` // regular or early
	Next      []Member   `json:"next,omitempty"`
}

// Set is the set of an epoch, as long as evidence about it may come.
type Set struct {
	Epoch     uint64     `json:"epoch"`
	StartSlot uint64     `json:"start_slot"`
	Hash      types.Hash `json:"hash"`
	Encoded   string     `json:"encoded"` // hexadecimal
	Members   []Member   `json:"members"`
}

// query is one question.
type query struct {
	e     *effect
	rests []module.Item
}

func (q *query) get(it module.Item) (record, error) {
	q.rests = append(q.rests, it)
	return q.e.get(it)
}

// Query implements module.Module.
func (m *Module) Query(ctx context.Context, in module.Query, r module.Reader) (module.Answer, error) {
	if err := m.open(ctx, "query"); err != nil {
		return module.Answer{}, err
	}
	x := &run{cfg: &m.cfg, judge: m.judge, p: m.cfg.Params, ctx: ctx, r: r, known: map[module.Item]record{}, touched: map[types.AccountID]bool{}}
	q := &query{e: x.effect(module.BlockTx)}
	path, args, hasArgs := strings.Cut(in.Path, "?")
	var v any
	var err error
	switch {
	case len(in.Path) > maxPathBytes:
		err = module.ErrUnknownPath
	case path == PathProducers:
		v, err = q.producers(args)
	case path == PathAll:
		v, err = q.all(args)
	case path == PathEvidence:
		v, err = q.evidence(args)
	case hasArgs:
		err = module.ErrUnknownPath
	case path == PathEpoch:
		v, err = q.epoch()
	case path == PathSet:
		v, err = q.current()
	case strings.HasPrefix(path, PathSet+"/"):
		var n uint64
		if n, err = strconv.ParseUint(path[len(PathSet)+1:], 10, 64); err != nil {
			err = fmt.Errorf("%w: number of an epoch: %v", module.ErrInvalid, err)
		} else {
			v, err = q.set(n)
		}
	case strings.HasPrefix(path, PathAccount):
		v, err = withAccount(path[len(PathAccount):], q.account)
	case strings.HasPrefix(path, PathProducer):
		v, err = withAccount(path[len(PathProducer):], q.producer)
	default:
		err = module.ErrUnknownPath
	}
	if err != nil {
		return module.Answer{}, fmt.Errorf("staking: query %.80q: %w", in.Path, err)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // what only HTML needs could make it six times as long
	if err := enc.Encode(v); err != nil {
		return module.Answer{}, fmt.Errorf("staking: query %.80q: %w", in.Path, err)
	}
	return module.Answer{JSON: bytes.TrimRight(b.Bytes(), "\n"), RestsOn: q.rests[:min(len(q.rests), module.MaxRestsOn)]}, nil
}

func withAccount[T any](text string, f func(types.AccountID) (T, error)) (v T, err error) {
	a, err := types.ParseAccountID(text)
	if err != nil {
		return v, fmt.Errorf("%w: %v", module.ErrInvalid, err)
	}
	return f(a)
}

// page reads after and limit. after is the end of a key, in hexadecimal, of size bytes.
func page(args, prefix string, size int) (start module.Item, limit int, first bool, err error) {
	start, limit, first = module.Item{Key: prefix}, defaultPage, true
	values, err := url.ParseQuery(args)
	if err != nil {
		return start, 0, false, fmt.Errorf("%w: %v", module.ErrInvalid, err)
	}
	for name, vs := range values {
		switch {
		case len(vs) > 1:
			err = fmt.Errorf("%.40q is there twice", name)
		case name == "after":
			var b []byte
			if b, err = hex.DecodeString(vs[0]); err == nil && len(b) != size {
				err = fmt.Errorf("after has %d bytes, want %d", len(b), size)
			}
			start, first = after(module.Item{Key: prefix + string(b)}), false
		case name == "limit":
			if limit, err = strconv.Atoi(vs[0]); err == nil && (limit < 1 || limit > MaxPage) {
				err = fmt.Errorf("limit %d is not 1 to %d", limit, MaxPage)
			}
		default:
			err = fmt.Errorf("%.40q is unknown; there are after and limit", name)
		}
		if err != nil {
			return start, 0, false, fmt.Errorf("%w: %v", module.ErrInvalid, err)
		}
	}
	return start, limit, first, nil
}

// inForce returns the epoch in force and its seats; nil before the first block.
func (q *query) inForce() (*epoch, []seat, error) {
	r, err := q.get(epochItem())
	ep, _ := r.(*epoch)
	if ep == nil {
		return nil, nil, err
	}
	var seats []seat
	for i := 0; len(seats) < int(ep.Seats); i++ {
		r, err := q.get(seatsItem(i))
		if err != nil {
			return nil, nil, err
		}
		c, _ := r.(*seatChunk)
		if c == nil || len(c.Seats) == 0 {
			return nil, nil, fmt.Errorf("the state is not what this module wrote: seats %d are missing", i)
		}
		seats = append(seats, c.Seats...)
	}
	return ep, seats, nil
}

func viewOf(a types.AccountID, p *producer, s *seat) Producer {
	v := Producer{Account: a, Key: p.Key, Name: p.Name, State: p.Status.String(), Votes: p.Votes.Votes(), Stake: p.Stake, LastSlot: p.LastSlot}
	if s == nil && p.Status == Active {
		v.State = "standby"
	}
	if s != nil {
		v.LastSlot, v.Produced, v.MissedSlots, v.MissedTurns, v.MissedCommits, v.Row = s.LastSlot, s.Produced, s.Slots, s.Turns, s.Commits, s.Row
	}
	return v
}

// seated shows a member of the set in force.
func (q *query) seated(set *types.Set, i int, s *seat) (Producer, error) {
	r, err := q.get(producerItem(s.Account))
	p, _ := r.(*producer)
	if p == nil {
		return Producer{}, err
	}
	v := viewOf(s.Account, p, s)
	v.Seat = &i
	if set != nil && i < len(set.Seats) && set.Seats[i].Key.Hash() != p.Key.Hash() {
		v.Key, v.NextKey = set.Seats[i].Key, p.Key.String()
	}
	return v, nil
}

func (q *query) setOf(n uint64) (*setRecord, *types.Set, error) {
	r, err := q.get(setItem(n))
	rec, _ := r.(*setRecord)
	if rec == nil {
		return nil, nil, err
	}
	set, err := types.DecodeSet(rec.Set)
	return rec, set, err
}

func (q *query) producers(args string) (*Producers, error) {
	start, limit, first, err := page(args, prefixRank, 16+32)
	if err != nil {
		return nil, err
	}
	ep, seats, err := q.inForce()
	if err != nil {
		return nil, err
	}
	out := &Producers{Schedule: []Producer{}, Standbys: []Producer{}}
	member := make(map[types.AccountID]bool, len(seats))
	for i := range seats {
		member[seats[i].Account] = true
	}
	if ep != nil {
		out.Epoch = ep.Number
		_, set, err := q.setOf(ep.Number)
		if err != nil {
			return nil, err
		}
		for i := range seats {
			if !first {
				break
			}
			v, err := q.seated(set, i, &seats[i])
			if err != nil {
				return nil, err
			}
			out.Schedule = append(out.Schedule, v)
		}
	}
	for range maxPages {
		values, more, err := q.e.x.r.Scan(q.e.x.ctx, module.BlockTx, start, endOf(prefixRank), pageRanks)
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			start = after(v.Item)
			_, a, ok := rankOf(v.Item)
			if !ok || member[a] {
				continue
			}
			r, err := q.get(producerItem(a))
			if err != nil {
				return nil, err
			}
			if p, _ := r.(*producer); p != nil {
				out.Standbys = append(out.Standbys, viewOf(a, p, nil))
			}
			if len(out.Standbys) == limit {
				out.Next = hex.EncodeToString([]byte(v.Item.Key[len(prefixRank):]))
				return out, nil
			}
		}
		if !more || len(values) == 0 {
			return out, nil
		}
	}
	out.Next = hex.EncodeToString([]byte(strings.TrimSuffix(start.Key[len(prefixRank):], "\x00")))
	return out, nil
}

// scanPages bounds what one call looks at. Producers lie among the stakes, at the places of their accounts.
const scanPages = 8

// placed is the length of a place and a key of an item that does not lie at place zero.
const placed = 8 + len(prefixMember) + 32

func (q *query) all(args string) (*All, error) {
	start, limit, first, err := page(args, "", placed)
	if err != nil {
		return nil, err
	}
	if cursor := start.Key; first {
		start = module.Item{Place: types.Place{7: 1}} // what lies at place zero is no account's
	} else {
		start = module.Item{Place: types.Place([]byte(cursor[:8])), Key: cursor[8:]}
	}
	ep, seats, err := q.inForce()
	if err != nil {
		return nil, err
	}
	var set *types.Set
	if ep != nil {
		if _, set, err = q.setOf(ep.Number); err != nil {
			return nil, err
		}
	}
	last := module.Item{Place: types.Place(bytes.Repeat([]byte{0xff}, 8)), Key: "\xff"}
	out := &All{Producers: []Producer{}}
	for range scanPages {
		values, more, err := q.e.x.r.Scan(q.e.x.ctx, module.BlockTx, start, last, module.MaxReadsPerTx)
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			start = after(v.Item)
			out.Next = hex.EncodeToString(append(v.Item.Place[:], v.Item.Key...))
			if !strings.HasPrefix(v.Item.Key, prefixMember) {
				continue
			}
			p, err := q.listed(accountIn(v.Item), set, seats)
			if err != nil {
				return nil, err
			}
			if out.Producers = append(out.Producers, p); len(out.Producers) == limit {
				return out, nil
			}
		}
		if !more || len(values) == 0 {
			out.Next = ""
			break
		}
	}
	return out, nil
}

// listed shows a producer, whether it has a seat or not.
func (q *query) listed(a types.AccountID, set *types.Set, seats []seat) (Producer, error) {
	if i := slices.IndexFunc(seats, func(s seat) bool { return s.Account == a }); i >= 0 {
		return q.seated(set, i, &seats[i])
	}
	r, err := q.get(producerItem(a))
	p, _ := r.(*producer)
	if p == nil {
		return Producer{}, err
	}
	return viewOf(a, p, nil), nil
}

func (q *query) producer(a types.AccountID) (*Producer, error) {
	r, err := q.get(producerItem(a))
	if err != nil {
		return nil, err
	}
	p, _ := r.(*producer)
	if p == nil {
		return nil, fmt.Errorf("%w: account %s is no producer", module.ErrUnknownPath, a)
	}
	ep, seats, err := q.inForce()
	if err != nil {
		return nil, err
	}
	for i := range seats {
		if seats[i].Account != a {
			continue
		}
		_, set, err := q.setOf(ep.Number)
		if err != nil {
			return nil, err
		}
		v, err := q.seated(set, i, &seats[i])
		return &v, err
	}
	v := viewOf(a, p, nil)
	return &v, nil
}

func (q *query) account(a types.AccountID) (*Account, error) {
	r, err := q.get(OwnerItem(a))
	if err != nil {
		return nil, err
	}
	v := &Account{Account: a, Unbonding: []Unbonding{}, Approvals: []types.AccountID{}, Votes: "0"}
	o, _ := r.(*owner)
	if o == nil {
		return v, nil
	}
	v.Stake = o.Stake
	for _, u := range o.Unbonding {
		v.Unbonding = append(v.Unbonding, Unbonding(u))
	}
	if len(o.Approvals) > 0 {
		v.Approvals, v.Week, v.Votes = o.Approvals, o.Weeks, o.weight().Votes()
	}
	return v, nil
}

func (q *query) evidence(args string) (*Convictions, error) {
	start, limit, _, err := page(args, prefixProof, 12)
	if err != nil {
		return nil, err
	}
	values, more, err := q.e.x.r.Scan(q.e.x.ctx, module.BlockTx, start, endOf(prefixProof), limit)
	if err != nil {
		return nil, err
	}
	out := &Convictions{Evidence: []Conviction{}}
	for _, v := range values {
		r, err := decode(v.Item, v.Data)
		if err != nil {
			return nil, err
		}
		c, _ := r.(*conviction)
		k := v.Item.Key[len(prefixProof):]
		if c == nil || len(k) != 12 {
			return nil, fmt.Errorf("the state is not what this module wrote: item %q", v.Item.Key)
		}
		n, seat := proofKey(k)
		out.Evidence = append(out.Evidence, Conviction{c.ID, evidence.Kind(c.Kind).String(), c.Account, n, seat, c.Slot, c.Height, c.Clock, c.Slashed})
		q.rests = append(q.rests, v.Item)
		if more {
			out.Next = hex.EncodeToString([]byte(k))
		}
	}
	return out, nil
}

func (q *query) epoch() (*Epoch, error) {
	r, err := q.get(epochItem())
	ep, _ := r.(*epoch)
	if err != nil {
		return nil, err
	}
	if ep == nil {
		return nil, fmt.Errorf("%w: no block has been executed", module.ErrUnknownPath)
	}
	v := &Epoch{Epoch: ep.Number, StartSlot: ep.Start, EndSlot: ep.end(ep.Length), Seats: ep.Seats, Seed: ep.Seed, Height: ep.Height, Slot: ep.Slot, Clock: ep.Clock}
	if ep.Pending == pendingNone {
		return v, nil
	}
	v.Closing = map[byte]string{pendingRegular: "regular", pendingEarly: "early"}[ep.Pending]
	it := nextSetItem()
	q.rests = append(q.rests, it)
	values, err := q.e.x.r.Read(q.e.x.ctx, module.BlockTx, []module.Item{it})
	if err != nil {
		return nil, err
	}
	set, err := types.DecodeSet(values[0])
	if err != nil {
		return nil, err
	}
	v.Next, err = q.members(set)
	return v, err
}

func (q *query) members(set *types.Set) ([]Member, error) {
	out := make([]Member, len(set.Seats))
	for i := range set.Seats {
		r, err := q.get(keyItem(set.Seats[i].Key.Hash()))
		if err != nil {
			return nil, err
		}
		out[i].Key = set.Seats[i].Key
		if k, _ := r.(*keyRecord); k != nil {
			out[i].Account = k.Account
		}
	}
	return out, nil
}

func (q *query) current() (*Set, error) {
	r, err := q.get(epochItem())
	ep, _ := r.(*epoch)
	if ep == nil {
		if err == nil {
			err = fmt.Errorf("%w: no block has been executed", module.ErrUnknownPath)
		}
		return nil, err
	}
	return q.set(ep.Number)
}

func (q *query) set(n uint64) (*Set, error) {
	rec, set, err := q.setOf(n)
	if err != nil {
		return nil, err
	}
	if rec == nil {
		return nil, fmt.Errorf("%w: the set of epoch %d is not kept, or not yet there", module.ErrUnknownPath, n)
	}
	v := &Set{Epoch: n, StartSlot: rec.Start, Hash: set.Hash(), Encoded: hex.EncodeToString(rec.Set)}
	for i := range set.Seats {
		v.Members = append(v.Members, Member{rec.Accounts[min(i, len(rec.Accounts)-1)], set.Seats[i].Key})
	}
	return v, nil
}
