package transportudp

import (
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/plain"
	plainnode "github.com/paloalto-chain/paloalto/plugins/transport-udp/plain/node"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// newPlainNode returns an instance with mode = "plain".
func newPlainNode(set settings, host plugin.Host) *plainnode.Node {
	return plainnode.New(set.plainConfig(host))
}

// plainConfig returns the settings of the plain mode. Of the retransmission limit there is more than is set: the time is fixed
// here, and what the core does not receive can not be told to the peer otherwise than by not confirming it, so a peer is
// given the time of silence.
func (s settings) plainConfig(host plugin.Host) plainnode.Config {
	c := plain.Defaults()
	c.Heartbeat, c.Silence = time.Duration(s.Heartbeat), time.Duration(s.Silence)
	c.ConnectInterval, c.ConnectTries = time.Duration(s.ConnectInterval), int(s.ConnectTries)
	c.Retransmit = time.Duration(s.RetransmitInitial)
	c.RetransmitLimit = min(max(int(s.RetransmitLimit), int(s.Silence/max(s.RetransmitInitial, 1))), 1000)
	c.Window = int(s.Window)
	cfg := plainnode.Config{Conn: c, Datagram: min(int(s.Datagram), plainDatagram), DatagramLoopback: int(s.DatagramLoopback), ControlQueue: int(s.ControlQueue),
		BulkQueue: int(s.BulkQueue), ReceiveQueue: int(s.ReceiveQueue), Strangers: int(s.Strangers)}
	if host != nil {
		cfg.Log = host.Log
	}
	return cfg
}
