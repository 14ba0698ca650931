package module

import (
	"context"
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	modulev1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/module/v1"
)

// ErrUnnamed is what stands in a result or check whose own Error is not the name of an error: 1 to [MaxErrorBytes] letters,
// digits, '_', '-' or '.', beginning with a letter, and not "ok".
const ErrUnnamed = "ErrUnnamed"

// ErrOutOfGas is the Error of a transaction that a module cannot do within its MaxGas.
const ErrOutOfGas = "ErrOutOfGas"

// wire maps the sentinels of this package. ErrFault is not among them: that the module is at fault is what the core finds,
// and nothing that a status can claim.
var wire = plugin.ErrorMap{Kind: plugin.Module, Codes: map[int32]error{
	int32(modulev1.Error_ERROR_CLOSED):       ErrClosed,
	int32(modulev1.Error_ERROR_UNKNOWN_PATH): ErrUnknownPath,
	int32(modulev1.Error_ERROR_BAD_PARAMS):   ErrBadParams,
	int32(modulev1.Error_ERROR_READ_LIMIT):   ErrReadLimit,
	int32(modulev1.Error_ERROR_UNSUPPORTED):  ErrUnsupported,
	int32(modulev1.Error_ERROR_INVALID):      ErrInvalid,
}}

func faultf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFault, fmt.Sprintf(format, args...))
}

// fromWire maps an error of a call. Only the caller's own context makes a call cancelled or late: what the plugin says of
// contexts is just a failure.
func fromWire(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("module: %s: %w", op, cause)
	}
	err = wire.FromWire(err)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("module: %s: the plugin gave up: %v", op, err)
	}
	return fmt.Errorf("module: %s: %w", op, err)
}

// isName tells whether s can be the stable name of an error.
func isName(s string) bool {
	if s == "" || len(s) > MaxErrorBytes || s == "ok" {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || !('0' <= c && c <= '9' || c == '_' || c == '-' || c == '.')) {
			return false
		}
	}
	return true
}
