package chain

import (
	"context"
	"fmt"
	"time"

	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/mempool"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// A producer pushes the body of its block in short form: instead of every transaction six bytes that name it, since the peers
// have nearly all of them in their pools already. Who lacks some asks the producer for these, and for the body in full where
// that does not lead to what the header commits to. Nothing is done for a short form until a check wants the block, which
// needs a header with the signature of a producer whose turn it is; so a peer cannot make this node work by sending them.

// shortFrom is the size of a body from which on it is pushed in short form, in bytes: below it there is little to gain.
const shortFrom = 2 << 10

// maxMissing is the share of a body's transactions up to which those that are missing are asked for one by one.
const maxMissing = 0.5

// missingTimeout is how long the missing transactions are waited for until peers are asked for the body in full.
const missingTimeout = 2 * bodyStagger

// shortBody is a body without its transactions.
type shortBody struct {
	rest *types.Body // what else is in it
	ids  []mempool.ShortID
}

// offer is a short form that a peer has pushed.
type offer struct {
	from types.Hash
	raw  []byte // without the block's id
}

// maxOffers bounds the short forms of one block that wait to be tried.
const maxOffers = 8

func shortKey(id types.BlockID) mempool.ShortKey { return mempool.ShortKey(id[:16]) }

// encodeShort makes the short form: what is in the body besides transactions, encoded as a body, then the short ids.
func encodeShort(id types.BlockID, rest *types.Body, txs []*ledger.Tx) []byte {
	k := shortKey(id)
	e := types.NewEncoder(256 + len(rest.Certificate) + len(txs)*len(mempool.ShortID{}))
	without := types.Body{Certificate: rest.Certificate, Extensions: rest.Extensions}
	e.Blob(without.Encode())
	e.Uint(uint64(len(txs)))
	for _, t := range txs {
		s := k.Short(t.Sum)
		e.Raw(s[:])
	}
	return e.Bytes()
}

// decodeShort is the inverse of encodeShort. The result aliases b.
func decodeShort(b []byte) (*shortBody, error) {
	d := types.NewDecoder(b)
	rest := d.Blob(types.MaxBodyBytes)
	s := &shortBody{ids: make([]mempool.ShortID, d.Count(types.MaxBlockTxs, len(mempool.ShortID{})))}
	for i := range s.ids {
		copy(s.ids[i][:], d.Raw(len(s.ids[i])))
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("short body: %w", err)
	}
	var err error
	if s.rest, err = types.DecodeBody(rest); err != nil {
		return nil, fmt.Errorf("short body: %w", err)
	}
	if len(s.rest.Txs) > 0 {
		return nil, fmt.Errorf("short body: %w: it has %d whole transactions", types.ErrMalformed, len(s.rest.Txs))
	}
	return s, nil
}

// broadcastBody pushes an own block's body to all peers: block id, then the body, in short form if that is worth it.
func (c *Chain) broadcastBody(n *node) {
	purpose, payload := MsgBody, n.body
	if len(n.body) >= shortFrom && len(n.txs) > 0 {
		if body, err := types.DecodeBody(n.body); err == nil {
			purpose, payload = MsgShort, encodeShort(n.id, body, n.txs)
		}
	}
	c.cfg.Network.Broadcast(purpose, append(append(make([]byte, 0, 32+len(payload)), n.id[:]...), payload...))
}

// onShort keeps a short form for the check that may want it.
func (c *Chain) onShort(from types.Hash, payload []byte) {
	if len(payload) < 33 || uint64(len(payload)-32) > c.cfg.Ledger.MaxBlockBytes() {
		return
	}
	id := types.BlockID(payload[:32])
	if c.node(id) == nil && c.bodies.put(from, id, payload[32:], true) {
		c.do(func(ctx context.Context) error { return c.tryParked(ctx, id) })
	}
}

// obtainBody gets a body that a check wants: from short forms if there are any, or else from whoever has it.
func (c *Chain) obtainBody(ctx context.Context, h *types.Header, vouchers []types.Hash, offers <-chan offer) {
	id := h.ID()
	grace := time.NewTimer(bodyGrace) // in which the producer's push is waited for
	defer grace.Stop()
	for passed := false; !passed; {
		select {
		case <-ctx.Done():
			return
		case <-grace.C:
			passed = true
		case o := <-offers:
			body, err := c.rebuild(ctx, h, o)
			if err == nil {
				c.do(func(ctx context.Context) error {
					if p := c.parked[id]; p != nil && p.body == nil {
						p.body = body
						return c.tryParked(ctx, id)
					}
					return nil
				})
				return
			}
			c.log.Debug("a short body did not do", "peer", o.from.Short(), "block", id.Short(), "cause", err)
			vouchers = append(vouchers, o.from) // last: anybody may have sent it
			select {                            // another may do; but who lets this node wait has used up the time of all
			case <-grace.C:
				passed = true
			default:
			}
		}
	}
	c.fetchBody(ctx, id, vouchers)
}

// rebuild makes a body of its short form, the pool, and what its sender has to be asked for.
func (c *Chain) rebuild(ctx context.Context, h *types.Header, o offer) (*openedBody, error) {
	s, err := decodeShort(o.raw)
	if err != nil {
		c.cfg.Metrics.shortBody(c.cfg.Name, "malformed", 0)
		return nil, err
	}
	id := h.ID()
	found := c.cfg.Pool.Match(shortKey(id), s.ids)
	body := types.Body{Certificate: s.rest.Certificate, Extensions: s.rest.Extensions, Txs: make([][]byte, len(found))}
	var missing []int
	for i, t := range found {
		if t == nil {
			missing = append(missing, i)
		} else {
			body.Txs[i] = t.Envelope
		}
	}
	result := "whole"
	if len(missing) > 0 {
		result = "asked"
		if float64(len(missing)) > maxMissing*float64(len(found)) {
			c.cfg.Metrics.shortBody(c.cfg.Name, "in_full", len(missing))
			return nil, fmt.Errorf("%d of %d transactions are not here", len(missing), len(found))
		}
		if err := c.askMissing(ctx, o.from, id, missing, body.Txs); err != nil {
			c.cfg.Metrics.shortBody(c.cfg.Name, "in_full", len(missing))
			return nil, err
		}
	}
	opened, err := c.openBody(h, body.Encode())
	if err != nil {
		c.cfg.Metrics.shortBody(c.cfg.Name, "in_full", len(missing))
		return nil, err
	}
	c.cfg.Metrics.shortBody(c.cfg.Name, result, len(missing))
	return opened, nil
}

// askMissing asks a peer for transactions of a block by their places, and puts them there.
func (c *Chain) askMissing(ctx context.Context, peer types.Hash, id types.BlockID, missing []int, txs [][]byte) error {
	ctx, cancel := context.WithTimeout(ctx, missingTimeout)
	defer cancel()
	raw, err := c.cfg.Network.Request(ctx, peer, ReqTxs, encodePlaces(id, missing))
	if err != nil {
		return fmt.Errorf("%d missing transactions: %w", len(missing), err)
	}
	d := types.NewDecoder(raw)
	if n := d.Count(len(missing), 1); n != len(missing) {
		d.Fail("%d transactions, %d were asked for", n, len(missing))
	}
	for _, i := range missing {
		txs[i] = d.Blob(types.MaxEnvelopeBytes)
	}
	if err := d.Finish(); err != nil {
		return fmt.Errorf("%d missing transactions: %w", len(missing), err)
	}
	return nil
}

// encodePlaces makes a request for transactions of a block: its id, and their places in it, ascending, as distances.
func encodePlaces(id types.BlockID, places []int) []byte {
	e := types.NewEncoder(40 + 2*len(places))
	e.Hash(id)
	e.Uint(uint64(len(places)))
	last := -1
	for _, i := range places {
		e.Uint(uint64(i - last - 1))
		last = i
	}
	return e.Bytes()
}

func decodePlaces(b []byte) (types.BlockID, []int, error) {
	d := types.NewDecoder(b)
	id := d.Hash()
	places := make([]int, d.Count(types.MaxBlockTxs, 1))
	last := -1
	for i := range places {
		gap := d.Uint()
		if gap >= types.MaxBlockTxs || last+1+int(gap) >= types.MaxBlockTxs {
			d.Fail("a place beyond %d", types.MaxBlockTxs)
			break
		}
		last += 1 + int(gap)
		places[i] = last
	}
	if err := d.Finish(); err != nil {
		return types.BlockID{}, nil, fmt.Errorf("request for transactions: %w", err)
	}
	return id, places, nil
}

// serveTxs answers a request for transactions of a block.
func (c *Chain) serveTxs(ctx context.Context, payload []byte) ([]byte, error) {
	id, places, err := decodePlaces(payload)
	if err != nil {
		return nil, err
	}
	b, err := c.blockByID(ctx, id)
	if err != nil {
		return nil, err
	}
	body, err := types.DecodeBody(b.body)
	if err != nil {
		return nil, err
	}
	size := 16
	for _, i := range places {
		if i >= len(body.Txs) {
			return nil, fmt.Errorf("%w: transaction %d of a block with %d", ErrNotFound, i, len(body.Txs))
		}
		size += len(body.Txs[i]) + 4
	}
	e := types.NewEncoder(size)
	e.Uint(uint64(len(places)))
	for _, i := range places {
		e.Blob(body.Txs[i])
	}
	return e.Bytes(), nil
}
