package localnet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// process is a running process. It is held by a descriptor, so a later process with the same id is not taken for it.
type process int

// gone is a process that has ended.
const gone process = -1

// watchProcess takes hold of a process, to wait for its end.
func watchProcess(pid int) (process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return gone, nil
	}
	return process(fd), err
}

// wait returns when the process has ended.
func (p process) wait(ctx context.Context) error {
	for p != gone {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(p), Events: unix.POLLIN}}, int((10 * time.Millisecond).Milliseconds()))
		switch {
		case n > 0:
			return nil
		case err != nil && !errors.Is(err, unix.EINTR):
			return fmt.Errorf("the supervisor's end: %w", err)
		case ctx.Err() != nil:
			return fmt.Errorf("the supervisor has not ended: %w", ctx.Err())
		}
	}
	return nil
}

func (p process) close() {
	if p != gone {
		_ = unix.Close(int(p))
	}
}
