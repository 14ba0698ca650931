package types

import (
	"fmt"
)

// Limits of a transaction's parts. A chain's spec may set a lower total.
const (
	MaxTxBytes       = 1 << 20
	MaxEnvelopeBytes = 2 * MaxTxBytes // with its signatures
	MaxActions       = 256
	MaxSignatures    = 64
	MaxNameBytes     = 64
)

// Action is one thing that a transaction asks of its module.
type Action struct {
	Name     string
	Body     []byte
	MaxSpend uint64 // what the module may take from the signer for this action, in the smallest unit
}

// Transaction speaks to one module and takes effect whole or not at all.
type Transaction struct {
	Module     string
	Actions    []Action
	Account    AccountID
	Permission string // "" stands for the permission that the account's links ask for, else "active"
	Authority  []byte // encoded first authority, revealed by an account's first transaction; else empty
	Expires    uint64 // last slot in which a block may include it
	RefHeight  uint64 // height of a recent block of the fork that it is meant for
	RefHash    [16]byte
	Salt       uint64 // tells transactions apart that are otherwise equal
	MaxGas     uint64
	MaxFee     uint64 // in the smallest unit
}

// Encode returns the transaction's bytes: what is signed, after the domain and the chain id.
func (t *Transaction) Encode() []byte {
	e := NewEncoder(256)
	e.Byte(1) // format
	e.String(t.Module)
	e.Uint(uint64(len(t.Actions)))
	for _, a := range t.Actions {
		e.String(a.Name)
		e.Blob(a.Body)
		e.Uint(a.MaxSpend)
	}
	e.Raw(t.Account[:])
	e.String(t.Permission)
	e.Blob(t.Authority)
	e.Uint(t.Expires)
	e.Uint(t.RefHeight)
	e.Raw(t.RefHash[:])
	e.Uint(t.Salt)
	e.Uint(t.MaxGas)
	e.Uint(t.MaxFee)
	return e.Bytes()
}

// DecodeTransaction is the inverse of [Transaction.Encode]. The result aliases b.
func DecodeTransaction(b []byte) (*Transaction, error) {
	if len(b) > MaxTxBytes {
		return nil, fmt.Errorf("transaction: %w: %d bytes, at most %d are allowed", ErrMalformed, len(b), MaxTxBytes)
	}
	d := NewDecoder(b)
	if f := d.Byte(); f != 1 {
		d.Fail("transaction format %d is unknown", f)
	}
	t := &Transaction{Module: d.String(MaxNameBytes)}
	n := d.Count(MaxActions, 3)
	if n == 0 {
		d.Fail("no actions")
	}
	if n > 0 {
		t.Actions = make([]Action, n)
	}
	for i := range t.Actions {
		t.Actions[i] = Action{Name: d.String(MaxNameBytes), Body: d.Blob(MaxTxBytes), MaxSpend: d.Uint()}
	}
	copy(t.Account[:], d.Raw(32))
	t.Permission = d.String(MaxNameBytes)
	t.Authority = d.Blob(MaxTxBytes)
	t.Expires = d.Uint()
	t.RefHeight = d.Uint()
	copy(t.RefHash[:], d.Raw(16))
	t.Salt, t.MaxGas, t.MaxFee = d.Uint(), d.Uint(), d.Uint()
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("transaction: %w", err)
	}
	return t, nil
}

// TotalSpend is the sum of MaxSpend over the actions; ok is false if it overflows.
func (t *Transaction) TotalSpend() (sum uint64, ok bool) {
	for _, a := range t.Actions {
		if sum+a.MaxSpend < sum {
			return 0, false
		}
		sum += a.MaxSpend
	}
	return sum, true
}

// Signature is one signature over a transaction's signed bytes.
type Signature struct {
	Key PublicKey
	Sig []byte
}

// Envelope is a transaction as received, and its signatures. Raw is never re-encoded.
type Envelope struct {
	Raw        []byte
	Signatures []Signature
}

// Encode returns the envelope's bytes.
func (v *Envelope) Encode() []byte {
	e := NewEncoder(len(v.Raw) + 110*len(v.Signatures) + 8)
	e.Blob(v.Raw)
	e.Uint(uint64(len(v.Signatures)))
	for _, s := range v.Signatures {
		e.Byte(byte(s.Key.Scheme))
		e.Blob(s.Key.Key)
		e.Blob(s.Sig)
	}
	return e.Bytes()
}

// DecodeEnvelope is the inverse of [Envelope.Encode]. It does not look into Raw. The result aliases b.
func DecodeEnvelope(b []byte) (*Envelope, error) {
	if len(b) > MaxEnvelopeBytes {
		return nil, fmt.Errorf("envelope: %w: %d bytes, at most %d are allowed", ErrMalformed, len(b), MaxEnvelopeBytes)
	}
	d := NewDecoder(b)
	v := &Envelope{Raw: d.Blob(MaxTxBytes)}
	if n := d.Count(MaxSignatures, 3); n > 0 {
		v.Signatures = make([]Signature, n)
	}
	for i := range v.Signatures {
		v.Signatures[i] = Signature{PublicKey{Scheme(d.Byte()), d.Blob(MaxKeyBytes)}, d.Blob(MaxSignatureBytes)}
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	return v, nil
}

// TxSignBytes returns what is signed for the transaction bytes raw on a chain.
func TxSignBytes(chain ChainID, raw []byte) []byte {
	out := make([]byte, 0, len(DomainTx)+len(chain)+len(raw))
	out = append(out, DomainTx...)
	out = append(out, chain[:]...)
	return append(out, raw...)
}

// TxIDOf returns the id of the transaction bytes raw on a chain: the hash of the signed bytes. Signatures are no part
// of it.
func TxIDOf(chain ChainID, raw []byte) TxID { return Sum(DomainTx, chain[:], raw) }
