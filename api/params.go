package api

import (
	"context"
	"encoding/json"
	"fmt"

	"connectrpc.com/connect"

	apiv1 "github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1"
	"github.com/paloalto-chain/paloalto/sdk/params"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func (c *chainService) GetParams(ctx context.Context, r *connect.Request[apiv1.GetParamsRequest]) (*connect.Response[apiv1.GetParamsResponse], error) {
	ch, err := c.chain(r.Msg.Chain)
	if err != nil {
		return nil, wireError(err, 0)
	}
	a, err := ch.Query(ctx, QueryRequest{Module: params.Module, Path: params.PathList})
	if err != nil {
		return nil, wireError(err, 0)
	}
	reg, err := params.DecodeRegistry(a.JSON)
	if err != nil {
		return nil, wireError(fmt.Errorf("%w: %w", ErrInternal, err), 0)
	}
	return connect.NewResponse(registryMessage(reg, a.Height)), nil
}

func registryMessage(r *params.Registry, height uint64) *apiv1.GetParamsResponse {
	m := &apiv1.GetParamsResponse{Epochs: r.Epochs, Height: height}
	if r.Authority != nil {
		m.Authority = r.Authority.String()
	}
	for _, p := range r.Params {
		m.Params = append(m.Params, &apiv1.Param{Name: clean(p.Name), Type: clean(p.Type), Value: clean(string(p.Value)), Genesis: clean(string(p.Genesis)),
			Min: clean(string(p.Min)), Max: clean(string(p.Max)), Step: clean(string(p.Step)), OneOf: p.OneOf, ChangedAt: p.ChangedAt, Fixed: p.Fixed,
			Description: clean(p.Description)})
	}
	if p := r.Pending; p != nil {
		m.Pending = &apiv1.PendingParams{By: p.By.String(), Height: p.Height, NotBefore: p.NotBefore, Clock: p.Clock, Note: clean(p.Note)}
		for _, x := range p.Changes {
			m.Pending.Changes = append(m.Pending.Changes, &apiv1.ParamChange{Name: clean(x.Name), From: clean(string(x.From)), To: clean(string(x.To))})
		}
	}
	return m
}

// ParseRegistry reads a chain's parameters, and the height of the final block after which they were so.
func ParseRegistry(m *apiv1.GetParamsResponse) (*params.Registry, uint64, error) {
	r := &params.Registry{Epochs: m.GetEpochs(), Params: []params.Entry{}}
	bad := func(err error) (*params.Registry, uint64, error) { return nil, 0, fmt.Errorf("parameters: %w", err) }
	raw := func(s string, need bool) (json.RawMessage, error) {
		if s == "" && !need {
			return nil, nil
		}
		if !json.Valid([]byte(s)) {
			return nil, fmt.Errorf("%.80q is no JSON", s)
		}
		return json.RawMessage(s), nil
	}
	if s := m.GetAuthority(); s != "" {
		id, err := types.ParseAccountID(s)
		if err != nil {
			return bad(err)
		}
		r.Authority = &id
	}
	for _, p := range m.GetParams() {
		e := params.Entry{Name: p.GetName(), Type: p.GetType(), OneOf: p.GetOneOf(), ChangedAt: p.GetChangedAt(), Fixed: p.GetFixed(), Description: p.GetDescription()}
		for _, x := range []struct {
			s    string
			need bool
			to   *json.RawMessage
		}{{p.GetValue(), true, &e.Value}, {p.GetGenesis(), true, &e.Genesis}, {p.GetMin(), false, &e.Min}, {p.GetMax(), false, &e.Max}, {p.GetStep(), false, &e.Step}} {
			var err error
			if *x.to, err = raw(x.s, x.need); err != nil {
				return bad(fmt.Errorf("%.80q: %w", e.Name, err))
			}
		}
		r.Params = append(r.Params, e)
	}
	if p := m.GetPending(); p != nil {
		v := &params.PendingView{Height: p.GetHeight(), NotBefore: p.GetNotBefore(), Clock: p.GetClock(), Note: p.GetNote()}
		var err error
		if v.By, err = types.ParseAccountID(p.GetBy()); err != nil {
			return bad(err)
		}
		for _, x := range p.GetChanges() {
			c := params.ChangeView{Name: x.GetName()}
			if c.From, err = raw(x.GetFrom(), true); err != nil {
				return bad(err)
			}
			if c.To, err = raw(x.GetTo(), true); err != nil {
				return bad(err)
			}
			v.Changes = append(v.Changes, c)
		}
		r.Pending = v
	}
	return r, m.GetHeight(), nil
}
