package transportudp

import (
	"context"
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fast are settings with which a test does not wait for seconds.
const fast = `{"connect_interval": 50000000, "heartbeat": 100000000, "silence": 2000000000}`

// openNode opens the instance of the node of a name as a host does.
func openNode(name, config string) (*node, error) {
	v, err := Plugin().Open(context.Background(), transporttest.Host(name), plugin.OpenRequest{Kind: plugin.Transport, Config: []byte(config)})
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	return v.(*node), nil
}

func factory() transporttest.Factory {
	return transporttest.Factory{Authenticates: true, Open: func(name string) (transport.Transport, func() error, error) {
		n, err := openNode(name, fast)
		if err != nil {
			return nil, nil, err
		}
		return n, n.Close, nil
	}}
}

func TestConformance(t *testing.T)       { transporttest.Run(t, factory()) }
func TestConformanceRemote(t *testing.T) { transporttest.Run(t, transporttest.Remote(factory())) }
