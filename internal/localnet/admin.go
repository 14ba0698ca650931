package localnet

import (
	"net"
	"path/filepath"
	"strings"

	"github.com/paloalto-chain/paloalto/api"
)

// AdminAddress returns where a node serves its administration, in the form that client.New takes. home is the absolute path
// of the node's data folder.
func AdminAddress(home string) string { return api.UnixPrefix + adminSocket(home) }

// AdminToken returns the file that holds what a caller of a node's administration has to say. It lies beside the folder of
// the node's keys, and only its owner can read it.
func AdminToken(home string) string { return filepath.Join(home, "admin.token") }

// ListenAdmin listens on a node's [AdminAddress]. On Linux the socket has no file, so a node that is killed leaves none; a file
// that a killed node has left elsewhere is replaced.
func ListenAdmin(home string) (net.Listener, error) {
	address := adminSocket(home)
	if strings.HasPrefix(address, "@") {
		return net.Listen("unix", address)
	}
	return api.Listen(api.UnixPrefix + address)
}
