package plugin

import (
	"context"
	"crypto/subtle"
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	consensusv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/consensus/v1"
	modulev1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/module/v1"
	transportv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/transport/v1"
)

// Windows of the HTTP/2 connection, in bytes. Fixed ones: on a local socket the estimator's start from 64 KiB costs a
// large message several round trips.
const (
	streamWindow     = 4 << 20
	connectionWindow = 16 << 20
)

// ServerOptions are what every plugin's gRPC server needs: the message limits, and interceptors that check the host's
// token, unless it is empty, and that contain panics.
//
// A panic on the goroutine of a call does not end the process, since other chains have instances in it. The stack goes to
// standard error, the instance is marked broken, so that this and every later call on it fails with [ErrPanicked], and the
// host opens it anew. A panic on any other goroutine ends the process, as always in Go; the host then starts another.
func (s *Server) ServerOptions(token string) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(MaxMessage), grpc.MaxSendMsgSize(MaxMessage),
		grpc.InitialWindowSize(streamWindow), grpc.InitialConnWindowSize(connectionWindow),
		grpc.MaxConcurrentStreams(4096),
		grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (resp any, err error) {
			if err := checkToken(ctx, token); err != nil {
				return nil, err
			}
			defer func() {
				if p := recover(); p != nil {
					err = s.panicked(info.FullMethod, handleOf(req), p)
				}
			}()
			return h(ctx, req)
		}),
		grpc.ChainStreamInterceptor(func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, h grpc.StreamHandler) (err error) {
			if err := checkToken(ss.Context(), token); err != nil {
				return err
			}
			w := &watchedStream{ServerStream: ss}
			defer func() {
				if p := recover(); p != nil {
					err = s.panicked(info.FullMethod, w.handle.Load(), p)
				}
			}()
			return h(srv, w)
		}),
	}
}

// DialOptions are what a host needs besides credentials: the message limits, windows, and no idle time-out, since a lost
// connection means that the plugin is lost.
func DialOptions(token string) []grpc.DialOption {
	opts := []grpc.DialOption{
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessage), grpc.MaxCallSendMsgSize(MaxMessage)),
		grpc.WithInitialWindowSize(streamWindow), grpc.WithInitialConnWindowSize(connectionWindow),
		grpc.WithIdleTimeout(0), grpc.WithDisableServiceConfig(),
	}
	if token != "" {
		opts = append(opts, grpc.WithPerRPCCredentials(tokenCredentials(token)))
	}
	return opts
}

func (s *Server) panicked(method string, handle uint64, p any) error {
	fmt.Fprintf(os.Stderr, "panic in %s: %v\n%s", method, p, debug.Stack())
	err := fmt.Errorf("%w in %s: %v", ErrPanicked, method, p)
	s.poison(handle, err)
	return wire.ToWire(err)
}

// watchedStream notes the instance that a stream is about.
type watchedStream struct {
	grpc.ServerStream
	handle atomic.Uint64
}

func (w *watchedStream) RecvMsg(m any) error {
	err := w.ServerStream.RecvMsg(m)
	if err == nil && w.handle.Load() == 0 {
		w.handle.Store(handleOf(m))
	}
	return err
}

// handleOf returns the handle in a request, or 0 if it has none.
func handleOf(m any) uint64 {
	switch m := m.(type) {
	case *consensusv1.Event:
		return m.GetStart().GetInstance()
	case *transportv1.Outgoing:
		return m.GetAttach().GetInstance()
	case *modulev1.ExecuteInput:
		return m.GetBegin().GetInstance()
	case *modulev1.ExtendInput:
		return m.GetBegin().GetInstance()
	case *modulev1.QueryInput:
		return m.GetBegin().GetInstance()
	case *modulev1.MigrateInput:
		return m.GetBegin().GetInstance()
	case interface{ GetInstance() uint64 }:
		return m.GetInstance()
	}
	return 0
}

type tokenCredentials string

func (t tokenCredentials) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{TokenKey: string(t)}, nil
}

func (tokenCredentials) RequireTransportSecurity() bool { return false }

func checkToken(ctx context.Context, token string) error {
	if token == "" {
		return nil
	}
	for _, got := range metadata.ValueFromIncomingContext(ctx, TokenKey) {
		if subtle.ConstantTimeCompare([]byte(got), []byte(token)) == 1 {
			return nil
		}
	}
	return status.Error(codes.Unauthenticated, "the caller is not the host that started this plugin")
}
