package vm

import (
	"context"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	vmv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/vm/v1"
)

// Info serves what an instance says about itself.
func (s *server) Info(ctx context.Context, req *vmv1.InfoRequest) (*vmv1.InfoResponse, error) {
	v, err := plugin.InstanceAs[VM](s.in, req.Instance)
	if err != nil {
		return nil, s.errs.ToWire(err)
	}
	i, err := v.Info(ctx)
	if err != nil {
		return nil, s.errs.ToWire(err)
	}
	resp := &vmv1.InfoResponse{Version: i.Version, GasVersion: i.GasVersion, GasTableHash: i.GasTableHash[:], Dialects: i.Dialects,
		Environment: i.Environment}
	for _, l := range i.Limits {
		resp.Limits = append(resp.Limits, &vmv1.Limit{Name: l.Name, Value: l.Value})
	}
	return resp, nil
}

func (c *client) Info(ctx context.Context) (*Info, error) {
	m, err := c.rpc.Info(ctx, &vmv1.InfoRequest{Instance: c.handle}, c.opts...)
	if err != nil {
		return nil, c.errs.FromWire(err)
	}
	if len(m.GasTableHash) != HashBytes || len(m.Dialects) > maxNames || len(m.Limits) > maxNames || len(m.Environment) > maxNames {
		return nil, misbehaved("info", "a hash of %d bytes, %d dialects, %d limits, %d environment words; at most %d of each", len(m.GasTableHash),
			len(m.Dialects), len(m.Limits), len(m.Environment), maxNames)
	}
	out := &Info{Version: cut(m.Version, MaxWordBytes), GasVersion: m.GasVersion, GasTableHash: [HashBytes]byte(m.GasTableHash),
		Dialects: fitNames(m.Dialects), Environment: fitNames(m.Environment)}
	for _, l := range m.Limits {
		out.Limits = append(out.Limits, Limit{cut(l.GetName(), MaxWordBytes), l.GetValue()})
	}
	return out, nil
}

func fitNames(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = cut(n, MaxWordBytes)
	}
	return out
}

// mapToProto and mapFromProto carry a source map. A map that is not in order is refused.
func mapToProto(m SourceMap) []*vmv1.MapEntry {
	out := make([]*vmv1.MapEntry, len(m))
	for i, e := range m {
		out[i] = &vmv1.MapEntry{Pc: e.PC, Line: e.Line, Column: e.Column, Word: cut(e.Word, MaxWordBytes)}
	}
	return out
}

func mapFromProto(list []*vmv1.MapEntry, code int) (SourceMap, error) {
	var out SourceMap
	for i, e := range list {
		if int(e.GetPc()) > code || (i > 0 && e.GetPc() <= list[i-1].GetPc()) {
			return nil, fmt.Errorf("entry %d of the source map, for %d, is out of order or outside of the code", i, e.GetPc())
		}
		out = append(out, MapEntry{e.GetPc(), e.GetLine(), e.GetColumn(), cut(e.GetWord(), MaxWordBytes)})
	}
	return out, nil
}
