package plugin

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"

	"google.golang.org/grpc"

	pluginv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/plugin/v1"
)

// wire maps the errors of all kinds; those of a kind are mapped by its own package.
var wire = ErrorMap{Codes: commonErrors}

// Server serves a Plugin: it is the PluginService, and the table of open instances that the servers of the kinds look
// into. Authors call sdk.Serve instead, which makes one.
type Server struct {
	pluginv1.UnimplementedPluginServiceServer

	plugin Plugin
	check  func(Kind, KindInfo, any) error
	host   hostLink

	mu        sync.Mutex
	instances map[uint64]*slot
	next      uint32
	draining  bool
}

// slot is one entry of the table. It exists from the beginning of Open to the beginning of Close.
type slot struct {
	value  any   // nil while Open is under way
	broken error // set once a call on the instance has panicked
}

var _ Instances = (*Server)(nil)

// NewServer serves p. check, if not nil, says whether what p.Open returned implements what a kind demands.
func NewServer(p Plugin, check func(Kind, KindInfo, any) error) *Server {
	return &Server{plugin: p, check: check, instances: map[uint64]*slot{}}
}

// Register adds the PluginService to a gRPC server. The server should use the interceptors of [Server.ServerOptions].
func (s *Server) Register(r grpc.ServiceRegistrar) { pluginv1.RegisterPluginServiceServer(r, s) }

// Instance implements [Instances].
func (s *Server) Instance(handle uint64) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sl := s.instances[handle]
	switch {
	case sl == nil || sl.value == nil && sl.broken == nil:
		return nil, fmt.Errorf("instance %#x: %w", handle, ErrUnknownInstance)
	case sl.broken != nil:
		return nil, fmt.Errorf("instance %#x: %w", handle, sl.broken)
	}
	return sl.value, nil
}

// Describe implements the PluginService.
func (s *Server) Describe(context.Context, *pluginv1.DescribeRequest) (*pluginv1.DescribeResponse, error) {
	return s.plugin.Describe().ToProto(), nil
}

// Open implements the PluginService.
func (s *Server) Open(ctx context.Context, r *pluginv1.OpenRequest) (*pluginv1.OpenResponse, error) {
	req := openFromProto(r)
	handle, err := s.open(ctx, req)
	if err != nil {
		return nil, wire.ToWire(fmt.Errorf("open %s for chain %q: %w", req.Kind, req.ChainName, err))
	}
	return &pluginv1.OpenResponse{Instance: handle}, nil
}

func (s *Server) open(ctx context.Context, req OpenRequest) (uint64, error) {
	ki, ok := s.plugin.Describe().Find(req.Kind)
	if !ok {
		return 0, fmt.Errorf("%w: this plugin is no %s", ErrWrongKind, req.Kind)
	}
	if n := len(req.ChainID); n != 0 && n != 32 {
		return 0, fmt.Errorf("%w: a chain id has 32 bytes, not %d", ErrBadConfig, n)
	}
	if n := len(req.Producer); n == 1 || n > maxProducerBytes {
		return 0, fmt.Errorf("%w: a producer's key of %d bytes, with its scheme it has 2 to %d", ErrBadConfig, n, maxProducerBytes)
	}
	if req.Rules != "" && !slices.Contains(ki.Rules, req.Rules) {
		return 0, fmt.Errorf("%w: the chain asks for rules %q, this plugin computes %q", ErrBadConfig, req.Rules, ki.Rules)
	}
	handle, err := s.reserve(req.Handle)
	if err != nil {
		return 0, err
	}
	req.Handle = handle
	kept := false
	defer func() { // also when Open panics
		if !kept {
			s.remove(handle)
		}
	}()
	value, err := s.plugin.Open(ctx, &instanceHost{link: &s.host, handle: handle}, req)
	if err != nil {
		return 0, err
	}
	if value == nil {
		return 0, fmt.Errorf("the plugin's Open returned neither an instance nor an error")
	}
	if s.check != nil {
		if err := s.check(req.Kind, ki, value); err != nil {
			return 0, closeInstance(value, err)
		}
	}
	if err := s.keep(handle, value); err != nil {
		return 0, closeInstance(value, err)
	}
	kept = true
	return handle, nil
}

func closeInstance(value any, cause error) error {
	if c, ok := value.(io.Closer); ok {
		if err := c.Close(); err != nil {
			return fmt.Errorf("%w; and close: %w", cause, err)
		}
	}
	return cause
}

func (s *Server) reserve(handle uint64) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return 0, ErrDraining
	}
	for handle == 0 {
		s.next++
		if h := MakeHandle(0, s.next); s.instances[h] == nil {
			handle = h
		}
	}
	if s.instances[handle] != nil {
		return 0, fmt.Errorf("%w: the handle %#x is in use", ErrBadConfig, handle)
	}
	s.instances[handle] = &slot{}
	return handle, nil
}

func (s *Server) keep(handle uint64, value any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return ErrDraining
	}
	if s.instances[handle] == nil {
		return fmt.Errorf("%w: closed while it was being opened", ErrUnknownInstance)
	}
	s.instances[handle].value = value
	return nil
}

func (s *Server) remove(handle uint64) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	sl := s.instances[handle]
	delete(s.instances, handle)
	if sl == nil {
		return nil
	}
	return sl.value
}

// poison marks an instance whose code has panicked: its locks may be held and its state may be half written.
func (s *Server) poison(handle uint64, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sl := s.instances[handle]; sl != nil {
		sl.broken = cause
	}
}

// Close implements the PluginService. Closing an unknown instance is no error: the answer of the first Close may have
// been lost.
func (s *Server) Close(_ context.Context, r *pluginv1.CloseRequest) (*pluginv1.CloseResponse, error) {
	if c, ok := s.remove(r.GetInstance()).(io.Closer); ok {
		if err := c.Close(); err != nil {
			return nil, wire.ToWire(fmt.Errorf("close instance %#x: %w", r.GetInstance(), err))
		}
	}
	return &pluginv1.CloseResponse{}, nil
}

// Drain implements the PluginService. No instance can be opened afterwards.
func (s *Server) Drain(ctx context.Context, _ *pluginv1.DrainRequest) (*pluginv1.DrainResponse, error) {
	s.mu.Lock()
	s.draining = true
	s.mu.Unlock()
	if d, ok := s.plugin.(Drainer); ok {
		if err := d.Drain(ctx); err != nil {
			return nil, wire.ToWire(fmt.Errorf("drain: %w", err))
		}
	}
	return &pluginv1.DrainResponse{}, nil
}

// CloseAll closes what is still open, for a process that ends by itself.
func (s *Server) CloseAll() {
	s.mu.Lock()
	all := s.instances
	s.instances = map[uint64]*slot{}
	s.draining = true
	s.mu.Unlock()
	for _, sl := range all {
		if c, ok := sl.value.(io.Closer); ok {
			_ = c.Close() // nobody is left to be told
		}
	}
}
