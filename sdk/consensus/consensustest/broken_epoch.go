package consensustest

import (
	"context"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func brokenEpochs() []Breakage {
	return []Breakage{
		{"epoch-hand-over", "a producer does not tell of the next epoch", wrapReady(func(start *consensus.Start, r *consensus.Ready) {
			if !follows(start) {
				r.Epoch = nil
			}
		})},
		{"suffix-is-empty", "blocks after a closing block take transactions", wrapSession(func(*consensus.Start, consensus.Session) bend {
			closing := map[types.BlockID]uint64{} // their epochs
			return bend{event: func(e consensus.Event) (bool, error) {
				if b, ok := e.(*consensus.Built); ok && b.Header != nil && b.Header.Closes() {
					closing[b.Header.ID()] = b.Header.Epoch
				}
				return true, nil
			}, ready: func(r *consensus.Ready) []*consensus.Ready {
				if b := r.Build; b != nil {
					if epoch, ok := closing[b.Parent]; ok && b.Epoch == epoch {
						b.Empty = false
					}
				}
				return one(r)
			}}
		})},
		{"finished-epoch-is-over", "a last vote of the old set is asked for", wrapSession(func(start *consensus.Start, _ consensus.Session) bend {
			closing := map[types.BlockID]*types.Header{}
			return bend{event: func(e consensus.Event) (bool, error) {
				if b, ok := e.(*consensus.Built); ok && b.Header != nil && b.Header.Closes() {
					closing[b.Header.ID()] = b.Header
				}
				return true, nil
			}, ready: func(r *consensus.Ready) []*consensus.Ready {
				for _, f := range r.Final {
					if h := closing[f.Block]; h != nil && h.Epoch == start.Set.Epoch && len(start.Set.Seats) == 2 {
						late := &consensus.Ready{WakeAtMs: r.WakeAtMs, Sign: []consensus.Unsigned{{Purpose: types.PurposeCommit, Ordinal: h.Slot + 1,
							Message: []byte("late"), Payload: types.CommitPayload(start.Set.Hash(), h.Epoch, h.Slot+1, h.Height+1, stranger)}}}
						return []*consensus.Ready{r, late}
					}
				}
				return one(r)
			}}
		})},
		{"late-at-the-hand-over", "who has heard nothing for three slots listens no more", func(f Factory) Factory {
			return wrapSession(func(*consensus.Start, consensus.Session) bend {
				var last uint64
				gone := false
				return bend{event: func(e consensus.Event) (bool, error) {
					m, ok := e.(*consensus.Message)
					if !ok || m.From.IsZero() {
						return true, nil
					}
					gone = gone || last > 0 && m.NowMs >= last+3*f.SlotMs
					last = m.NowMs
					return !gone, nil
				}}
			})(f)
		}},
		{"restart-at-the-hand-over", "the next set is not read at the start", wrapRun(func(e consensus.Engine) func(context.Context, *consensus.Start) (consensus.Session, error) {
			return func(ctx context.Context, start *consensus.Start) (consensus.Session, error) {
				if start == nil || start.Next == nil {
					return e.Run(ctx, start)
				}
				blind := *start
				blind.Next = nil
				return e.Run(ctx, &blind)
			}
		})},
		{"finalised-over-epochs", "the next set is not read with what the core has finalised", wrapSession(func(*consensus.Start, consensus.Session) bend {
			return bend{event: func(e consensus.Event) (bool, error) {
				if f, ok := e.(*consensus.Finalised); ok {
					f.Next = nil
				}
				return true, nil
			}}
		})},
		{"second-instance-halts", "nothing halts it", wrapReady(func(_ *consensus.Start, r *consensus.Ready) { r.Halt = "" })},
	}
}
