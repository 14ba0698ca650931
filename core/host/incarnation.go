package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

const (
	// killAfter is how long a process may take to end by itself once it was told to.
	killAfter = time.Second
	// reapTimeout is how long the end of a killed process is awaited. It is over only if the kernel can't end it.
	reapTimeout = 5 * time.Second
	// exitGrace is how long a lost connection waits for the exit that is probably its cause, for the error's sake.
	exitGrace = 250 * time.Millisecond
)

// incarnation is one run of a plugin's process, from its start to its end.
type incarnation struct {
	unit    *unit
	number  uint32
	run     *procRunner
	gp      *goplugin.Client
	conn    *grpc.ClientConn
	client  *plugin.Client
	info    plugin.Info
	tail    *tail
	cage    *cage // what limits it
	started time.Time

	ctx    context.Context // ends when the incarnation is lost
	cancel context.CancelFunc
	dead   chan struct{} // closed when it is lost; cause is set before
	gone   chan struct{} // closed when nothing of it is left
	once   sync.Once
	cause  error

	mu      sync.Mutex
	culprit *Instance // known to be the one whose call broke it
	how     manner    // that call's
	lostAt  time.Time
	hosts   map[uint64]*Instance // whose host services a handle may use
	last    atomic.Uint32        // number of the last handle
}

// lose declares the incarnation lost, for the first cause that is given. It returns at once; the process is killed and
// cleared away in the background, until gone is closed.
func (i *incarnation) lose(cause error) { i.loseBy(cause, nil, needed) }

// loseBy is lose where the instance is known, and in what manner of call, that broke it.
func (i *incarnation) loseBy(cause error, culprit *Instance, how manner) {
	i.once.Do(func() {
		i.mu.Lock()
		i.culprit, i.how, i.lostAt = culprit, how, time.Now()
		i.mu.Unlock()
		i.cause = cause
		close(i.dead)
		i.cancel()
		go func() {
			defer close(i.gone)
			i.clear()
		}()
	})
}

// clear kills the process, waits for its end and removes what it leaves behind.
func (i *incarnation) clear() {
	_ = i.run.Kill(context.Background())
	select {
	case <-i.run.exited:
	case <-time.After(reapTimeout):
		i.unit.p.h.log.Error("a killed plugin does not end", "plugin", i.unit.p.spec.Name, "pid", i.run.pid())
	}
	finish(i.gp, i.run)
	i.cage.remove()
}

// finish lets go-plugin end its goroutines and remove the socket folder, which it does in Kill. The process is dead or was
// asked to end; one that does not is killed, since Kill itself would wait for ever.
func finish(gp *goplugin.Client, run *procRunner) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		gp.Kill()
	}()
	timer := time.NewTimer(killAfter)
	defer timer.Stop()
	select {
	case <-done:
		return
	case <-timer.C:
		_ = run.Kill(context.Background())
	}
	timer.Reset(reapTimeout)
	select {
	case <-done:
	case <-timer.C:
	}
}

// stop ends the process in an orderly way: it is told to, and killed if it has not ended after killAfter.
func (i *incarnation) stop() {
	i.once.Do(func() {
		i.cause = ErrClosed
		close(i.dead)
		go func() {
			defer close(i.gone)
			finish(i.gp, i.run)
			i.cancel()
			i.clear()
		}()
	})
	<-i.gone
}

// watch starts everything that notices the loss of the process.
func (i *incarnation) watch(link *plugin.HostLink) {
	go func() { // its exit
		<-i.run.exited
		cause := i.run.exit()
		if i.cage.overMemory() {
			cause = fmt.Errorf("%w of %s: %w", ErrMemory, bytesText(i.unit.p.spec.Limits.Memory), cause)
		}
		i.lose(cause)
	}()
	go func() { // its connection
		for s := i.conn.GetState(); s == connectivity.Ready; s = i.conn.GetState() {
			if !i.conn.WaitForStateChange(i.ctx, s) {
				return
			}
		}
		i.loseSoon(errors.New("the connection to it is gone"))
	}()
	go func() { // its calls to the core
		err := link.Serve(i.services)
		i.loseSoon(fmt.Errorf("the host stream has ended: %w", err))
	}()
	go i.pings()
	go i.cage.watch(i.ctx, i.run.pid(), func(cause error) { i.lose(cause) })
}

// loseSoon gives the exit of the process a moment to be noticed, because it says more.
func (i *incarnation) loseSoon(cause error) {
	timer := time.NewTimer(exitGrace)
	defer timer.Stop()
	select {
	case <-i.dead:
	case <-timer.C:
		i.lose(cause)
	}
}

// pings asks for the plugin's health until it is lost.
func (i *incarnation) pings() {
	limit := i.unit.p.spec.PingTimeout
	tick := time.NewTicker(max(limit/5, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-i.dead:
			return
		case <-tick.C:
		}
		switch err := i.ping(limit); {
		case err == nil:
		case status.Code(err) == codes.DeadlineExceeded:
			i.lose(fmt.Errorf("%w: no answer to a ping for %s", ErrHung, limit))
		default:
			i.loseSoon(fmt.Errorf("it does not answer pings: %w", err))
		}
	}
}

func (i *incarnation) ping(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(i.ctx, limit)
	defer cancel()
	r, err := grpc_health_v1.NewHealthClient(i.conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: plugin.HealthService})
	if err != nil {
		return err
	}
	if r.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("its health is %s", r.GetStatus())
	}
	return nil
}

// alive tells whether the incarnation still serves, after a call failed as if it did not. The answer is sure: the state
// of the connection alone may lag behind the call's error.
func (i *incarnation) alive() bool {
	if isClosed(i.dead) {
		return false
	}
	if err := i.ping(i.unit.p.spec.PingTimeout); err != nil {
		i.loseSoon(fmt.Errorf("it does not answer: %w", err))
		<-i.dead
		return false
	}
	return true
}

// services finds what the core offers to an instance.
func (i *incarnation) services(handle uint64) plugin.Host {
	i.mu.Lock()
	defer i.mu.Unlock()
	if inst := i.hosts[handle]; inst != nil && inst.services != nil {
		return inst.services
	}
	return nil
}

// open opens an instance and returns its handle.
func (i *incarnation) open(ctx context.Context, inst *Instance) (uint64, error) {
	handle := plugin.MakeHandle(i.number, i.last.Add(1))
	i.mu.Lock()
	i.hosts[handle] = inst // the plugin may ask for services while it opens
	i.mu.Unlock()
	req := inst.req
	req.Handle = handle
	ctx, cancel := context.WithTimeout(ctx, i.unit.p.spec.OpenTimeout)
	defer cancel()
	if err := i.client.Open(ctx, req); err != nil {
		i.forget(handle)
		return 0, err
	}
	return handle, nil
}

func (i *incarnation) forget(handle uint64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.hosts, handle)
}

// close ends an instance, within ctx and the plugin's own limit.
func (i *incarnation) close(ctx context.Context, handle uint64) error {
	defer i.forget(handle)
	ctx, cancel := context.WithTimeout(ctx, i.unit.p.spec.OpenTimeout)
	defer cancel()
	return i.client.Close(ctx, handle)
}

// crash describes the loss, once the incarnation is dead.
func (i *incarnation) crash() error {
	return &CrashError{Name: i.unit.p.spec.Name, PID: i.run.pid(), Cause: i.cause, Stderr: i.tail.last()}
}

func bytesText(n int64) string {
	if n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}

// removeSocket takes away the name of the socket once the connection stands, so that nobody else finds it.
func removeSocket(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
