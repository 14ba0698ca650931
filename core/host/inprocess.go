package host

import (
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// InProcess serves a plugin without a process, with the same interface: for tests, and to measure what the process
// boundary costs. Nothing is sandboxed, limited, supervised or tried again, and Open makes no client: calls go to the
// plugin directly.
func InProcess(p plugin.Plugin) *Process {
	info := p.Describe()
	begun := make(chan struct{})
	close(begun)
	proc := newProcess(nil, Spec{Name: info.Name}, "", nil)
	proc.local, proc.info, proc.begun = p, info, begun
	return proc
}

// localAs returns an in-process instance as a T. It panics, in process or not, if the instance can't be one: the mistake
// is the caller's.
func localAs[T any](i *Instance, kind plugin.Kind) (T, bool) {
	var none T
	if i.req.Kind != kind && !(kind == plugin.Module && i.Info().HasModule) {
		panic(fmt.Sprintf("host: an instance of kind %s used as a %s", i.req.Kind, kind))
	}
	if i.p.local == nil {
		return none, false
	}
	t, ok := i.local.(T)
	if !ok {
		panic(fmt.Sprintf("host: plugin %q opened a %T as %s", i.p.spec.Name, i.local, kind))
	}
	return t, true
}
