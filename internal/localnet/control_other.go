//go:build !linux

package localnet

import (
	"net"
	"os"
	"path/filepath"
)

func controlAddress(dir string) string { return filepath.Join(dir, "control.sock") }

func adminSocket(home string) string { return filepath.Join(home, "admin.sock") }

// listenControl replaces a socket that a killed supervisor has left; the network's lock is held.
func listenControl(dir string) (net.Listener, error) {
	_ = os.Remove(controlAddress(dir))
	return net.Listen("unix", controlAddress(dir))
}
