package localnet

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/paloalto-chain/paloalto/internal/faultproxy"
)

// superviseFaulty supervises a network with a proxy between its nodes, which are sockets of the test here.
func superviseFaulty(t *testing.T) (control *Control, a, b *net.UDPConn, proxy *faultproxy.Proxy, s *Supervisor) {
	t.Helper()
	cfg := faultproxy.Config{Seed: 42}
	var socks [2]*net.UDPConn
	for i, name := range []string{"a", "b"} {
		sock, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		require.NoError(t, err)
		t.Cleanup(func() { _ = sock.Close() })
		socks[i] = sock
		cfg.Endpoints = append(cfg.Endpoints, faultproxy.Endpoint{Name: name, Target: sock.LocalAddr().(*net.UDPAddr).AddrPort()})
	}
	proxy, err := faultproxy.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, proxy.Close()) })
	dir := testNetwork(t, map[string]string{"a": "", "b": ""})
	s, err = NewSupervisor(dir, Options{Faults: proxy})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close(context.Background())) })
	return NewControl(dir), socks[0], socks[1], proxy, s
}

func send(t *testing.T, from *net.UDPConn, to netip.AddrPort) {
	t.Helper()
	_, err := from.WriteToUDPAddrPort([]byte("hello"), to)
	require.NoError(t, err)
}

func TestFaults(t *testing.T) {
	control, a, b, proxy, _ := superviseFaulty(t)
	f, err := control.Faults(t.Context())
	require.NoError(t, err)
	require.Equal(t, &Faults{Seed: 42, Names: []string{"a", "b", "unknown"}, Links: []FaultLink{}}, f)

	send(t, a, proxy.Addr("b"))
	buf := make([]byte, 16)
	require.NoError(t, b.SetReadDeadline(time.Now().Add(20*time.Second)))
	n, _, err := b.ReadFromUDPAddrPort(buf)
	require.NoError(t, err)
	require.Equal(t, "hello", string(buf[:n]))
	f, err = control.Faults(t.Context())
	require.NoError(t, err)
	require.Equal(t, []FaultLink{{From: "a", To: "b", Faults: "none", Sent: 1, SentBytes: 5, Delivered: 1}}, f.Links)

	f, err = control.Play(t.Context(), "0s link a > b loss=100%\n0s partition a | b")
	require.NoError(t, err)
	require.True(t, f.Links[0].Cut)
	require.Equal(t, "loss=1", f.Links[0].Faults)
	f, err = control.Play(t.Context(), "0s reset")
	require.NoError(t, err)
	require.False(t, f.Links[0].Cut)
	require.Equal(t, "none", f.Links[0].Faults)

	for scenario, want := range map[string]string{
		"":                          "there is no step in it",
		"# nothing":                 "there is no step in it",
		"0s link a > x loss=1%":     `no endpoint and no registered sender has the name "x"`,
		"0s link a > b loss=2":      "fault loss: 2 is no probability from 0 to 1",
		"soon heal":                 `scenario line 1: "soon" is no time since the beginning`,
		"1s heal\n0s reset":         "scenario line 2: 0s is before the step before",
		"0s partition a | b | nope": `the name "nope"`,
	} {
		_, err := control.Play(t.Context(), scenario)
		require.ErrorContains(t, err, want, "%q", scenario)
	}
}

// One scenario with times is played at once; it ends with its caller, and with the supervisor.
func TestPlay(t *testing.T) {
	control, _, _, _, s := superviseFaulty(t)
	playing := func(want bool) {
		t.Helper()
		require.Eventually(t, func() bool {
			f, err := control.Faults(t.Context())
			return err == nil && f.Playing == want
		}, 20*time.Second, time.Millisecond)
	}
	start := func() (cancel func(), ended chan error) {
		ctx, cancel := context.WithCancel(t.Context())
		ended = make(chan error, 1)
		go func() {
			_, err := control.Play(ctx, "0s partition a | b\n1h heal")
			ended <- err
		}()
		playing(true)
		return cancel, ended
	}
	cancel, ended := start()
	_, err := control.Play(t.Context(), "1ms heal")
	require.ErrorContains(t, err, "a scenario is being played already")
	_, err = control.Play(t.Context(), "0s heal")
	require.NoError(t, err, "what happens at once does not wait for it")
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	playing(false)
	_, err = control.Play(t.Context(), "0s heal\n1ms reset")
	require.NoError(t, err)

	cancel, ended = start()
	defer cancel()
	require.NoError(t, s.Close(t.Context()))
	require.ErrorContains(t, <-ended, "before the step", "it is told so, and not cut off")
}

func TestNoFaults(t *testing.T) {
	dir := testNetwork(t, map[string]string{"a": ""})
	supervise(t, dir)
	_, err := NewControl(dir).Faults(t.Context())
	require.ErrorIs(t, err, ErrNoFaults)
	_, err = NewControl(dir).Play(t.Context(), "0s heal")
	require.ErrorContains(t, err, "not started with --faults")
	_, err = NewControl(t.TempDir()).Faults(t.Context())
	require.ErrorIs(t, err, ErrNotRunning)
}
