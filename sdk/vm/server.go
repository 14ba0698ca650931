package vm

import (
	"context"
	"fmt"

	"google.golang.org/grpc"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	vmv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/vm/v1"
)

// RegisterServer serves the open VMs of a plugin. The gRPC server must accept messages of plugin.MaxMessage.
func RegisterServer(s grpc.ServiceRegistrar, in plugin.Instances) {
	vmv1.RegisterVMServiceServer(s, &server{in: in, errs: errorMap()})
}

type server struct {
	vmv1.UnimplementedVMServiceServer
	in   plugin.Instances
	errs plugin.ErrorMap
}

func (s *server) Load(ctx context.Context, req *vmv1.LoadRequest) (*vmv1.LoadResponse, error) {
	resp, err := s.load(ctx, req)
	return resp, s.errs.ToWire(err)
}

func (s *server) load(ctx context.Context, req *vmv1.LoadRequest) (*vmv1.LoadResponse, error) {
	v, err := plugin.InstanceAs[VM](s.in, req.Instance)
	if err != nil {
		return nil, err
	}
	if err := CheckCode(req.Code); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	loaded, err := v.Load(ctx, req.Code)
	if err != nil {
		return nil, err
	}
	resp := &vmv1.LoadResponse{Loaded: make([]*vmv1.Loaded, len(loaded))}
	for i := range loaded {
		l := &loaded[i]
		resp.Loaded[i] = &vmv1.Loaded{CodeHash: l.CodeHash[:], Error: cut(l.Error, MaxErrorBytes), Verified: l.Verified, EnvReads: l.EnvReads,
			MaxStack: l.MaxStack, GasBound: l.GasBound, Convention: uint32(l.Convention)}
	}
	return resp, nil
}

func (s *server) RunBatch(ctx context.Context, req *vmv1.RunBatchRequest) (*vmv1.RunBatchResponse, error) {
	resp, err := s.runBatch(ctx, req)
	return resp, s.errs.ToWire(err)
}

func (s *server) runBatch(ctx context.Context, req *vmv1.RunBatchRequest) (*vmv1.RunBatchResponse, error) {
	v, err := plugin.InstanceAs[VM](s.in, req.Instance)
	if err != nil {
		return nil, err
	}
	b := Batch{Environment: req.Environment, Runs: make([]Run, len(req.Runs)), Diagnostics: req.Diagnostics}
	for i, r := range req.Runs {
		b.Runs[i] = runFromProto(r)
	}
	if err := b.Check(); err != nil {
		return nil, fmt.Errorf("run batch: %w", err)
	}
	results, err := v.RunBatch(ctx, b)
	if err != nil {
		return nil, err
	}
	resp := &vmv1.RunBatchResponse{Results: make([]*vmv1.RunResult, len(results))}
	messages := make([]vmv1.RunResult, len(results))
	for i := range results {
		resp.Results[i] = resultToProto(&messages[i], &results[i], req.Diagnostics)
	}
	return resp, nil
}

func (s *server) Compile(ctx context.Context, req *vmv1.CompileRequest) (*vmv1.CompileResponse, error) {
	resp, err := s.compile(ctx, req)
	return resp, s.errs.ToWire(err)
}

func (s *server) compile(ctx context.Context, req *vmv1.CompileRequest) (*vmv1.CompileResponse, error) {
	v, err := plugin.InstanceAs[VM](s.in, req.Instance)
	if err != nil {
		return nil, err
	}
	src := Source{Text: req.Source, Dialect: req.Dialect, File: req.File, Evidence: req.Evidence}
	if err := src.Check(); err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	out, err := v.Compile(ctx, src)
	if err != nil {
		return nil, err
	}
	warnings := out.Warnings[:min(len(out.Warnings), MaxWarnings)]
	resp := &vmv1.CompileResponse{Code: out.Code, Warnings: make([]string, len(warnings)), Map: mapToProto(out.Map)}
	for i, w := range warnings {
		resp.Warnings[i] = cut(w, MaxErrorBytes)
	}
	return resp, nil
}

func (s *server) Disassemble(ctx context.Context, req *vmv1.DisassembleRequest) (*vmv1.DisassembleResponse, error) {
	resp, err := s.disassemble(ctx, req)
	return resp, s.errs.ToWire(err)
}

func (s *server) disassemble(ctx context.Context, req *vmv1.DisassembleRequest) (*vmv1.DisassembleResponse, error) {
	v, err := plugin.InstanceAs[VM](s.in, req.Instance)
	if err != nil {
		return nil, err
	}
	if err := CheckCode([][]byte{req.Code}); err != nil {
		return nil, fmt.Errorf("disassemble: %w", err)
	}
	text, err := v.Disassemble(ctx, req.Code)
	if err != nil {
		return nil, err
	}
	if len(text) > MaxTextBytes {
		return nil, fmt.Errorf("disassemble: a text of %d bytes, at most %d: %w", len(text), MaxTextBytes, ErrTooLarge)
	}
	return &vmv1.DisassembleResponse{Text: text}, nil
}

func (s *server) Trace(req *vmv1.TraceRequest, stream grpc.ServerStreamingServer[vmv1.TraceStep]) error {
	v, err := plugin.InstanceAs[VM](s.in, req.Instance)
	if err != nil {
		return s.errs.ToWire(err)
	}
	r := runFromProto(req.Run)
	if err := (Batch{Environment: req.Environment, Runs: []Run{r}}).Check(); err != nil {
		return s.errs.ToWire(fmt.Errorf("trace: %w", err))
	}
	return s.errs.ToWire(v.Trace(stream.Context(), req.Environment, r, func(st Step) error {
		m := &vmv1.TraceStep{Pc: st.PC, Op: cut(st.Op, MaxWordBytes), Gas: st.Gas, GasCost: st.GasCost, Depth: uint32(max(st.Depth, 0)),
			Stack: fitStack(st.Stack, MaxTraceStack), Evidence: st.Evidence}
		if st.Result != nil {
			m.Result = resultToProto(&vmv1.RunResult{}, st.Result, true)
		}
		return stream.Send(m)
	}))
}
