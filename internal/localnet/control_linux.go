package localnet

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
)

// controlAddress is an abstract socket: it needs no file, so a supervisor that is killed leaves nothing behind.
func controlAddress(dir string) string { return abstract("@alto-network-", dir) }

func adminSocket(home string) string { return abstract("@alto-node-", home) }

// abstract names a socket after a folder. A name in the abstract namespace is no secret and has no owner; the token is what
// lets a caller in.
func abstract(prefix, folder string) string {
	h := sha256.Sum256([]byte(folder))
	return prefix + hex.EncodeToString(h[:12])
}

func listenControl(dir string) (net.Listener, error) { return net.Listen("unix", controlAddress(dir)) }
