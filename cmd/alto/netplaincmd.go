package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/plain"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/plain/endpoint"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
	"github.com/paloalto-chain/paloalto/sdk/transport"
)

func (a *app) netPlainCmd() *cobra.Command {
	c := &cobra.Command{Use: "plain", Short: "Speak the white paper's protocol with any peer, without a network",
		Long: "Speaks the mode plain of transport-udp, which is chapter 5 of the white paper byte for byte, so that another implementation can be\n" +
			"tried. There is neither encryption nor authentication. The format is in docs/reference/transport-plain.md.",
		Example: "  alto net plain receive --listen 127.0.0.1:26600 --dir inbox\n  alto net plain send-file 127.0.0.1:26600 params.txt -v\n" +
			"  alto net plain test 127.0.0.1:26600"}
	c.AddCommand(a.netPlainConnectCmd(), a.netPlainSendCmd(), a.netPlainReceiveCmd(), a.netPlainTestCmd())
	return c
}

// plainFlags are the flags that all of these commands have.
type plainFlags struct {
	listen     string
	retransmit time.Duration
	window     int
	limit      int
	verbose    bool
}

func (f *plainFlags) add(c *cobra.Command, listen string) {
	d := plain.Defaults()
	c.Flags().StringVar(&f.listen, "listen", listen, "address of this end; port 0 lets the system choose")
	c.Flags().DurationVar(&f.retransmit, "retransmit", d.Retransmit, "what is not confirmed is sent again when nothing was heard for so long")
	c.Flags().IntVar(&f.window, "window", d.Window, "messages that may wait for their confirmation, 1 to 127; 1 waits for each, which very simple peers need")
	c.Flags().IntVar(&f.limit, "limit", d.RetransmitLimit, "retransmissions without any confirmation that end the connection")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "print each datagram to standard error, as hex with what it is")
}

// open opens the socket. Errors have their exit codes.
func (a *app) openPlain(ctx context.Context, f plainFlags, peers int, change func(*plain.Config)) (*endpoint.Host, error) {
	if err := transport.CheckListen(f.listen); err != nil {
		return nil, coded(exitUsage, fmt.Errorf("--listen: %w", err))
	}
	opt := endpoint.Options{Hub: plain.HubConfig{Conn: plain.Defaults(), Strangers: peers}}
	cfg := &opt.Hub.Conn
	cfg.Retransmit, cfg.RetransmitLimit, cfg.Window = f.retransmit, f.limit, f.window
	if change != nil {
		change(cfg)
	}
	if err := cfg.Check(); err != nil {
		return nil, coded(exitUsage, err)
	}
	var t *tracer
	if f.verbose {
		t = &tracer{w: a.err, names: map[netip.AddrPort]string{}}
		t.mu.Lock() // until the own address is known
		opt.Trace = t.trace
	}
	h, err := endpoint.Open(ctx, f.listen, opt)
	if err != nil {
		return nil, coded(exitConfig, fmt.Errorf("listen on %s: %w; choose another address with --listen, or end who has it", f.listen, err))
	}
	if t != nil {
		fmt.Fprintf(a.err, "# A is %s\n", h.Address())
		t.mu.Unlock()
	}
	return h, nil
}

// tracer prints datagrams in the form of the captures. This end is A, the others are B, C and so on as they appear.
type tracer struct {
	mu    sync.Mutex
	w     io.Writer
	names map[netip.AddrPort]string
}

func (t *tracer) trace(at plain.Time, from, to netip.AddrPort, b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x, y := t.name(from), t.name(to)
	fmt.Fprintln(t.w, plain.Line(at.Truncate(10*time.Microsecond), x, y, b))
}

func (t *tracer) name(a netip.AddrPort) string {
	if !a.IsValid() {
		return "A"
	}
	n := t.names[a]
	if n == "" {
		if n = string(rune('B' + len(t.names))); len(t.names) >= 25 {
			return a.String()
		}
		t.names[a] = n
		fmt.Fprintf(t.w, "# %s is %s\n", n, a)
	}
	return n
}

// dialPlain connects to a peer.
func (a *app) dialPlain(ctx context.Context, h *endpoint.Host, address string) (*endpoint.Peer, error) {
	if err := transport.CheckAddress(address); err != nil {
		return nil, coded(exitUsage, err)
	}
	at, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, coded(exitConfig, fmt.Errorf("connect to %s: %w; is the name right?", address, err))
	}
	p, err := h.Dial(ctx, at.AddrPort())
	if err != nil {
		return nil, plainError(err)
	}
	a.progress("connected to %s", p.Addr())
	return p, nil
}

// plainError says what to do about an error, and gives it its exit code.
func plainError(err error) error {
	var end *endpoint.EndError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, endpoint.ErrNoConnection):
		return coded(exitUnhealthy, fmt.Errorf("%w; is the peer started, does it listen there, and does a firewall let UDP through?", err))
	case !errors.As(err, &end):
		return err
	case end.Refused && end.Code == wire.ComPortsInUse:
		return coded(exitUnhealthy, fmt.Errorf("%w; it serves another peer, try again when that one has ended", err))
	case end.Refused:
		return coded(exitFailed, fmt.Errorf("%w; it speaks another mode, or it wants another CONNECT than two bytes of port", err))
	case end.ByPeer && end.Code == wire.ConfigError:
		return coded(exitFailed, fmt.Errorf("%w; it does not take this: look at the peer's own message (a name it refuses, a file that exists, one that is too large)", err))
	case end.Code == wire.NumMissMatch:
		return coded(exitFailed, fmt.Errorf("%w; the ends count differently, see each number with -v; a peer that can not wait for what is missing needs --window 1", err))
	case end.Code == wire.HeartJumpFailed:
		return coded(exitUnhealthy, fmt.Errorf("%w; is the peer alive, and does it send JUMP every second?", err))
	case !end.ByPeer && end.Code == wire.DisConnect:
		return coded(exitUnhealthy, fmt.Errorf("%w; does the peer confirm each message with its number (see -v)? On a bad network raise --limit or --retransmit", err))
	}
	return coded(exitFailed, err)
}

// hangup ends a connection in order, if it has not ended.
func hangup(ctx context.Context, p *endpoint.Peer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = p.Hangup(ctx, wire.DisConnect)
}

func (a *app) netPlainConnectCmd() *cobra.Command {
	var f plainFlags
	var span time.Duration
	c := &cobra.Command{
		Use: "connect ADDRESS", Short: "Connect and exchange heartbeats",
		Long: "Sends CONNECT, at most three times, and JUMP every second until Ctrl-C or for the time of --for, then an ERROR with DisConnect.\n" +
			"Prints what the peer sends. Exit code 6 if nobody answers or the connection breaks.",
		Example: "  alto net plain connect 127.0.0.1:26600\n  alto net plain connect 127.0.0.1:26600 --for 5s -v\n" +
			"  alto net plain connect 192.0.2.7:26600 --listen 192.0.2.8:26601 --window 1",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			h, err := a.openPlain(c.Context(), f, 0, nil)
			if err != nil {
				return err
			}
			defer h.Close() //nolint:errcheck // never fails
			p, err := a.dialPlain(c.Context(), h, args[0])
			if err != nil {
				return err
			}
			defer hangup(c.Context(), p)
			ctx := c.Context()
			if span > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, span)
				defer cancel()
			}
			for {
				m, err := p.Recv(ctx)
				switch {
				case c.Context().Err() != nil, errors.Is(err, context.DeadlineExceeded) && span > 0:
					return nil
				case err != nil:
					return plainError(err)
				}
				if err := a.print(plainMessageView{m.ID.String(), m.Body}, func() { fmt.Fprintf(a.out, "%s, %d bytes\n", m.ID, len(m.Body)) }); err != nil {
					return err
				}
			}
		},
	}
	f.add(c, ":0")
	c.Flags().DurationVar(&span, "for", 0, "end after so long (default: until Ctrl-C)")
	return c
}

// plainMessageView is a message that a peer has sent.
type plainMessageView struct {
	Message string `json:"message"`
	Body    []byte `json:"body,omitempty"`
}

// plainFileView is a file that was sent or received, plainTestView a test that a peer has run.
type plainFileView struct {
	Peer          string  `json:"peer"`
	Name          string  `json:"name"`
	Bytes         int64   `json:"bytes"`
	Seconds       float64 `json:"seconds,omitempty"`
	Datagrams     uint64  `json:"datagrams,omitempty"`
	Retransmitted uint64  `json:"retransmitted,omitempty"`
}

func (a *app) netPlainSendCmd() *cobra.Command {
	var f plainFlags
	var name string
	var piece int
	c := &cobra.Command{
		Use: "send-file ADDRESS FILE", Short: "Send a file",
		Long: "Sends a file as FILENAME, DATA and DATA_OVER, and waits until the peer has confirmed all of it. alto confirms DATA_OVER when the file\n" +
			"is on the disk under its name. Exit code 3 if the file can not be read, 6 if nobody answers or the connection breaks, 1 if it is refused.",
		Example: "  alto net plain send-file 127.0.0.1:26600 params.txt\n  alto net plain send-file 127.0.0.1:26600 params.txt --name other.txt -v\n" +
			"  alto net plain send-file 192.0.2.7:26600 params.txt --window 1 --retransmit 1s",
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			file, err := os.Open(args[1])
			if err != nil {
				return coded(exitConfig, err)
			}
			defer file.Close() //nolint:errcheck // it is only read
			if st, err := file.Stat(); err != nil || !st.Mode().IsRegular() {
				return coded(exitConfig, errors.Join(fmt.Errorf("%s is no file", args[1]), err))
			}
			if name == "" {
				name = filepath.Base(args[1])
			}
			if piece < 1 || piece > wire.MaxDatagram-wire.HeaderSize {
				return coded(exitUsage, fmt.Errorf("--piece %d: 1 to %d bytes are possible", piece, wire.MaxDatagram-wire.HeaderSize))
			}
			h, err := a.openPlain(c.Context(), f, 0, nil)
			if err != nil {
				return err
			}
			defer h.Close() //nolint:errcheck // never fails
			p, err := a.dialPlain(c.Context(), h, args[0])
			if err != nil {
				return err
			}
			defer hangup(c.Context(), p)
			start := time.Now()
			n, err := endpoint.SendFile(c.Context(), p, name, file, piece)
			if err != nil {
				return plainError(fmt.Errorf("send %s as %q to %s, %d bytes were sent: %w", args[1], name, p.Addr(), n, err))
			}
			st := p.Stats()
			v := plainFileView{p.Addr().String(), name, n, time.Since(start).Seconds(), st.Messages, st.Retransmitted}
			return a.print(v, func() {
				fmt.Fprintf(a.out, "sent %s, %d bytes in %.3f s, %d messages, %d retransmitted\n", name, n, v.Seconds, v.Datagrams, v.Retransmitted)
			})
		},
	}
	f.add(c, ":0")
	c.Flags().StringVar(&name, "name", "", "name that the peer is told (default: that of the file)")
	c.Flags().IntVar(&piece, "piece", 1196, "bytes of a DATA; the header's four are added")
	return c
}

func (a *app) netPlainReceiveCmd() *cobra.Command {
	var f plainFlags
	var folder endpoint.Folder
	var peers, count int
	c := &cobra.Command{
		Use: "receive", Short: "Receive files, and take part in tests",
		Long: "Listens, receives files into a folder and takes part in the tests of peers, until Ctrl-C or for the number of --count. A file has its\n" +
			"name only when it is whole and on the disk; until then it is .NAME.alto-part. A name that leads out of the folder is refused, and so is\n" +
			"one that exists, but for --overwrite. The peer is told ConfigError then.",
		Example: "  alto net plain receive\n  alto net plain receive --listen 127.0.0.1:26600 --dir inbox -v\n" +
			"  alto net plain receive --dir inbox --count 1 --overwrite -o jsonl",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch st, err := os.Stat(folder.Dir); {
			case err != nil:
				return coded(exitConfig, fmt.Errorf("--dir: %w", err))
			case !st.IsDir():
				return coded(exitConfig, fmt.Errorf("--dir: %s is no folder", folder.Dir))
			case peers < 1 || peers > 1000 || count < 0 || folder.Limit < 0:
				return coded(exitUsage, fmt.Errorf("--peers must be 1 to 1000, --count and --max at least 0"))
			}
			h, err := a.openPlain(c.Context(), f, peers, func(cfg *plain.Config) { cfg.DeferOver = true })
			if err != nil {
				return err
			}
			a.progress("listening on %s", h.Address())
			return a.receivePlain(c.Context(), h, folder, count)
		},
	}
	f.add(c, ":26600")
	c.Flags().StringVar(&folder.Dir, "dir", ".", "folder for the files")
	c.Flags().BoolVar(&folder.Overwrite, "overwrite", false, "replace files that exist")
	c.Flags().Int64Var(&folder.Limit, "max", 1<<30, "most bytes of a file")
	c.Flags().IntVar(&peers, "peers", 1, "connections at a time; a further one is refused with ComPortsInUse")
	c.Flags().IntVar(&count, "count", 0, "end after so many files (default: until Ctrl-C)")
	return c
}

// receivePlain serves peers until there have been count files, or Ctrl-C. It closes the host.
func (a *app) receivePlain(ctx context.Context, h *endpoint.Host, folder endpoint.Folder, count int) error {
	outer := ctx
	ctx, cancel := context.WithCancel(ctx)
	var wait sync.WaitGroup
	var mu sync.Mutex
	files := 0
	defer func() {
		cancel()
		wait.Wait()
		_ = h.Close()
	}()
	last := make(chan *endpoint.Peer, 1)
	wait.Go(func() {
		select {
		case <-ctx.Done():
		case p := <-last: // it is let go in order: it has to hear that its file is here
			after, stop := context.WithTimeout(ctx, time.Second)
			_ = p.Done(after)
			stop()
			cancel()
		}
	})
	for {
		p, err := h.Accept(ctx)
		if err != nil {
			if outer.Err() == nil && !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
		}
		a.progress("%s has connected", p.Addr())
		wait.Go(func() {
			err := endpoint.Serve(ctx, p, folder, func(d endpoint.Done) {
				mu.Lock()
				defer mu.Unlock()
				a.printDone(p, d)
				if d.Test == nil {
					if files++; files == count {
						last <- p
					}
				}
			})
			var end *endpoint.EndError
			switch {
			case ctx.Err() != nil:
				hangup(ctx, p)
			case errors.As(err, &end) && end.ByPeer && end.Code == wire.DisConnect && err == error(end):
				a.progress("%s has ended the connection", p.Addr())
			default:
				a.progress("%s: %v", p.Addr(), err)
			}
		})
	}
}

func (a *app) printDone(p *endpoint.Peer, d endpoint.Done) {
	if t := d.Test; t != nil {
		a.progress("%s has run a test: %d messages, %d bytes, %d of them repeated", p.Addr(), t.Messages, t.Bytes, t.Repeated)
		return
	}
	v := plainFileView{Peer: p.Addr().String(), Name: d.Name, Bytes: d.Size}
	_ = a.print(v, func() { fmt.Fprintf(a.out, "received %s, %d bytes, from %s\n", d.Name, d.Size, p.Addr()) })
}

// plainReportView is a measurement as alto net plain test prints it. Times are in milliseconds.
type plainReportView struct {
	Peer      string   `json:"peer"`
	Min       float64  `json:"rtt_min_ms"`
	P50       float64  `json:"rtt_p50_ms"`
	P99       float64  `json:"rtt_p99_ms"`
	Trips     int      `json:"round_trips"`
	Messages  uint64   `json:"messages"`
	Sent      uint64   `json:"datagrams"`
	Lost      uint64   `json:"unconfirmed"`
	Loss      float64  `json:"loss"`
	LossThere *float64 `json:"loss_there,omitempty"`
	Bytes     uint64   `json:"stream_bytes"`
	Seconds   float64  `json:"stream_seconds"`
	Goodput   float64  `json:"goodput_bytes_per_second"`
	Partial   bool     `json:"partial,omitempty"`
	Over      bool     `json:"test_over"`
	Results   bool     `json:"results"`
}

func (a *app) netPlainTestCmd() *cobra.Command {
	var f plainFlags
	var plan endpoint.Plan
	c := &cobra.Command{
		Use: "test ADDRESS", Short: "Measure round trip, loss and goodput with the paper's test",
		Long: "Sends START, single DATA that give the round trip, a stream of DATA that gives the goodput, and DATA_OVER; waits for TEST_OVER, asks\n" +
			"for the results with RESULT, and ends with STOP. The loss is the share of the datagrams that were not confirmed: they were lost, or their\n" +
			"confirmations were. If the peer sends results as alto does, the loss on the way there is told as well.",
		Example: "  alto net plain test 127.0.0.1:26600\n  alto net plain test 127.0.0.1:26600 --single 20 --stream 0\n" +
			"  alto net plain test 192.0.2.7:26600 --size 1400 --time 30s -o json",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := plan.Check(); err != nil {
				return coded(exitUsage, err)
			}
			h, err := a.openPlain(c.Context(), f, 0, func(cfg *plain.Config) { cfg.Measure = true })
			if err != nil {
				return err
			}
			defer h.Close() //nolint:errcheck // never fails
			p, err := a.dialPlain(c.Context(), h, args[0])
			if err != nil {
				return err
			}
			defer hangup(c.Context(), p)
			r, err := endpoint.Measure(c.Context(), p, plan)
			if err != nil {
				return plainError(fmt.Errorf("test %s: %w", p.Addr(), err))
			}
			return a.printPlainReport(p.Addr().String(), r)
		},
	}
	f.add(c, ":0")
	c.Flags().IntVar(&plan.Single, "single", 50, "DATA that are sent one at a time")
	c.Flags().IntVar(&plan.Stream, "stream", 5000, "DATA that are sent as fast as the window allows")
	c.Flags().IntVar(&plan.Size, "size", 1000, "bytes of each body")
	c.Flags().DurationVar(&plan.Limit, "time", 10*time.Second, "no more is sent after so long")
	c.Flags().DurationVar(&plan.Wait, "wait", 10*time.Second, "how long TEST_OVER and the results are waited for")
	return c
}

func (a *app) printPlainReport(peer string, r endpoint.Report) error {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	v := plainReportView{Peer: peer, Min: ms(r.Min), P50: ms(r.P50), P99: ms(r.P99), Trips: r.Trips, Messages: r.Messages, Sent: r.Sent, Lost: r.Lost,
		Bytes: r.Bytes, Seconds: r.Elapsed.Seconds(), Goodput: r.Goodput, Partial: r.Partial, Over: r.Over, Results: r.Remote != nil}
	if r.Sent > 0 {
		v.Loss = float64(r.Lost) / float64(r.Sent)
		if r.Remote != nil {
			there := float64(r.LostThere) / float64(r.Sent)
			v.LossThere = &there
		}
	}
	if !r.Over {
		a.progress("the peer has not reported TEST_OVER; only what this end has seen is known")
	}
	return a.print(v, func() {
		fmt.Fprintf(a.out, "round trip  min %.3f ms, p50 %.3f ms, p99 %.3f ms (%d of them)\n", v.Min, v.P50, v.P99, v.Trips)
		fmt.Fprintf(a.out, "loss        %.2f %% there and back: %d of %d datagrams were not confirmed\n", 100*v.Loss, v.Lost, v.Sent)
		if v.LossThere != nil {
			fmt.Fprintf(a.out, "            %.2f %% there, as the peer says\n", 100**v.LossThere)
		}
		fmt.Fprintf(a.out, "goodput     %.0f bytes a second: %d bytes in %.3f s\n", v.Goodput, v.Bytes, v.Seconds)
		if v.Partial {
			fmt.Fprintln(a.out, "the time limit has cut the test short")
		}
	})
}
