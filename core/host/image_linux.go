package host

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

const imagesHaveNames = false

// privateCopy copies src into a memory file that nobody can change any more, this process included.
func privateCopy(scratch string, src io.Reader) (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("plugin", flags|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3
		fd, err = unix.MemfdCreate("plugin", flags)
	}
	if err != nil { // switched off by vm.memfd_noexec=2, or no such call
		return fileCopy(scratch, src)
	}
	w := os.NewFile(uintptr(fd), "memory file")
	if _, err := io.Copy(w, src); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	if err := w.Chmod(0o500); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(w.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}
