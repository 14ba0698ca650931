package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"connectrpc.com/connect"

	"github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1/apiv1connect"
)

// Server serves a node's API on any number of listeners.
type Server struct {
	node   Node
	opts   Options
	errors *connect.ErrorWriter

	inFlight chan struct{}
	streams  chan struct{}

	stopping context.Context // ends when Shutdown begins, and the streams with it
	stop     context.CancelFunc

	mu      sync.Mutex
	servers map[*http.Server]bool
}

// NewServer makes a server. It serves nothing yet.
func NewServer(node Node, opts Options) *Server {
	opts.Limits = opts.Limits.withDefaults()
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		node: node, opts: opts, errors: connect.NewErrorWriter(), inFlight: make(chan struct{}, opts.Limits.InFlight),
		streams: make(chan struct{}, opts.Limits.Streams), servers: map[*http.Server]bool{},
	}
	s.stopping, s.stop = context.WithCancel(context.Background())
	return s
}

// Serve serves the API, without administration, until Shutdown, which makes it return nil. It closes the listener.
func (s *Server) Serve(l net.Listener) error {
	return s.serve(l, s.guarded(s.mux(nil, ""), reachOf(l.Addr())))
}

// ServeAdmin is Serve with the administration, for callers who know the token. The listener must be a unix socket's.
func (s *Server) ServeAdmin(l net.Listener, admin Admin, token string) error {
	if reachOf(l.Addr()) != reachSocket {
		_ = l.Close()
		return fmt.Errorf("api: administration is served on a unix socket only, not on %s", l.Addr())
	}
	if len(token) < minToken {
		_ = l.Close()
		return fmt.Errorf("api: the administration token has %d characters, fewer than %d", len(token), minToken)
	}
	return s.serve(l, s.guarded(s.mux(admin, token), reachSocket))
}

func (s *Server) serve(l net.Listener, h http.Handler) error {
	limits := &s.opts.Limits
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // for gRPC
	hs := &http.Server{
		Handler: h, Protocols: &protocols, ReadHeaderTimeout: limits.Read, IdleTimeout: limits.Idle, MaxHeaderBytes: 32 << 10,
		ErrorLog: slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelDebug),
	}
	s.mu.Lock()
	if s.stopping.Err() != nil {
		s.mu.Unlock()
		_ = l.Close()
		return nil
	}
	s.servers[hs] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.servers, hs)
		s.mu.Unlock()
	}()
	if err := hs.Serve(bound(l, limits.Connections)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("api: serve %s: %w", l.Addr(), err)
	}
	return nil
}

// Shutdown ends the streams with ErrStopped, lets requests that are being answered end, and closes everything. When ctx ends
// first, it cuts what is left and returns the context's error; give it a second or two, for a connection on which nothing was ever
// asked is waited for like one that is in use.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.stop()
	servers := make([]*http.Server, 0, len(s.servers))
	for hs := range s.servers {
		servers = append(servers, hs)
	}
	s.mu.Unlock()
	errs := make([]error, len(servers))
	var wg sync.WaitGroup
	for i, hs := range servers {
		wg.Go(func() {
			if errs[i] = hs.Shutdown(ctx); errs[i] != nil {
				_ = hs.Close()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// InFlight returns how many requests are being answered, without streams and waits.
func (s *Server) InFlight() int { return len(s.inFlight) }

// Streams returns how many streams and waits there are.
func (s *Server) Streams() int { return len(s.streams) }

// mux routes to the services; those of administration exist only with an admin.
func (s *Server) mux(admin Admin, token string) http.Handler {
	options := []connect.HandlerOption{
		connect.WithReadMaxBytes(s.opts.Limits.BodyBytes),
		connect.WithCompressMinBytes(4096), // a header is not worth it
		connect.WithRecover(func(_ context.Context, spec connect.Spec, _ http.Header, cause any) error {
			s.opts.Log.Error("a request failed badly", "procedure", spec.Procedure, "cause", cause)
			return wireError(fmt.Errorf("%w: the node could not answer; its log says more", ErrInternal), 0)
		}),
	}
	mux := http.NewServeMux()
	mux.Handle(apiv1connect.NewNodeServiceHandler(&nodeService{s}, options...))
	mux.Handle(apiv1connect.NewChainServiceHandler(&chainService{s}, options...))
	if admin != nil {
		mux.Handle(apiv1connect.NewAdminServiceHandler(&adminService{admin: admin, token: token, log: s.opts.Log}, options...))
	}
	mux.HandleFunc("GET /healthz", s.healthz)
	if s.opts.Metrics != nil {
		mux.Handle("GET /metrics", s.opts.Metrics)
	}
	if s.opts.Page != nil {
		mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				http.NotFound(w, r) // a procedure that does not exist
				return
			}
			s.opts.Page.ServeHTTP(w, r)
		})
	}
	return mux
}
