package api

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1/apiv1connect"
)

// reach says who can reach a listener, and so what a request must be checked for.
type reach int

const (
	reachLoopback reach = iota
	reachNetwork
	reachSocket // a unix socket, which no browser reaches
)

func reachOf(a net.Addr) reach {
	switch a := a.(type) {
	case *net.UnixAddr:
		return reachSocket
	case *net.TCPAddr:
		if a.IP.IsLoopback() {
			return reachLoopback
		}
	}
	return reachNetwork
}

// hostAllowed tells whether a request may name host. A page whose name an attacker lets resolve to this machine is of the same
// origin as what answers there, in the eyes of the browser; only the Host header gives it away.
func hostAllowed(host string, at reach, names []string) bool {
	if at == reachSocket {
		return true
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if host == "localhost" || slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, host) }) {
		return true
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return at == reachNetwork || ip.Unmap().IsLoopback()
	}
	return at == reachNetwork && len(names) == 0
}

// longLived are the procedures that may take long by their nature.
var longLived = []string{apiv1connect.ChainServiceWatchFinalProcedure, apiv1connect.ChainServiceWaitTransactionProcedure}

type controllerKey struct{}

// writeWithin gives the reader of a long-lived answer until d from now to take what is written next; 0 lifts the deadline while
// nothing is written, for on HTTP/2 it would end the stream even then.
func writeWithin(ctx context.Context, d time.Duration) {
	var at time.Time
	if d > 0 {
		at = time.Now().Add(d)
	}
	if rc, ok := ctx.Value(controllerKey{}).(*http.ResponseController); ok {
		_ = rc.SetWriteDeadline(at) // both protocols support it
	}
}

// guarded puts the checks and limits that hold for every request around h.
func (s *Server) guarded(h http.Handler, at reach) http.Handler {
	origins := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !hostAllowed(r.Host, at, s.opts.Hosts) {
			s.refuse(w, r, fmt.Errorf("%w: this node does not serve the host %q; address it as localhost, or add the name to its configuration",
				ErrForbidden, r.Host))
			return
		}
		if err := origins.Check(r); err != nil {
			s.refuse(w, r, fmt.Errorf("%w: a page of %q may not use this node: %w", ErrForbidden, r.Header.Get("Origin"), err))
			return
		}
		limits := &s.opts.Limits
		room, timeout := s.inFlight, limits.Request
		if slices.Contains(longLived, r.URL.Path) {
			room, timeout = s.streams, 0
		}
		select {
		case room <- struct{}{}:
			defer func() { <-room }()
		default:
			s.refuse(w, r, fmt.Errorf("%w: %d requests of this kind are being answered; try again in a moment", ErrBusy, cap(room)))
			return
		}
		rc := http.NewResponseController(w)
		now := time.Now()
		if r.Body != http.NoBody {
			_ = rc.SetReadDeadline(now.Add(limits.Read))
			r.Body = http.MaxBytesReader(w, &arriving{ReadCloser: r.Body, rc: rc, w: w, http1: r.ProtoMajor == 1}, int64(limits.BodyBytes))
		}
		ctx := context.WithValue(r.Context(), controllerKey{}, rc)
		if timeout > 0 {
			_ = rc.SetWriteDeadline(now.Add(limits.Read + timeout + limits.Write))
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, timeout)
			defer cancel()
		} else {
			_ = rc.SetWriteDeadline(time.Time{}) // that of an earlier request on the connection
		}
		h.ServeHTTP(w, r.WithContext(ctx))
	})
}

// refuse answers with an error in the protocol of the request.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	ce := wireError(err, 0)
	if s.errors.IsSupported(r) {
		_ = s.errors.Write(w, r, ce)
		return
	}
	status := http.StatusForbidden
	if connect.CodeOf(ce) == connect.CodeUnavailable {
		status = http.StatusServiceUnavailable
	}
	http.Error(w, message(err), status)
}

// arriving is a request's body. When it has arrived, its read deadline is lifted, which would otherwise end the request.
type arriving struct {
	io.ReadCloser
	rc    *http.ResponseController
	w     http.ResponseWriter
	http1 bool
}

// Read implements io.Reader.
func (a *arriving) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	switch {
	case err == io.EOF:
		_ = a.rc.SetReadDeadline(time.Time{})
	case err != nil && a.http1:
		a.w.Header().Set("Connection", "close") // the rest must not be taken for the next request
	}
	return n, err
}
