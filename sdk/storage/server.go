package storage

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	storagev1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/storage/v1"
)

// pageBytes is what the values and keys of an answer may add up to. The largest item, added once, still leaves room
// below plugin.MaxMessage for whatever else a message has.
const pageBytes = plugin.MaxMessage - MaxValueBytes - MaxKeyBytes - 64<<10

// RegisterServer serves the open stores of a plugin. The gRPC server must accept messages of plugin.MaxMessage.
func RegisterServer(s grpc.ServiceRegistrar, in plugin.Instances) {
	storagev1.RegisterStorageServiceServer(s, &server{in: in, errs: errorMap()})
}

type server struct {
	storagev1.UnimplementedStorageServiceServer
	in   plugin.Instances
	errs plugin.ErrorMap
}

func (s *server) Get(ctx context.Context, req *storagev1.GetRequest) (*storagev1.GetResponse, error) {
	resp, err := s.get(ctx, req)
	return resp, s.errs.ToWire(err)
}

func (s *server) get(ctx context.Context, req *storagev1.GetRequest) (*storagev1.GetResponse, error) {
	st, err := plugin.InstanceAs[Store](s.in, req.Instance)
	if err != nil {
		return nil, err
	}
	keys, err := plugin.UnpackBlobs(req.Keys)
	if err != nil {
		return nil, fmt.Errorf("get: %v: %w", err, ErrInvalid)
	}
	if err := CheckKeys(keys); err != nil {
		return nil, fmt.Errorf("get: %w", err)
	}
	// The store is asked in portions that adapt to the size of the values, so that a page of large values does not
	// pull every value into memory first.
	var values [][]byte
	var version uint64
	size, portion := 0, 256
	for first := true; first || (len(values) < len(keys) && size < pageBytes); first = false {
		n := min(portion, len(keys)-len(values))
		vs, v, err := st.Get(ctx, keys[len(values):len(values)+n])
		if err != nil {
			return nil, err
		}
		if len(vs) != n {
			return nil, fmt.Errorf("get: the store answered %d keys with %d values", n, len(vs))
		}
		if !first && v != version {
			break // the page ends here; the client sees the next one's version and starts again
		}
		version = v
		for _, val := range vs {
			if size >= pageBytes {
				break
			}
			values = append(values, val)
			size += len(val) + wireItemBytes
		}
		if len(values) > 0 {
			portion = max(1, (pageBytes-size)/max(size/len(values), 64))
		}
	}
	return &storagev1.GetResponse{Values: plugin.PackBlobs(values), Version: version, Next: uint32(len(values))}, nil
}

func (s *server) Scan(ctx context.Context, req *storagev1.ScanRequest) (*storagev1.ScanResponse, error) {
	resp, err := s.scan(ctx, req)
	return resp, s.errs.ToWire(err)
}

func (s *server) scan(ctx context.Context, req *storagev1.ScanRequest) (*storagev1.ScanResponse, error) {
	st, err := plugin.InstanceAs[Store](s.in, req.Instance)
	if err != nil {
		return nil, err
	}
	limit := int(min(req.Limit, MaxPage+1)) // so that it fits an int everywhere
	if err := CheckScan(req.Start, req.End, limit); err != nil {
		return nil, err
	}
	page, err := st.Scan(ctx, req.Start, req.End, limit)
	if err != nil {
		return nil, err
	}
	keys, values := make([][]byte, 0, len(page.Items)), make([][]byte, 0, len(page.Items))
	size := 0
	for i, kv := range page.Items {
		if size >= pageBytes {
			page.Items, page.More = page.Items[:i], true
			break
		}
		if kv.Value == nil {
			kv.Value = []byte{}
		}
		keys, values = append(keys, kv.Key), append(values, kv.Value)
		size += len(kv.Key) + len(kv.Value) + 2*wireItemBytes
	}
	return &storagev1.ScanResponse{Keys: plugin.PackBlobs(keys), Values: plugin.PackBlobs(values), Version: page.Version, More: page.More}, nil
}

func (s *server) Apply(stream grpc.ClientStreamingServer[storagev1.ApplyRequest, storagev1.ApplyResponse]) error {
	st, b, err := s.receive(stream)
	if err != nil {
		return s.errs.ToWire(err)
	}
	status, err := st.Apply(stream.Context(), b)
	if err != nil {
		return s.errs.ToWire(err)
	}
	return stream.SendAndClose(&storagev1.ApplyResponse{Version: status.Version, Durable: status.Durable})
}

// receive puts a batch together. It returns one only if the stream was closed after a piece with last set.
func (s *server) receive(stream grpc.ClientStreamingServer[storagev1.ApplyRequest, storagev1.ApplyResponse]) (st Store, b Batch, err error) {
	var size int64
	last := false
	for first := true; ; first = false {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, b, err
		}
		switch {
		case first:
			if st, err = plugin.InstanceAs[Store](s.in, req.Instance); err != nil {
				return nil, b, err
			}
			b.From, b.To, b.Sync = req.From, req.To, req.Sync
		case last:
			return nil, b, fmt.Errorf("apply: a piece after the last one: %w", ErrInvalid)
		case req.Instance != 0 || req.From != 0 || req.To != 0 || req.Sync:
			return nil, b, fmt.Errorf("apply: only the first piece names instance, versions and sync: %w", ErrInvalid)
		}
		if size, err = appendPiece(&b, req, size); err != nil {
			return nil, b, fmt.Errorf("apply: %w", err)
		}
		last = req.Last
	}
	if !last {
		return nil, b, fmt.Errorf("apply: the stream ended before the last piece: %w", ErrInvalid)
	}
	if err := b.Check(); err != nil {
		return nil, b, fmt.Errorf("apply: %w", err)
	}
	return st, b, nil
}

// appendPiece adds a message's items to a batch whose size so far is given, and returns the new size.
func appendPiece(b *Batch, req *storagev1.ApplyRequest, size int64) (int64, error) {
	keys, err := plugin.UnpackBlobs(req.PutKeys)
	if err != nil {
		return 0, fmt.Errorf("put keys: %v: %w", err, ErrInvalid)
	}
	values, err := plugin.UnpackBlobs(req.PutValues)
	if err != nil {
		return 0, fmt.Errorf("put values: %v: %w", err, ErrInvalid)
	}
	deletes, err := plugin.UnpackBlobs(req.Deletes)
	if err != nil {
		return 0, fmt.Errorf("deletes: %v: %w", err, ErrInvalid)
	}
	if len(keys) != len(values) {
		return 0, fmt.Errorf("%d keys and %d values: %w", len(keys), len(values), ErrInvalid)
	}
	for i, k := range keys {
		if values[i] == nil {
			return 0, fmt.Errorf("the value of put %d is absent: %w", i, ErrInvalid)
		}
		b.Puts = append(b.Puts, KV{Key: k, Value: values[i]})
		size += int64(len(k)+len(values[i])) + ItemBytes
	}
	for _, k := range deletes {
		b.Deletes = append(b.Deletes, k)
		size += int64(len(k)) + ItemBytes
	}
	if size > MaxBatchBytes {
		return 0, fmt.Errorf("more than %d bytes: %w", int64(MaxBatchBytes), ErrTooLarge)
	}
	return size, nil
}

func (s *server) Status(ctx context.Context, req *storagev1.StatusRequest) (*storagev1.StatusResponse, error) {
	st, err := plugin.InstanceAs[Store](s.in, req.Instance)
	if err != nil {
		return nil, s.errs.ToWire(err)
	}
	status, err := st.Status(ctx, req.Sync)
	if err != nil {
		return nil, s.errs.ToWire(err)
	}
	return &storagev1.StatusResponse{Version: status.Version, Durable: status.Durable}, nil
}
