package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"google.golang.org/grpc"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	vmv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/vm/v1"
)

// Check checks what a session begins with. The error wraps ErrInvalid or ErrTooLarge.
func (s Session) Check() error {
	if len(s.Dialect) > maxSourceName || !utf8.ValidString(s.Dialect) {
		return fmt.Errorf("a dialect above %d bytes, or no UTF-8: %w", maxSourceName, ErrInvalid)
	}
	if err := checkEnvironment(s.Environment); err != nil {
		return fmt.Errorf("environment: %w", err)
	}
	return nil
}

// Check checks an input, as [Source.Check] does a source.
func (i Input) Check() error { return Source{Text: i.Text, File: i.File}.Check() }

// fit cuts an output to what a message holds.
func (o Output) fit() Output {
	o.Text, o.Error = cut(o.Text, MaxTextBytes/2), cut(o.Error, MaxTextBytes/4)
	o.Stack = fitStack(o.Stack, MaxTraceStack)
	return o
}

// fitStack keeps the upper n values, each as long as the longest byte string in hexadecimal digits.
func fitStack(stack []string, n int) []string {
	out := make([]string, 0, min(len(stack), n))
	for _, v := range stack[max(len(stack)-n, 0):] {
		out = append(out, cut(v, maxValueBytes))
	}
	return out
}

// Interact serves a session: a request for each answer.
func (s *server) Interact(stream grpc.BidiStreamingServer[vmv1.InteractRequest, vmv1.InteractResponse]) error {
	return s.errs.ToWire(s.interact(stream))
}

func (s *server) interact(stream grpc.BidiStreamingServer[vmv1.InteractRequest, vmv1.InteractResponse]) error {
	req, err := stream.Recv()
	if err != nil {
		return err
	}
	b := req.GetBegin()
	if b == nil {
		return fmt.Errorf("interact: a session begins with begin: %w", ErrInvalid)
	}
	v, err := plugin.InstanceAs[VM](s.in, b.Instance)
	if err != nil {
		return err
	}
	session := Session{Dialect: b.Dialect, Environment: b.Environment, GasLimit: b.GasLimit}
	if err := session.Check(); err != nil {
		return fmt.Errorf("interact: %w", err)
	}
	first := true
	err = v.Interact(stream.Context(), session, func(o Output) (Input, error) {
		if !first {
			o = o.fit()
			if err := stream.Send(&vmv1.InteractResponse{Text: o.Text, Error: o.Error, Stack: o.Stack, Open: o.Open, Passed: uint32(max(o.Passed, 0)),
				Failed: uint32(max(o.Failed, 0)), Gas: o.Gas, Bye: o.Bye}); err != nil {
				return Input{}, err
			}
		}
		first = false
		req, err := stream.Recv()
		if err != nil {
			return Input{}, err
		}
		m := req.GetInput()
		if m == nil {
			return Input{}, fmt.Errorf("interact: a request without input: %w", ErrInvalid)
		}
		in := Input{File: m.File, Line: m.Line, Text: m.Text}
		if err := in.Check(); err != nil {
			return Input{}, fmt.Errorf("interact: %w", err)
		}
		return in, nil
	})
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (c *client) Interact(ctx context.Context, s Session, next func(Output) (Input, error)) error {
	if err := s.Check(); err != nil {
		return fmt.Errorf("interact: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.rpc.Interact(ctx, c.opts...)
	if err != nil {
		return c.errs.FromWire(err)
	}
	// What Send fails with says nothing; Recv has the plugin's reason.
	failed := func(err error) error {
		if errors.Is(err, io.EOF) {
			if _, err = stream.Recv(); err == nil || errors.Is(err, io.EOF) {
				return misbehaved("interact", "it ends before it was told to")
			}
		}
		return c.errs.FromWire(err)
	}
	if err := stream.Send(&vmv1.InteractRequest{Begin: &vmv1.SessionBegin{Instance: c.handle, Dialect: s.Dialect, Environment: s.Environment,
		GasLimit: s.GasLimit}}); err != nil {
		return failed(err)
	}
	for out := (Output{}); ; {
		in, err := next(out)
		if errors.Is(err, io.EOF) {
			return c.finish(stream)
		}
		if err != nil {
			return err
		}
		if err := in.Check(); err != nil {
			return fmt.Errorf("interact: %w", err)
		}
		if err := stream.Send(&vmv1.InteractRequest{Input: &vmv1.SessionInput{File: in.File, Line: in.Line, Text: in.Text}}); err != nil {
			return failed(err)
		}
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return misbehaved("interact", "it ends before it was told to")
		}
		if err != nil {
			return c.errs.FromWire(err)
		}
		out = Output{Text: m.Text, Error: m.Error, Stack: m.Stack, Open: m.Open, Passed: int(m.Passed), Failed: int(m.Failed), Gas: m.Gas, Bye: m.Bye}.fit()
	}
}

// finish tells the plugin that there is no more input. A plugin that has no sessions, and was not asked anything, says so
// here.
func (c *client) finish(stream grpc.BidiStreamingClient[vmv1.InteractRequest, vmv1.InteractResponse]) error {
	if err := stream.CloseSend(); err != nil {
		return c.errs.FromWire(err)
	}
	_, err := stream.Recv()
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil:
		return misbehaved("interact", "an answer that nobody asked for")
	}
	return c.errs.FromWire(err)
}
