package transportudp

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/conn"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/lane"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/plain"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/secure"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// The modes.
const (
	modeNoise = "noise"
	modePlain = "plain"
)

// maxAllow is how many nodes an allow list has at most.
const maxAllow = 4096

// settings are the attributes; see schema.
type settings struct {
	Mode              string   `json:"mode"`
	Allow             []string `json:"allow"`
	Rekey             int64    `json:"rekey"`
	Heartbeat         int64    `json:"heartbeat"`
	Silence           int64    `json:"silence"`
	ConnectInterval   int64    `json:"connect_interval"`
	ConnectTries      int64    `json:"connect_tries"`
	RetransmitInitial int64    `json:"retransmit_initial"`
	RetransmitLimit   int64    `json:"retransmit_limit"`
	Datagram          int64    `json:"datagram"`
	DatagramLoopback  int64    `json:"datagram_loopback"`
	BulkPort          int64    `json:"bulk_port"`
	BulkLanes         int64    `json:"bulk_lanes"`
	ControlQueue      int64    `json:"control_queue"`
	BulkQueue         int64    `json:"bulk_queue"`
	ReceiveQueue      int64    `json:"receive_queue"`
	AssemblyTimeout   int64    `json:"assembly_timeout"`
	Strangers         int64    `json:"strangers"`
	Window            int64    `json:"window"`
}

// plainDatagram is the largest datagram that the plain mode sends to other machines, as the paper has it: it finds no larger ones out.
const plainDatagram = 1200

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
		{"datagram", plugin.Size, func(s *settings) *int64 { return &s.Datagram }, 8972, 576, 65000,
			"largest datagram to peers on other machines; above 1200 bytes those are used that are found to arrive, in mode plain none"},
		{"datagram_loopback", plugin.Size, func(s *settings) *int64 { return &s.DatagramLoopback }, 16 << 10, 576, 65000,
			"the same to peers on this machine"},
		{"bulk_port", plugin.Number, func(s *settings) *int64 { return &s.BulkPort }, 0, 0, 65535,
			"UDP port of the first bulk lane, the others use those after it; 0 lets the system choose. A firewall must let them through as well as the listening port. Only in mode noise"},
		{"bulk_lanes", plugin.Number, func(s *settings) *int64 { return &s.BulkLanes }, 8, 1, wire.MaxLanes,
			"UDP ports for bulk lanes. A link begins with one lane and opens more, up to each of these to each of the peer's and 64, while what is under way wants it. Only in mode noise"},
		{"control_queue", plugin.Size, func(s *settings) *int64 { return &s.ControlQueue }, 32 << 20, 64 << 10, 1 << 30,
			"bytes that may wait for a peer on the control lane; when there are more, the oldest of the lowest priority are dropped"},
		{"bulk_queue", plugin.Size, func(s *settings) *int64 { return &s.BulkQueue }, 64 << 20, 64 << 10, 4 << 30,
			"the same for the bulk lane"},
		{"receive_queue", plugin.Size, func(s *settings) *int64 { return &s.ReceiveQueue }, 32 << 20, 64 << 10, 1 << 30,
			"bytes received from a peer on a lane that the core has not taken; when there are more, the peer has to wait"},
		{"assembly_timeout", plugin.Duration, func(s *settings) *int64 { return &s.AssemblyTimeout }, 30 * s, 100 * ms, 3600 * s,
			"a large message that makes no progress for so long ends the connection. Only in mode noise"},
		{"strangers", plugin.Number, func(s *settings) *int64 { return &s.Strangers }, 64, 0, 10000,
			"most connections of nodes that were not dialled"},
		{"rekey", plugin.Duration, func(s *settings) *int64 { return &s.Rekey }, 120 * s, s, 3600 * s,
			"a key seals for at most so long, and at most 1,048,576 datagrams or 64 GiB. Only in mode noise"},
		{"window", plugin.Number, func(s *settings) *int64 { return &s.Window }, plain.MaxWindow, 1, plain.MaxWindow,
			"messages of a connection under way and not confirmed; 1 is stop and wait. Only in mode plain"},
	}
}

// onlyIn returns the mode that alone has an attribute, or "".
func onlyIn(attribute string) string {
	switch attribute {
	case "allow", "rekey", "bulk_port", "bulk_lanes", "assembly_timeout":
		return modeNoise
	case "window":
		return modePlain
	}
	return ""
}

// checkMode refuses what an instance would have to ignore. The core fills defaults in, so these are no sign that somebody wanted it.
func (s settings) checkMode() error {
	refuse := func(attribute, why string) error {
		return fmt.Errorf("%w: %s is for mode %s%s; this is mode %s: take the attribute out, or change the mode", plugin.ErrBadConfig, attribute, onlyIn(attribute), why, s.Mode)
	}
	if len(s.Allow) > 0 && s.Mode != onlyIn("allow") {
		return refuse("allow", ", since only there a node knows who the others are")
	}
	for _, n := range numbers() {
		if only := onlyIn(n.name); only != "" && only != s.Mode && *n.to(&s) != n.def {
			return refuse(n.name, "")
		}
	}
	return nil
}

func schema() plugin.Schema {
	attrs := []plugin.Attribute{
		{Name: "mode", Type: plugin.String, Default: `"noise"`, OneOf: []string{"noise", "plain"},
			Description: `how peers speak: "noise" encrypts and authenticates, "plain" is the white paper's protocol byte for byte, for networks that are trusted`},
		{Name: "allow", Type: plugin.StringList, Default: "[]",
			Description: "node ids (64 hex digits) or node keys (altopub1…): links with no other nodes, dialled or not; empty lets all in. Only in mode noise"},
	}
	for _, n := range numbers() {
		attrs = append(attrs, plugin.Attribute{Name: n.name, Type: n.kind, Default: fmt.Sprint(n.def), Min: fmt.Sprint(n.min), Max: fmt.Sprint(n.max),
			Description: n.description})
	}
	return plugin.Schema{Attributes: attrs}
}

// parseSettings takes the configuration of Open; what is missing has its default. Errors wrap plugin.ErrBadConfig.
func parseSettings(config []byte) (settings, error) {
	set := settings{Mode: modeNoise}
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
	case modeNoise, modePlain:
	default:
		return settings{}, fmt.Errorf(`%w: unknown mode %q; there are "noise" and "plain"`, plugin.ErrBadConfig, set.Mode)
	}
	if err := set.checkMode(); err != nil {
		return settings{}, err
	}
	if _, err := parseAllow(set.Allow); err != nil {
		return settings{}, err
	}
	for _, n := range numbers() {
		if v := *n.to(&set); v < n.min || v > n.max {
			return settings{}, fmt.Errorf("%w: %s is %d, allowed is %d to %d", plugin.ErrBadConfig, n.name, v, n.min, n.max)
		}
	}
	if last := set.BulkPort + set.BulkLanes - 1; set.BulkPort > 0 && last > 65535 {
		return settings{}, fmt.Errorf("%w: bulk_port %d and %d bulk_lanes need ports up to %d; there are 65535", plugin.ErrBadConfig, set.BulkPort, set.BulkLanes, last)
	}
	if set.Silence <= set.Heartbeat {
		return settings{}, fmt.Errorf("%w: silence (%s) must be longer than heartbeat (%s)", plugin.ErrBadConfig, time.Duration(set.Silence),
			time.Duration(set.Heartbeat))
	}
	return set, nil
}

// parseAllow reads a list of nodes; nil lets all in.
func parseAllow(list []string) (map[transport.PeerID]bool, error) {
	if len(list) == 0 {
		return nil, nil
	}
	if len(list) > maxAllow {
		return nil, fmt.Errorf("%w: allow has %d nodes, at most %d are possible", plugin.ErrBadConfig, len(list), maxAllow)
	}
	allow := make(map[transport.PeerID]bool, len(list))
	for _, text := range list {
		var id transport.PeerID
		if key, err := types.ParsePublicKey(text); err == nil {
			id = transport.PeerID(key.Hash())
		} else if b, err := hex.DecodeString(text); err == nil && len(b) == len(id) {
			id = transport.PeerID(b)
		} else {
			return nil, fmt.Errorf("%w: allow: %.100q is neither a node id of 64 hex digits nor a node key (altopub1…)", plugin.ErrBadConfig, text)
		}
		allow[id] = true
	}
	return allow, nil
}

// laneConfig returns the settings of a lane whose socket has a receive buffer of so many bytes.
func (s settings) laneConfig(at, buffer int) lane.Config {
	c := conn.Defaults()
	c.Heartbeat, c.Silence = time.Duration(s.Heartbeat), time.Duration(s.Silence)
	c.ConnectInterval, c.ConnectTries = time.Duration(s.ConnectInterval), int(s.ConnectTries)
	c.ConnectMax = max(c.ConnectMax, c.ConnectInterval)
	c.RetransmitInitial, c.RetransmitLimit = time.Duration(s.RetransmitInitial), int(s.RetransmitLimit)
	c.RetransmitMin = min(c.RetransmitMin, c.RetransmitInitial)
	c.RetransmitMax = max(c.RetransmitMax, c.RetransmitInitial)
	c.Datagram, c.Largest, c.MaxDatagram = min(int(s.Datagram), int(s.DatagramLoopback), c.Datagram), int(s.Datagram), s.largest()
	c.ReceiveQueue, c.AssemblyTimeout = int(s.ReceiveQueue), time.Duration(s.AssemblyTimeout)
	c.SendQueue = int(s.ControlQueue)
	cfg := lane.Config{HalfOpen: 1024, Rates: secure.DefaultRates(), Rotation: secure.DefaultRotation(), Loopback: int(s.DatagramLoopback), Buffer: buffer, Replies: 200}
	cfg.Rotation.Time = time.Duration(s.Rekey)
	if at > 0 { // a bulk lane, whose peer is known to be there
		c.SendQueue = int(s.BulkQueue)
		c.ConnectInterval = min(c.ConnectInterval, max(c.RetransmitInitial, 50*time.Millisecond))
		c.ConnectTries = max(c.ConnectTries, 8)
		cfg.HalfOpen = 0
	}
	cfg.Conn = c
	return cfg
}

// largest is the largest datagram that is sent or taken.
func (s settings) largest() int { return int(max(s.Datagram, s.DatagramLoopback)) }
