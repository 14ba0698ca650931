//go:build !linux

package host

import "context"

// cage is what holds one process; only Linux has means for it.
type cage struct{}

func (u *unit) cagedCommand(_ *incarnation, env []string, _ string) (*procRunner, error) {
	return u.bareCommand(env)
}

func (c *cage) settled()                                 {}
func (c *cage) String() string                           { return "none" }
func (c *cage) overMemory() bool                         { return false }
func (c *cage) watch(context.Context, int, func(error))  {}
func (c *cage) remove()                                  {}
func (o *shimOrder) confine() (report string, err error) { return "", nil }

type cgroups struct{}

func findCgroups(string) *cgroups { return nil }
func (c *cgroups) remove()        {}

// Harden does nothing here.
func Harden() {}
