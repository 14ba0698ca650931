package module

import (
	"context"
	"fmt"
	"unicode/utf8"

	"google.golang.org/grpc"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	modulev1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/module/v1"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// RegisterServer serves the instances of in that are a Module. A call runs on the goroutine of its stream: when the host
// leaves, the module's context ends and its Reader fails, and the stream is over as soon as the module returns.
func RegisterServer(s grpc.ServiceRegistrar, in plugin.Instances) {
	modulev1.RegisterModuleServiceServer(s, &server{in: in})
}

type server struct {
	modulev1.UnimplementedModuleServiceServer
	in plugin.Instances
}

func (s *server) module(handle uint64) (Module, error) {
	return plugin.InstanceAs[Module](s.in, handle)
}

func invalid(err error) error { return wire.ToWire(fmt.Errorf("%w: %v", ErrInvalid, err)) }

// Check implements the service.
func (s *server) Check(ctx context.Context, req *modulev1.CheckRequest) (*modulev1.CheckResponse, error) {
	m, err := s.module(req.Instance)
	if err != nil {
		return nil, wire.ToWire(err)
	}
	txs := make([]Tx, len(req.Txs))
	for i, p := range req.Txs {
		if txs[i], err = fromTx(p); err != nil {
			return nil, invalid(err)
		}
	}
	checks, err := m.Check(ctx, txs)
	if err != nil {
		return nil, wire.ToWire(err)
	}
	resp := &modulev1.CheckResponse{Checks: make([]*modulev1.TxCheck, len(checks))}
	for i := range checks {
		c := &checks[i]
		if c.Error != "" && !isName(c.Error) {
			c.Error = ErrUnnamed
		}
		for _, f := range c.Facets {
			if !utf8.ValidString(f.Name) {
				return &modulev1.CheckResponse{Fault: fmt.Sprintf("facet %.80q", f.Name)}, nil
			}
		}
		resp.Checks[i] = toCheck(c)
	}
	return resp, nil
}

// Execute implements the service.
func (s *server) Execute(st grpc.BidiStreamingServer[modulev1.ExecuteInput, modulev1.ExecuteOutput]) error {
	var m Module
	var bb blockBuilder
	for last := false; !last; {
		in, err := st.Recv()
		if err != nil {
			return err
		}
		if m == nil {
			if m, err = s.module(in.GetBegin().GetInstance()); err != nil {
				return wire.ToWire(err)
			}
		}
		if last, err = bb.add(in.GetBegin()); err != nil {
			return invalid(err)
		}
	}
	r := newAsker(st, func(a *modulev1.Ask) *modulev1.ExecuteOutput {
		return &modulev1.ExecuteOutput{Kind: &modulev1.ExecuteOutput_Ask{Ask: a}}
	})
	maxGas := make([]uint64, len(bb.b.Txs)) // the module may do what it likes with its block
	for i := range maxGas {
		maxGas[i] = bb.b.Txs[i].MaxGas
	}
	o, err := m.Execute(st.Context(), bb.b, r)
	r.close()
	if err != nil {
		return wire.ToWire(err)
	}
	return sendOutcome(o, maxGas, func(e *modulev1.End) error {
		return st.Send(&modulev1.ExecuteOutput{Kind: &modulev1.ExecuteOutput_End{End: e}})
	})
}

// sendOutcome sends an outcome in pieces. What cannot be sent is owned up to: it is the core that judges all the rest.
func sendOutcome(o *Outcome, maxGas []uint64, send func(*modulev1.End) error) error {
	fault := func(format string, args ...any) error {
		return send(&modulev1.End{Fault: fmt.Sprintf(format, args...), Last: true})
	}
	if o == nil {
		o = &Outcome{}
	}
	if why := sendable(&o.Block, MaxBlockResultBytes); why != "" {
		return fault("scheduled work: %s", why)
	}
	cur, size := &modulev1.End{Block: toResult(&o.Block)}, o.Block.Size()
	for i := range o.Txs {
		r := o.Txs[i]
		if i < len(maxGas) {
			r.normalise(maxGas[i])
		} else {
			r = Result{} // one too many, and the core will say so
		}
		if why := sendable(&r, MaxResultBytes); why != "" {
			return fault("result %d: %s", i, why)
		}
		n := r.Size()
		if size+n > pieceBytes {
			if err := send(cur); err != nil {
				return err
			}
			cur, size = &modulev1.End{}, 0
		}
		cur.Results, size = append(cur.Results, toResult(&r)), size+n
	}
	cur.Last = true
	return send(cur)
}

// sendable says what keeps a result from being sent, if anything does.
func sendable(r *Result, limit int) string {
	if n := r.Size(); n > limit {
		return fmt.Sprintf("%d bytes, at most %d", n, limit)
	}
	r.Detail = cut(r.Detail)
	if !utf8.ValidString(r.Error) {
		return fmt.Sprintf("error %.80q", r.Error)
	}
	for i := range r.Events {
		if !utf8.ValidString(r.Events[i].Name) {
			return fmt.Sprintf("event name %.80q", r.Events[i].Name)
		}
	}
	return ""
}

// Extend implements the service.
func (s *server) Extend(st grpc.BidiStreamingServer[modulev1.ExtendInput, modulev1.ExtendOutput]) error {
	in, err := st.Recv()
	if err != nil {
		return err
	}
	m, err := s.module(in.GetBegin().GetInstance())
	if err != nil {
		return wire.ToWire(err)
	}
	r := newAsker(st, func(a *modulev1.Ask) *modulev1.ExtendOutput {
		return &modulev1.ExtendOutput{Kind: &modulev1.ExtendOutput_Ask{Ask: a}}
	})
	x, err := m.Extend(st.Context(), in.GetBegin().GetSlot(), r)
	r.close()
	if err != nil {
		return wire.ToWire(err)
	}
	x = x[:min(len(x), types.MaxExtensionBytes+1)] // one byte too many is as bad as any number
	return st.Send(&modulev1.ExtendOutput{Kind: &modulev1.ExtendOutput_End{End: &modulev1.ExtendEnd{Extension: x}}})
}

// Query implements the service.
func (s *server) Query(st grpc.BidiStreamingServer[modulev1.QueryInput, modulev1.QueryOutput]) error {
	in, err := st.Recv()
	if err != nil {
		return err
	}
	b := in.GetBegin()
	m, err := s.module(b.GetInstance())
	if err != nil {
		return wire.ToWire(err)
	}
	q := Query{Height: b.GetHeight(), Clock: b.GetClock(), Path: b.GetPath(), Argument: b.GetArgument()}
	if len(b.GetCaller()) > 0 {
		id, err := fixed[types.AccountID]("caller", b.GetCaller())
		if err != nil {
			return invalid(err)
		}
		q.Caller = &id
	}
	r := newAsker(st, func(a *modulev1.Ask) *modulev1.QueryOutput {
		return &modulev1.QueryOutput{Kind: &modulev1.QueryOutput_Ask{Ask: a}}
	})
	a, err := m.Query(st.Context(), q, r)
	r.close()
	if err != nil {
		return wire.ToWire(err)
	}
	// As above: cut down to one too many.
	end := &modulev1.QueryEnd{Answer: a.JSON[:min(len(a.JSON), MaxAnswerBytes+1)], RestsOn: toItems(a.RestsOn[:min(len(a.RestsOn), MaxRestsOn+1)])}
	return st.Send(&modulev1.QueryOutput{Kind: &modulev1.QueryOutput_End{End: end}})
}

// ValidateParams implements the service.
func (s *server) ValidateParams(ctx context.Context, req *modulev1.ValidateParamsRequest) (*modulev1.ValidateParamsResponse, error) {
	m, err := s.module(req.Instance)
	if err == nil {
		err = m.ValidateParams(ctx, req.Params)
	}
	if err != nil {
		return nil, wire.ToWire(err)
	}
	return &modulev1.ValidateParamsResponse{}, nil
}

// Migrate implements the service.
func (s *server) Migrate(st grpc.BidiStreamingServer[modulev1.MigrateInput, modulev1.MigrateOutput]) error {
	in, err := st.Recv()
	if err != nil {
		return err
	}
	b := in.GetBegin()
	m, err := s.module(b.GetInstance())
	if err != nil {
		return wire.ToWire(err)
	}
	r := newAsker(st, func(a *modulev1.Ask) *modulev1.MigrateOutput {
		return &modulev1.MigrateOutput{Kind: &modulev1.MigrateOutput_Ask{Ask: a}}
	})
	writes, err := m.Migrate(st.Context(), b.GetFrom(), b.GetTo(), r)
	r.close()
	if err != nil {
		return wire.ToWire(err)
	}
	cur, size := &modulev1.MigrateEnd{}, 0
	send := func() error {
		return st.Send(&modulev1.MigrateOutput{Kind: &modulev1.MigrateOutput_End{End: cur}})
	}
	for i := range writes {
		w := writes[i]
		w.Item.Key = w.Item.Key[:min(len(w.Item.Key), MaxKeyBytes+1)]
		if len(w.Data) > MaxValueBytes {
			w.Data = w.Data[:MaxValueBytes+1]
		}
		n := RecordBytes + len(w.Item.Key) + len(w.Data)
		if size > 0 && size+n > pieceBytes {
			if err := send(); err != nil {
				return err
			}
			cur, size = &modulev1.MigrateEnd{}, 0
		}
		cur.Writes, size = append(cur.Writes, toWrite(&w)), size+n
	}
	cur.Last = true
	return send()
}
