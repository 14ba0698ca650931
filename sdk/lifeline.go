package sdk

import (
	"os"
	"strconv"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// followHost ends this process when the host is gone. On Linux the kernel does that by itself where the host asked for it;
// this works everywhere, costs one blocked read, and has no race.
func followHost() {
	fd, err := strconv.Atoi(os.Getenv(plugin.EnvLifeline))
	if err != nil || fd < 3 {
		return
	}
	_ = os.Unsetenv(plugin.EnvLifeline)
	prepare(fd)
	f := os.NewFile(uintptr(fd), "lifeline")
	go func() {
		var b [1]byte
		for {
			if n, err := f.Read(b[:]); n == 0 || err != nil {
				os.Exit(1)
			}
		}
	}()
}
