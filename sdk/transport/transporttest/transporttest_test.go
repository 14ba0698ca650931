package transporttest

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// MemoryFactory
func memoryFactory() Factory {
	h := NewHub()
	return Factory{Open: func() (transport.Transport, func() error, error) {
		m := h.New()
		return m, m.Close, nil
	}}
}

func TestMemory(t *testing.T)       { Run(t, memoryFactory()) }
func TestMemoryRemote(t *testing.T) { Run(t, Remote(memoryFactory())) }
