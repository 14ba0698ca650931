package chain

import (
	"encoding/binary"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Types of records in the journal.
const (
	recBlock     uint8 = 1 // header blob, body blob
	recFinal     uint8 = 2 // the block's id, and the proof that it is final
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

func encodeFinal(id types.BlockID, proof *types.Finality) []byte {
	e := types.NewEncoder(2048)
	e.Hash(id)
	e.Blob(proof.Encode())
	return e.Bytes()
}

func decodeFinal(b []byte) (id types.BlockID, proof *types.Finality, err error) {
	d := types.NewDecoder(b)
	id = d.Hash()
	raw := d.Blob(maxFinalityBytes)
	if err := d.Finish(); err != nil {
		return id, nil, fmt.Errorf("record of a final block: %w", err)
	}
	proof, err = types.DecodeFinality(raw)
	return id, proof, err
}

// maxFinalityBytes bounds an encoded proof.
const maxFinalityBytes = types.MaxCertificateBytes + types.MaxSuffix*(types.MaxHeaderBytes+4) + 16

// Keys in the storage plugin. State has keys of its own, under 's'.
func heightKey(prefix byte, height uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefix}, height)
}

const (
	keyHeader   = 'h' // height → header, history
	keyBody     = 'b' // height → body
	keyReceipts = 'r' // height → receipts
	keyFinal    = 'c' // height → proof that is for the block
	keyTx       = 'x' // transaction id → height, index
	keyBlock    = 'i' // block id → height
	keyEpoch    = 'e' // number of an epoch → its set, the block that names it, and the proof of that
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

func encodeEpoch(set *types.Set, start *types.Header, proof *types.Finality) []byte {
	e := types.NewEncoder(4096)
	e.Blob(set.Encode())
	e.Blob(start.Encode())
	if proof == nil {
		e.Blob(nil)
	} else {
		e.Blob(proof.Encode())
	}
	return e.Bytes()
}

func decodeEpoch(b []byte) (i EpochInfo, err error) {
	d := types.NewDecoder(b)
	set, start, proof := d.Blob(types.MaxSeats*256), d.Blob(types.MaxHeaderBytes), d.Blob(maxFinalityBytes)
	if err = d.Finish(); err != nil {
		return i, fmt.Errorf("record of an epoch: %w", err)
	}
	if i.Set, err = types.DecodeSet(set); err != nil {
		return i, fmt.Errorf("record of an epoch: %w", err)
	}
	if i.Start, err = types.DecodeHeader(start); err == nil && len(proof) > 0 {
		i.Proof, err = types.DecodeFinality(proof)
	}
	if err == nil && i.Start.NextSet != i.Set.Hash() {
		err = fmt.Errorf("block %d does not name the set of epoch %d", i.Start.Height, i.Set.Epoch)
	}
	if err != nil {
		return i, fmt.Errorf("record of an epoch: %w", err)
	}
	return i, nil
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

// Range request: the first height wanted. Answer: blocks of one epoch, ascending, and the proof that the last of them is
// final.
func encodeRange(blocks [][]byte, proof []byte) []byte {
	n := len(proof) + 16
	for _, b := range blocks {
		n += len(b) + 4
	}
	e := types.NewEncoder(n)
	e.Uint(uint64(len(blocks)))
	for _, b := range blocks {
		e.Blob(b)
	}
	e.Blob(proof)
	return e.Bytes()
}

// maxRange bounds the blocks of one answer, maxRangeBytes their size unless it is a single block.
const (
	maxRange      = 512
	maxRangeBytes = 4 << 20
)

func decodeRange(b []byte) (blocks [][]byte, proof *types.Finality, err error) {
	d := types.NewDecoder(b)
	for range d.Count(maxRange, 1) {
		blocks = append(blocks, d.Blob(types.MaxBodyBytes+64<<10))
	}
	raw := d.Blob(maxFinalityBytes)
	if err := d.Finish(); err != nil {
		return nil, nil, fmt.Errorf("range: %w", err)
	}
	proof, err = types.DecodeFinality(raw)
	return blocks, proof, err
}
