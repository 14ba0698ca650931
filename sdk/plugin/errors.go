package plugin

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pluginv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/plugin/v1"
)

// ErrorMap maps the sentinel errors of one kind to the numbers of its wire enum, so that errors.Is works on both sides.
type ErrorMap struct {
	Kind  Kind
	Codes map[int32]error
}

// ToWire turns an error into a gRPC status that carries the sentinel's number, if it wraps one.
func (m ErrorMap) ToWire(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) {
		return status.Error(codes.Canceled, err.Error())
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return status.Error(codes.DeadlineExceeded, err.Error())
	}
	detail := &pluginv1.ErrorDetail{Kind: string(m.Kind), Message: err.Error()}
	code := codes.Internal
	for c, sentinel := range m.Codes {
		if errors.Is(err, sentinel) {
			detail.Code, code = c, codes.FailedPrecondition
			break
		}
	}
	if detail.Code == 0 {
		for c, sentinel := range commonErrors {
			if errors.Is(err, sentinel) {
				detail.Kind, detail.Code, code = "", c, codes.FailedPrecondition
				break
			}
		}
	}
	s, derr := status.New(code, err.Error()).WithDetails(detail)
	if derr != nil {
		return status.Error(code, err.Error())
	}
	return s.Err()
}

// FromWire turns a gRPC error back: the result wraps the sentinel, or context.Canceled or context.DeadlineExceeded, and
// otherwise is the status itself.
func (m ErrorMap) FromWire(err error) error {
	if err == nil {
		return nil
	}
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	switch s.Code() {
	case codes.Canceled:
		return fmt.Errorf("%s: %w", s.Message(), context.Canceled)
	case codes.DeadlineExceeded:
		return fmt.Errorf("%s: %w", s.Message(), context.DeadlineExceeded)
	}
	for _, d := range s.Details() {
		if e, ok := d.(*pluginv1.ErrorDetail); ok {
			sentinel := commonErrors[e.Code]
			if e.Kind == string(m.Kind) {
				sentinel = m.Codes[e.Code]
			} else if e.Kind != "" {
				continue
			}
			if sentinel != nil {
				return &wireError{e.Message, sentinel}
			}
		}
	}
	return err
}

// commonErrors are sentinels of all kinds; their detail has no kind.
var commonErrors = map[int32]error{1: ErrUnknownInstance, 2: ErrWrongKind, 3: ErrHostUnavailable, 4: ErrBadConfig, 5: ErrAPIMismatch, 6: ErrPanicked, 7: ErrDraining}

type wireError struct {
	message  string
	sentinel error
}

func (e *wireError) Error() string { return e.message }
func (e *wireError) Unwrap() error { return e.sentinel }
