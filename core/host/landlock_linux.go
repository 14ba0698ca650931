package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Rights on files and folders.
const (
	landRead = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	landRun  = landRead | unix.LANDLOCK_ACCESS_FS_EXECUTE
	// What a plugin may write it may not execute.
	landWrite = landRead | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_REFER |
		unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_MAKE_DIR |
		unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_SYM
	landDevice = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	// landOfFiles are the rights that a rule on something else than a folder may have.
	landOfFiles = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_EXECUTE |
		unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
)

// landlockABI returns the version that the kernel has, 0 if it has none.
func landlockABI() int {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(v)
}

// landHandled are the rights that a version knows: those are refused where no rule grants them.
func landHandled(abi int, online bool) unix.LandlockRulesetAttr {
	var a unix.LandlockRulesetAttr
	a.Handled_access_fs = unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1
	if abi >= 2 {
		a.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		a.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 4 && !online {
		a.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if abi >= 5 {
		a.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if abi >= 6 {
		a.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	return a
}

// landlock confines this thread and returns the version of what does it, 0 if the kernel has none.
func (o *shimOrder) landlock() (int, error) {
	abi := landlockABI()
	if abi == 0 {
		return 0, nil
	}
	attr := landHandled(abi, o.Online)
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return 0, fmt.Errorf("make a ruleset for Landlock %d: %w", abi, errno)
	}
	defer unix.Close(int(fd))
	set := ruleset{int(fd), attr.Handled_access_fs}
	if err := o.rules(set); err != nil {
		return 0, err
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return 0, fmt.Errorf("enter the Landlock domain: %w", errno)
	}
	return abi, nil
}

func (o *shimOrder) rules(set ruleset) error {
	own := func(path string, access uint64) error {
		if err := set.allow(path, access); err != nil {
			return fmt.Errorf("open %s to the plugin: %w", path, err)
		}
		return nil
	}
	if o.Path != "" {
		if err := own(o.Path, landRun); err != nil {
			return err
		}
	} else if err := set.allowFile(o.Image, landRun); err != nil {
		return fmt.Errorf("open its program to the plugin: %w", err)
	}
	for _, p := range o.Read {
		if err := own(p, landRun); err != nil {
			return err
		}
	}
	for _, p := range o.Write {
		if err := own(p, landWrite); err != nil {
			return err
		}
	}
	for _, s := range systemPaths(o.Online) {
		for _, p := range around(s.path, o.Private) {
			// What this machine does not have, or does not show this user, can't be opened to the plugin.
			if err := set.allow(p, s.access); err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrPermission) && !errors.Is(err, unix.ENOTDIR) {
				return fmt.Errorf("open %s to the plugin: %w", p, err)
			}
		}
	}
	return nil
}

type systemPath struct {
	path   string
	access uint64
}

// systemPaths is what programs of all languages expect to find.
func systemPaths(online bool) []systemPath {
	var out []systemPath
	add := func(access uint64, paths ...string) {
		for _, p := range paths {
			out = append(out, systemPath{p, access})
		}
	}
	add(landRun, "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store")
	add(landRead, "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/timezone", "/etc/passwd", "/etc/group", "/etc/nsswitch.conf",
		"/proc/self", "/proc/sys", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/loadavg", "/proc/uptime", "/proc/version", "/proc/filesystems",
		"/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/kernel/mm/transparent_hugepage", "/sys/fs/cgroup")
	add(landDevice, "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
	if !online {
		return out
	}
	add(landRead, "/etc/hosts", "/etc/host.conf", "/etc/gai.conf", "/etc/services", "/etc/protocols", "/etc/resolv.conf",
		"/etc/ssl/certs", "/etc/ssl/cert.pem", "/etc/ssl/openssl.cnf", "/etc/pki/tls/certs", "/etc/pki/ca-trust", "/etc/ca-certificates", "/etc/crypto-policies")
	// Where another file takes its place when the network changes, the folder is what stays.
	if p, err := filepath.EvalSymlinks("/etc/resolv.conf"); err == nil && filepath.Dir(p) != "/etc" {
		add(landRead, filepath.Dir(p))
	}
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR"} {
		for _, p := range strings.Split(os.Getenv(name), ":") {
			if filepath.IsAbs(p) {
				add(landRead, p)
			}
		}
	}
	return out
}

// around returns the folder itself, or, if one of the private folders lies in it, what lies beside the way to that one.
func around(folder string, private []string) []string {
	var on []string // the first steps on the ways
	for _, p := range private {
		if rel, err := filepath.Rel(folder, p); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
			first, _, _ := strings.Cut(rel, "/")
			on = append(on, first)
		}
	}
	if len(on) == 0 {
		return []string{folder}
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if !slices.Contains(on, e.Name()) && !slices.Contains(on, ".") {
			out = append(out, filepath.Join(folder, e.Name()))
		}
	}
	return out
}

// ruleset is a Landlock ruleset that is being made.
type ruleset struct {
	fd      int
	handled uint64
}

// allow grants rights on a path and what lies beneath.
func (r ruleset) allow(path string, access uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return r.allowFile(fd, access)
}

func (r ruleset) allowFile(fd int, access uint64) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		access &= landOfFiles
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access & r.handled, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(r.fd), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 && errno != unix.EBADFD { // a memory file is in no folder and needs no rule
		return errno
	}
	return nil
}
