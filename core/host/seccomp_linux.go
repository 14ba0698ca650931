package host

import (
	"errors"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data. The lower half of an argument comes first on the machines that have a filter here.
const (
	seccompNumber = 0
	seccompArch   = 4
	seccompArg0   = 16
)

// socketFilter refuses all sockets but local ones. Landlock stops TCP, but neither UDP nor MPTCP, which Go listens with
// where it can. io_uring could make sockets past a filter. It is nil where it would have to be another.
func socketFilter() []unix.SockFilter {
	var arch uint32
	switch runtime.GOARCH {
	case "amd64":
		arch = unix.AUDIT_ARCH_X86_64
	case "arm64":
		arch = unix.AUDIT_ARCH_AARCH64
	default:
		return nil
	}
	const (
		load   = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		least  = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		result = unix.BPF_RET | unix.BPF_K
		x32    = 0x40000000 // the other way to number calls on amd64
	)
	const denied, allowed, missing = 9, 10, 11
	code := []unix.SockFilter{
		{Code: load, K: seccompArch},
		{Code: equal, Jt: 0, Jf: missing, K: arch},
		{Code: load, K: seccompNumber},
		{Code: least, Jt: missing, Jf: 0, K: x32},
		{Code: equal, Jt: missing, Jf: 0, K: unix.SYS_IO_URING_SETUP},
		{Code: equal, Jt: 0, Jf: allowed, K: unix.SYS_SOCKET},
		{Code: load, K: seccompArg0},
		{Code: equal, Jt: allowed, Jf: 0, K: unix.AF_UNIX},
		{Code: equal, Jt: allowed, Jf: denied, K: unix.AF_NETLINK},
		{Code: result, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EACCES)},
		{Code: result, K: unix.SECCOMP_RET_ALLOW},
		{Code: result, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
	}
	for at := range code { // jumps are written as places above and are distances in the code
		if f := &code[at]; f.Code&7 == unix.BPF_JMP {
			for _, j := range []*uint8{&f.Jt, &f.Jf} {
				if *j != 0 {
					*j -= uint8(at) + 1
				}
			}
		}
	}
	return code
}

// denySockets puts the filter over this thread and tells whether it could.
func denySockets() (bool, error) {
	code := socketFilter()
	if code == nil {
		return false, nil
	}
	prog := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0)
	runtime.KeepAlive(code)
	if errors.Is(err, unix.EINVAL) { // the kernel is built without
		return false, nil
	}
	return err == nil, err
}
