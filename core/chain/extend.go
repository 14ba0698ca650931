package chain

import (
	"context"
	"errors"
	"time"

	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// How long modules have to say what they put into an own block: minExtend at least, a tenth of a slot as a rule. What comes later goes
// into the next own block, unless it takes longer than lateExtend. So a module that hangs costs an own block some time once in a while,
// and one that is only slow, as all are where the machine is busy, loses no ballot.
const (
	minExtend  = 20 * time.Millisecond
	lateExtend = 5 * time.Second
)

// extending is a module's extension that is asked for.
type extending struct {
	slot uint64        // of the own block that it was asked for
	done chan struct{} // closed when data and err are there
	data []byte
	err  error
}

func (x *extending) over() bool {
	select {
	case <-x.done:
		return true
	default:
		return false
	}
}

// ask asks a module what it puts into the own block at a slot.
func (c *Chain) ask(parent *node, slot uint64, module string) *extending {
	x := &extending{slot: slot, done: make(chan struct{})}
	ctx, cancel := context.WithTimeout(host.Asking(c.life), lateExtend)
	go func() {
		defer close(x.done)
		defer cancel()
		x.data, x.err = c.cfg.Ledger.Module(module).Extend(ctx, slot, ledger.QueryReader(parent.result.layer, module))
	}()
	return x
}

// extensions asks the modules what they put into the block, of which so many bytes are left. Those that cannot say in time are not
// waited for; what they say later goes into the next own block.
func (c *Chain) extensions(ctx context.Context, parent *node, slot, room uint64) (out []types.Extension) {
	limit := max(time.Duration(c.cfg.Genesis.SlotMs)*time.Millisecond/10, minExtend)
	names := c.cfg.Ledger.ModuleNames()
	asked := make([]*extending, len(names))
	for i, m := range names {
		if w := c.manners[m]; w != nil && (w.resting || w.extend.skip()) {
			continue
		}
		asked[i] = c.late[m]
		if x := asked[i]; x != nil && x.over() && errors.Is(x.err, state.ErrStale) { // so late that what it reads is gone
			asked[i] = nil
		}
		if asked[i] == nil {
			asked[i] = c.ask(parent, slot, m)
		}
	}
	late := time.NewTimer(limit)
	defer late.Stop()
	for _, x := range asked {
		if x == nil || x.slot != slot { // what is late already is not waited for
			continue
		}
		select {
		case <-x.done:
			continue
		case <-late.C:
		case <-ctx.Done():
		}
		break
	}
	room = min(room, types.MaxAllExtensionBytes)
	first := c.produced.Load() // they take turns at being the first, so that none of them finds too little room for ever
	for i := range uint64(len(names)) {
		k := (first + i) % uint64(len(names))
		m, x := names[k], asked[k]
		if x == nil {
			continue
		}
		if !x.over() {
			if x.slot == slot {
				c.log.Info("a module does not say in time what it puts into a block; it goes into the next one", "module", m, "slot", slot, "limit", limit)
			}
			c.late[m] = x
			continue
		}
		delete(c.late, m)
		if w := c.manners[m]; w != nil && x.err == nil {
			w.extend = backoff{}
		}
		n := uint64(len(m) + len(x.data) + extensionOverhead)
		switch {
		case x.err != nil:
			c.log.Warn("a module cannot extend the block", "module", m, "cause", x.err, "not_asked_for_blocks", c.notExtended(m, x.err))
		case len(x.data) > types.MaxExtensionBytes:
			c.log.Warn("a module's extension is too large and is left out", "module", m, "bytes", len(x.data), "most", types.MaxExtensionBytes)
		case len(x.data) == 0:
		case n > room || len(out) == types.MaxExtensions:
			c.log.Warn("the block has no room for a module's extension", "module", m, "slot", slot, "bytes", n, "room", room)
		default:
			room -= n
			out = append(out, types.Extension{Module: m, Data: x.data})
		}
	}
	return out
}

// notExtended notes that a module's plugin has died of the question what it puts in, or hangs over it, and returns for how many own
// blocks it is not asked again.
func (c *Chain) notExtended(module string, err error) int {
	for _, bad := range []error{context.DeadlineExceeded, host.ErrPluginLost, host.ErrHung, host.ErrFailed, plugin.ErrPanicked} {
		if c.cfg.Foreign[module] && errors.Is(err, bad) {
			m := c.mannersOf(module)
			m.extend.failed(maxExtendStrikes)
			return m.extend.left
		}
	}
	return 0
}
