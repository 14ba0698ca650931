// Package client speaks to a node's API: typed calls with retries, transactions made and followed until they are final, final
// blocks as a sequence that survives a lost connection, and two ways to trust an answer: [Light], which believes what is
// proven, and [Quorum], which asks several nodes.
//
//	c, err := client.New("http://127.0.0.1:8080", client.Options{})
//	defer c.Close()
//	envelope, id, err := c.Make(ctx, "root", account, types.ModuleBank, actions, client.BuildOptions{}, key)
//	tx, err := c.SubmitAndWait(ctx, "root", envelope, client.Final)
package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1/apiv1connect"
)

// Options are a client's settings. The zero value is good for most.
type Options struct {
	// Token is for administration; see [api.ReadToken].
	Token string
	// Timeout bounds each attempt of a call that is not a wait or a stream. Default 30 s.
	Timeout time.Duration
	// Attempts is how often a call is tried while the node is not available. Default 5; 1 means no retry.
	Attempts int
	// Backoff is the pause after the first attempt, which doubles from one to the next up to 20 times its value. Default 50 ms.
	Backoff time.Duration
	// HTTP replaces the client's own HTTP client; it is not closed by Close.
	HTTP connect.HTTPClient
	// GRPC makes the client speak gRPC rather than Connect. HTTP must then be a client that speaks HTTP/2.
	GRPC bool
}

// Client speaks to one node. It may be used concurrently.
type Client struct {
	address string
	opts    Options
	close   func()
	node    apiv1connect.NodeServiceClient
	chain   apiv1connect.ChainServiceClient
	admin   apiv1connect.AdminServiceClient
}

// maxAnswer bounds an answer: a block with its receipts, in the largest case.
const maxAnswer = 128 << 20

// New makes a client for "http://host:port", "https://host:port", "host:port" or "unix:PATH". It does not connect yet.
func New(address string, opts Options) (*Client, error) {
	if opts.Timeout <= 0 {
		opts.Timeout = 30 * time.Second
	}
	if opts.Attempts <= 0 {
		opts.Attempts = 5
	}
	if opts.Backoff <= 0 {
		opts.Backoff = 50 * time.Millisecond
	}
	c := &Client{address: address, opts: opts, close: func() {}}
	path, unix := strings.CutPrefix(address, api.UnixPrefix)
	base := address
	switch {
	case unix:
		base = "http://localhost"
	case !strings.Contains(address, "://"):
		base = "http://" + address
	}
	if u, err := url.Parse(base); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("client: %q is no address of a node; write http://host:port or unix:PATH", address)
	}
	hc := opts.HTTP
	if hc == nil {
		t := &http.Transport{MaxIdleConns: 64, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 10 * time.Second,
			Proxy: http.ProxyFromEnvironment}
		d := net.Dialer{Timeout: 10 * time.Second}
		t.DialContext = d.DialContext
		if unix {
			t.Proxy = nil
			t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", path) }
		}
		c.close = t.CloseIdleConnections
		hc = &http.Client{Transport: t}
	}
	// A node is on the same machine or network: compressing an answer costs it more than sending it.
	options := []connect.ClientOption{connect.WithReadMaxBytes(maxAnswer), connect.WithAcceptCompression("gzip", nil, nil)}
	if opts.GRPC {
		options = append(options, connect.WithGRPC())
	}
	c.node = apiv1connect.NewNodeServiceClient(hc, base, options...)
	c.chain = apiv1connect.NewChainServiceClient(hc, base, options...)
	c.admin = apiv1connect.NewAdminServiceClient(hc, base, options...)
	return c, nil
}

// Address returns the address that the client was made with.
func (c *Client) Address() string { return c.address }

// Close closes idle connections.
func (c *Client) Close() { c.close() }

// call asks once or, while the node is not available, several times. It may only be used for what is harmless to repeat.
func call[Req, Res any](ctx context.Context, c *Client, timeout time.Duration, f func(context.Context, *connect.Request[Req]) (*connect.Response[Res], error),
	req *Req, what string) (*Res, error) {
	pause := backoff{next: c.opts.Backoff, most: 20 * c.opts.Backoff}
	for attempt := 1; ; attempt++ {
		actx, cancel := context.WithTimeout(ctx, timeout)
		r := connect.NewRequest(req)
		if c.opts.Token != "" {
			r.Header().Set("Authorization", "Bearer "+c.opts.Token)
		}
		res, err := f(actx, r)
		cancel()
		if err == nil {
			return res.Msg, nil
		}
		err = c.fault(what, err)
		if attempt >= c.opts.Attempts || !retryable(err) || !pause.wait(ctx) {
			if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
				err = fmt.Errorf("%w (%w)", err, ctx.Err())
			}
			return nil, err
		}
	}
}

func retryable(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == connect.CodeUnavailable
}
