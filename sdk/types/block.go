package types

import "fmt"

// Limits of a block's parts. Nobody pays for extensions, so there is one for all of them together.
const (
	MaxBodyBytes         = 15 << 20
	MaxBlockTxs          = 200_000
	MaxExtensions        = 16
	MaxExtensionBytes    = 56 << 10 // of the data of one
	MaxAllExtensionBytes = 64 << 10 // of the data of all
)

// Extension is what the producer's own module put into the block.
type Extension struct {
	Module string
	Data   []byte
}

// Body is what a header's BodyRoot and ExtensionRoot commit to.
type Body struct {
	Certificate []byte // newest encoded certificate that the producer knows for an ancestor; may be empty
	Extensions  []Extension
	Txs         [][]byte // encoded envelopes, in execution order within each module
}

// Encode returns the body's canonical bytes.
func (b *Body) Encode() []byte {
	n := len(b.Certificate) + 16
	for _, x := range b.Extensions {
		n += len(x.Module) + len(x.Data) + 4
	}
	for _, t := range b.Txs {
		n += len(t) + 3
	}
	e := NewEncoder(n)
	e.Byte(1) // format
	e.Blob(b.Certificate)
	e.Uint(uint64(len(b.Extensions)))
	for _, x := range b.Extensions {
		e.String(x.Module)
		e.Blob(x.Data)
	}
	e.Uint(uint64(len(b.Txs)))
	for _, t := range b.Txs {
		e.Blob(t)
	}
	return e.Bytes()
}

// DecodeBody is the inverse of [Body.Encode]. It does not look into the envelopes. The result aliases b.
func DecodeBody(b []byte) (*Body, error) {
	if len(b) > MaxBodyBytes {
		return nil, fmt.Errorf("body: %w: %d bytes, at most %d are allowed", ErrMalformed, len(b), MaxBodyBytes)
	}
	d := NewDecoder(b)
	if f := d.Byte(); f != 1 {
		d.Fail("body format %d is unknown", f)
	}
	out := &Body{Certificate: d.Blob(MaxCertificateBytes)}
	if n := d.Count(MaxExtensions, 2); n > 0 {
		out.Extensions = make([]Extension, n)
	}
	room := MaxAllExtensionBytes
	for i := range out.Extensions {
		out.Extensions[i] = Extension{d.String(MaxNameBytes), d.Blob(min(MaxExtensionBytes, room))}
		room -= len(out.Extensions[i].Data)
	}
	if n := d.Count(MaxBlockTxs, 1); n > 0 {
		out.Txs = make([][]byte, n)
	}
	for i := range out.Txs {
		out.Txs[i] = d.Blob(MaxEnvelopeBytes)
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	return out, nil
}

// BodyRoot commits to the certificate, to the list of transaction ids, and apart from it to the envelopes, so that the
// ids alone can be checked against a header. ids[i] is the id of the transaction in b.Txs[i].
func (b *Body) BodyRoot(ids []TxID) Hash {
	idLeaves := make([][]byte, len(ids))
	for i := range ids {
		idLeaves[i] = ids[i][:]
	}
	idRoot, txRoot := MerkleRoot(idLeaves), MerkleRoot(b.Txs)
	cert := Sum(DomainCertificate, b.Certificate)
	return Sum(DomainBody, idRoot[:], txRoot[:], cert[:])
}

// ExtensionRoot commits to the extensions; it is zero without any.
func (b *Body) ExtensionRoot() Hash {
	if len(b.Extensions) == 0 {
		return Hash{}
	}
	e := NewEncoder(64)
	for _, x := range b.Extensions {
		e.String(x.Module)
		e.Blob(x.Data)
	}
	return Sum(DomainExtension, e.Bytes())
}
