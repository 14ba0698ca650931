package observe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/theory/jsonpath"

	"github.com/paloalto-chain/paloalto/sdk/oracle"
)

// Bounds of one service's answer.
const (
	maxBody      = 1 << 20  // bytes
	maxHeader    = 64 << 10 // bytes
	maxRedirects = 3
)

// web asks services over HTTP.
type web struct {
	services []service
	table    map[string]oracle.Value
	agree    int
	client   *http.Client
}

// service is one of them.
type service struct {
	url  *template
	path *jsonpath.Path
}

func newWeb(cfg Config) (*web, error) {
	table, err := cfg.table()
	if err != nil {
		return nil, err
	}
	w := &web{table: table, agree: cfg.Agree, client: newClient()}
	for i, text := range cfg.URLs {
		t, err := parseTemplate(text)
		if err != nil {
			return nil, err
		}
		p, err := parsePath(cfg.Paths[min(i, len(cfg.Paths)-1)])
		if err != nil {
			return nil, err
		}
		w.services = append(w.services, service{t, p})
	}
	return w, nil
}

// newClient returns a client that keeps no connections, cookies or secrets, and whose answers are bounded.
func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: MaxTimeout}).DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: maxHeader,
			ResponseHeaderTimeout:  MaxTimeout,
			ExpectContinueTimeout:  time.Second,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: redirected,
	}
}

// redirected lets a service send on to another place of the same host, and from http to https there, and to no other: which
// machines a node talks to is its operator's choice.
func redirected(req *http.Request, via []*http.Request) error {
	last := via[len(via)-1].URL
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("more than %d redirects", maxRedirects)
	case !strings.EqualFold(req.URL.Hostname(), last.Hostname()):
		return fmt.Errorf("it redirects to another host, %s; if that is right, configure it", clean(req.URL.Hostname(), 80))
	case req.URL.Scheme != "https" && req.URL.Scheme != last.Scheme:
		return fmt.Errorf("it redirects from %s to %s", last.Scheme, clean(req.URL.Scheme, 20))
	case req.URL.Port() != last.Port() && (req.URL.Port() != "" || req.URL.Scheme == last.Scheme):
		return fmt.Errorf("it redirects to another port, %s", clean(req.URL.Port(), 20))
	case req.URL.User != nil:
		return errors.New("it redirects with a user name")
	}
	return nil
}

func (w *web) observe(ctx context.Context, q oracle.Question) (oracle.Belief, error) {
	said := make([]finding, len(w.services))
	var wg sync.WaitGroup
	for i := range w.services {
		wg.Go(func() { said[i] = w.askOne(ctx, i, q) })
	}
	wg.Wait()
	return agreed(said, w.agree)
}

// askOne asks one service, and takes whatever goes wrong, a panic in reading its answer too, as what is wrong with this one.
func (w *web) askOne(ctx context.Context, i int, q oracle.Question) (f finding) {
	s := &w.services[i]
	f.name = fmt.Sprintf("source %d (%s)", i+1, clean(s.url.base.Host, 80))
	defer func() {
		if p := recover(); p != nil {
			f.err = fmt.Errorf("reading its answer panicked: %v", p)
		}
	}()
	f.value, f.err = w.fetch(ctx, s, q)
	return f
}

func (w *web) fetch(ctx context.Context, s *service, q oracle.Question) (oracle.Value, error) {
	u, err := s.url.fill(q)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "alto-oracle")
	resp, err := w.client.Do(req)
	if err != nil {
		return 0, plain(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("it answers with status %s", clean(resp.Status, 80))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return 0, fmt.Errorf("reading its answer: %w", plain(err))
	}
	if len(body) > maxBody {
		return 0, fmt.Errorf("its answer has more than %d bytes", maxBody)
	}
	return w.read(s.path, body)
}

// read finds the value in an answer.
func (w *web) read(p *jsonpath.Path, body []byte) (oracle.Value, error) {
	doc, err := decodeJSON(body)
	if err != nil {
		return 0, fmt.Errorf("its answer is no JSON that can be used: %w", err)
	}
	word, err := choose(p, doc)
	if err != nil {
		return 0, err
	}
	v, ok := w.table[word]
	if !ok {
		return 0, fmt.Errorf("it says %q, which stands for none of YES, NO, INVALID and TOO_EARLY", clean(word, 80))
	}
	return v, nil
}

// plain makes an error of the HTTP client shorter: without the URL, which may have a secret in its query.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer in time")
	}
	return err
}
