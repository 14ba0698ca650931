package transportudp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/conn"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/lane"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// settings are the attributes; see schema.
type settings struct {
	Mode              string `json:"mode"`
	Heartbeat         int64  `json:"heartbeat"`
	Silence           int64  `json:"silence"`
	ConnectInterval   int64  `json:"connect_interval"`
	ConnectTries      int64  `json:"connect_tries"`
	RetransmitInitial int64  `json:"retransmit_initial"`
	RetransmitLimit   int64  `json:"retransmit_limit"`
	Datagram          int64  `json:"datagram"`
	DatagramLoopback  int64  `json:"datagram_loopback"`
	BulkPort          int64  `json:"bulk_port"`
	ControlQueue      int64  `json:"control_queue"`
	BulkQueue         int64  `json:"bulk_queue"`
	ReceiveQueue      int64  `json:"receive_queue"`
	AssemblyTimeout   int64  `json:"assembly_timeout"`
	Strangers         int64  `json:"strangers"`
}

// number is an attribute that has bounds. The table is the schema and the check of what Open is given.
type number struct {
	name          string
	kind          plugin.AttrType
	to            func(*settings) *int64
	def, min, max int64
	description   string
}

func numbers() []number {
	const ms, s = int64(time.Millisecond), int64(time.Second)
	return []number{
		{"heartbeat", plugin.Duration, func(s *settings) *int64 { return &s.Heartbeat }, s, 10 * ms, 60 * s,
			"a JUMP is sent when nothing else was for so long"},
		{"silence", plugin.Duration, func(s *settings) *int64 { return &s.Silence }, 10 * s, 50 * ms, 600 * s,
			"a peer that was not heard for so long is disconnected (HeartJumpFailed)"},
		{"connect_interval", plugin.Duration, func(s *settings) *int64 { return &s.ConnectInterval }, s, 10 * ms, 60 * s,
			"time between the first CONNECT messages"},
		{"connect_tries", plugin.Number, func(s *settings) *int64 { return &s.ConnectTries }, 3, 1, 100,
			"unanswered CONNECT messages until no connection is reported; the calls go on at growing intervals"},
		{"retransmit_initial", plugin.Duration, func(s *settings) *int64 { return &s.RetransmitInitial }, 200 * ms, ms, 10 * s,
			"retransmission time before a round trip was measured"},
		{"retransmit_limit", plugin.Number, func(s *settings) *int64 { return &s.RetransmitLimit }, 10, 1, 1000,
			"retransmissions in a row without any confirmation until the peer is disconnected (DisConnect)"},
		{"datagram", plugin.Size, func(s *settings) *int64 { return &s.Datagram }, 1200, 576, 65000,
			"largest datagram to peers on other machines"},
		{"datagram_loopback", plugin.Size, func(s *settings) *int64 { return &s.DatagramLoopback }, 16 << 10, 576, 65000,
			"largest datagram to peers on this machine"},
		{"bulk_port", plugin.Number, func(s *settings) *int64 { return &s.BulkPort }, 0, 0, 65535,
			"UDP port of the bulk lane; 0 lets the system choose. A firewall must let it through as well as the listening port"},
		{"control_queue", plugin.Size, func(s *settings) *int64 { return &s.ControlQueue }, 32 << 20, 64 << 10, 1 << 30,
			"bytes that may wait for a peer on the control lane; when there are more, the oldest of the lowest priority are dropped"},
		{"bulk_queue", plugin.Size, func(s *settings) *int64 { return &s.BulkQueue }, 64 << 20, 64 << 10, 4 << 30,
			"the same for the bulk lane"},
		{"receive_queue", plugin.Size, func(s *settings) *int64 { return &s.ReceiveQueue }, 32 << 20, 64 << 10, 1 << 30,
			"bytes received from a peer on a lane that the core has not taken; when there are more, the peer has to wait"},
		{"assembly_timeout", plugin.Duration, func(s *settings) *int64 { return &s.AssemblyTimeout }, 30 * s, 100 * ms, 3600 * s,
			"a large message that makes no progress for so long ends the connection"},
		{"strangers", plugin.Number, func(s *settings) *int64 { return &s.Strangers }, 64, 0, 10000,
			"most connections from addresses that were not dialled"},
	}
}

func schema() plugin.Schema {
	attrs := []plugin.Attribute{{Name: "mode", Type: plugin.String, Default: `"open"`, OneOf: []string{"open"},
		Description: `how peers speak: "open" has neither encryption nor authentication; "plain" and "noise" are not available yet`}}
	for _, n := range numbers() {
		attrs = append(attrs, plugin.Attribute{Name: n.name, Type: n.kind, Default: fmt.Sprint(n.def), Min: fmt.Sprint(n.min), Max: fmt.Sprint(n.max),
			Description: n.description})
	}
	return plugin.Schema{Attributes: attrs}
}

// parseSettings takes the configuration of Open; what is missing has its default. Errors wrap plugin.ErrBadConfig.
func parseSettings(config []byte) (settings, error) {
	set := settings{Mode: "open"}
	for _, n := range numbers() {
		*n.to(&set) = n.def
	}
	if len(config) > 0 {
		d := json.NewDecoder(bytes.NewReader(config))
		d.DisallowUnknownFields()
		if err := d.Decode(&set); err != nil {
			return settings{}, fmt.Errorf("%w: %v", plugin.ErrBadConfig, err)
		}
		if d.More() {
			return settings{}, fmt.Errorf("%w: more than one value", plugin.ErrBadConfig)
		}
	}
	switch set.Mode {
	case "open":
	case "plain", "noise":
		return settings{}, fmt.Errorf(`%w: mode %q is not available in this version; set mode = "open" and keep the nodes on a network that you trust`,
			plugin.ErrBadConfig, set.Mode)
	default:
		return settings{}, fmt.Errorf(`%w: unknown mode %q; this version has "open"`, plugin.ErrBadConfig, set.Mode)
	}
	for _, n := range numbers() {
		if v := *n.to(&set); v < n.min || v > n.max {
			return settings{}, fmt.Errorf("%w: %s is %d, allowed is %d to %d", plugin.ErrBadConfig, n.name, v, n.min, n.max)
		}
	}
	if set.Silence <= set.Heartbeat {
		return settings{}, fmt.Errorf("%w: silence (%s) must be longer than heartbeat (%s)", plugin.ErrBadConfig, time.Duration(set.Silence),
			time.Duration(set.Heartbeat))
	}
	return set, nil
}

// laneConfig returns the settings of a lane whose socket has a receive buffer of so many bytes.
func (s settings) laneConfig(bulk bool, buffer int) lane.Config {
	c := conn.Defaults()
	c.Heartbeat, c.Silence = time.Duration(s.Heartbeat), time.Duration(s.Silence)
	c.ConnectInterval, c.ConnectTries = time.Duration(s.ConnectInterval), int(s.ConnectTries)
	c.ConnectMax = max(c.ConnectMax, c.ConnectInterval)
	c.RetransmitInitial, c.RetransmitLimit = time.Duration(s.RetransmitInitial), int(s.RetransmitLimit)
	c.RetransmitMin = min(c.RetransmitMin, c.RetransmitInitial)
	c.RetransmitMax = max(c.RetransmitMax, c.RetransmitInitial)
	c.Datagram, c.MaxDatagram = int(s.Datagram), s.largest()
	c.ReceiveQueue, c.AssemblyTimeout = int(s.ReceiveQueue), time.Duration(s.AssemblyTimeout)
	c.SendQueue = int(s.ControlQueue)
	cfg := lane.Config{Strangers: int(s.Strangers), Loopback: int(s.DatagramLoopback), Replies: 200}
	if bulk {
		c.SendQueue, c.Early = int(s.BulkQueue), true
		cfg.Strangers = 0
	}
	// The kernel counts a datagram for up to twice its length. A window that fits its buffer loses nothing on loopback.
	cfg.LoopbackWindow = min(max(buffer/(2*int(s.DatagramLoopback)), 16), conn.MaxWindow)
	cfg.Conn = c
	return cfg
}

// largest is the largest datagram that is sent or taken.
func (s settings) largest() int { return int(max(s.Datagram, s.DatagramLoopback)) }
