// Package api is what a node offers to programs and people: Connect services, which speak gRPC, gRPC-Web and JSON over HTTP
// with one set of handlers, and plain GET /healthz and /metrics.
//
// [Server] answers from a [Node] and its [Chain]s, small interfaces that the core is adapted to. The values that cross them are
// declared here too, made of sdk/types wherever there is a type for it. The client of package client hands out the same values.
//
// A server on loopback answers only requests that name a loopback host, and none that a browser makes for a foreign page, so
// that no web page reaches a node through its user's browser. [Server.ServeAdmin] adds the administration to a unix socket.
//
// Every error has a stable name, [ErrorName], which travels beside its text.
package api
