// Package bundle is a file that shows, to somebody who asks no node, that a block of a chain is final, which producers were in
// force, or what an account had: the headers, sets and finality proofs from a block that is trusted up to the block in question.
// [Bundle.Verify] needs nothing but the file, and what its reader trusts: the genesis document, the chain's id, a block or a
// set. The rules are those of package light.
//
// It is pure: no clock, no I/O.
package bundle

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Format is the only format so far.
const Format = "alto-certificate/1"

// Bounds of a file.
const (
	MaxBytes  = 64 << 20
	MaxEpochs = 20_000 // of which none is trusted that is longer ago than the trusting period
	MaxPath   = 4096   // headers between a block and the one whose proof makes it final
	MaxItems  = 16
)

// Errors. What is wrong with the proofs themselves wraps the errors of package light and types.
var (
	ErrMalformed = errors.New("this is no certificate bundle")
	ErrInvalid   = errors.New("it does not prove what it says")
	ErrTrust     = errors.New("it does not begin with what is trusted")
)

// Hex is bytes that are written in hexadecimal.
type Hex []byte

// MarshalText implements encoding.TextMarshaler.
func (h Hex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hex) UnmarshalText(b []byte) (err error) {
	*h, err = hex.AppendDecode(nil, b)
	return err
}

// Bundle is the file. Headers, sets and proofs are canonical bytes.
type Bundle struct {
	Format  string          `json:"format"`
	Chain   types.Hash      `json:"chain"`
	Genesis json.RawMessage `json:"genesis"` // the document, whose canonical form has the chain's id as its hash
	Start   Start           `json:"start"`
	Epochs  []Epoch         `json:"epochs"` // that follow, without a gap
	Block   *Block          `json:"block,omitempty"`
	Account *Account        `json:"account,omitempty"`
}

// Start is the block that the bundle begins with, genesis or one that closes its epoch, and the set that it names.
type Start struct {
	Header Hex `json:"header"`
	Set    Hex `json:"set"`
}

// Epoch is how the chain went on to an epoch: the closing block of the one before, why it is final, and the set that it names.
type Epoch struct {
	Header   Hex `json:"header"`
	Finality Hex `json:"finality"`
	Set      Hex `json:"set"`
}

// Block is the block in question, which is of the last epoch. Finality is for the last header of Path, which goes on from
// the block's child; or, if Path is empty, for the block itself.
type Block struct {
	Header   Hex   `json:"header"`
	Finality Hex   `json:"finality"`
	Path     []Hex `json:"path,omitempty"`
}

// Account is what the state held of an account after the parent of the block.
type Account struct {
	Account types.AccountID `json:"account"`
	Items   []Item          `json:"items"`
}

// Item is an item of the state. Value is nil where there was none.
type Item struct {
	Module string `json:"module"`
	Place  Hex    `json:"place"`
	Key    Hex    `json:"key"`
	Value  *Hex   `json:"value"`
	Proof  Hex    `json:"proof"`
}

// Encode writes the file.
func (b *Bundle) Encode() ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false) // or the genesis document would not be the same bytes
	e.SetIndent("", "  ")
	if err := e.Encode(b); err != nil {
		return nil, fmt.Errorf("certificate bundle: %w", err)
	}
	return out.Bytes(), nil
}

// Decode reads a file. It verifies nothing. It fails with [ErrMalformed].
func Decode(raw []byte) (*Bundle, error) {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %w", ErrMalformed, fmt.Errorf(format, args...))
	}
	if len(raw) > MaxBytes {
		return nil, bad("%d bytes, at most %d are allowed", len(raw), MaxBytes)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	b := new(Bundle)
	if err := d.Decode(b); err != nil {
		return nil, bad("%w", err)
	}
	switch {
	case d.More():
		return nil, bad("something follows it")
	case b.Format != Format:
		return nil, bad("format %.40q is unknown, this version reads %q", b.Format, Format)
	case len(b.Epochs) > MaxEpochs:
		return nil, bad("%d epochs, at most %d are allowed", len(b.Epochs), MaxEpochs)
	case b.Block != nil && len(b.Block.Path) > MaxPath:
		return nil, bad("%d headers above the block, at most %d are allowed", len(b.Block.Path), MaxPath)
	case b.Account != nil && b.Block == nil:
		return nil, bad("an account without a block")
	case b.Account != nil && len(b.Account.Items) > MaxItems:
		return nil, bad("%d items of an account, at most %d are allowed", len(b.Account.Items), MaxItems)
	}
	return b, nil
}
