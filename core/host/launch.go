package host

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"

	"github.com/paloalto-chain/paloalto/sdk"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// launch starts a process, shakes hands, asks for its description and attaches the host stream. It ends when ctx does, or
// after the start time-out, and then leaves nothing behind.
func (u *unit) launch(ctx context.Context) (*incarnation, error) {
	p := u.p
	inc := &incarnation{
		unit: u, number: p.nextIncarnation(), tail: &tail{}, started: time.Now(),
		dead: make(chan struct{}), gone: make(chan struct{}), hosts: map[uint64]*Instance{},
	}
	inc.ctx, inc.cancel = context.WithCancel(context.Background())
	link, err := inc.start(ctx)
	if err != nil {
		inc.abandon()
		return nil, &StartError{Name: p.spec.Name, Path: p.spec.where(), Cause: err, Stderr: inc.tail.last()}
	}
	inc.watch(link)
	return inc, nil
}

// abandon clears away what a start that failed has left.
func (i *incarnation) abandon() {
	i.cancel()
	if i.run != nil {
		_ = i.run.Kill(context.Background())
		select {
		case <-i.run.exited:
		case <-time.After(reapTimeout):
		}
	}
	if i.gp != nil && i.run != nil {
		finish(i.gp, i.run)
	}
	i.cage.remove()
}

func (i *incarnation) start(ctx context.Context) (*plugin.HostLink, error) {
	spec := i.unit.p.spec
	ctx, cancel := context.WithTimeoutCause(ctx, spec.StartTimeout, fmt.Errorf("%w: it was not ready within %s", ErrHung, spec.StartTimeout))
	defer cancel()
	socket, err := i.connect(ctx)
	if err != nil {
		return nil, i.explain(ctx, err)
	}
	i.cage.settled()
	link, err := i.introduce(ctx)
	if err != nil {
		return nil, i.explain(ctx, err)
	}
	if err := removeSocket(socket); err != nil {
		return nil, fmt.Errorf("remove its socket: %w", err)
	}
	return link, nil
}

// explain replaces what go-plugin or gRPC say about a failed start by its cause, if that is known: the time is over, or
// the process has ended.
func (i *incarnation) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if i.run == nil || errors.Is(err, plugin.ErrAPIMismatch) || errors.Is(err, errForm) {
		return err
	}
	select {
	case <-i.run.exited:
	case <-time.After(exitGrace):
		return err
	}
	if i.run.state == nil { // it never ran
		return i.run.waitErr
	}
	finish(i.gp, i.run) // until the last of its standard error is read
	if i.cage.overMemory() {
		return fmt.Errorf("%w of %s before it was ready", ErrMemory, bytesText(i.unit.p.spec.Limits.Memory))
	}
	if i.run.killed() { // go-plugin did not like what it said
		return handshakeError(err)
	}
	return fmt.Errorf("%w before it was ready", i.run.exit())
}

// handshakeError says it plainly, and whatever the plugin wrote in a form that can be shown.
func handshakeError(err error) error {
	line, ok := strings.CutPrefix(err.Error(), "Unrecognized remote plugin message: ")
	if !ok {
		return fmt.Errorf("%w: %w", errForm, err)
	}
	line, _, _ = strings.Cut(line, "\n")
	if line == "" {
		return fmt.Errorf("%w: it has closed its standard output without the handshake", errForm)
	}
	const most = 120
	if len(line) > most {
		line = line[:most] + "…"
	}
	return fmt.Errorf("%w: instead of the handshake it wrote %q on its standard output", errForm, line)
}

// errForm marks what a plugin that runs has done wrong.
var errForm = errors.New("it breaks the protocol")

// connect starts the process and connects to its socket, whose path it returns.
func (i *incarnation) connect(ctx context.Context) (string, error) {
	p := i.unit.p
	token, err := newToken()
	if err != nil {
		return "", err
	}
	var socketDir, socketPath string
	var dialled atomic.Bool
	var started atomic.Pointer[procRunner]
	dial := func(ctx context.Context, _ string) (net.Conn, error) {
		if dialled.Swap(true) {
			return nil, errors.New("a lost connection to a plugin is not made again")
		}
		return (&net.Dialer{}).DialContext(ctx, "unix", socketPath)
	}
	options := append(plugin.DialOptions(token), grpc.WithContextDialer(dial))
	if !p.spec.MTLS {
		options = append(options, grpc.WithTransportCredentials(plugin.PeerCredentials(i.checkPeer)))
	}
	config := &goplugin.ClientConfig{
		HandshakeConfig:  sdk.Handshake(),
		Plugins:          goplugin.PluginSet{"paloalto": &goplugin.NetRPCUnsupportedPlugin{}},
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         p.spec.MTLS,
		SkipHostEnv:      true,
		StartTimeout:     p.spec.StartTimeout,
		Logger:           hclog.NewNullLogger(),
		Stderr:           &lineWriter{tail: i.tail, file: p.log},
		SyncStdout:       &lineWriter{tail: i.tail, file: p.log},
		SyncStderr:       &lineWriter{tail: i.tail, file: p.log},
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: p.h.runDir},
		GRPCDialOptions:  options,
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, dir string) (runner.Runner, error) {
			socketDir = dir
			r, err := i.unit.command(i, cmd.Env, dir, token)
			if err == nil && ctx.Err() != nil { // a process that never starts never ends either
				err = errors.Join(ctx.Err(), r.discard())
			}
			if err != nil {
				return nil, errors.Join(err, os.RemoveAll(dir)) // go-plugin would leave it
			}
			i.run = r
			started.Store(r)
			return r, nil
		},
	}
	i.gp = goplugin.NewClient(config)
	// Start and Client have no deadline of their own that holds for a stopped process; killing it ends both.
	stop := context.AfterFunc(ctx, func() {
		if r := started.Load(); r != nil {
			_ = r.Kill(context.Background())
		}
	})
	defer stop()
	addr, err := i.gp.Start()
	if err != nil {
		return "", err
	}
	// Whatever the plugin says, nothing but a socket in its own folder is dialled.
	if addr.Network() != "unix" || filepath.Dir(addr.String()) != socketDir {
		return "", fmt.Errorf("%w: its socket is %s %s, not a unix socket in the folder it was given", errForm, addr.Network(), addr)
	}
	socketPath = addr.String()
	cp, err := i.gp.Client()
	if err != nil {
		return "", err
	}
	gc, ok := cp.(*goplugin.GRPCClient)
	if !ok {
		return "", fmt.Errorf("%w: it does not speak gRPC", errForm)
	}
	i.conn = gc.Conn
	return socketPath, nil
}

// introduce learns who the plugin is and offers the host's services.
func (i *incarnation) introduce(ctx context.Context) (*plugin.HostLink, error) {
	spec := i.unit.p.spec
	i.client = plugin.NewClient(i.conn)
	info, err := i.client.Describe(ctx, plugin.API)
	if err != nil {
		return nil, fmt.Errorf("describe: %w", err)
	}
	if !info.API.Overlaps(plugin.API) {
		return nil, versionError(spec, info.API)
	}
	for _, k := range spec.Kinds {
		if _, ok := info.Find(k); !ok {
			return nil, fmt.Errorf("%w: it is no %s plugin but %s", errForm, k, kindsText(info))
		}
	}
	i.info = info
	if err := i.ping(spec.StartTimeout); err != nil {
		return nil, fmt.Errorf("health: %w", err)
	}
	attach, cancel := context.WithCancel(i.ctx)
	stop := context.AfterFunc(ctx, cancel)
	link, err := i.client.AttachHost(attach)
	if err != nil || !stop() {
		cancel()
		return nil, errors.Join(err, ctx.Err())
	}
	context.AfterFunc(i.ctx, cancel)
	return link, nil
}

func kindsText(info plugin.Info) string {
	s := ""
	for n, k := range info.Kinds {
		if n > 0 {
			s += ", "
		}
		s += string(k.Kind)
	}
	return s
}

// checkPeer accepts only the process that was started, or one that it has started in turn, such as a wrapper script does.
func (i *incarnation) checkPeer(peer plugin.Peer) error {
	if err := ownUser(peer); err != nil {
		return err
	}
	for pid, depth := peer.PID, 0; pid > 1 && depth < 16; pid, depth = parentOf(pid), depth+1 {
		if pid == i.run.pid() {
			return nil
		}
	}
	return fmt.Errorf("pid %d has answered on the socket of pid %d", peer.PID, i.run.pid())
}

func newToken() (string, error) {
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		return "", err
	}
	return hex.EncodeToString(b), nil
}
