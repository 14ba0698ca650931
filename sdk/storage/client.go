package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	storagev1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/storage/v1"
)

const (
	// pieceBytes is what a message carries before it is closed and the next begun. The largest item is added to it at
	// most once, so that a message stays well below plugin.MaxMessage.
	pieceBytes = 4 << 20
	// wireItemBytes is what an item costs in a message besides its bytes: an end of up to 5 bytes, twice.
	wireItemBytes = 10
	// maxRestarts is how often a Get of several pages starts again because an Apply came in between.
	maxRestarts = 32
)

// NewClient returns the store with a handle behind a connection. It may be used concurrently as a Store may. Large calls
// are cut into messages below plugin.MaxMessage. Whatever the plugin answers is checked; an answer that no store can
// give is an error that wraps ErrMisbehaved.
func NewClient(cc grpc.ClientConnInterface, handle uint64) Store {
	return &client{rpc: storagev1.NewStorageServiceClient(cc), handle: handle, errs: errorMap(), opts: []grpc.CallOption{
		grpc.MaxCallRecvMsgSize(plugin.MaxMessage), grpc.MaxCallSendMsgSize(plugin.MaxMessage)}}
}

type client struct {
	rpc    storagev1.StorageServiceClient
	handle uint64
	errs   plugin.ErrorMap
	opts   []grpc.CallOption
}

func (c *client) Get(ctx context.Context, keys [][]byte) ([][]byte, uint64, error) {
	if err := CheckKeys(keys); err != nil {
		return nil, 0, fmt.Errorf("get: %w", err)
	}
	values := make([][]byte, len(keys))
	for range maxRestarts {
		version, whole, err := c.getAll(ctx, keys, values)
		if err != nil {
			return nil, 0, err
		}
		if whole {
			return values, version, nil
		}
	}
	return nil, 0, fmt.Errorf("get %d keys: the version moved on during each of %d attempts: %w", len(keys), maxRestarts, ErrWrongVersion)
}

// getAll fetches all pages; whole is false if they are not of one version.
func (c *client) getAll(ctx context.Context, keys, values [][]byte) (version uint64, whole bool, err error) {
	for pos := 0; pos == 0 || pos < len(keys); {
		end, size := pos, 0
		for end < len(keys) && size < pieceBytes {
			size += len(keys[end]) + wireItemBytes
			end++
		}
		resp, err := c.rpc.Get(ctx, &storagev1.GetRequest{Instance: c.handle, Keys: plugin.PackBlobs(keys[pos:end])}, c.opts...)
		if err != nil {
			return 0, false, c.errs.FromWire(err)
		}
		if n := len(resp.Values.GetEnds()); n > end-pos { // before it costs a slice for each
			return 0, false, misbehaved("get", "%d keys asked for, %d values", end-pos, n)
		}
		page, err := plugin.UnpackBlobs(resp.Values)
		if err != nil {
			return 0, false, misbehaved("get", "%v", err)
		}
		if n := int(resp.Next); n != len(page) || n > end-pos || (n == 0 && end > pos) {
			return 0, false, misbehaved("get", "%d keys asked for, %d values, next is %d", end-pos, len(page), resp.Next)
		}
		for i, v := range page {
			if len(v) > MaxValueBytes {
				return 0, false, misbehaved("get", "a value of %d bytes", len(v))
			}
			values[pos+i] = v
		}
		if pos > 0 && resp.Version != version {
			return 0, false, nil
		}
		version = resp.Version
		pos += len(page)
		if len(keys) == 0 {
			break
		}
	}
	return version, true, nil
}

func (c *client) Scan(ctx context.Context, start, end []byte, limit int) (Page, error) {
	if err := CheckScan(start, end, limit); err != nil {
		return Page{}, err
	}
	resp, err := c.rpc.Scan(ctx, &storagev1.ScanRequest{Instance: c.handle, Start: start, End: end, Limit: uint32(limit)}, c.opts...)
	if err != nil {
		return Page{}, c.errs.FromWire(err)
	}
	if k, v := len(resp.Keys.GetEnds()), len(resp.Values.GetEnds()); k != v || k > limit {
		return Page{}, misbehaved("scan", "%d keys and %d values for a limit of %d", k, v, limit)
	}
	keys, err := plugin.UnpackBlobs(resp.Keys)
	if err != nil {
		return Page{}, misbehaved("scan", "keys: %v", err)
	}
	values, err := plugin.UnpackBlobs(resp.Values)
	if err != nil {
		return Page{}, misbehaved("scan", "values: %v", err)
	}
	if len(keys) == 0 && resp.More {
		return Page{}, misbehaved("scan", "an empty page says that there is more")
	}
	page := Page{Items: make([]KV, len(keys)), Version: resp.Version, More: resp.More}
	for i, k := range keys {
		switch {
		case checkKey(k) != nil || values[i] == nil || len(values[i]) > MaxValueBytes:
			return Page{}, misbehaved("scan", "item %d has a key of %d and a value of %d bytes", i, len(k), len(values[i]))
		case bytes.Compare(k, start) < 0 || (len(end) > 0 && bytes.Compare(k, end) >= 0):
			return Page{}, misbehaved("scan", "key %x is outside %x to %x", k, start, end)
		case i > 0 && bytes.Compare(keys[i-1], k) >= 0:
			return Page{}, misbehaved("scan", "key %x comes after %x", k, keys[i-1])
		}
		page.Items[i] = KV{Key: k, Value: values[i]}
	}
	return page, nil
}

func (c *client) Apply(ctx context.Context, b Batch) (Status, error) {
	if err := b.Check(); err != nil {
		return Status{}, fmt.Errorf("apply: %w", err)
	}
	// Ending the stream's context on every way out makes sure that a batch that was sent in part is dropped.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.rpc.Apply(ctx, c.opts...)
	if err != nil {
		return Status{}, c.errs.FromWire(err)
	}
	for req := range c.pieces(b) {
		if err := stream.Send(req); errors.Is(err, io.EOF) {
			break // the server has answered already; CloseAndRecv has its error
		} else if err != nil {
			return Status{}, c.errs.FromWire(err)
		}
	}
	resp, err := stream.CloseAndRecv()
	if err != nil {
		return Status{}, c.errs.FromWire(err)
	}
	if resp.Version != b.To || resp.Durable > resp.Version {
		return Status{}, misbehaved("apply", "version %d, durable %d after a batch to %d", resp.Version, resp.Durable, b.To)
	}
	return Status{Version: resp.Version, Durable: resp.Durable}, nil
}

// pieces cuts a batch into messages.
func (c *client) pieces(b Batch) func(yield func(*storagev1.ApplyRequest) bool) {
	return func(yield func(*storagev1.ApplyRequest) bool) {
		puts, deletes := b.Puts, b.Deletes
		req := &storagev1.ApplyRequest{Instance: c.handle, From: b.From, To: b.To, Sync: b.Sync}
		for !req.Last {
			size, n := 0, 0
			for ; n < len(puts) && size < pieceBytes; n++ {
				size += len(puts[n].Key) + len(puts[n].Value) + 2*wireItemBytes
			}
			keys, values := make([][]byte, n), make([][]byte, n)
			for i, kv := range puts[:n] {
				keys[i], values[i] = kv.Key, kv.Value
				if kv.Value == nil {
					values[i] = []byte{}
				}
			}
			req.PutKeys, req.PutValues = plugin.PackBlobs(keys), plugin.PackBlobs(values)
			puts = puts[n:]
			for n = 0; n < len(deletes) && size < pieceBytes; n++ {
				size += len(deletes[n]) + wireItemBytes
			}
			req.Deletes = plugin.PackBlobs(deletes[:n])
			deletes = deletes[n:]
			req.Last = len(puts) == 0 && len(deletes) == 0
			if !yield(req) {
				return
			}
			if !req.Last {
				req = &storagev1.ApplyRequest{}
			}
		}
	}
}

func (c *client) Status(ctx context.Context, sync bool) (Status, error) {
	resp, err := c.rpc.Status(ctx, &storagev1.StatusRequest{Instance: c.handle, Sync: sync}, c.opts...)
	if err != nil {
		return Status{}, c.errs.FromWire(err)
	}
	if resp.Durable > resp.Version {
		return Status{}, misbehaved("status", "version %d is older than the durable one, %d", resp.Version, resp.Durable)
	}
	return Status{Version: resp.Version, Durable: resp.Durable}, nil
}

func misbehaved(op, format string, args ...any) error {
	return fmt.Errorf("%s: %s: %w", op, fmt.Sprintf(format, args...), ErrMisbehaved)
}
