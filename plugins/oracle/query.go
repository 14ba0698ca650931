package prophecy

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Bounds of one page of questions: what it shows, and what is looked at for it.
const (
	maxPageBytes = 512 << 10
	maxPageScans = 32
	defaultLimit = 20
	maxPathBytes = 512
)

// Query implements module.Module.
func (o *Oracle) Query(ctx context.Context, q module.Query, r module.Reader) (module.Answer, error) {
	if err := o.open(ctx, "query"); err != nil {
		return module.Answer{}, err
	}
	path, args, hasArgs := strings.Cut(q.Path, "?")
	switch {
	case len(q.Path) > maxPathBytes:
	case strings.HasPrefix(path, oracle.PathQuestion) && !hasArgs:
		return o.queryQuestion(ctx, strings.TrimPrefix(path, oracle.PathQuestion), r)
	case strings.HasPrefix(path, oracle.PathHistory) && !hasArgs:
		return o.queryHistory(ctx, strings.TrimPrefix(path, oracle.PathHistory), r)
	case path == oracle.PathQuestions:
		return o.queryQuestions(ctx, args, r)
	case path == oracle.PathDisputes:
		return o.queryDisputes(ctx, args, r)
	case path == oracle.PathTerms && !hasArgs:
		return answer(o.terms, nil)
	}
	return module.Answer{}, fmt.Errorf("%w: %.80q; the oracle has %s<id>, %s<id>, %s, %s and %s", module.ErrUnknownPath, q.Path, oracle.PathQuestion,
		oracle.PathHistory, oracle.PathQuestions, oracle.PathDisputes, oracle.PathTerms)
}

// answer writes JSON without escaping what only HTML needs, which could make it six times as long.
func answer(v any, restsOn []module.Item) (module.Answer, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return module.Answer{}, fmt.Errorf("%s: query: %w", pluginName, err)
	}
	return module.Answer{JSON: bytes.TrimRight(b.Bytes(), "\n"), RestsOn: restsOn}, nil
}

// whole reads a question and all its disputes, by life, and says which items that rests on.
func (o *Oracle) whole(ctx context.Context, text string, r module.Reader) (rec *oracle.Record, disputes [2]*oracle.Dispute, rests []module.Item, err error) {
	id, err := types.ParseHash(text)
	if err != nil {
		return nil, disputes, nil, fmt.Errorf("%w: id of a question: %v", module.ErrInvalid, err)
	}
	it := oracle.Item(id)
	values, err := r.Read(ctx, module.BlockTx, []module.Item{it})
	if err != nil {
		return nil, disputes, nil, fmt.Errorf("%s: query: %w", pluginName, err)
	}
	if len(values) != 1 || values[0] == nil {
		return nil, disputes, nil, fmt.Errorf("%w: %w: there is no question %s", module.ErrUnknownPath, oracle.ErrUnknownQuestion, id)
	}
	if rec, err = oracle.DecodeRecord(values[0]); err != nil {
		return nil, disputes, nil, fmt.Errorf("%s: query: %w", pluginName, err)
	}
	rests = append(rests, it)
	for life := range disputes {
		if !rec.WasDisputed(life) {
			continue
		}
		if disputes[life], err = oracle.LoadDispute(ctx, r, module.BlockTx, id, life); err != nil {
			return nil, disputes, nil, fmt.Errorf("%s: query: %w", pluginName, err)
		}
		rests = append(rests, oracle.DisputeItem(id, life), oracle.CommitsItem(id, life))
	}
	return rec, disputes, rests, nil
}

func (o *Oracle) queryQuestion(ctx context.Context, text string, r module.Reader) (module.Answer, error) {
	rec, disputes, rests, err := o.whole(ctx, text, r)
	if err != nil {
		return module.Answer{}, err
	}
	v := oracle.NewView(o.terms, rec)
	for _, d := range disputes {
		if d != nil {
			v.Dispute = oracle.NewDisputeView(d)
		}
	}
	if d := disputes[rec.Life()]; d != nil {
		o.voter.shown(rec, d)
	}
	return answer(v, rests)
}

func (o *Oracle) queryHistory(ctx context.Context, text string, r module.Reader) (module.Answer, error) {
	rec, disputes, rests, err := o.whole(ctx, text, r)
	if err != nil {
		return module.Answer{}, err
	}
	return answer(oracle.NewHistory(rec, disputes), rests)
}

// selection is what a list of questions is asked for.
type selection struct {
	state oracle.State // 0: all
	after *types.Hash
	limit int
}

func parseSelection(args string) (s selection, err error) {
	values, err := url.ParseQuery(args)
	if err != nil {
		return s, fmt.Errorf("%w: %v", module.ErrInvalid, err)
	}
	s.limit = defaultLimit
	for name, vs := range values {
		v := vs[0]
		switch {
		case len(vs) > 1:
			err = fmt.Errorf("%s is there twice", name)
		case name == "state":
			s.state, err = oracle.ParseState(v)
		case name == "after":
			var h types.Hash
			h, err = types.ParseHash(v)
			s.after = &h
		case name == "limit":
			s.limit, err = parseLimit(v)
		default:
			err = fmt.Errorf("%.40q is unknown; there are state, after and limit", name)
		}
		if err != nil {
			return s, fmt.Errorf("%w: %s: %v", module.ErrInvalid, oracle.PathQuestions, err)
		}
	}
	return s, nil
}

func parseLimit(v string) (int, error) {
	n, err := strconv.Atoi(v)
	if err == nil && (n < 1 || n > oracle.MaxPage) {
		err = fmt.Errorf("limit %d is not 1 to %d", n, oracle.MaxPage)
	}
	return n, err
}

// queryDisputes lists the disputes that are not over, in the order of the clocks at which commits begin.
func (o *Oracle) queryDisputes(ctx context.Context, args string, r module.Reader) (module.Answer, error) {
	values, err := url.ParseQuery(args)
	if err != nil {
		return module.Answer{}, fmt.Errorf("%w: %v", module.ErrInvalid, err)
	}
	limit := defaultLimit
	start, end := oracle.DisputeIndexRange()
	for name, vs := range values {
		switch {
		case len(vs) > 1:
			err = fmt.Errorf("%s is there twice", name)
		case name == "after":
			var key []byte
			if key, err = hex.DecodeString(vs[0]); err == nil {
				start = next(module.Item{Key: string(key)})
				_, err = oracle.ParseDisputeIndex(module.Item{Key: string(key)})
			}
		case name == "limit":
			limit, err = parseLimit(vs[0])
		default:
			err = fmt.Errorf("%.40q is unknown; there are after and limit", name)
		}
		if err != nil {
			break
		}
	}
	if err != nil {
		return module.Answer{}, fmt.Errorf("%w: %s: %v", module.ErrInvalid, oracle.PathDisputes, err)
	}
	index, more, err := r.Scan(ctx, module.BlockTx, start, end, limit)
	if err != nil {
		return module.Answer{}, fmt.Errorf("%s: query: %w", pluginName, err)
	}
	page := oracle.DisputePage{Disputes: []oracle.View{}}
	var rests, items []module.Item
	for _, v := range index {
		id, err := oracle.ParseDisputeIndex(v.Item)
		if err != nil {
			return module.Answer{}, fmt.Errorf("%s: query: %w", pluginName, err)
		}
		rests, items = append(rests, v.Item), append(items, oracle.Item(id))
	}
	records, err := r.Read(ctx, module.BlockTx, items)
	if err != nil {
		return module.Answer{}, fmt.Errorf("%s: query: %w", pluginName, err)
	}
	for _, data := range records {
		rec, err := oracle.DecodeRecord(data)
		if err != nil {
			return module.Answer{}, fmt.Errorf("%s: query: %w", pluginName, err)
		}
		page.Disputes = append(page.Disputes, oracle.NewView(o.terms, rec))
	}
	if more && len(index) > 0 {
		page.Next = hex.EncodeToString([]byte(index[len(index)-1].Item.Key))
	}
	return answer(page, append(rests, items...))
}

// queryQuestions lists questions in the order of their ids, which is that of their items.
func (o *Oracle) queryQuestions(ctx context.Context, args string, r module.Reader) (module.Answer, error) {
	sel, err := parseSelection(args)
	if err != nil {
		return module.Answer{}, err
	}
	_, start := oracle.DisputeIndexRange() // which lies before all questions
	if sel.after != nil {
		start = next(oracle.Item(*sel.after))
	}
	page := oracle.Page{Questions: []oracle.View{}}
	var rests []module.Item
	size := 0
	for range maxPageScans {
		values, more, err := r.Scan(ctx, module.BlockTx, start, module.MaxItem(), module.MaxScan)
		if err != nil {
			return module.Answer{}, fmt.Errorf("%s: query: %w", pluginName, err)
		}
		for i, v := range values {
			start = next(v.Item)
			if !oracle.IsItem(v.Item) {
				continue
			}
			rec, err := oracle.DecodeRecord(v.Data)
			if err != nil {
				return module.Answer{}, fmt.Errorf("%s: query: %w", pluginName, err)
			}
			page.Next = (*types.Hash)(&rec.ID)
			if sel.state == 0 || rec.State == sel.state {
				page.Questions, rests = append(page.Questions, oracle.NewView(o.terms, rec)), append(rests, v.Item)
				size += 2 * len(v.Data)
			}
			if len(page.Questions) == sel.limit || size > maxPageBytes {
				if i == len(values)-1 && !more {
					page.Next = nil
				}
				return answer(page, rests)
			}
		}
		if !more {
			page.Next = nil
			break
		}
		if len(values) == 0 {
			return module.Answer{}, fmt.Errorf("%s: query: %w: an empty page of a scan that has more", pluginName, module.ErrInvalid)
		}
	}
	return answer(page, rests)
}

// next returns the least item after another.
func next(it module.Item) module.Item {
	it.Key += "\x00"
	return it
}
