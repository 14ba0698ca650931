package plugintest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// command is what to start, and how.
type command struct {
	path string
	args []string
	// openStdin gives the process a standard input that never ends, instead of none.
	openStdin bool
}

func (c command) String() string { return strings.Join(append([]string{c.path}, c.args...), " ") }

// incarnation is one start of a command.
type incarnation struct {
	cmd      *exec.Cmd
	dir      string // of its socket
	token    string
	socket   string
	conn     *grpc.ClientConn
	client   *plugin.Client
	info     plugin.Info
	lifeline *os.File // our end
	stdin    *os.File // our end, or nil
	exited   chan struct{}
	waitErr  error // valid once exited

	otherMu   sync.Mutex
	otherKind plugin.Kind // see Process.other

	offers offers
}

// passedOn are the variables of this process that a plugin gets, besides those of the protocol.
func passedOn() []string {
	return []string{"PATH", "TZ", "LANG", "LC_ALL", "LC_CTYPE", "SSL_CERT_FILE", "SSL_CERT_DIR", "GOCOVERDIR", "GORACE"}
}

// launch starts the process, shakes hands and asks for the description. If it fails, nothing is left.
func (c command) launch(stderr *tail) (_ *incarnation, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	in := &incarnation{exited: make(chan struct{})}
	defer func() {
		if err != nil {
			in.kill()
		}
	}()
	// A socket's path must be short, which a test's own folder is not.
	if in.dir, err = os.MkdirTemp("", "plugintest"); err != nil {
		return nil, err
	}
	secret := make([]byte, 16)
	if _, err = rand.Read(secret); err != nil {
		return nil, err
	}
	in.token = hex.EncodeToString(secret)
	hello := &firstLine{line: make(chan string, 1), rest: stderr}
	if err = in.start(c, hello, stderr); err != nil {
		return nil, err
	}
	select {
	case line := <-hello.line:
		if in.socket, err = parseHandshake(line, in.dir); err != nil {
			return nil, err
		}
	case <-in.exited:
		return nil, fmt.Errorf("it ended before it was ready: %w", in.end())
	case <-ctx.Done():
		return nil, fmt.Errorf("it has not shaken hands within %s", startPatience)
	}
	if in.conn, err = dial(in.socket, in.token); err != nil {
		return nil, err
	}
	in.client = plugin.NewClient(in.conn)
	if in.info, err = in.client.Describe(ctx, plugin.API); err != nil {
		return nil, fmt.Errorf("describe: %w", err)
	}
	if !in.info.API.Overlaps(plugin.API) {
		return nil, fmt.Errorf("%w: it speaks %d to %d, this SDK %d to %d", plugin.ErrAPIMismatch, in.info.API.Min, in.info.API.Max,
			plugin.API.Min, plugin.API.Max)
	}
	return in, nil
}

// start starts the process, and awaits its end in the background.
func (in *incarnation) start(c command, stdout *firstLine, stderr *tail) error {
	cmd := exec.Command(c.path, c.args...)
	cmd.Dir = in.dir
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.WaitDelay = time.Second // children of its own may hold the pipes open
	cmd.SysProcAttr = ownGroup()
	shake := goplugin.HandshakeConfig{ProtocolVersion: plugin.ProtocolVersion, MagicCookieKey: plugin.CookieKey, MagicCookieValue: plugin.CookieValue}
	cmd.Env = []string{
		"TMPDIR=" + in.dir, goplugin.EnvUnixSocketDir + "=" + in.dir, shake.MagicCookieKey + "=" + shake.MagicCookieValue,
		"PLUGIN_PROTOCOL_VERSIONS=" + strconv.Itoa(int(shake.ProtocolVersion)), plugin.EnvToken + "=" + in.token,
		plugin.EnvLifeline + "=3",
	}
	for _, name := range passedOn() {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	rd, wr, err := os.Pipe()
	if err != nil {
		return err
	}
	in.lifeline, cmd.ExtraFiles = wr, []*os.File{rd}
	theirs := []*os.File{rd}
	if c.openStdin {
		rd, wr, err := os.Pipe()
		if err != nil {
			return errors.Join(err, theirs[0].Close())
		}
		in.stdin, cmd.Stdin = wr, rd
		theirs = append(theirs, rd)
	}
	err = cmd.Start()
	for _, f := range theirs {
		_ = f.Close()
	}
	if err != nil {
		return err
	}
	in.cmd = cmd
	go func() {
		in.waitErr = cmd.Wait()
		killGroup(cmd.Process.Pid)
		close(in.exited)
	}()
	return nil
}

// end says how the process has ended.
func (in *incarnation) end() error {
	if in.waitErr != nil {
		return in.waitErr
	}
	return errors.New("exit status 0")
}

// stop asks the process to end and waits for that.
func (in *incarnation) stop(patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	drainErr := in.client.Drain(ctx)
	in.shutdown(ctx)
	select {
	case <-in.exited:
		return drainErr
	case <-ctx.Done():
		return fmt.Errorf("it has not ended within %s of being told to", patience)
	}
}

// shutdown is how go-plugin tells a process to end. Whether it answers before it ends is open.
func (in *incarnation) shutdown(ctx context.Context) {
	_ = in.conn.Invoke(ctx, "/plugin.GRPCController/Shutdown", &emptypb.Empty{}, &emptypb.Empty{})
}

// kill ends what there is and clears away.
func (in *incarnation) kill() {
	if in.cmd != nil {
		killGroup(in.cmd.Process.Pid)
		_ = in.cmd.Process.Kill()
		<-in.exited
	}
	in.offers.end()
	if in.conn != nil {
		_ = in.conn.Close()
	}
	for _, f := range []*os.File{in.lifeline, in.stdin} {
		if f != nil {
			_ = f.Close()
		}
	}
	if in.dir != "" {
		_ = os.RemoveAll(in.dir)
	}
}

// parseHandshake reads go-plugin's line and returns the socket's path: CORE|APP|NETWORK|ADDRESS|PROTOCOL and perhaps more.
func parseHandshake(line, dir string) (string, error) {
	part := strings.Split(line, "|")
	if len(part) < 5 {
		return "", fmt.Errorf("its first line on standard output is no handshake: %.200q", line)
	}
	if part[0] != strconv.Itoa(goplugin.CoreProtocolVersion) || part[1] != strconv.Itoa(plugin.ProtocolVersion) || part[2] != "unix" || part[4] != "grpc" {
		return "", fmt.Errorf("its handshake is %.200q, want %d|%d|unix|…|grpc", line, goplugin.CoreProtocolVersion, plugin.ProtocolVersion)
	}
	if filepath.Dir(part[3]) != dir {
		return "", fmt.Errorf("its socket %.200q is not in the folder that it was given, %s", part[3], dir)
	}
	return part[3], nil
}

// dial connects to a socket as a caller with a token, which may be empty.
func dial(socket, token string) (*grpc.ClientConn, error) {
	return grpc.NewClient("unix:"+socket, append(plugin.DialOptions(token), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
}

// firstLine splits standard output: its first line is the handshake.
type firstLine struct {
	line chan string
	have []byte
	sent bool
	rest *tail
}

// maxLine bounds the handshake.
const maxLine = 4 << 10

func (f *firstLine) Write(b []byte) (int, error) {
	if f.sent {
		return f.rest.Write(b)
	}
	f.have = append(f.have, b...)
	i := bytes.IndexByte(f.have, '\n')
	if i < 0 && len(f.have) < maxLine {
		return len(b), nil
	}
	if i < 0 {
		i = maxLine
	}
	f.sent = true
	f.line <- strings.TrimSpace(string(f.have[:i]))
	_, _ = f.rest.Write(f.have[i:])
	return len(b), nil
}

// tail keeps the last of what is written.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailBytes = 32 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if n := len(t.text) - tailBytes; n > 0 {
		t.text = append(t.text[:0], t.text[n:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}
