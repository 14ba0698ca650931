package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// job is what a child process does: two nodes of one transport, so that its processor time is theirs alone.
type job struct {
	Work     string
	Peer     string
	At, Dial [2]netip.AddrPort // of each node, and where the other one finds it
	Bytes    int64
	Time     time.Duration
	Seed     uint64
	Setting  setting
	Size     int // of the datagrams of a pump
	Window   int // of a pump
}

// Further kinds of work of a child.
const (
	pumpWork    = "pump"
	latencyWork = "latency"
)

// answer is a line that a child writes.
type answer struct {
	Ready  bool         `json:",omitempty"` // for the next phase; the child goes on when it is sent a line
	Result *measurement `json:",omitempty"`
	Pump   *pumped      `json:",omitempty"`
	Junk   *junkResult  `json:",omitempty"`
	Drops  uint64       // datagrams that the kernel dropped at the sockets of the nodes
	Error  string       `json:",omitempty"`
}

// childMain does the job that comes as the first line of in and ends when in does.
func childMain(in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	first, err := lines.ReadBytes('\n')
	if err != nil {
		return err
	}
	var j job
	if err := json.Unmarshal(first, &j); err != nil {
		return err
	}
	next := make(chan struct{})
	go func() {
		for {
			if _, err := lines.ReadString('\n'); err != nil { // whoever started this has ended
				os.Exit(0)
			}
			next <- struct{}{}
		}
	}()
	say := json.NewEncoder(out)
	a := answer{}
	if err := work(j, &a, func() error {
		err := say.Encode(answer{Ready: true})
		<-next
		return err
	}); err != nil {
		a.Error = err.Error()
	}
	if err := say.Encode(a); err != nil {
		return err
	}
	<-next
	return nil
}

func work(j job, a *answer, phase func() error) error {
	if j.Work == pumpWork {
		r, err := pump(j)
		a.Pump = &r
		return err
	}
	c, err := contenderOf(j.Peer)
	if err != nil {
		return err
	}
	p, err := newPair(c, j.Seed, j.At, j.Dial, j.Setting)
	if err != nil {
		return err
	}
	if err := p.warm(); err != nil {
		return errors.Join(err, p.close())
	}
	if j.Work == latencyWork {
		var r junkResult
		r, err = phases(p, j, phase)
		a.Junk = &r
	} else {
		var m measurement
		m, err = carry(p, j)
		a.Result = &m
	}
	a.Drops = socketDrops(j.At[0].Addr(), j.At[1].Addr())
	return errors.Join(err, p.close())
}

// statsOf returns what a transport tells of its only link.
func statsOf(e *end) *transport.LinkStats {
	t, ok := e.opened.(interface {
		Stats(context.Context) ([]transport.LinkStats, error)
	})
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s, err := t.Stats(ctx); err == nil && len(s) > 0 {
		return &s[0]
	}
	return nil
}

// child is a running child process.
type child struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	end  context.CancelFunc
	ctx  context.Context
	name string
}

// startChild starts this program as a child with a job. It is killed when ctx ends or the limit is over.
func startChild(ctx context.Context, j job, limit time.Duration) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{name: j.Peer + " " + j.Work}
	c.ctx, c.end = context.WithTimeout(ctx, limit)
	c.cmd = exec.CommandContext(c.ctx, self)
	c.cmd.Env = append(os.Environ(), childVariable+"=1", "QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING=1")
	c.cmd.Stderr = os.Stderr
	c.cmd.WaitDelay = time.Second
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	b, err := json.Marshal(j)
	if err == nil {
		_, err = c.in.Write(append(b, '\n'))
	}
	if err != nil {
		c.close()
	}
	return c, err
}

// answer reads the child's next line.
func (c *child) answer() (answer, error) {
	var a answer
	b, err := c.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(b, &a)
	}
	if err != nil {
		return a, fmt.Errorf("%s: the child process has ended without an answer: %w %v", c.name, err, c.ctx.Err())
	}
	if a.Error != "" {
		return a, fmt.Errorf("%s: %s", c.name, a.Error)
	}
	return a, nil
}

// proceed lets the child begin its next phase.
func (c *child) proceed() error {
	_, err := c.in.Write([]byte{'\n'})
	return err
}

// close ends the child and waits for it.
func (c *child) close() {
	_ = c.in.Close()
	c.end()
	_ = c.cmd.Wait()
}
