package host

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// confine gives up what a plugin must not have, for this thread and all that it executes, and tells what was given up.
// What the kernel does not offer is left out and not reported; what it refuses is an error.
func (o *shimOrder) confine() (string, error) {
	if err := o.follow(); err != nil {
		return "", err
	}
	for _, file := range o.Group {
		if err := os.WriteFile(file, []byte("0"), 0); err != nil {
			return "", fmt.Errorf("join the control group that limits its memory: %w", err)
		}
	}
	// A dump of a plugin's memory would lie in a folder of somebody's choice.
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return "", fmt.Errorf("switch core dumps off: %w", err)
	}
	if n := o.OpenFiles; n > 0 {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: n}); err != nil {
			return "", fmt.Errorf("limit the open files to %d: %w", n, err)
		}
	}
	if !o.Sandbox {
		return "", nil
	}
	var done []string
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return "", fmt.Errorf("set no_new_privs: %w", err)
	}
	done = append(done, "no new privileges")
	abi, err := o.landlock()
	if err != nil {
		return "", fmt.Errorf("sandbox: %w", err)
	}
	if abi > 0 {
		done = append(done, fmt.Sprintf("Landlock %d", abi))
	}
	dropped, err := dropCapabilities()
	if err != nil {
		return "", fmt.Errorf("drop capabilities: %w", err)
	}
	if dropped {
		done = append(done, "no capabilities")
	}
	if !o.Online {
		denied, err := denySockets()
		if err != nil {
			return "", fmt.Errorf("refuse sockets: %w", err)
		}
		if denied {
			done = append(done, "no network")
		}
	}
	return strings.Join(done, ", "), nil
}

// follow makes the kernel end this process with the host. The host has asked for that when it started the shim, but of
// another thread perhaps than the one that executes the plugin. If the host has ended before, the lifeline knows.
func (o *shimOrder) follow() error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("ask to end with the host: %w", err)
	}
	if o.Lifeline < 3 {
		return nil
	}
	fds := []unix.PollFd{{Fd: int32(o.Lifeline), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("look for the host: %w", err)
		}
		if fds[0].Revents&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0 {
			return errors.New("the host is gone")
		}
		return nil
	}
}

// dropCapabilities gives up root's privileges for good, so that root is a user as others are. It tells whether there are
// none left.
func dropCapabilities() (bool, error) {
	for c := uintptr(0); ; c++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) { // the last one, or not allowed to, which no_new_privs makes up for
			break
		}
		if err != nil {
			return false, err
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
		return false, err
	}
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&h, &none[0]); err != nil {
		return false, err
	}
	return true, nil
}
