package conformance

import (
	"fmt"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/consensus/consensustest"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/oracle/oracletest"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/plugintest"
	"github.com/paloalto-chain/paloalto/sdk/storage/storagetest"
	"github.com/paloalto-chain/paloalto/sdk/transport/transporttest"
	"github.com/paloalto-chain/paloalto/sdk/vm/vmtest"
)

// start starts a plugin that the binary holds.
func start(t *testing.T, name string) *plugintest.Process {
	t.Helper()
	return plugintest.Start(t, alto, "plugin", "serve", name)
}

// slow skips what takes seconds when there is no time.
func slow(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("slow")
	}
}

func config(format string, args ...any) plugin.OpenRequest {
	return plugin.OpenRequest{Config: fmt.Appendf(nil, format, args...)}
}

// TestEveryPlugin runs the cases that are the same for all kinds.
func TestEveryPlugin(t *testing.T) {
	for name, req := range map[string]plugin.OpenRequest{
		"consensus-dpospbft": {}, "vm-forth": {}, "oracle-prophecy": {}, "transport-udp": {}, "storage-cometbftdb": config(`{"cache":1048576}`),
	} {
		t.Run(name, func(t *testing.T) {
			b := plugintest.Binary{Path: alto, Args: []string{"plugin", "serve", name},
				Request: func(plugin.Kind) plugin.OpenRequest { return req }}
			if !testing.Short() {
				plugintest.Run(t, b)
				return
			}
			for _, c := range plugintest.Cases() {
				if c.Name != "many-rounds" {
					t.Run(c.Name, func(t *testing.T) { c.Run(t, b) })
				}
			}
		})
	}
}

func TestStorage(t *testing.T) {
	for _, backend := range []string{"memdb", "goleveldb", "pebbledb"} {
		t.Run(backend, func(t *testing.T) {
			if backend != "goleveldb" {
				slow(t)
			}
			f := plugintest.Storage(start(t, "storage-cometbftdb"), config(`{"backend":%q,"cache":4194304}`, backend))
			f.Volatile = backend == "memdb"
			storagetest.Run(t, f)
		})
	}
}

func TestVM(t *testing.T) {
	vmtest.Run(t, plugintest.VM(start(t, "vm-forth"), plugin.OpenRequest{}, vmtest.Factory{
		Pays: "0 100 1", Echoes: "0 swap 1", Height: "0 height 1", Loops: "begin again", Fails: "0 100 1 fail",
		Wrong: ": f\n  0 100 if 1\n;", Garbage: []byte{0x17, 0xff, 0x80}, Evidence: func(n int64) string { return fmt.Sprint(n) },
	}))
}

// TestTransport runs both modes, with settings with which a test does not wait for seconds. Only in mode noise nodes know each other.
func TestTransport(t *testing.T) {
	slow(t)
	for mode, authenticates := range map[string]bool{"noise": true, "plain": false} {
		t.Run(mode, func(t *testing.T) {
			f := plugintest.Transport(start(t, "transport-udp"), config(`{"mode":%q,"connect_interval":50000000,"heartbeat":100000000,"silence":2000000000,`+
				`"retransmit_initial":50000000,"retransmit_limit":200}`, mode), authenticates)
			f.Patience = time.Minute
			transporttest.Run(t, f)
		})
	}
}

func TestConsensus(t *testing.T) {
	slow(t)
	consensustest.Run(t, plugintest.Consensus(start(t, "consensus-dpospbft"), config(`{"slot":500000000}`), 500))
}

func TestOracleModule(t *testing.T) {
	moduletest.Run(t, plugintest.Module(start(t, "oracle-prophecy"), oracleRequest(), oracleTxs()))
}

func TestOracleObserver(t *testing.T) {
	oracletest.Run(t, plugintest.Oracle(start(t, "oracle-prophecy"), oracleRequest(), []oracle.Question{
		{ID: [32]byte{1}, Text: "Is it so?"}, {ID: [32]byte{2}, Text: "Will it be so?", Sources: []string{"https://example.org"}}}))
}
