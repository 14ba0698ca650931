package localnet

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Info is what a supervisor says of itself.
type Info struct {
	PID   int            `json:"pid"`
	Nodes map[string]int `json:"nodes"` // pids of those that run
}

// controlTimeout bounds what a control call does, such as restarting a node that has much to replay.
const controlTimeout = 5 * time.Minute

func makeToken(dir string) (string, error) {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	token := hex.EncodeToString(b)
	if err := writeFile(filepath.Join(dir, "token"), []byte(token)); err != nil {
		return "", fmt.Errorf("control token: %w", err)
	}
	return token, nil
}

func (s *Supervisor) handler(token string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/info", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, Info{PID: os.Getpid(), Nodes: s.Pids()}, nil)
	})
	mux.HandleFunc("POST /v1/down", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, struct{}{}, nil)
		s.askDown()
	})
	for verb, f := range map[string]func(context.Context, string) error{"stop": s.Stop, "start": s.Start, "restart": s.Restart} {
		mux.HandleFunc("POST /v1/nodes/{name}/"+verb, func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), controlTimeout)
			defer cancel()
			reply(w, struct{}{}, f(ctx, r.PathValue("name")))
		})
	}
	s.faultRoutes(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if subtle.ConstantTimeCompare([]byte(got), []byte(token)) != 1 {
			http.Error(w, "the caller does not have the network's token", http.StatusUnauthorized)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
		mux.ServeHTTP(w, r)
	})
}

func reply(w http.ResponseWriter, v any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// Control talks to the supervisor of a network.
type Control struct {
	dir    string
	client *http.Client
}

// ErrNotRunning says that nobody runs the network.
var ErrNotRunning = errors.New("the network is not running")

// NewControl makes a client. Nothing is connected yet.
func NewControl(dir string) *Control {
	return &Control{dir, &http.Client{Transport: &http.Transport{DialContext: dialControl(dir), DisableKeepAlives: true}}}
}

func (c *Control) call(ctx context.Context, method, path string, body []byte, out any) error {
	token, err := os.ReadFile(filepath.Join(c.dir, "token"))
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w; `alto up` starts it", ErrNotRunning)
	}
	if err != nil {
		return fmt.Errorf("control token: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://supervisor"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+string(token))
	resp, err := c.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w (%v); `alto up` starts it", ErrNotRunning, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("supervisor: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(strings.TrimSpace(string(b)))
	}
	return json.Unmarshal(b, out)
}

// Info asks who runs the network. It fails with [ErrNotRunning] if nobody does.
func (c *Control) Info(ctx context.Context) (Info, error) {
	var i Info
	err := c.call(ctx, http.MethodGet, "/v1/info", nil, &i)
	return i, err
}

// Down asks for the network's end and waits until nothing of it runs. The supervisor gives back the lock a little before its own
// process ends, so that is waited for too.
func (c *Control) Down(ctx context.Context) error {
	info, err := c.Info(ctx)
	if err != nil {
		return err
	}
	ended, err := watchProcess(info.PID)
	if err != nil {
		return fmt.Errorf("supervisor with pid %d: %w", info.PID, err)
	}
	defer ended.close()
	if err := c.call(ctx, http.MethodPost, "/v1/down", nil, &struct{}{}); err != nil {
		return err
	}
	if err := waitUnlocked(ctx, filepath.Join(c.dir, "lock")); err != nil {
		return err
	}
	if info.PID == os.Getpid() {
		return nil // a supervisor that this process runs itself
	}
	return ended.wait(ctx)
}

// Node makes the supervisor stop, start or restart a node, and waits until it has.
func (c *Control) Node(ctx context.Context, name, verb string) error {
	return c.call(ctx, http.MethodPost, "/v1/nodes/"+name+"/"+verb, nil, &struct{}{})
}
