package vmforth

import (
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/vm"
	"github.com/paloalto-chain/paloalto/sdk/vm/vmtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// factory opens instances and has sources for the suite.
func factory() vmtest.Factory {
	return vmtest.Factory{
		Open: func(t vmtest.T) (vm.VM, func() error, error) {
			v, err := Plugin().Open(t.Context(), nil, plugin.OpenRequest{Kind: plugin.VM})
			if err != nil {
				return nil, nil, err
			}
			return v.(*VM), v.(*VM).Close, nil
		},
		Pays: "0 100 1", Echoes: "0 swap 1", Height: "0 height 1", Loops: "begin again", Fails: "0 100 1 fail",
		Wrong: ": f\n  0 100 if 1\n;", Garbage: []byte{0x17, 0xff, 0x80},
		Evidence: func(n int64) string { return fmt.Sprint(n) },
	}
}

func TestConformance(t *testing.T)       { vmtest.Run(t, factory()) }
func TestConformanceRemote(t *testing.T) { vmtest.Run(t, vmtest.Remote(factory())) }
