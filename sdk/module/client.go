package module

import (
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	modulev1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/module/v1"
)

// NewClient returns the instance with a handle at the other end of a connection, guarded as by [Guard]. It takes the other
// end for hostile: whatever it answers, a call ends with a legal answer, with an error that wraps [ErrFault], or with
// another error, at the latest when the context ends; and nothing of the call is left behind.
func NewClient(cc grpc.ClientConnInterface, handle uint64) Module {
	return Guard(&client{modulev1.NewModuleServiceClient(cc), handle})
}

type client struct {
	c      modulev1.ModuleServiceClient
	handle uint64
}

var callLimits = []grpc.CallOption{grpc.MaxCallRecvMsgSize(MaxMessage), grpc.MaxCallSendMsgSize(2 * MaxMessage)}

// Check implements [Module]. It asks in batches; one whose answer does not fit a message is divided.
func (c *client) Check(ctx context.Context, txs []Tx) ([]TxCheck, error) {
	out := make([]TxCheck, 0, len(txs))
	for len(txs) > 0 {
		n, size := 0, 0
		for n < len(txs) && n < 4096 && (n == 0 || size+txBytes(&txs[n]) <= pieceBytes) {
			size += txBytes(&txs[n])
			n++
		}
		checks, err := c.checkBatch(ctx, txs[:n])
		if err != nil {
			return nil, fromWire(ctx, "check", err)
		}
		out, txs = append(out, checks...), txs[n:]
	}
	return out, nil
}

func (c *client) checkBatch(ctx context.Context, txs []Tx) ([]TxCheck, error) {
	req := &modulev1.CheckRequest{Instance: c.handle, Txs: make([]*modulev1.Tx, len(txs))}
	for i := range txs {
		req.Txs[i] = toTx(&txs[i])
	}
	resp, err := c.c.Check(ctx, req, callLimits...)
	if status.Code(err) == codes.ResourceExhausted && len(txs) > 1 {
		half := len(txs) / 2
		a, err := c.checkBatch(ctx, txs[:half])
		if err != nil {
			return nil, err
		}
		b, err := c.checkBatch(ctx, txs[half:])
		return append(a, b...), err
	}
	if err != nil {
		return nil, err
	}
	if err := known(resp); err != nil {
		return nil, faultf("check: %v", err)
	}
	if resp.Fault != "" {
		return nil, faultf("check: %.200s", resp.Fault)
	}
	if len(resp.Checks) != len(txs) {
		return nil, faultf("%d checks for %d transactions", len(resp.Checks), len(txs))
	}
	out := make([]TxCheck, len(txs))
	for i, p := range resp.Checks {
		if out[i], err = fromCheck(p); err != nil {
			return nil, faultf("check: %v", err)
		}
	}
	return out, nil
}

// converse receives until take says that it has had the last of the result, and has asks answered meanwhile. take gets
// the other messages.
func converse[In, Out any](ctx context.Context, st grpc.BidiStreamingClient[In, Out], r Reader, wrap func(*modulev1.Answer) *In,
	take func(*Out) (done bool, err error)) error {
	for {
		m, err := st.Recv()
		if errors.Is(err, io.EOF) {
			// No fault: a plugin that is being stopped may end its streams in good order.
			return fmt.Errorf("the stream ended without a result: %w", io.ErrUnexpectedEOF)
		}
		if err != nil {
			return err
		}
		out := any(m).(interface {
			proto.Message
			GetAsk() *modulev1.Ask
		})
		if err := known(out); err != nil {
			return faultf("%v", err)
		}
		ask := out.GetAsk()
		if ask == nil {
			if done, err := take(m); done || err != nil {
				return err
			}
			continue
		}
		if err := answerAsk(ctx, r, ask, func(a *modulev1.Answer) error { return sent(st, st.Send(wrap(a))) }); err != nil {
			return err
		}
	}
}

// sent turns the io.EOF of a Send into the stream's own error.
func sent[In, Out any](st grpc.BidiStreamingClient[In, Out], err error) error {
	if !errors.Is(err, io.EOF) {
		return err
	}
	for {
		if _, err := st.Recv(); errors.Is(err, io.EOF) {
			return fmt.Errorf("the stream ended without a result: %w", io.ErrUnexpectedEOF)
		} else if err != nil {
			return err
		}
	}
}

// checkEnd is for a message that is no ask.
func checkEnd[E any, P interface {
	*E
	proto.Message
}](end P) error {
	if end == nil {
		return faultf("a message that is neither an ask nor an end")
	}
	if err := known(end); err != nil {
		return faultf("%v", err)
	}
	return nil
}

// Execute implements [Module].
func (c *client) Execute(ctx context.Context, b *Block, r Reader) (*Outcome, error) {
	sctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream on both sides
	st, err := c.c.Execute(sctx, callLimits...)
	if err != nil {
		return nil, fromWire(ctx, "execute", err)
	}
	err = sendBegin(c.handle, b, func(p *modulev1.Begin) error {
		return sent(st, st.Send(&modulev1.ExecuteInput{Kind: &modulev1.ExecuteInput_Begin{Begin: p}}))
	})
	if err != nil {
		return nil, fromWire(ctx, "execute", err)
	}
	o := &outcomeBuilder{o: &Outcome{Txs: make([]Result, 0, len(b.Txs))}, want: len(b.Txs)}
	err = converse(ctx, st, r,
		func(a *modulev1.Answer) *modulev1.ExecuteInput {
			return &modulev1.ExecuteInput{Kind: &modulev1.ExecuteInput_Answer{Answer: a}}
		},
		func(m *modulev1.ExecuteOutput) (bool, error) { return o.add(m.GetEnd()) })
	if err != nil {
		return nil, fromWire(ctx, "execute", err)
	}
	return o.o, nil
}

// outcomeBuilder puts an outcome together from pieces.
type outcomeBuilder struct {
	o        *Outcome
	want     int
	size     int
	pieces   int
	hasBlock bool
}

func (ob *outcomeBuilder) add(p *modulev1.End) (last bool, err error) {
	if err := checkEnd(p); err != nil {
		return false, err
	}
	if p.Fault != "" {
		return false, faultf("%.200s", p.Fault)
	}
	// A piece holds a result or the block's part, but for the last.
	if ob.pieces++; ob.pieces > ob.want+2 {
		return false, faultf("%d pieces of an outcome for %d transactions", ob.pieces, ob.want)
	}
	if len(ob.o.Txs)+len(p.Results) > ob.want {
		return false, faultf("more than %d results for %d transactions", ob.want, ob.want)
	}
	for _, pr := range p.Results {
		r, err := fromResult(pr)
		if err != nil {
			return false, faultf("result %d: %v", len(ob.o.Txs), err)
		}
		if ob.size += r.Size(); ob.size > 2*MaxOutcomeBytes {
			return false, faultf("an outcome of more than %d bytes", MaxOutcomeBytes)
		}
		ob.o.Txs = append(ob.o.Txs, r)
	}
	if p.Block != nil {
		if ob.hasBlock {
			return false, faultf("the block's result comes twice")
		}
		ob.hasBlock = true
		if ob.o.Block, err = fromResult(p.Block); err != nil {
			return false, faultf("scheduled work: %v", err)
		}
	}
	return p.Last, nil
}

// Extend implements [Module].
func (c *client) Extend(ctx context.Context, slot uint64, r Reader) (out []byte, err error) {
	sctx, cancel := context.WithCancel(ctx)
	defer cancel()
	st, err := c.c.Extend(sctx, callLimits...)
	if err == nil {
		begin := &modulev1.ExtendBegin{Instance: c.handle, Slot: slot}
		err = sent(st, st.Send(&modulev1.ExtendInput{Kind: &modulev1.ExtendInput_Begin{Begin: begin}}))
	}
	if err == nil {
		err = converse(ctx, st, r,
			func(a *modulev1.Answer) *modulev1.ExtendInput {
				return &modulev1.ExtendInput{Kind: &modulev1.ExtendInput_Answer{Answer: a}}
			},
			func(m *modulev1.ExtendOutput) (bool, error) {
				if err := checkEnd(m.GetEnd()); err != nil {
					return false, err
				}
				out = m.GetEnd().Extension
				return true, nil
			})
	}
	if err != nil {
		return nil, fromWire(ctx, "extend", err)
	}
	return out, nil
}

// Query implements [Module].
func (c *client) Query(ctx context.Context, q Query, r Reader) (out Answer, err error) {
	if !utf8.ValidString(q.Path) {
		return out, fmt.Errorf("%w: %q", ErrUnknownPath, q.Path)
	}
	sctx, cancel := context.WithCancel(ctx)
	defer cancel()
	st, err := c.c.Query(sctx, callLimits...)
	if err == nil {
		begin := &modulev1.QueryBegin{Instance: c.handle, Height: q.Height, Clock: q.Clock, Path: q.Path, Argument: q.Argument}
		if q.Caller != nil {
			begin.Caller = q.Caller[:]
		}
		err = sent(st, st.Send(&modulev1.QueryInput{Kind: &modulev1.QueryInput_Begin{Begin: begin}}))
	}
	if err == nil {
		err = converse(ctx, st, r,
			func(a *modulev1.Answer) *modulev1.QueryInput {
				return &modulev1.QueryInput{Kind: &modulev1.QueryInput_Answer{Answer: a}}
			},
			func(m *modulev1.QueryOutput) (bool, error) {
				if err := checkEnd(m.GetEnd()); err != nil {
					return false, err
				}
				items, err := fromItems(m.GetEnd().RestsOn)
				if err != nil {
					return false, faultf("%v", err)
				}
				out = Answer{JSON: m.GetEnd().Answer, RestsOn: items}
				return true, nil
			})
	}
	if err != nil {
		return Answer{}, fromWire(ctx, "query", err)
	}
	return out, nil
}

// ValidateParams implements [Module].
func (c *client) ValidateParams(ctx context.Context, params map[string][]byte) error {
	_, err := c.c.ValidateParams(ctx, &modulev1.ValidateParamsRequest{Instance: c.handle, Params: params}, callLimits...)
	return fromWire(ctx, "validate parameters", err)
}

// Migrate implements [Module].
func (c *client) Migrate(ctx context.Context, from, to string, r Reader) (out []Write, err error) {
	sctx, cancel := context.WithCancel(ctx)
	defer cancel()
	size := 0
	st, err := c.c.Migrate(sctx, callLimits...)
	if err == nil {
		begin := &modulev1.MigrateBegin{Instance: c.handle, From: from, To: to}
		err = sent(st, st.Send(&modulev1.MigrateInput{Kind: &modulev1.MigrateInput_Begin{Begin: begin}}))
	}
	if err == nil {
		err = converse(ctx, st, r,
			func(a *modulev1.Answer) *modulev1.MigrateInput {
				return &modulev1.MigrateInput{Kind: &modulev1.MigrateInput_Answer{Answer: a}}
			},
			func(m *modulev1.MigrateOutput) (bool, error) {
				if err := checkEnd(m.GetEnd()); err != nil {
					return false, err
				}
				if size += 16; size > MaxMigrateBytes {
					return false, faultf("migrate: too many pieces")
				}
				for _, pw := range m.GetEnd().Writes {
					w, err := fromWrite(pw)
					if err != nil {
						return false, faultf("migrate: %v", err)
					}
					if size += RecordBytes + len(w.Item.Key) + len(w.Data); size > 2*MaxMigrateBytes {
						return false, faultf("migrate: more than %d bytes", MaxMigrateBytes)
					}
					out = append(out, w)
				}
				return m.GetEnd().Last, nil
			})
	}
	if err != nil {
		return nil, fromWire(ctx, "migrate", err)
	}
	return out, nil
}
