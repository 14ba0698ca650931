package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"connectrpc.com/connect"

	apiv1 "github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1"
)

// adminService implements apiv1connect.AdminServiceHandler.
type adminService struct {
	admin Admin
	token string
	log   *slog.Logger
}

// authorise compares digests, so that neither the token's bytes nor its length show in the time that it takes.
func (a *adminService) authorise(h http.Header, what string) error {
	given, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	g, w := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(a.token))
	if subtle.ConstantTimeCompare(g[:], w[:]) != 1 || !ok {
		a.log.Warn("administration without the token", "what", what)
		return wireError(fmt.Errorf("%w: %s needs the token from the file beside the node's keys, as \"Authorization: Bearer …\"", ErrToken, what), 0)
	}
	return nil
}

func (a *adminService) Stop(ctx context.Context, r *connect.Request[apiv1.StopRequest]) (*connect.Response[apiv1.StopResponse], error) {
	if err := a.authorise(r.Header(), "Stop"); err != nil {
		return nil, err
	}
	if err := a.admin.Stop(ctx, r.Msg.Reason); err != nil {
		return nil, wireError(err, 0)
	}
	return connect.NewResponse(&apiv1.StopResponse{}), nil
}

func (a *adminService) FollowChain(ctx context.Context, r *connect.Request[apiv1.FollowChainRequest]) (*connect.Response[apiv1.FollowChainResponse], error) {
	if err := a.authorise(r.Header(), "FollowChain"); err != nil {
		return nil, err
	}
	if len(r.Msg.Genesis) == 0 {
		return nil, wireError(fmt.Errorf("%w: the genesis document is missing", ErrInvalid), 0)
	}
	id, err := a.admin.Follow(ctx, r.Msg.Genesis)
	if err != nil {
		return nil, wireError(err, 0)
	}
	return connect.NewResponse(&apiv1.FollowChainResponse{ChainId: id.String()}), nil
}

func (a *adminService) RestartPlugin(ctx context.Context, r *connect.Request[apiv1.RestartPluginRequest]) (*connect.Response[apiv1.RestartPluginResponse], error) {
	if err := a.authorise(r.Header(), "RestartPlugin"); err != nil {
		return nil, err
	}
	if err := a.admin.RestartPlugin(ctx, r.Msg.Name); err != nil {
		return nil, wireError(err, 0)
	}
	return connect.NewResponse(&apiv1.RestartPluginResponse{}), nil
}

func (a *adminService) SetLogLevel(ctx context.Context, r *connect.Request[apiv1.SetLogLevelRequest]) (*connect.Response[apiv1.SetLogLevelResponse], error) {
	if err := a.authorise(r.Header(), "SetLogLevel"); err != nil {
		return nil, err
	}
	if err := new(slog.Level).UnmarshalText([]byte(r.Msg.Level)); err != nil {
		return nil, wireError(fmt.Errorf("%w: log level %q; debug, info, warn and error exist", ErrInvalid, r.Msg.Level), 0)
	}
	if err := a.admin.SetLogLevel(ctx, r.Msg.Level); err != nil {
		return nil, wireError(err, 0)
	}
	return connect.NewResponse(&apiv1.SetLogLevelResponse{}), nil
}
