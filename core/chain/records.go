package chain

import (
	"encoding/binary"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Types of records in the journal.
const (
	recBlock     uint8 = 1 // header blob, body blob
	recCert      uint8 = 2 // certificate of a final block
	recConsensus uint8 = 3 // the engine's
	recSnapshot  uint8 = 4 // the engine's; supersedes its earlier records
)

func encodeBlock(header, body []byte) []byte {
	e := types.NewEncoder(len(header) + len(body) + 16)
	e.Blob(header)
	e.Blob(body)
	return e.Bytes()
}

func decodeBlock(b []byte) (header *types.Header, body []byte, err error) {
	d := types.NewDecoder(b)
	raw := d.Blob(64 << 10)
	body = d.Blob(types.MaxBodyBytes)
	if err := d.Finish(); err != nil {
		return nil, nil, fmt.Errorf("block record: %w", err)
	}
	header, err = types.DecodeHeader(raw)
	return header, body, err
}

// Keys in the storage plugin. State has keys of its own, under 's'.
func heightKey(prefix byte, height uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefix}, height)
}

const (
	keyHeader   = 'h' // height → header, history
	keyBody     = 'b' // height → body
	keyReceipts = 'r' // height → receipts
	keyCert     = 'c' // height → certificate that names the block
	keyTx       = 'x' // transaction id → height, index
	keyBlock    = 'i' // block id → height
)

func idKey(prefix byte, id types.Hash) []byte { return append([]byte{prefix}, id[:]...) }

// A header record also holds the history, and what has been burned, up to and including the block.
func encodeHeaderRecord(h *types.Header, hist types.History, burned uint64) []byte {
	e := types.NewEncoder(512)
	e.Blob(h.Encode())
	e.Blob(hist.Encode())
	e.Uint(burned)
	return e.Bytes()
}

func decodeHeaderRecord(b []byte) (h *types.Header, hist types.History, burned uint64, err error) {
	d := types.NewDecoder(b)
	raw, rawHist := d.Blob(64<<10), d.Blob(64<<10)
	burned = d.Uint()
	if err = d.Finish(); err != nil {
		return nil, hist, 0, fmt.Errorf("header record: %w", err)
	}
	if h, err = types.DecodeHeader(raw); err != nil {
		return nil, hist, 0, fmt.Errorf("header record: %w", err)
	}
	if hist, err = types.DecodeHistory(rawHist); err != nil {
		return nil, hist, 0, fmt.Errorf("header record: %w", err)
	}
	return h, hist, burned, nil
}

func encodeReceipts(rs []types.Receipt) []byte {
	e := types.NewEncoder(64 * len(rs))
	e.Uint(uint64(len(rs)))
	for i := range rs {
		e.Blob(rs[i].Encode())
	}
	return e.Bytes()
}

func decodeReceipts(b []byte) ([]types.Receipt, error) {
	d := types.NewDecoder(b)
	n := d.Count(types.MaxBlockTxs+64, 1)
	out := make([]types.Receipt, 0, n)
	for range n {
		r, err := types.DecodeReceipt(d.Blob(16 << 20))
		if err != nil {
			return nil, err
		}
		out = append(out, *r)
	}
	return out, d.Finish()
}

// Range request: the first height wanted. Answer: blocks, ascending, and the certificate that names the last of them.
func encodeRange(blocks [][]byte, cert []byte) []byte {
	n := len(cert) + 16
	for _, b := range blocks {
		n += len(b) + 4
	}
	e := types.NewEncoder(n)
	e.Uint(uint64(len(blocks)))
	for _, b := range blocks {
		e.Blob(b)
	}
	e.Blob(cert)
	return e.Bytes()
}

// maxRange bounds the blocks of one answer, maxRangeBytes their size unless it is a single block.
const (
	maxRange      = 512
	maxRangeBytes = 4 << 20
)

func decodeRange(b []byte) (blocks [][]byte, cert *types.Certificate, err error) {
	d := types.NewDecoder(b)
	for range d.Count(maxRange, 1) {
		blocks = append(blocks, d.Blob(types.MaxBodyBytes+64<<10))
	}
	raw := d.Blob(types.MaxCertificateBytes)
	if err := d.Finish(); err != nil {
		return nil, nil, fmt.Errorf("range: %w", err)
	}
	cert, err = types.DecodeCertificate(raw)
	return blocks, cert, err
}
