package sdk

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// Serve serves p to the host that started this process, and returns when the host is done with it. A process that was not
// started by a host says so on standard error and exits with status 1.
//
// While it serves, os.Stdout and os.Stderr both go to the real standard error, which the host keeps in a log file. A panic
// in a call is contained as told at [plugin.Server.ServerOptions]. If the host disappears, the process exits.
func Serve(p plugin.Plugin) {
	if os.Getenv(plugin.CookieKey) != plugin.CookieValue {
		i := p.Describe()
		fmt.Fprintf(os.Stderr, "This is the Paloalto plugin %q, version %s. It is started by `alto`, for a chain whose spec names it.\n", i.Name, i.Version)
		os.Exit(1)
	}
	token := os.Getenv(plugin.EnvToken)
	// The plugin's children have no use for the secret; /proc/PID/environ of this process still has it, for who may read that.
	_ = os.Unsetenv(plugin.EnvToken)
	followHost()

	server := plugin.NewServer(p, checkInstance)
	defer server.CloseAll()
	keep := &keepStdio{stderr: os.Stderr}
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: Handshake(),
		Plugins:         goplugin.PluginSet{"paloalto": &glue{server: server, kinds: p.Describe().Kinds}},
		Logger:          hclog.New(&hclog.LoggerOptions{Level: hclog.Error, Output: os.Stderr}),
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			if len(opts) == 0 { // no TLS was asked for
				opts = append(opts, grpc.Creds(plugin.PeerCredentials(sameUser)))
			}
			opts = append(opts, grpc.ChainUnaryInterceptor(keep.unary), grpc.ChainStreamInterceptor(keep.stream))
			return grpc.NewServer(append(opts, server.ServerOptions(token)...)...)
		},
	})
}

// Handshake is what both sides of go-plugin's handshake agree on.
func Handshake() goplugin.HandshakeConfig {
	return goplugin.HandshakeConfig{
		ProtocolVersion: plugin.ProtocolVersion, MagicCookieKey: plugin.CookieKey, MagicCookieValue: plugin.CookieValue,
	}
}

// sameUser accepts callers of this process's own user. Which process of that user it is can't be told here, since a
// PID namespace hides the host's PID; the token tells.
func sameUser(p plugin.Peer) error {
	if uid := os.Geteuid(); p.UID != uid {
		return fmt.Errorf("a caller of user %d, not %d", p.UID, uid)
	}
	return nil
}

// glue is what go-plugin calls a plugin.
type glue struct {
	goplugin.NetRPCUnsupportedPlugin
	server *plugin.Server
	kinds  []plugin.KindInfo
}

func (g *glue) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	g.server.Register(s)
	return registerKinds(s, g.server, g.kinds)
}

func (g *glue) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, fmt.Errorf("the host does not dispense")
}

// keepStdio undoes what go-plugin does to os.Stdout and os.Stderr: it replaces them by pipes that travel over the
// connection, where the last words of a dying process would be lost. It replaces them after the server was made and before
// it serves, so the first call is the first chance.
type keepStdio struct {
	once   sync.Once
	stderr *os.File
}

func (k *keepStdio) restore() {
	k.once.Do(func() { os.Stdout, os.Stderr = k.stderr, k.stderr })
}

func (k *keepStdio) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
	k.restore()
	return h(ctx, req)
}

func (k *keepStdio) stream(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) error {
	k.restore()
	return h(srv, ss)
}
