package vm

import (
	"context"
	"errors"
	"net"
	"path/filepath"
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
func dial(t *testing.T, h *hostile) VM {
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

// TestHostilePlugin sees that answers that no VM can give are errors, and that texts are cut.
func TestHostilePlugin(t *testing.T) {
	h := &hostile{}
	v := dial(t, h)
	ok := &vmv1.RunResult{Stack: []int64{0, 100, 1}, Gas: 10}
	for name, results := range map[string][]*vmv1.RunResult{
		"no result": nil, "two results": {ok, ok}, "gas above the limit": {{Stack: []int64{0, 100, 1}, Gas: 101}},
		"a failed run that is cheap": {{Status: 1, Gas: 99}}, "a failed run with results": {{Status: 1, Gas: 100, Stack: []int64{1}}},
		"too many results": {{Stack: make([]int64, MaxResults+1)}},
	} {
		h.run = &vmv1.RunBatchResponse{Results: results}
		if got, err := v.RunBatch(t.Context(), Batch{Runs: []Run{{GasLimit: 100}}}); !errors.Is(err, ErrMisbehaved) {
			t.Errorf("run batch, %s: %+v, %v", name, got, err)
		}
	}
	h.run = &vmv1.RunBatchResponse{Results: []*vmv1.RunResult{{Status: 1, Gas: 100, Error: strings.Repeat("é", 4000), Word: strings.Repeat("w", 4000)}}}
	got, err := v.RunBatch(t.Context(), Batch{Runs: []Run{{GasLimit: 100}}})
	if err != nil || len(got[0].Error) != MaxErrorBytes || len(got[0].Word) != MaxWordBytes {
		t.Errorf("long texts: %d and %d bytes, %v", len(got[0].Error), len(got[0].Word), err)
	}
	for name, l := range map[string][]*vmv1.Loaded{"no answer": nil, "a short hash": {{CodeHash: make([]byte, 31)}},
		"two answers": {{CodeHash: make([]byte, 32)}, {CodeHash: make([]byte, 32)}}} {
		h.load = &vmv1.LoadResponse{Loaded: l}
		if got, err := v.Load(t.Context(), [][]byte{{1}}); !errors.Is(err, ErrMisbehaved) {
			t.Errorf("load, %s: %+v, %v", name, got, err)
		}
	}
	for name, c := range map[string]*vmv1.CompileResponse{"long code": {Code: make([]byte, MaxCodeBytes+1)},
		"many warnings": {Warnings: make([]string, MaxWarnings+1)}} {
		h.compile = c
		if _, _, err := v.Compile(t.Context(), Source{}); !errors.Is(err, ErrMisbehaved) {
			t.Errorf("compile, %s: %v", name, err)
		}
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
	for _, want := range []error{ErrClosed, ErrTooLarge, ErrSyntax, ErrUnknownCode, ErrInvalid} {
		if err := m.FromWire(m.ToWire(want)); !errors.Is(err, want) {
			t.Errorf("%v comes out as %v", want, err)
		}
	}
	if len(m.Codes) != len(vmv1.Error_name)-1 {
		t.Errorf("%d sentinels for %d numbers", len(m.Codes), len(vmv1.Error_name)-1)
	}
}
