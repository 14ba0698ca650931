//go:build linux

package host

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/sdk"
)

// TestMain lets the test binary be what the host starts, the shim or a plugin, or what a plugin starts, or a whole host.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "plugin" {
		switch os.Args[2] {
		case "exec-shim":
			RunShim(os.Args[3:])
		case "serve":
			sdk.Serve(newTestPlugin(os.Args[3]))
			os.Exit(0)
		case "child":
			childMain(os.Args[3])
			os.Exit(0)
		case "helper":
			if err := helperMain(os.Args[3]); err != nil {
				fmt.Fprintln(os.Stderr, "helper:", err)
				os.Exit(1)
			}
			os.Exit(0)
		case "host":
			hostMain(os.Args[3])
			os.Exit(0)
		}
		fmt.Fprintln(os.Stderr, "unknown:", os.Args)
		os.Exit(2)
	}
	goleak.VerifyTestMain(m)
}
