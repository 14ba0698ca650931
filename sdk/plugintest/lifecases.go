package plugintest

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	pluginv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/plugin/v1"
)

func callCases() []Case {
	return []Case{
		{"needs-the-token", "any process of this user could find the socket and speak for the node", needsTheToken},
		{"health-serves", "a host restarts what does not", func(t T, b Binary) {
			p := b.process(t)
			ctx, cancel := b.call(t)
			defer cancel()
			r, err := grpc_health_v1.NewHealthClient(p.Conn()).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: plugin.HealthService})
			if err != nil || r.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
				t.Fatalf("health of the service %q: %v, %v", plugin.HealthService, r.GetStatus(), err)
			}
		}},
		{"attaches-the-host", "without this stream an instance can neither sign nor log", func(t T, b Binary) {
			p := b.process(t)
			ctx, cancel := b.call(t)
			defer cancel()
			if _, err := p.Client().AttachHost(ctx); err != nil {
				t.Fatalf("%v", err)
			}
		}},
		{"takes-a-large-message", "a block's body is one message", func(t T, b Binary) {
			p := b.process(t)
			if err := b.sendConfig(t, p, plugin.MaxMessage-1<<16); err == nil || !answered(err) {
				t.Fatalf("a message of nearly %d bytes: %v, want an answer", plugin.MaxMessage, err)
			}
		}},
		{"refuses-too-large-a-message", "what one side sends the other has to take, and no more", func(t T, b Binary) {
			p := b.start(t)
			err := b.sendConfig(t, p, plugin.MaxMessage+1<<16)
			if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "larger than max") {
				t.Errorf("a message of more than %d bytes: %v, want ResourceExhausted and how large is too large", plugin.MaxMessage, err)
			}
			for _, k := range p.Info().Kinds {
				o := b.open(t, p, k.Kind, "")
				b.answers(t, o, "after a message that was too large")
				o.close()
			}
		}},
	}
}

// sendConfig asks for an instance with a configuration of so many bytes, which is none.
func (b *Binary) sendConfig(t T, p *Process, size int) error {
	ctx, cancel := b.call(t)
	defer cancel()
	req := &pluginv1.OpenRequest{Kind: string(p.Info().Kinds[0].Kind), ConfigJson: strings.Repeat(" ", size-1) + "[", DataDir: t.TempDir(), Instance: p.newHandle()}
	_, err := pluginv1.NewPluginServiceClient(p.Conn()).Open(ctx, req, grpc.MaxCallSendMsgSize(2*size))
	return err
}

// answered tells whether an error of a call is the plugin's own word.
func answered(err error) bool {
	c := status.Code(err)
	return c == codes.FailedPrecondition || c == codes.Internal || c == codes.InvalidArgument
}

func needsTheToken(t T, b Binary) {
	p := b.process(t)
	in := p.must()
	kind := p.Info().Kinds[0].Kind
	o := b.open(t, p, kind, "")
	defer o.close()
	for who, token := range map[string]string{"without a token": "", "with another token": strings.Repeat("0", len(in.token))} {
		conn, err := dial(in.socket, token)
		if err != nil {
			t.Fatalf("%v", err)
		}
		defer func() { _ = conn.Close() }()
		ctx, cancel := b.call(t)
		defer cancel()
		calls := pluginv1.NewPluginServiceClient(conn)
		_, describe := calls.Describe(ctx, &pluginv1.DescribeRequest{})
		_, end := calls.Close(ctx, &pluginv1.CloseRequest{Instance: o.handle})
		for call, err := range map[string]error{"describe": describe, "close": end, "a call of the kind": harmless(ctx, kind, conn, o.handle)} {
			if c := status.Code(err); c != codes.Unauthenticated && c != codes.PermissionDenied {
				t.Errorf("%s by a caller %s: %v, want Unauthenticated", call, who, err)
			}
		}
	}
	b.answers(t, o, "after callers were refused")
}

func lifeCases() []Case {
	return []Case{
		{"needs-no-stdin", "a host gives it none", func(t T, b Binary) {
			p := b.launch(t, false)
			for _, k := range p.Info().Kinds {
				o := b.open(t, p, k.Kind, "")
				b.answers(t, o, "of a process without standard input")
				o.close()
			}
		}},
		{"drain-ends-opening", "what is opened while a node stops would be cut off", func(t T, b Binary) {
			p := b.start(t)
			kind := p.Info().Kinds[0].Kind
			o := b.open(t, p, kind, "")
			ctx, cancel := b.call(t)
			defer cancel()
			if err := p.Client().Drain(ctx); err != nil {
				t.Fatalf("drain: %v", err)
			}
			req := b.request(kind)
			req.DataDir = t.TempDir()
			if _, _, err := p.Open(ctx, req); !errors.Is(err, plugin.ErrDraining) {
				t.Errorf("open after drain: %v, want ErrDraining", err)
			}
			b.answers(t, o, "that was open before drain")
			o.close()
		}},
		{"two-at-once", "several nodes may run on a machine", func(t T, b Binary) {
			p, q := b.start(t), b.start(t)
			for _, k := range p.Info().Kinds {
				one, other := b.open(t, p, k.Kind, ""), b.open(t, q, k.Kind, "")
				b.answers(t, one, "of the first process")
				b.answers(t, other, "of the second process")
				one.close()
				other.close()
			}
			kind := p.Info().Kinds[0].Kind
			other := b.open(t, q, kind, "")
			p.Kill()
			b.answers(t, other, "after another process was killed")
			other.close()
		}},
		{"starts-again-after-a-kill", "a process may end at any instant", func(t T, b Binary) {
			p := b.start(t)
			var before []*opened
			for _, k := range p.Info().Kinds {
				before = append(before, b.open(t, p, k.Kind, ""))
			}
			p.Restart()
			for _, o := range before {
				b.unknown(t, p, o.kind, o.handle, "of the process that was killed")
				again := b.open(t, p, o.kind, o.dir)
				b.answers(t, again, "that was open when the process was killed")
				again.close()
			}
		}},
		{"ends-when-told", "a process that must be killed cannot put away what it holds", func(t T, b Binary) {
			p := b.start(t)
			b.open(t, p, p.Info().Kinds[0].Kind, "") // and leaves it open
			ctx, cancel := b.call(t)
			defer cancel()
			in := p.must()
			if err := in.client.Drain(ctx); err != nil {
				t.Errorf("drain: %v", err)
			}
			in.shutdown(ctx)
			b.exits(t, in.exited, "it was told to end")
		}},
		{"ends-with-its-host", "what a killed node leaves running holds its ports and its folders", func(t T, b Binary) {
			p := b.start(t)
			b.open(t, p, p.Info().Kinds[0].Kind, "")
			in := p.must()
			if err := in.lifeline.Close(); err != nil {
				t.Fatalf("%v", err)
			}
			b.exits(t, in.exited, "its host was gone")
		}},
		{"says-what-it-is", "people start by hand what they find", func(t T, b Binary) {
			ctx, cancel := context.WithTimeout(t.Context(), b.patience())
			defer cancel()
			var said bytes.Buffer
			cmd := exec.CommandContext(ctx, b.Path, b.Args...)
			cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = []string{}, t.TempDir(), &said, &said, time.Second
			err := cmd.Run()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || !exit.Exited() || said.Len() == 0 {
				t.Fatalf("started without a host: %v, and it says %q; want words and a status that is not 0", err, said.String())
			}
		}},
	}
}
