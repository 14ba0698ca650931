package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"connectrpc.com/connect"

	apiv1 "github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1"
)

// nodeService implements apiv1connect.NodeServiceHandler.
type nodeService struct{ s *Server }

func (n *nodeService) Status(ctx context.Context, _ *connect.Request[apiv1.StatusRequest]) (*connect.Response[apiv1.StatusResponse], error) {
	st, err := n.s.node.Status(ctx)
	if err != nil {
		return nil, wireError(err, 0)
	}
	return connect.NewResponse(nodeStatusMessage(&st)), nil
}

func (n *nodeService) Health(ctx context.Context, _ *connect.Request[apiv1.HealthRequest]) (*connect.Response[apiv1.HealthResponse], error) {
	problems, err := n.s.problems(ctx)
	if err != nil {
		return nil, wireError(err, 0)
	}
	return connect.NewResponse(&apiv1.HealthResponse{Ok: len(problems) == 0, Problems: problems}), nil
}

// problems says what is wrong with the node.
func (s *Server) problems(ctx context.Context) ([]string, error) {
	st, err := s.node.Status(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, c := range st.Chains {
		if c.Halted != "" {
			out = append(out, clean(fmt.Sprintf("chain %s has halted: %s", c.Name, c.Halted)))
		} else if c.Stalled != "" {
			out = append(out, clean(fmt.Sprintf("chain %s waits: %s", c.Name, c.Stalled)))
		}
		if c.Trouble != "" {
			out = append(out, clean(fmt.Sprintf("chain %s: trouble: %s", c.Name, c.Trouble)))
		}
	}
	for _, p := range st.Plugins {
		if p.State != "ready" {
			out = append(out, clean(strings.TrimSuffix(fmt.Sprintf("plugin %s is %s: %s", p.Name, p.State, p.LastError), ": ")))
		}
		for _, i := range p.Instances {
			if i.Failed != "" {
				out = append(out, clean(fmt.Sprintf("plugin %s has failed for chain %s: %s", p.Name, i.Chain, i.Failed)))
			}
		}
	}
	return out, nil
}

// healthz answers 200 if nothing is wrong, else 503 with a line for each problem.
func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	problems, err := s.problems(r.Context())
	if err != nil {
		problems = []string{message(err)}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if len(problems) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = fmt.Fprintln(w, strings.Join(problems, "\n"))
		return
	}
	_, _ = fmt.Fprintln(w, "ok")
}
