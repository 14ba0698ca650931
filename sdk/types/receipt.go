package types

import "fmt"

// Bounds of a receipt.
const (
	MaxEvents         = 1024
	MaxEventDataBytes = 64 << 10
	MaxEventAccounts  = 64
)

// Event is something that a module tells the world. Data is a JSON object.
type Event struct {
	Module   string
	Name     string
	Data     []byte
	Accounts []AccountID
	Item     []byte
}

// StatusOK is the status of a transaction that took effect.
const StatusOK = "ok"

// Receipt is what became of a transaction. A receipt with a zero ID holds the events of a block's scheduled work.
type Receipt struct {
	ID     TxID
	Status string // StatusOK or the stable name of an error
	Fee    uint64
	Gas    uint64
	Events []Event
}

// Encode returns the canonical bytes, which are a leaf under the receipts root of the next header.
func (r *Receipt) Encode() []byte {
	e := NewEncoder(96)
	e.Byte(1) // format
	e.Hash(r.ID)
	e.String(r.Status)
	e.Uint(r.Fee)
	e.Uint(r.Gas)
	e.Uint(uint64(len(r.Events)))
	for _, v := range r.Events {
		e.String(v.Module)
		e.String(v.Name)
		e.Blob(v.Data)
		e.Uint(uint64(len(v.Accounts)))
		for _, a := range v.Accounts {
			e.Raw(a[:])
		}
		e.Blob(v.Item)
	}
	return e.Bytes()
}

// DecodeReceipt is the inverse of [Receipt.Encode].
func DecodeReceipt(b []byte) (*Receipt, error) {
	d := NewDecoder(b)
	if f := d.Byte(); f != 1 {
		d.Fail("receipt format %d is unknown", f)
	}
	r := &Receipt{ID: d.Hash(), Status: d.String(2 * MaxNameBytes), Fee: d.Uint(), Gas: d.Uint()}
	for range d.Count(MaxEvents, 5) {
		v := Event{Module: d.String(MaxNameBytes), Name: d.String(MaxNameBytes), Data: d.Blob(MaxEventDataBytes)}
		for range d.Count(MaxEventAccounts, 32) {
			var a AccountID
			copy(a[:], d.Raw(32))
			v.Accounts = append(v.Accounts, a)
		}
		v.Item = d.Blob(MaxNameBytes * 4)
		r.Events = append(r.Events, v)
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	return r, nil
}

// ReceiptsRoot is the Merkle root over encoded receipts, in the order of the block's execution.
func ReceiptsRoot(receipts []Receipt) Hash {
	leaves := make([][]byte, len(receipts))
	for i := range receipts {
		leaves[i] = receipts[i].Encode()
	}
	return MerkleRoot(leaves)
}
