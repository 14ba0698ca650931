package plugintest

import (
	"context"
	"fmt"
	"sync"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// offers is what a host offers to the instances of a process. Its stream is attached when the first is to have something: most
// suites need no host, and a case of this package attaches its own.
type offers struct {
	mu     sync.Mutex
	hosts  map[uint64]plugin.Host
	cancel context.CancelFunc
	served chan struct{}
}

// offer gives a host to the instance that will be opened with a handle; the plugin may call it before Open returns.
func (in *incarnation) offer(handle uint64, h plugin.Host) error {
	o := &in.offers
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.hosts == nil {
		ctx, cancel := context.WithCancel(context.Background())
		link, err := in.client.AttachHost(ctx)
		if err != nil {
			cancel()
			return fmt.Errorf("offer a host to instance %#x: %w", handle, err)
		}
		o.hosts, o.cancel, o.served = map[uint64]plugin.Host{}, cancel, make(chan struct{})
		go func() {
			defer close(o.served)
			_ = link.Serve(o.of) // ends with the stream
		}()
	}
	o.hosts[handle] = h
	return nil
}

func (o *offers) of(handle uint64) plugin.Host {
	o.mu.Lock()
	defer o.mu.Unlock()
	if h, ok := o.hosts[handle]; ok {
		return h
	}
	return nil
}

func (o *offers) withdraw(handle uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.hosts, handle)
}

// end ends the stream, if there is one, and waits for the calls that are under way.
func (o *offers) end() {
	o.mu.Lock()
	cancel, served := o.cancel, o.served
	o.mu.Unlock()
	if cancel != nil {
		cancel()
		<-served
	}
}
