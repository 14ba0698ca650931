package module

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"

	"google.golang.org/grpc"

	modulev1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/module/v1"
)

// blockTx is BlockTx on the wire.
const blockTx = math.MaxUint32

// answerAsk does for the core what an Ask wants. Any error but a refusal ends the conversation.
func answerAsk(ctx context.Context, r Reader, a *modulev1.Ask, send func(*modulev1.Answer) error) error {
	if err := known(a); err != nil {
		return faultf("ask: %v", err)
	}
	tx := BlockTx
	if a.Tx != blockTx {
		tx = int(a.Tx)
	}
	var values []Value
	var more bool
	scan := a.ScanStart != nil || a.ScanEnd != nil
	if scan {
		if len(a.Items) > 0 || a.ScanStart == nil || a.ScanEnd == nil {
			return faultf("ask: neither items nor a range")
		}
		start, err := fromItem(a.ScanStart)
		if err != nil {
			return faultf("ask: %v", err)
		}
		end, err := fromItem(a.ScanEnd)
		if err != nil {
			return faultf("ask: %v", err)
		}
		if values, more, err = r.Scan(ctx, tx, start, end, int(min(a.ScanLimit, math.MaxInt32))); err != nil {
			return refuse(err, send)
		}
	} else {
		items, err := fromItems(a.Items)
		if err != nil {
			return faultf("ask: %v", err)
		}
		data, err := r.Read(ctx, tx, items)
		if err != nil {
			return refuse(err, send)
		}
		values = make([]Value, len(data))
		for i := range data {
			values[i].Data = data[i]
		}
	}
	cur, size := &modulev1.Answer{}, 0
	for i := range values {
		n := len(values[i].Item.Key) + len(values[i].Data) + 32
		if size > 0 && size+n > pieceBytes {
			cur.Partial = true
			if err := send(cur); err != nil {
				return err
			}
			cur, size = &modulev1.Answer{}, 0
		}
		size += n
		cur.Values = append(cur.Values, toValue(&values[i], scan))
	}
	cur.More = more
	return send(cur)
}

func refuse(err error, send func(*modulev1.Answer) error) error {
	code := modulev1.Error_ERROR_READ_LIMIT
	switch refusal(err) {
	case nil:
		return err
	case ErrInvalid:
		code = modulev1.Error_ERROR_INVALID
	}
	return send(&modulev1.Answer{Error: strings.ToValidUTF8(err.Error(), "?"), Code: code})
}

// newAsker returns the Reader of a conversation on the plugin's side.
func newAsker[In, Out any](st grpc.BidiStreamingServer[In, Out], wrap func(*modulev1.Ask) *Out) *asker {
	return &asker{
		send: func(a *modulev1.Ask) error { return st.Send(wrap(a)) },
		recv: func() (*modulev1.Answer, error) {
			in, err := st.Recv()
			if err != nil {
				return nil, err
			}
			return any(in).(interface{ GetAnswer() *modulev1.Answer }).GetAnswer(), nil
		},
	}
}

// asker is the Reader at the module's end of a conversation.
type asker struct {
	send func(*modulev1.Ask) error
	recv func() (*modulev1.Answer, error)

	mu   sync.Mutex
	stop error
}

func (a *asker) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stop == nil {
		a.stop = fmt.Errorf("%w: the call that the reader belongs to has ended", ErrClosed)
	}
}

// Read implements [Reader].
func (a *asker) Read(ctx context.Context, tx int, items []Item) ([][]byte, error) {
	// More items than the core allows make it end the call, so there is no need to send all of them.
	ask := &modulev1.Ask{Tx: wireTx(tx), Items: toItems(items[:min(len(items), MaxReadItems+1)])}
	values, _, err := a.ask(ctx, ask, false)
	if err != nil {
		return nil, err
	}
	if len(values) != len(items) {
		return nil, fmt.Errorf("%w: %d values for %d items", ErrInvalid, len(values), len(items))
	}
	if len(items) == 0 {
		return nil, nil
	}
	out := make([][]byte, len(values))
	for i := range values {
		out[i] = values[i].Data
	}
	return out, nil
}

// Scan implements [Reader].
func (a *asker) Scan(ctx context.Context, tx int, start, end Item, limit int) ([]Value, bool, error) {
	ask := &modulev1.Ask{Tx: wireTx(tx), ScanStart: toItem(start), ScanEnd: toItem(end), ScanLimit: uint32(max(0, min(limit, math.MaxInt32)))}
	return a.ask(ctx, ask, true)
}

func wireTx(tx int) uint32 {
	if tx == BlockTx {
		return blockTx
	}
	if tx < 0 || tx >= blockTx {
		return blockTx - 1 // not that of any transaction
	}
	return uint32(tx)
}

func (a *asker) ask(ctx context.Context, ask *modulev1.Ask, scan bool) (values []Value, more bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stop != nil {
		return nil, false, a.stop
	}
	if err := ctx.Err(); err != nil {
		return nil, false, fmt.Errorf("module: read: %w", err)
	}
	fail := func(err error) ([]Value, bool, error) {
		a.stop = err
		return nil, false, err
	}
	if err := a.send(ask); err != nil {
		return fail(streamError(err))
	}
	for {
		p, err := a.recv()
		if err != nil {
			return fail(streamError(err))
		}
		if p == nil {
			return fail(fmt.Errorf("%w: no answer where one was due", ErrInvalid))
		}
		if p.Error != "" {
			if s, ok := wire.Codes[int32(p.Code)]; ok {
				return nil, false, fmt.Errorf("%w (%s)", s, p.Error)
			}
			return fail(fmt.Errorf("module: read: %s", p.Error))
		}
		for _, pv := range p.Values {
			v, err := fromValue(pv, scan)
			if err != nil {
				return fail(fmt.Errorf("%w: %v", ErrInvalid, err))
			}
			values = append(values, v)
		}
		if !p.Partial {
			return values, p.More, nil
		}
	}
}

// streamError is what a module sees when its host has gone away in the middle of a conversation.
func streamError(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("module: read: the host has left: %w", context.Canceled)
	}
	return fmt.Errorf("module: read: %w", wire.FromWire(err))
}
