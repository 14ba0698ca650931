package dpospbft

import (
	"context"
	"io"
	"testing"

	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/consensus/consensustest"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// factory opens engines as the core does.
func factory() consensustest.Factory {
	return consensustest.Factory{SlotMs: 500, Open: func() (consensus.Engine, func() error, error) {
		v, err := Plugin().Open(context.Background(), nil, plugin.OpenRequest{Kind: plugin.Consensus, Rules: "1", Config: []byte(`{"slot":500000000}`)})
		if err != nil {
			return nil, nil, err
		}
		return v.(consensus.Engine), v.(io.Closer).Close, nil
	}}
}

func TestConformance(t *testing.T)       { consensustest.Run(t, factory()) }
func TestConformanceRemote(t *testing.T) { consensustest.Run(t, consensustest.Remote(factory())) }
func TestConformanceBroken(t *testing.T) { consensustest.RunBroken(t, factory()) }
