//go:build !linux

package localnet

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// process is the id of a running process.
type process int

func watchProcess(pid int) (process, error) { return process(pid), nil }

// wait returns when no process has the id. A system without descriptors of processes has no way to be told, so it looks.
func (p process) wait(ctx context.Context) error {
	for unix.Kill(int(p), 0) == nil {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the supervisor has not ended: %w", ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

func (process) close() {}
