package transportudp

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/transport/transporttest"
)

// fastPlain are settings with which a test does not wait for seconds.
const fastPlain = `{"mode": "plain", "connect_interval": 50000000, "heartbeat": 100000000, "silence": 2000000000, "retransmit_initial": 50000000, "retransmit_limit": 200}`

// TestPlainConformance runs the suite with the settings as they come from a spec. In package plain/node it runs through gRPC
// as well.
func TestPlainConformance(t *testing.T) {
	set, err := parseSettings([]byte(fastPlain))
	if err != nil {
		t.Fatal(err)
	}
	transporttest.Run(t, transporttest.Factory{Open: func(string) (transport.Transport, func() error, error) {
		n := newPlainNode(set, nil)
		return n, n.Close, nil
	}})
}

// TestPlainDefaults: with the defaults of the schema, the plain mode has those of the paper.
func TestPlainDefaults(t *testing.T) {
	set, err := parseSettings([]byte(`{"mode": "plain"}`))
	if err != nil {
		t.Fatal(err)
	}
	c := set.plainConfig(nil)
	if err := c.Conn.Check(); err != nil {
		t.Fatal(err)
	}
	if c.Datagram != 1200 {
		t.Errorf("datagrams of %d bytes", c.Datagram)
	}
	if k := c.Conn; k.Heartbeat.Seconds() != 1 || k.Silence.Seconds() != 10 || k.ConnectInterval.Seconds() != 1 || k.ConnectTries != 3 ||
		k.Window != 127 || k.RetransmitLimit != 50 {
		t.Errorf("%+v", k)
	}
	for _, n := range numbers() { // whatever the schema allows, the mode takes
		for _, v := range []int64{n.min, n.max} {
			set, err := parseSettings([]byte(`{"mode": "plain"}`))
			if err != nil {
				t.Fatal(err)
			}
			if *n.to(&set) = v; set.Silence <= set.Heartbeat {
				continue // refused before
			}
			if err := set.plainConfig(nil).Conn.Check(); err != nil {
				t.Errorf("%s = %d: %v", n.name, v, err)
			}
		}
	}
}

// TestModesRefuse: what a mode does not have is refused, and not ignored; the defaults, which the core fills in, are not.
func TestModesRefuse(t *testing.T) {
	for _, n := range numbers() {
		for _, mode := range []string{modeNoise, modePlain} {
			for _, v := range []int64{n.def, n.min, n.max} {
				only := onlyIn(n.name)
				_, err := parseSettings(fmt.Appendf(nil, `{"mode": %q, "heartbeat": 20000000, "silence": 400000000000, %q: %d}`, mode, n.name, v))
				if n.name == "heartbeat" || n.name == "silence" {
					continue // they need each other
				}
				if n.name == "bulk_port" && v == n.max { // no port is left for the other lanes
					if !errors.Is(err, plugin.ErrBadConfig) {
						t.Errorf("mode %s, %s = %d: %v", mode, n.name, v, err)
					}
					continue
				}
				if bad := only != "" && only != mode && v != n.def; bad != errors.Is(err, plugin.ErrBadConfig) {
					t.Errorf("mode %s, %s = %d: %v", mode, n.name, v, err)
				}
			}
		}
	}
	_, err := parseSettings([]byte(`{"mode": "plain", "allow": ["` + strings.Repeat("ab", 32) + `"]}`))
	if !errors.Is(err, plugin.ErrBadConfig) || !strings.Contains(err.Error(), "allow is for mode noise") {
		t.Errorf("allow in plain mode: %v", err)
	}
	set, err := parseSettings([]byte(`{"mode": "plain", "window": 1}`))
	if err != nil || set.plainConfig(nil).Conn.Window != 1 {
		t.Errorf("stop and wait: %v", err)
	}
}

// TestModesMeet: nodes of the two modes that dial each other say what the other speaks, whoever calls, and nothing comes up.
func TestModesMeet(t *testing.T) {
	for name, dials := range map[string]struct{ plain, noise bool }{"the plain one calls": {true, false}, "the noise one calls": {false, true}, "both call": {true, true}} {
		t.Run(name, func(t *testing.T) {
			a := startNamed(t, "noise", fast, "127.0.0.1:0")
			defer a.stop()
			set, err := parseSettings([]byte(fastPlain))
			if err != nil {
				t.Fatal(err)
			}
			b := newPlainNode(set, nil)
			defer b.Close()
			at, err := b.Listen(t.Context(), "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			control, err := b.Attach(t.Context(), transport.Control)
			if err != nil {
				t.Fatal(err)
			}
			id := transporttest.NodeID("plain")
			if dials.noise {
				if err := a.control.Dial(id, at); err != nil {
					t.Fatal(err)
				}
			}
			if dials.plain {
				if err := control.Dial(a.id(), a.address); err != nil {
					t.Fatal(err)
				}
			}
			if dials.noise {
				waitReason(t, a.control, id, "the peer speaks the plain mode, this node the noise mode")
			}
			if dials.plain {
				waitReason(t, control, a.id(), "speak the noise mode, this node speaks the plain mode")
			}
		})
	}
}
