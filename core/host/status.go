package host

import (
	"cmp"
	"slices"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// State is where a process stands.
type State string

// The states.
const (
	Starting   State = "starting"
	Ready      State = "ready"
	Restarting State = "restarting" // lost, and waiting to be started again
	Stopping   State = "stopping"
	Stopped    State = "stopped"
)

// Status describes one process of the operating system.
type Status struct {
	Name      string // of the plugin
	Chain     string // the chain that it is for, if for one alone
	Kinds     []plugin.Kind
	Version   string
	Path      string // "built in" or the binary's
	Digest    string // SHA-256 of an external plugin's file
	PID       int    // 0 while there is none
	State     State
	Instances []InstanceStatus
	Restarts  int
	RSS       int64     // resident memory in bytes
	Started   time.Time // of the present process
	LastError string    // why the last process was lost
	Cage      string    // what confines the present process, for people; "none" if nothing does
}

// InstanceStatus describes one instance.
type InstanceStatus struct {
	Chain   string
	Kind    plugin.Kind
	Ready   bool
	Crashes int    // that count, without progress since
	Harms   int    // losses that are put down to questions, lately
	Failed  string // why it has failed; empty if it has not
}

func (u *unit) status() Status {
	p := u.p
	u.mu.Lock()
	s := Status{
		Name: p.spec.Name, Chain: u.label, Path: p.spec.where(), PID: u.pid, State: u.state, Restarts: max(u.starts-1, 0), Started: u.started,
	}
	if u.lastErr != nil {
		s.LastError = u.lastErr.Error()
	}
	if u.inc != nil {
		s.Cage = u.inc.cage.String()
	}
	instances := keys(u.instances)
	u.mu.Unlock()
	select {
	case <-p.begun:
		s.Version, s.Digest = p.info.Version, p.Digest()
		for _, k := range p.info.Kinds {
			s.Kinds = append(s.Kinds, k.Kind)
		}
	default:
	}
	if s.PID != 0 {
		s.RSS = residentSet(s.PID)
	}
	for _, inst := range instances {
		s.Instances = append(s.Instances, inst.status())
	}
	slices.SortFunc(s.Instances, func(a, b InstanceStatus) int { return cmp.Compare(a.Chain, b.Chain) })
	return s
}

// statusOf lists the processes and, apart, the instances that have failed and so have none.
func statusOf(all []*Process) []Status {
	var out []Status
	for _, p := range all {
		p.mu.Lock()
		units := keys(p.units)
		p.mu.Unlock()
		for _, u := range units {
			out = append(out, u.status())
		}
	}
	slices.SortFunc(out, func(a, b Status) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Chain, b.Chain), cmp.Compare(a.PID, b.PID))
	})
	return out
}
