package api

import (
	"log/slog"
	"net/http"
	"time"
)

// Options are a server's settings. The zero value serves with the defaults.
type Options struct {
	Limits Limits
	// Hosts are names, without port, under which requests may address the server besides the names of loopback. A server on
	// loopback answers to no others; one on another address answers to all if Hosts is empty, else to addresses and these.
	Hosts []string
	// Metrics answers GET /metrics; nil for none.
	Metrics http.Handler
	// Page answers GET for everything else; nil for none.
	Page http.Handler
	Log  *slog.Logger // default: nothing is logged
}

// Limits bound what strangers can ask of a node. Zero stands for the default.
type Limits struct {
	Connections int           // open at once; default 2,048
	InFlight    int           // requests that are being answered; default 256
	Streams     int           // WatchFinal and WaitTransaction, which are not InFlight; default 256
	BodyBytes   int           // of a request; default 8 MiB
	Batch       int           // envelopes in a request; default 4,096
	Page        int           // blocks in an answer; default 100
	PageBytes   int           // after which a page ends; default 4 MiB
	Request     time.Duration // to answer a request; default 30 s
	Wait        time.Duration // of WaitTransaction; default 60 s
	Read        time.Duration // for a request to arrive; default 15 s
	Write       time.Duration // for an answer, or a block of a stream, to be taken; default 15 s
	Idle        time.Duration // of a connection; default 2 min
}

func setDefault[T int | time.Duration](v *T, to T) {
	if *v <= 0 {
		*v = to
	}
}

func (l Limits) withDefaults() Limits {
	setDefault(&l.Connections, 2048)
	setDefault(&l.InFlight, 256)
	setDefault(&l.Streams, 256)
	setDefault(&l.BodyBytes, 8<<20)
	setDefault(&l.Batch, 4096)
	setDefault(&l.Page, 100)
	setDefault(&l.PageBytes, 4<<20)
	setDefault(&l.Request, 30*time.Second)
	setDefault(&l.Wait, time.Minute)
	setDefault(&l.Read, 15*time.Second)
	setDefault(&l.Write, 15*time.Second)
	setDefault(&l.Idle, 2*time.Minute)
	return l
}
