package prophecy

import (
	"context"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// mute is the host of an instance that has none, as in a test of the rules.
type mute struct{}

var _ plugin.Host = mute{}

func (mute) Sign(context.Context, string, uint64, []byte) ([]byte, error) {
	return nil, plugin.ErrHostUnavailable
}
func (mute) ProveVRF(context.Context, []byte) ([]byte, error) { return nil, plugin.ErrHostUnavailable }
func (mute) Derive(context.Context, string) ([]byte, error)   { return nil, plugin.ErrHostUnavailable }
func (mute) BindTransport(context.Context, []byte) ([]byte, error) {
	return nil, plugin.ErrHostUnavailable
}
func (mute) Log(string, string, map[string]string) {}
func (mute) Metric(string, float64)                {}
