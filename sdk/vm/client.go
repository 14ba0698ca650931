package vm

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	vmv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/vm/v1"
)

const (
	// pieceBytes is what a call carries before the next is begun. The largest run, added once, and the common environment
	// still leave it well below plugin.MaxMessage.
	pieceBytes = 4 << 20
	// pieceRuns is how many runs a call carries at most: their results fit a message too, as long as these have no texts.
	pieceRuns = 4096
	// pieceTexts is the same for runs with diagnostics, whose results may have the longest texts that are let through.
	pieceTexts = 256
	// pieceGas is how much gas the runs of a call may use together, unless it has one run only: what a VM computes in a few
	// seconds, so that a batch of the worst contracts is not taken for a plugin that hangs.
	pieceGas = 500_000_000
)

// NewClient returns the VM with a handle behind a connection. It may be used concurrently as a VM may. Large batches are cut
// into several calls below plugin.MaxMessage; since runs are pure and do not see each other, that makes no difference.
// Whatever the plugin answers is checked; an answer that no VM can give is an error that wraps ErrMisbehaved.
func NewClient(cc grpc.ClientConnInterface, handle uint64) VM {
	return &client{rpc: vmv1.NewVMServiceClient(cc), handle: handle, errs: errorMap(), opts: []grpc.CallOption{
		grpc.MaxCallRecvMsgSize(plugin.MaxMessage), grpc.MaxCallSendMsgSize(plugin.MaxMessage)}}
}

type client struct {
	rpc    vmv1.VMServiceClient
	handle uint64
	errs   plugin.ErrorMap
	opts   []grpc.CallOption
}

func (c *client) Load(ctx context.Context, code [][]byte) ([]Loaded, error) {
	if err := CheckCode(code); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	out := make([]Loaded, 0, len(code))
	for first := true; first || len(code) > 0; first = false {
		n, size := 0, 0
		for n < len(code) && n < pieceRuns && size < pieceBytes {
			size += len(code[n]) + 8
			n++
		}
		resp, err := c.rpc.Load(ctx, &vmv1.LoadRequest{Instance: c.handle, Code: code[:n]}, c.opts...)
		if err != nil {
			return nil, c.errs.FromWire(err)
		}
		if len(resp.Loaded) != n {
			return nil, misbehaved("load", "%d answers for %d pieces of code", len(resp.Loaded), n)
		}
		for _, l := range resp.Loaded {
			if len(l.GetCodeHash()) != HashBytes {
				return nil, misbehaved("load", "a code hash of %d bytes", len(l.GetCodeHash()))
			}
			if len(l.EnvReads) > maxNames {
				return nil, misbehaved("load", "%d environment words, at most %d", len(l.EnvReads), maxNames)
			}
			if l.Convention > uint32(DelayNonceAmount) {
				return nil, misbehaved("load", "result convention %d", l.Convention)
			}
			out = append(out, Loaded{CodeHash: [HashBytes]byte(l.CodeHash), Error: cut(l.Error, MaxErrorBytes), Verified: l.Verified,
				EnvReads: fitNames(l.EnvReads), MaxStack: l.MaxStack, GasBound: l.GasBound, Convention: Convention(l.Convention)})
		}
		code = code[n:]
	}
	return out, nil
}

func (c *client) RunBatch(ctx context.Context, b Batch) ([]Result, error) {
	if err := b.Check(); err != nil {
		return nil, fmt.Errorf("run batch: %w", err)
	}
	out := make([]Result, 0, len(b.Runs))
	most := pieceRuns
	if b.Diagnostics {
		most = pieceTexts
	}
	// An empty batch is sent all the same: that there is such an instance is part of the answer.
	for first := true; first || len(b.Runs) > 0; first = false {
		n, size := 0, 0
		for gas := uint64(0); n < len(b.Runs) && n < most && size < pieceBytes; n++ {
			more := min(b.Runs[n].GasLimit, pieceGas)
			if gas+more > pieceGas && n > 0 {
				break
			}
			gas += more
			size += runBytes(&b.Runs[n])
		}
		req := &vmv1.RunBatchRequest{Instance: c.handle, Environment: b.Environment, Runs: make([]*vmv1.Run, n), Diagnostics: b.Diagnostics}
		messages := make([]vmv1.Run, n)
		for i := range n {
			req.Runs[i] = runToProto(&messages[i], &b.Runs[i])
		}
		resp, err := c.rpc.RunBatch(ctx, req, c.opts...)
		if err != nil {
			return nil, c.errs.FromWire(err)
		}
		if len(resp.Results) != n {
			return nil, misbehaved("run batch", "%d results for %d runs", len(resp.Results), n)
		}
		for i, r := range resp.Results {
			res, err := resultFromProto(&b.Runs[i], r, b.Diagnostics)
			if err != nil {
				return nil, misbehaved("run batch", "run %d: %v", len(out), err)
			}
			out = append(out, res)
		}
		b.Runs = b.Runs[n:]
	}
	return out, nil
}

func (c *client) Compile(ctx context.Context, s Source) (*Compiled, error) {
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	resp, err := c.rpc.Compile(ctx, &vmv1.CompileRequest{Instance: c.handle, Source: s.Text, Dialect: s.Dialect, File: s.File,
		Evidence: s.Evidence}, c.opts...)
	if err != nil {
		return nil, c.errs.FromWire(err)
	}
	if len(resp.Code) > MaxCodeBytes || len(resp.Warnings) > MaxWarnings {
		return nil, misbehaved("compile", "code of %d bytes, %d warnings", len(resp.Code), len(resp.Warnings))
	}
	out := &Compiled{Code: resp.Code, Warnings: resp.Warnings}
	for i, w := range out.Warnings {
		out.Warnings[i] = cut(w, MaxErrorBytes)
	}
	if out.Map, err = mapFromProto(resp.Map, len(resp.Code)); err != nil {
		return nil, misbehaved("compile", "%v", err)
	}
	return out, nil
}

func (c *client) Disassemble(ctx context.Context, code []byte) (string, error) {
	if len(code) > MaxCodeBytes {
		return "", fmt.Errorf("disassemble: code of %d bytes, at most %d: %w", len(code), MaxCodeBytes, ErrTooLarge)
	}
	resp, err := c.rpc.Disassemble(ctx, &vmv1.DisassembleRequest{Instance: c.handle, Code: code}, c.opts...)
	if err != nil {
		return "", c.errs.FromWire(err)
	}
	if len(resp.Text) > MaxTextBytes {
		return "", misbehaved("disassemble", "a text of %d bytes", len(resp.Text))
	}
	return resp.Text, nil
}

func (c *client) Trace(ctx context.Context, env map[string][]byte, r Run, step func(Step) error) error {
	if err := (Batch{Environment: env, Runs: []Run{r}}).Check(); err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	// Ending the stream's context on every way out makes sure that the plugin stops running.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.rpc.Trace(ctx, &vmv1.TraceRequest{Instance: c.handle, Environment: env, Run: runToProto(&vmv1.Run{}, &r)}, c.opts...)
	if err != nil {
		return c.errs.FromWire(err)
	}
	for done := false; ; {
		m, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF) && done:
			return nil
		case errors.Is(err, io.EOF):
			return misbehaved("trace", "it ends without a result")
		case err != nil:
			return c.errs.FromWire(err)
		case done:
			return misbehaved("trace", "a step after the last one")
		}
		s, err := stepFromProto(&r, m)
		if err != nil {
			return misbehaved("trace", "%v", err)
		}
		done = s.Result != nil
		if err := step(s); err != nil {
			return err
		}
	}
}

func stepFromProto(r *Run, m *vmv1.TraceStep) (Step, error) {
	if len(m.Stack) > MaxTraceStack || m.Gas > r.GasLimit || m.GasCost > r.GasLimit {
		return Step{}, fmt.Errorf("a step with a stack of %d, %d gas left and %d used, the limit is %d", len(m.Stack), m.Gas, m.GasCost, r.GasLimit)
	}
	s := Step{PC: m.Pc, Op: cut(m.Op, MaxWordBytes), Gas: m.Gas, GasCost: m.GasCost, Depth: int(m.Depth), Stack: fitStack(m.Stack, MaxTraceStack),
		Evidence: m.Evidence}
	if m.Result != nil {
		res, err := resultFromProto(r, m.Result, true)
		if err != nil {
			return Step{}, err
		}
		s.Result = &res
	}
	return s, nil
}
