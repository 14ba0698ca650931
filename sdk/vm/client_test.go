package vm

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	vmv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/vm/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hostile is a plugin that answers as it likes.
type hostile struct {
	vmv1.UnimplementedVMServiceServer
	load    *vmv1.LoadResponse
	run     *vmv1.RunBatchResponse
	compile *vmv1.CompileResponse
	text    *vmv1.DisassembleResponse
	steps   []*vmv1.TraceStep
	info    *vmv1.InfoResponse
	answers func(grpc.BidiStreamingServer[vmv1.InteractRequest, vmv1.InteractResponse]) error
}

func (h *hostile) Info(context.Context, *vmv1.InfoRequest) (*vmv1.InfoResponse, error) {
	return h.info, nil
}
func (h *hostile) Interact(s grpc.BidiStreamingServer[vmv1.InteractRequest, vmv1.InteractResponse]) error {
	return h.answers(s)
}

func (h *hostile) Load(context.Context, *vmv1.LoadRequest) (*vmv1.LoadResponse, error) {
	return h.load, nil
}
func (h *hostile) RunBatch(context.Context, *vmv1.RunBatchRequest) (*vmv1.RunBatchResponse, error) {
	return h.run, nil
}
func (h *hostile) Compile(context.Context, *vmv1.CompileRequest) (*vmv1.CompileResponse, error) {
	return h.compile, nil
}
func (h *hostile) Disassemble(context.Context, *vmv1.DisassembleRequest) (*vmv1.DisassembleResponse, error) {
	return h.text, nil
}
func (h *hostile) Trace(_ *vmv1.TraceRequest, s grpc.ServerStreamingServer[vmv1.TraceStep]) error {
	for _, st := range h.steps {
		if err := s.Send(st); err != nil {
			return err
		}
	}
	return nil
}

// dial serves a plugin and returns a client.
func dial(t *testing.T, h vmv1.VMServiceServer) VM {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	lis, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer()
	vmv1.RegisterVMServiceServer(srv, h)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		srv.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return NewClient(conn, 1)
}

// TestBatchesAreCutByGas sees that no call may use more gas than a few seconds' worth, unless a single run may.
func TestBatchesAreCutByGas(t *testing.T) {
	for name, c := range map[string]struct {
		gas  []uint64
		want []int
	}{
		"all fit":              {[]uint64{pieceGas / 2, pieceGas / 2}, []int{2}},
		"one more does not":    {[]uint64{pieceGas / 2, pieceGas / 2, 1}, []int{2, 1}},
		"one is above":         {[]uint64{1, 1 << 63, 1}, []int{1, 1, 1}},
		"their sum overflows":  {[]uint64{1 << 63, 1 << 63}, []int{1, 1}},
		"without gas, all fit": {make([]uint64, 100), []int{100}},
	} {
		t.Run(name, func(t *testing.T) {
			h := &answering{}
			b := Batch{Runs: make([]Run, len(c.gas))}
			for i, g := range c.gas {
				b.Runs[i].GasLimit = g
			}
			out, err := dial(t, h).RunBatch(t.Context(), b)
			if err != nil || len(out) != len(c.gas) || !slices.Equal(h.batches, c.want) {
				t.Fatalf("%d results, calls of %v runs, %v; want %v", len(out), h.batches, err, c.want)
			}
		})
	}
}

// answering answers every run.
type answering struct {
	vmv1.UnimplementedVMServiceServer
	batches []int // runs of each call
}

func (a *answering) RunBatch(_ context.Context, r *vmv1.RunBatchRequest) (*vmv1.RunBatchResponse, error) {
	a.batches = append(a.batches, len(r.Runs))
	out := &vmv1.RunBatchResponse{}
	for range r.Runs {
		out.Results = append(out.Results, &vmv1.RunResult{})
	}
	return out, nil
}

// TestHostilePlugin sees that answers that no VM can give are errors, and that texts are cut.
func TestHostilePlugin(t *testing.T) {
	h := &hostile{}
	v := dial(t, h)
	ok := &vmv1.RunResult{Stack: []int64{0, 100, 1}, Gas: 10}
	for name, results := range map[string][]*vmv1.RunResult{
		"no result": nil, "two results": {ok, ok}, "gas above the limit": {{Stack: []int64{0, 100, 1}, Gas: 101}},
		"a failed run that is cheap": {{Status: 1, Gas: 99}}, "a failed run with results": {{Status: 1, Gas: 100, Stack: []int64{1}}},
		"too many results": {{Stack: make([]int64, MaxResults+1)}}, "an unknown convention": {{Stack: []int64{0, 100, 1}, Convention: 2}},
	} {
		h.run = &vmv1.RunBatchResponse{Results: results}
		if got, err := v.RunBatch(t.Context(), Batch{Runs: []Run{{GasLimit: 100}}}); !errors.Is(err, ErrMisbehaved) {
			t.Errorf("run batch, %s: %+v, %v", name, got, err)
		}
	}
	h.run = &vmv1.RunBatchResponse{Results: []*vmv1.RunResult{{Status: 1, Gas: 100, Error: strings.Repeat("é", 4000), Word: strings.Repeat("w", 4000),
		Top: []string{8: strings.Repeat("t", 9000)}}}}
	if got, err := v.RunBatch(t.Context(), Batch{Runs: []Run{{GasLimit: 100}}}); err != nil || got[0].Error+got[0].Word != "" || got[0].Top != nil {
		t.Errorf("texts that nobody wanted: %.200v, %v", got, err)
	}
	got, err := v.RunBatch(t.Context(), Batch{Runs: []Run{{GasLimit: 100}}, Diagnostics: true})
	if err != nil || len(got[0].Error) != MaxErrorBytes || len(got[0].Word) != MaxWordBytes || len(got[0].Top) != MaxTop ||
		len(got[0].Top[MaxTop-1]) != maxValueBytes {
		t.Errorf("long texts: %d and %d bytes, %v", len(got[0].Error), len(got[0].Word), err)
	}
	for name, l := range map[string][]*vmv1.Loaded{"no answer": nil, "a short hash": {{CodeHash: make([]byte, 31)}},
		"two answers":            {{CodeHash: make([]byte, 32)}, {CodeHash: make([]byte, 32)}},
		"many environment words": {{CodeHash: make([]byte, 32), EnvReads: make([]string, maxNames+1)}},
		"an unknown convention":  {{CodeHash: make([]byte, 32), Convention: 2}}} {
		h.load = &vmv1.LoadResponse{Loaded: l}
		if got, err := v.Load(t.Context(), [][]byte{{1}}); !errors.Is(err, ErrMisbehaved) {
			t.Errorf("load, %s: %+v, %v", name, got, err)
		}
	}
	for name, c := range map[string]*vmv1.CompileResponse{"long code": {Code: make([]byte, MaxCodeBytes+1)},
		"many warnings":                   {Warnings: make([]string, MaxWarnings+1)},
		"a map that is not in order":      {Code: make([]byte, 9), Map: []*vmv1.MapEntry{{Pc: 3}, {Pc: 2}}},
		"a map with a place twice":        {Code: make([]byte, 9), Map: []*vmv1.MapEntry{{Pc: 3}, {Pc: 3}}},
		"a map that goes beyond the code": {Code: make([]byte, 9), Map: []*vmv1.MapEntry{{Pc: 10}}}} {
		h.compile = c
		if _, err := v.Compile(t.Context(), Source{}); !errors.Is(err, ErrMisbehaved) {
			t.Errorf("compile, %s: %v", name, err)
		}
	}
	for name, i := range map[string]*vmv1.InfoResponse{"nothing": {}, "a short hash": {GasTableHash: make([]byte, 31)},
		"many dialects": {GasTableHash: make([]byte, 32), Dialects: make([]string, maxNames+1)},
		"many words":    {GasTableHash: make([]byte, 32), Environment: make([]string, maxNames+1)},
		"many limits":   {GasTableHash: make([]byte, 32), Limits: make([]*vmv1.Limit, maxNames+1)}} {
		h.info = i
		if _, err := v.Info(t.Context()); !errors.Is(err, ErrMisbehaved) {
			t.Errorf("info, %s: %v", name, err)
		}
	}
	h.info = &vmv1.InfoResponse{GasTableHash: make([]byte, 32), Version: strings.Repeat("v", 1000), Dialects: []string{strings.Repeat("d", 1000)},
		Limits: []*vmv1.Limit{{Name: strings.Repeat("l", 1000), Value: -1}}}
	if i, err := v.Info(t.Context()); err != nil || len(i.Version) != MaxWordBytes || len(i.Dialects[0]) != MaxWordBytes ||
		len(i.Limits[0].Name) != MaxWordBytes || i.Limits[0].Value != -1 {
		t.Errorf("info with long texts: %+v, %v", i, err)
	}
	h.text = &vmv1.DisassembleResponse{Text: strings.Repeat("x", MaxTextBytes+1)}
	if _, err := v.Disassemble(t.Context(), nil); !errors.Is(err, ErrMisbehaved) {
		t.Errorf("disassemble, a long text: %v", err)
	}
	for name, steps := range map[string][]*vmv1.TraceStep{
		"no result": {{Op: "x"}}, "nothing": nil, "a step after the last": {{Result: ok}, {Op: "x"}}, "gas above the limit": {{Gas: 101}},
		"a result no VM gives": {{Result: &vmv1.RunResult{Gas: 101}}}, "a tall stack": {{Stack: make([]string, MaxTraceStack+1)}},
	} {
		h.steps = steps
		if err := v.Trace(t.Context(), nil, Run{GasLimit: 100}, func(Step) error { return nil }); !errors.Is(err, ErrMisbehaved) {
			t.Errorf("trace, %s: %v", name, err)
		}
	}
}

// TestChecks has calls that no VM takes.
func TestChecks(t *testing.T) {
	many := map[string][]byte{}
	for i := range MaxEnvironment + 1 {
		many[strings.Repeat("n", i%60+1)+string(rune('a'+i%26))+strings.Repeat("m", i/60)] = nil
	}
	for name, c := range map[string]struct {
		b    Batch
		want error
	}{
		"empty":                    {Batch{}, nil},
		"largest":                  {Batch{Runs: []Run{{Code: make([]byte, MaxCodeBytes), Evidence: make([]byte, MaxCodeBytes)}}}, nil},
		"code":                     {Batch{Runs: []Run{{Code: make([]byte, MaxCodeBytes+1)}}}, ErrTooLarge},
		"evidence":                 {Batch{Runs: []Run{{Evidence: make([]byte, MaxCodeBytes+1)}}}, ErrTooLarge},
		"hash":                     {Batch{Runs: []Run{{ByHash: true, Code: make([]byte, 33)}}}, ErrInvalid},
		"environment":              {Batch{Environment: map[string][]byte{"a": make([]byte, MaxEnvironmentBytes)}}, ErrTooLarge},
		"a run's environment":      {Batch{Runs: []Run{{Environment: map[string][]byte{"a": make([]byte, MaxEnvironmentBytes)}}}}, ErrTooLarge},
		"many values":              {Batch{Environment: many}, ErrTooLarge},
		"an empty name":            {Batch{Environment: map[string][]byte{"": nil}}, ErrInvalid},
		"a name that is no UTF-8":  {Batch{Environment: map[string][]byte{"\xff": nil}}, ErrInvalid},
		"a name that is very long": {Batch{Environment: map[string][]byte{strings.Repeat("n", MaxEnvironmentName+1): nil}}, ErrInvalid},
	} {
		if err := c.b.Check(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		s    Source
		want error
	}{
		"too long": {Source{Text: strings.Repeat("x", MaxSourceBytes+1)}, ErrTooLarge}, "no UTF-8": {Source{Text: "\xff"}, ErrInvalid},
		"a long name": {Source{File: strings.Repeat("x", maxSourceName+1)}, ErrTooLarge}, "fine": {Source{Text: "é"}, nil},
	} {
		if err := c.s.Check(); !errors.Is(err, c.want) {
			t.Errorf("source, %s: %v, want %v", name, err, c.want)
		}
	}
}

// TestErrorsCrossTheWire sees that every sentinel of the package has a number.
func TestErrorsCrossTheWire(t *testing.T) {
	m := errorMap()
	for _, want := range []error{ErrClosed, ErrTooLarge, ErrSyntax, ErrUnknownCode, ErrInvalid, ErrUnsupported} {
		if err := m.FromWire(m.ToWire(want)); !errors.Is(err, want) {
			t.Errorf("%v comes out as %v", want, err)
		}
	}
	if len(m.Codes) != len(vmv1.Error_name)-1 {
		t.Errorf("%d sentinels for %d numbers", len(m.Codes), len(vmv1.Error_name)-1)
	}
}
