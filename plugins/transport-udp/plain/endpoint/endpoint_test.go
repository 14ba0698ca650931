package endpoint

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/internal/faultproxy"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/plain"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// receiverEnv makes the test binary be a receiver in that folder, see TestKilledReceiver.
const receiverEnv = "PLAIN_TEST_RECEIVER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(receiverEnv); dir != "" {
		receiver(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// receiver receives files until it is killed, and prints its address.
func receiver(dir string) {
	ctx := context.Background()
	h, err := Open(ctx, "127.0.0.1:0", options(nil))
	if err != nil {
		panic(err)
	}
	fmt.Println(h.Address())
	for {
		p, err := h.Accept(ctx)
		if err != nil {
			panic(err)
		}
		_ = Serve(ctx, p, Folder{Dir: dir, Limit: 1 << 30, Overwrite: true}, func(Done) {})
	}
}

// options are settings with which a test does not wait for seconds.
func options(change func(*plain.Config)) Options {
	c := plain.Defaults()
	c.Retransmit, c.RetransmitLimit, c.ConnectInterval, c.DeferOver = 20*time.Millisecond, 20, 200*time.Millisecond, true
	if change != nil {
		change(&c)
	}
	return Options{Hub: plain.HubConfig{Conn: c, Strangers: 1}}
}

func open(t *testing.T, opt Options) *Host {
	t.Helper()
	h, err := Open(t.Context(), "127.0.0.1:0", opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// served is a host that receives files one connection after the other.
type served struct {
	*Host
	dir  string
	done chan Done
	errs chan error
}

func serve(t *testing.T, folder Folder, opt Options) *served {
	t.Helper()
	s := &served{Host: open(t, opt), dir: t.TempDir(), done: make(chan Done, 100), errs: make(chan error, 100)}
	folder.Dir = s.dir
	if folder.Limit == 0 {
		folder.Limit = 1 << 30
	}
	stopped := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(stopped)
		for {
			p, err := s.Accept(ctx)
			if err != nil {
				return
			}
			s.errs <- Serve(ctx, p, folder, func(d Done) { s.done <- d })
		}
	}()
	t.Cleanup(func() { cancel(); <-stopped })
	return s
}

func dial(t *testing.T, h *Host, to netip.AddrPort) *Peer {
	t.Helper()
	p, err := h.Dial(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func content(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n)})
	_, _ = r.Read(b)
	return b
}

// onlyParts wants a folder to have these files and nothing else but parts.
func (s *served) wantFiles(t *testing.T, parts bool, names ...string) {
	t.Helper()
	list, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list {
		if !parts || !strings.HasSuffix(e.Name(), ".alto-part") {
			got = append(got, e.Name())
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(names) {
		t.Fatalf("the folder has %q, want %q", got, names)
	}
}

func TestFile(t *testing.T) {
	s := serve(t, Folder{}, options(nil))
	a := open(t, options(nil))
	for i, size := range []int{0, 1, 1000, 100_000, 3_000_000} {
		p := dial(t, a, s.Address())
		name, data := fmt.Sprintf("f%d", i), content(size)
		n, err := SendFile(t.Context(), p, name, bytes.NewReader(data), 1000)
		if err != nil || n != int64(size) {
			t.Fatalf("%d bytes: %d, %v", size, n, err)
		}
		got, err := os.ReadFile(filepath.Join(s.dir, name)) // it is there as soon as the sender knows
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%d bytes: %d have arrived, or others; %v", size, len(got), err)
		}
		if d := <-s.done; d.Name != name || d.Size != n {
			t.Fatalf("%+v", d)
		}
		if err := p.Hangup(t.Context(), wire.DisConnect); err != nil {
			t.Fatal(err)
		}
		var end *EndError
		if err := <-s.errs; !errors.As(err, &end) || end.Code != wire.DisConnect || !end.ByPeer {
			t.Fatalf("the receiver's connection ends with %v", err)
		}
	}
	s.wantFiles(t, false, "f0", "f1", "f2", "f3", "f4")
}

// behind puts a host behind a proxy with faults, and returns the address that others have to call.
func behind(t *testing.T, a, b *Host, faults string) netip.AddrPort {
	t.Helper()
	f, err := faultproxy.ParseFaults(faults)
	if err != nil {
		t.Fatal(err)
	}
	// CONNECT tells a's port, so the proxy has to have the same one on another address.
	p, err := faultproxy.New(faultproxy.Config{Seed: 1, Faults: f, Endpoints: append(
		faultproxy.Endpoints("a", netip.MustParseAddr("127.0.0.21"), a.Address()),
		faultproxy.Endpoints("b", netip.MustParseAddr("127.0.0.22"), b.Address())...)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p.Addr("b")
}

// TestFileThroughBadNetwork: 20 % loss in each direction, copies, and datagrams that overtake each other.
func TestFileThroughBadNetwork(t *testing.T) {
	s := serve(t, Folder{}, options(nil))
	a := open(t, options(nil))
	to := behind(t, a, s.Host, "loss=20% duplicate=5% reorder=10% gap=3ms")
	p := dial(t, a, to)
	data := content(600_000)
	if _, err := SendFile(t.Context(), p, "file", bytes.NewReader(data), 1000); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(s.dir, "file"))
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if st := p.Stats(); st.Retransmitted == 0 {
		t.Error("the network was too good: nothing was retransmitted")
	}
}

// TestRefusedFiles: each file that is not taken ends with an error at both ends, and leaves nothing.
func TestRefusedFiles(t *testing.T) {
	for name, c := range map[string]struct {
		file   string
		size   int
		folder Folder
		before string // a file that exists
		want   error
	}{
		"a path":       {file: "../x", size: 10, want: plain.ErrName},
		"absolute":     {file: "/tmp/x", size: 10, want: plain.ErrName},
		"control":      {file: "a\nb", size: 10, want: plain.ErrName},
		"long":         {file: strings.Repeat("n", plain.MaxName+1), size: 10, want: plain.ErrName},
		"too large":    {file: "x", size: 5000, folder: Folder{Limit: 4000}, want: plain.ErrSize},
		"it is there":  {file: "x", size: 10, before: "x", want: ErrExists},
		"a link there": {file: "x", size: 10, before: "-> x", want: ErrExists},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, c.folder, options(nil))
			var names []string
			if to, link := strings.CutPrefix(c.before, "-> "); link {
				names = append(names, to)
				if err := os.Symlink("/nowhere", filepath.Join(s.dir, to)); err != nil {
					t.Fatal(err)
				}
			} else if c.before != "" {
				names = append(names, c.before)
				if err := os.WriteFile(filepath.Join(s.dir, c.before), []byte("old"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			p := dial(t, open(t, options(nil)), s.Address())
			_, err := SendFile(t.Context(), p, c.file, bytes.NewReader(content(c.size)), 1000)
			var end *EndError
			if !errors.As(err, &end) || end.Code != wire.ConfigError || !end.ByPeer {
				t.Fatalf("the sender gets %v", err)
			}
			if err := <-s.errs; !errors.Is(err, c.want) {
				t.Fatalf("the receiver gets %v, want %v", err, c.want)
			}
			s.wantFiles(t, false, names...)
		})
	}
}

func TestOverwrite(t *testing.T) {
	s := serve(t, Folder{Overwrite: true}, options(nil))
	path := filepath.Join(s.dir, "x")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	// The part of a process that was killed after it had given the file its name, and before it could remove the other one.
	if err := os.Link(path, filepath.Join(s.dir, ".x.alto-part")); err != nil {
		t.Fatal(err)
	}
	p := dial(t, open(t, options(nil)), s.Address())
	ctx := t.Context()
	for _, m := range []Message{{wire.FileName, []byte("x")}, {wire.Data, []byte("n")}} {
		if err := p.Send(ctx, m.ID, m.Body); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "old" {
		t.Fatalf("before the new file is whole there is %q, %v", b, err)
	}
	if err := p.Send(ctx, wire.DataOver, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "n" {
		t.Fatalf("then there is %q, %v", b, err)
	}
	s.wantFiles(t, false, "x")
}

// TestFileComesIntoBeing: a file of the name that comes into being while the other arrives is not replaced.
func TestFileComesIntoBeing(t *testing.T) {
	s := serve(t, Folder{}, options(nil))
	p := dial(t, open(t, options(nil)), s.Address())
	if err := p.Send(t.Context(), wire.FileName, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for part := filepath.Join(s.dir, ".x.alto-part"); ; time.Sleep(time.Millisecond) { // it is confirmed before it is handled
		if _, err := os.Stat(part); err == nil {
			break
		}
	}
	if err := os.WriteFile(filepath.Join(s.dir, "x"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Send(t.Context(), wire.DataOver, nil); err != nil {
		t.Fatal(err)
	}
	var end *EndError
	if err := p.Flush(t.Context()); !errors.As(err, &end) || end.Code != wire.ConfigError {
		t.Fatalf("the sender gets %v", err)
	}
	if err := <-s.errs; !errors.Is(err, ErrExists) {
		t.Fatalf("the receiver gets %v", err)
	}
	if b, _ := os.ReadFile(filepath.Join(s.dir, "x")); string(b) != "old" {
		t.Fatalf("the file is %q now", b)
	}
}

// TestSenderVanishes in the middle of a file: the receiver says so and keeps nothing.
func TestSenderVanishes(t *testing.T) {
	s := serve(t, Folder{}, options(func(c *plain.Config) { c.Heartbeat, c.Silence = 50*time.Millisecond, 300*time.Millisecond }))
	a := open(t, options(nil))
	p := dial(t, a, s.Address())
	for _, m := range []Message{{wire.FileName, []byte("x")}, {wire.Data, []byte("n")}} {
		if err := p.Send(t.Context(), m.ID, m.Body); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.ep.Kill()
	var end *EndError
	if err := <-s.errs; !errors.As(err, &end) || end.Code != wire.HeartJumpFailed || !strings.Contains(err.Error(), "not whole") {
		t.Fatalf("the receiver gets %v", err)
	}
	s.wantFiles(t, false)
}

// TestKilledReceiver kills a receiving process again and again in the middle of a file. Under the file's name there is nothing
// or the whole, ever, and in the end a receiver gets it although the others have left their parts.
func TestKilledReceiver(t *testing.T) {
	dir := t.TempDir()
	s := &served{dir: dir}
	data := content(4 << 20)
	sum := sha256.Sum256(data)
	a := open(t, options(nil))
	run := func(kill int) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), receiverEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}()
		var at string
		if _, err := fmt.Fscan(out, &at); err != nil {
			t.Fatal(err)
		}
		p := dial(t, a, netip.MustParseAddrPort(at))
		_, err = SendFile(t.Context(), p, "big", &killer{r: bytes.NewReader(data), left: kill, kill: func() { _ = cmd.Process.Kill() }}, 1000)
		if kill >= 0 && err == nil {
			t.Fatalf("killed after %d bytes, the sender believes that all is well", kill)
		}
		if kill < 0 && err != nil {
			t.Fatal(err)
		}
	}
	for _, kill := range []int{0, 1000, 2 << 20, 4<<20 - 200_000} {
		run(kill)
		s.wantFiles(t, true)
	}
	run(-1)
	s.wantFiles(t, false, "big")
	if b, err := os.ReadFile(filepath.Join(dir, "big")); err != nil || sha256.Sum256(b) != sum {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
}

// killer calls kill after so many bytes.
type killer struct {
	r    io.Reader
	left int
	kill func()
}

func (k *killer) Read(b []byte) (int, error) {
	if k.left >= 0 && len(b) > k.left {
		k.left = -1
		k.kill()
	}
	n, err := k.r.Read(b)
	if k.left >= 0 {
		k.left -= n
	}
	return n, err
}

func TestNobodyAnswers(t *testing.T) {
	a := open(t, options(func(c *plain.Config) { c.ConnectInterval = 10 * time.Millisecond }))
	sock, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sock.Close() }()
	if _, err := a.Dial(t.Context(), sock.LocalAddr().(*net.UDPAddr).AddrPort()); !errors.Is(err, ErrNoConnection) {
		t.Fatalf("connect to somebody who does not answer: %v", err)
	}
	buf := make([]byte, 100)
	for range 3 {
		n, _, err := sock.ReadFromUDPAddrPort(buf)
		if err != nil || plain.Describe(buf[:n]) != fmt.Sprintf("CONNECT 0, port %d", a.Address().Port()) {
			t.Fatalf("%s, %v", plain.Describe(buf[:n]), err)
		}
	}
}

func TestBusy(t *testing.T) {
	s := serve(t, Folder{}, options(nil))
	p := dial(t, open(t, options(nil)), s.Address())
	var end *EndError
	if _, err := open(t, options(nil)).Dial(t.Context(), s.Address()); !errors.As(err, &end) || !end.Refused || end.Code != wire.ComPortsInUse {
		t.Fatalf("a second peer gets %v", err)
	}
	if err := p.Hangup(t.Context(), wire.DisConnect); err != nil {
		t.Fatal(err)
	}
	dial(t, open(t, options(nil)), s.Address())
}

// TestSlowReceiver: who does not receive holds a bounded number of messages, and nothing is lost when it does at last.
func TestSlowReceiver(t *testing.T) {
	b := open(t, options(func(c *plain.Config) { c.RetransmitLimit = 1000 }))
	a := open(t, options(func(c *plain.Config) { c.RetransmitLimit = 1000 }))
	p := dial(t, a, b.Address())
	q, err := b.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const n = 3000
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			if err := p.Send(t.Context(), wire.Data, []byte{byte(i >> 8), byte(i)}); err != nil {
				sent <- err
				return
			}
		}
		sent <- p.Flush(t.Context())
	}()
	if err := b.until(t.Context(), func() bool { return q.held }); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		m, err := q.Recv(t.Context())
		if err != nil || int(m.Body[0])<<8|int(m.Body[1]) != i {
			t.Fatalf("message %d is %x, %v", i, m.Body, err)
		}
		b.mu.Lock()
		if len(q.queue) > holdAt+plain.MaxWindow {
			t.Fatalf("%d messages wait", len(q.queue))
		}
		b.mu.Unlock()
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
}

func TestMeasure(t *testing.T) {
	measuring := func(c *plain.Config) { c.Measure = true }
	plan := Plan{Single: 30, Stream: 500, Size: 500, Limit: 20 * time.Second, Wait: 5 * time.Second}
	for name, faults := range map[string]string{"good network": "none", "bad network": "loss=10%"} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, Folder{}, options(nil))
			a := open(t, options(measuring))
			p := dial(t, a, behind(t, a, s.Host, faults))
			r, err := Measure(t.Context(), p, plan)
			if err != nil {
				t.Fatal(err)
			}
			if r.Messages != 530 || r.Sent != r.Messages+r.Lost || !r.Over || r.Partial || r.Bytes != 250_000 || r.Goodput <= 0 {
				t.Errorf("%+v", r)
			}
			if r.Trips == 0 || r.Min <= 0 || r.Min > r.P50 || r.P50 > r.P99 {
				t.Errorf("round trips %s, %s, %s of %d", r.Min, r.P50, r.P99, r.Trips)
			}
			if r.Remote == nil || r.Remote.Messages != 530 || r.Remote.Bytes != 265_000 {
				t.Errorf("the peer says %+v", r.Remote)
			}
			if faults != "none" && (r.Lost == 0 || r.LostThere == 0 || r.LostThere >= r.Lost) {
				t.Errorf("10 %% loss, and %d of %d are lost, %d on the way there", r.Lost, r.Sent, r.LostThere)
			}
			if d := <-s.done; d.Test == nil || d.Test.Messages != 530 {
				t.Errorf("the peer reports %+v", d)
			}
		})
	}
}

// TestMeasureIsBounded: the time limit cuts a test short, and a peer that never ends it is no error.
func TestMeasureIsBounded(t *testing.T) {
	a, b := open(t, options(func(c *plain.Config) { c.Measure = true })), open(t, options(func(c *plain.Config) { c.DeferOver = false }))
	p := dial(t, a, b.Address())
	q, err := b.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		for { // confirms all and says nothing
			if _, err := q.Recv(context.Background()); err != nil {
				ended <- err
				return
			}
		}
	}()
	r, err := Measure(t.Context(), p, Plan{Single: 10, Stream: 10_000_000, Size: 10, Limit: 50 * time.Millisecond, Wait: 20 * time.Millisecond})
	if err != nil || !r.Partial || r.Over || r.Remote != nil {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := p.Hangup(t.Context(), wire.DisConnect); err != nil {
		t.Fatal(err)
	}
	<-ended
}
