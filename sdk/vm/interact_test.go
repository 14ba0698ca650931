package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	vmv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/vm/v1"
)

type sessionStream = grpc.BidiStreamingServer[vmv1.InteractRequest, vmv1.InteractResponse]

// echo answers each input with its text, forty-two times as many bytes of it if it begins with "long".
func echo(s sessionStream) error {
	for first := true; ; first = false {
		req, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if first != (req.Begin != nil) || first == (req.Input != nil) {
			return errors.New("begin and input are not where they belong")
		}
		if first {
			continue
		}
		text := req.Input.Text
		if strings.HasPrefix(text, "long") {
			text = strings.Repeat(text, MaxTextBytes/len(text)*2/3)
		}
		if err := s.Send(&vmv1.InteractResponse{Text: text, Gas: uint64(req.Input.Line)}); err != nil {
			return err
		}
	}
}

// says returns a next that gives inputs and then ends with an error; what it is told goes to outs.
func says(outs *[]Output, end error, texts ...string) func(Output) (Input, error) {
	return func(o Output) (Input, error) {
		*outs = append(*outs, o)
		if len(*outs) > len(texts) {
			return Input{}, end
		}
		return Input{Text: texts[len(*outs)-1], Line: uint32(len(*outs))}, nil
	}
}

// TestInteract has sessions with plugins of all kinds.
func TestInteract(t *testing.T) {
	enough := errors.New("enough")
	answers := func(m ...*vmv1.InteractResponse) func(sessionStream) error {
		return func(s sessionStream) error {
			for range 2 {
				if _, err := s.Recv(); err != nil {
					return err
				}
			}
			for _, a := range m {
				if err := s.Send(a); err != nil {
					return err
				}
			}
			return nil
		}
	}
	for name, c := range map[string]struct {
		answers func(sessionStream) error
		session Session
		end     error
		texts   []string
		want    error
		outs    int
	}{
		"ends by io.EOF":             {echo, Session{}, io.EOF, []string{"a", "b"}, nil, 3},
		"ends without an input":      {echo, Session{}, io.EOF, nil, nil, 1},
		"next fails":                 {echo, Session{}, enough, []string{"a"}, enough, 2},
		"next fails at once":         {echo, Session{}, enough, nil, enough, 1},
		"wrapped io.EOF":             {echo, Session{}, fmt.Errorf("end of input: %w", io.EOF), []string{"a"}, nil, 2},
		"a long input":               {echo, Session{}, io.EOF, []string{strings.Repeat("x", MaxSourceBytes+1)}, ErrTooLarge, 1},
		"an input that is no text":   {echo, Session{}, io.EOF, []string{"\xff"}, ErrInvalid, 1},
		"a dialect with a long name": {echo, Session{Dialect: strings.Repeat("d", maxSourceName+1)}, io.EOF, nil, ErrInvalid, 0},
		"a large environment":        {echo, Session{Environment: map[string][]byte{"a": make([]byte, MaxEnvironmentBytes)}}, io.EOF, nil, ErrTooLarge, 0},
		"the plugin ends it":         {answers(), Session{}, io.EOF, []string{"a"}, ErrMisbehaved, 1},
		"the plugin ends it later":   {answers(&vmv1.InteractResponse{}), Session{}, io.EOF, []string{"a", "b"}, ErrMisbehaved, 2},
		"an answer too many":         {answers(&vmv1.InteractResponse{}, &vmv1.InteractResponse{}), Session{}, io.EOF, []string{"a"}, ErrMisbehaved, 2},
		"there are no sessions":      {func(sessionStream) error { return errorMap().ToWire(ErrUnsupported) }, Session{}, io.EOF, nil, ErrUnsupported, 1},
		"there are no sessions, asked": {func(sessionStream) error { return errorMap().ToWire(ErrUnsupported) }, Session{}, io.EOF, []string{"a"},
			ErrUnsupported, 1},
	} {
		var outs []Output
		if err := dial(t, &hostile{answers: c.answers}).Interact(t.Context(), c.session, says(&outs, c.end, c.texts...)); !errors.Is(err, c.want) || len(outs) != c.outs {
			t.Errorf("%s: %v after %d outputs, want %v after %d", name, err, len(outs), c.want, c.outs)
		}
	}
	broken := &hostile{answers: func(sessionStream) error { return status.Error(codes.Internal, "broken") }}
	if err := dial(t, broken).Interact(t.Context(), Session{}, says(new([]Output), io.EOF, "a")); err == nil || errors.Is(err, ErrMisbehaved) {
		t.Errorf("a plugin that fails: %v", err)
	}
	var outs []Output
	if err := dial(t, &hostile{answers: echo}).Interact(t.Context(), Session{}, says(&outs, io.EOF, "one", "long")); err != nil || outs[1].Text != "one" || outs[1].Gas != 1 ||
		len(outs[2].Text) != MaxTextBytes/2 {
		t.Errorf("%v, outputs %.100v", err, outs)
	}
}

// TestInteractWithASilentPlugin leaves a plugin that never answers.
func TestInteractWithASilentPlugin(t *testing.T) {
	began := make(chan struct{})
	h := &hostile{answers: func(s sessionStream) error {
		close(began)
		<-s.Context().Done()
		return s.Context().Err()
	}}
	v := dial(t, h)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-began
		cancel()
	}()
	if err := v.Interact(ctx, Session{}, says(new([]Output), io.EOF, "a")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the context's error", err)
	}
}

// TestInteractTwice holds two sessions at once, turn by turn.
func TestInteractTwice(t *testing.T) {
	v := dial(t, &hostile{answers: echo})
	turns := [2]chan struct{}{make(chan struct{}, 1), make(chan struct{}, 1)}
	turns[0] <- struct{}{}
	var got [2][]string
	var all sync.WaitGroup
	for n := range 2 {
		all.Go(func() {
			defer close(turns[1-n]) // who has ended does not keep the other waiting
			err := v.Interact(t.Context(), Session{}, func(o Output) (Input, error) {
				<-turns[n]
				if got[n] = append(got[n], o.Text); len(got[n]) == 4 {
					return Input{}, io.EOF
				}
				turns[1-n] <- struct{}{}
				return Input{Text: fmt.Sprintf("%d.%d", n, len(got[n]))}, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for n, want := range [2][]string{{"", "0.1", "0.2", "0.3"}, {"", "1.1", "1.2", "1.3"}} {
		if !slices.Equal(got[n], want) {
			t.Errorf("session %d heard %q, want %q", n, got[n], want)
		}
	}
}
