//go:build !linux

package host

import (
	"fmt"
	"os"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

func fdPath(fd int) string { return fmt.Sprintf("/dev/fd/%d", fd) }

func ownUser(p plugin.Peer) error {
	if uid := os.Geteuid(); p.UID != uid {
		return fmt.Errorf("user %d has answered, not %d", p.UID, uid)
	}
	return nil
}

// parentOf is known on Linux only.
func parentOf(int) int { return 0 }

// residentSet is known on Linux only.
func residentSet(int) int64 { return 0 }
