package api

import "net/http"

// Handler is what Serve serves on loopback.
func (s *Server) Handler() http.Handler { return s.guarded(s.mux(nil, ""), reachLoopback) }

// LoopbackServes tells whether a server on loopback answers a request that names host.
func LoopbackServes(host string) bool { return hostAllowed(host, reachLoopback, nil) }

// NetworkServes is the same for a server on another address with configured names.
func NetworkServes(host string, names ...string) bool { return hostAllowed(host, reachNetwork, names) }
