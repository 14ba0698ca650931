package localnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/paloalto-chain/paloalto/internal/faultproxy"
)

// Faults is the state of the fault proxy that a network's links go through.
type Faults struct {
	Seed     uint64      `json:"seed"`
	Names    []string    `json:"names"`     // that faults may be set between, besides "*"
	Playing  bool        `json:"playing"`   // a scenario is under way
	NoTarget uint64      `json:"no_target"` // datagrams that came to nobody
	NoFlow   uint64      `json:"no_flow"`   // of senders for which there was no room
	Links    []FaultLink `json:"links"`     // directed, that had a datagram
}

// FaultLink is what became of the datagrams of a directed link since the network came up.
type FaultLink struct {
	From        string `json:"from"`
	To          string `json:"to"`
	Faults      string `json:"faults"` // in force, as faultproxy.ParseFaults reads them
	Cut         bool   `json:"cut"`    // a partition is between them
	Sent        uint64 `json:"sent"`
	SentBytes   uint64 `json:"sent_bytes"`
	Delivered   uint64 `json:"delivered"` // repeated ones included
	Lost        uint64 `json:"lost"`
	Partitioned uint64 `json:"partitioned"` // dropped since a partition was between them
	QueueFull   uint64 `json:"queue_full"`  // dropped since the queue of the rate limit was full
	Oversize    uint64 `json:"oversize"`    // larger than the MTU
	Overflow    uint64 `json:"overflow"`    // for which the proxy had no room
	Errors      uint64 `json:"errors"`      // that the system refused to send
	Duplicated  uint64 `json:"duplicated"`
	Corrupted   uint64 `json:"corrupted"`
	Reordered   uint64 `json:"reordered"`  // held back while later ones passed
	Overtaking  uint64 `json:"overtaking"` // due before one that was sent earlier, whatever the cause
	Pending     uint64 `json:"pending"`    // on their way
}

// NewFaultLink writes the counters of a proxy down.
func NewFaultLink(l faultproxy.LinkStats) FaultLink {
	return FaultLink{From: l.From, To: l.To, Faults: l.Faults.String(), Cut: l.Cut, Sent: l.Received, SentBytes: l.ReceivedBytes, Delivered: l.Forwarded,
		Lost: l.Lost, Partitioned: l.Partitioned, QueueFull: l.QueueFull, Oversize: l.Oversize, Overflow: l.Overflow, Errors: l.SendErrors,
		Duplicated: l.Duplicated, Corrupted: l.Corrupted, Reordered: l.Reordered, Overtaking: l.Overtaking, Pending: l.Pending}
}

// Errors of faults.
var (
	// ErrNoFaults says that the links of a network do not go through a fault proxy.
	ErrNoFaults = errors.New("the network was not started with --faults, so its links go through no fault proxy")
	errPlaying  = errors.New("a scenario is being played already; Ctrl-C where it was started ends it")
)

// faultsReply is what the supervisor answers: no faults if there is no proxy.
type faultsReply struct {
	Faults *Faults `json:"faults"`
}

func (s *Supervisor) faultsNow() faultsReply {
	if s.faults == nil {
		return faultsReply{}
	}
	st := s.faults.Stats()
	f := &Faults{Seed: st.Seed, Playing: s.playing.Load(), NoTarget: st.NoTarget, NoFlow: st.NoFlow, Links: []FaultLink{}}
	for _, n := range s.state.Nodes {
		f.Names = append(f.Names, n.Name)
	}
	f.Names = append(f.Names, faultproxy.Unknown)
	for _, l := range st.Links {
		f.Links = append(f.Links, NewFaultLink(l))
	}
	return faultsReply{f}
}

// play carries out the scenario in a request's body and answers after its last step.
func (s *Supervisor) play(w http.ResponseWriter, r *http.Request) error {
	if s.faults == nil {
		return ErrNoFaults
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return fmt.Errorf("scenario: %w", err)
	}
	steps, err := faultproxy.ParseScenario(string(text))
	if err != nil {
		return err
	}
	if len(steps) == 0 {
		return fmt.Errorf("scenario: there is no step in it: %w", faultproxy.ErrInvalid)
	}
	if steps[len(steps)-1].At > 0 { // what happens at once may happen while a scenario is played
		if !s.playing.CompareAndSwap(false, true) {
			return errPlaying
		}
		defer s.playing.Store(false)
	}
	// The body has arrived; the server's read deadline would end the request like a caller that has gone away.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.ending, cancel)()
	return s.faults.Play(ctx, steps)
}

func (s *Supervisor) faultRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/faults", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.faultsNow(), nil) })
	mux.HandleFunc("POST /v1/faults", func(w http.ResponseWriter, r *http.Request) {
		err := s.play(w, r)
		reply(w, s.faultsNow(), err)
	})
}

// Faults tells what the network's links suffer. It fails with [ErrNotRunning] and with [ErrNoFaults].
func (c *Control) Faults(ctx context.Context) (*Faults, error) {
	return c.faults(ctx, http.MethodGet, nil)
}

// Play carries out a scenario, see faultproxy.ParseScenario, and returns after its last step with what became of it. When ctx ends
// first, the faults stay as they are then.
func (c *Control) Play(ctx context.Context, scenario string) (*Faults, error) {
	return c.faults(ctx, http.MethodPost, []byte(scenario))
}

func (c *Control) faults(ctx context.Context, method string, body []byte) (*Faults, error) {
	var r faultsReply
	if err := c.call(ctx, method, "/v1/faults", body, &r); err != nil {
		return nil, err
	}
	if r.Faults == nil {
		return nil, ErrNoFaults
	}
	return r.Faults, nil
}
