package types

import "fmt"

// Names of the native modules and their actions. Their bodies are encoded here, so that clients need nothing else.
const (
	ModuleAccount   = "account"   // set_permission, delete_permission, link, unlink, claim_fees
	ModuleBank      = "bank"      // transfer, burn
	ModuleContract  = "contract"  // run, lock, claim, settle, refund
	ModuleConsensus = "consensus" // the module face of the consensus plugin
	ModuleChains    = "chains"    // spawn
)

// Gas of native actions. Measured against the verification of one signature, which is about 4,000.
const (
	GasTransfer   = 1_000
	GasPermission = 4_000
	GasSpawn      = 100_000
)

// MaxMemoBytes bounds the memo of a transfer.
const MaxMemoBytes = 256

// MaxGenesisBytes bounds the genesis document that a spawn may carry.
const MaxGenesisBytes = 60 << 10

func finish[T any](d *Decoder, what string, v T) (T, error) {
	if err := d.Finish(); err != nil {
		var zero T
		return zero, fmt.Errorf("%s: %w", what, err)
	}
	return v, nil
}

// TransferBody is the body of bank.transfer. The action's max_spend must cover Amount.
type TransferBody struct {
	To     AccountID
	Amount uint64
	Memo   []byte
}

// Encode returns the canonical bytes.
func (b TransferBody) Encode() []byte {
	e := NewEncoder(44 + len(b.Memo))
	e.Raw(b.To[:])
	e.Uint(b.Amount)
	e.Blob(b.Memo)
	return e.Bytes()
}

// DecodeTransferBody is the inverse of [TransferBody.Encode].
func DecodeTransferBody(raw []byte) (TransferBody, error) {
	d := NewDecoder(raw)
	var b TransferBody
	copy(b.To[:], d.Raw(32))
	b.Amount, b.Memo = d.Uint(), d.Blob(MaxMemoBytes)
	return finish(d, "bank.transfer", b)
}

// BurnBody is the body of bank.burn.
type BurnBody struct{ Amount uint64 }

// Encode returns the canonical bytes.
func (b BurnBody) Encode() []byte {
	e := NewEncoder(10)
	e.Uint(b.Amount)
	return e.Bytes()
}

// DecodeBurnBody is the inverse of [BurnBody.Encode].
func DecodeBurnBody(raw []byte) (BurnBody, error) {
	d := NewDecoder(raw)
	return finish(d, "bank.burn", BurnBody{d.Uint()})
}

// SpawnBody is the body of chains.spawn: the resolved genesis document of a child chain.
type SpawnBody struct{ Genesis []byte }

// Encode returns the canonical bytes.
func (b SpawnBody) Encode() []byte {
	e := NewEncoder(8 + len(b.Genesis))
	e.Blob(b.Genesis)
	return e.Bytes()
}

// DecodeSpawnBody is the inverse of [SpawnBody.Encode].
func DecodeSpawnBody(raw []byte) (SpawnBody, error) {
	d := NewDecoder(raw)
	return finish(d, "chains.spawn", SpawnBody{d.Blob(MaxGenesisBytes)})
}

// PermissionBody is the body of account.set_permission: it adds or replaces one permission.
type PermissionBody struct{ Permission Permission }

// Encode returns the canonical bytes.
func (b PermissionBody) Encode() []byte {
	e := NewEncoder(128)
	encodePermission(e, b.Permission)
	return e.Bytes()
}

// DecodePermissionBody is the inverse of [PermissionBody.Encode].
func DecodePermissionBody(raw []byte) (PermissionBody, error) {
	d := NewDecoder(raw)
	return finish(d, "account.set_permission", PermissionBody{decodePermission(d)})
}

// NameBody is the body of account.delete_permission (a permission's name) and account.unlink (a pattern).
type NameBody struct{ Name string }

// Encode returns the canonical bytes.
func (b NameBody) Encode() []byte {
	e := NewEncoder(32)
	e.String(b.Name)
	return e.Bytes()
}

// DecodeNameBody is the inverse of [NameBody.Encode].
func DecodeNameBody(raw []byte) (NameBody, error) {
	d := NewDecoder(raw)
	return finish(d, "name", NameBody{d.String(2 * MaxNameBytes)})
}

// LinkBody is the body of account.link.
type LinkBody struct{ Link Link }

// Encode returns the canonical bytes.
func (b LinkBody) Encode() []byte {
	e := NewEncoder(64)
	e.String(b.Link.Pattern)
	e.String(b.Link.Permission)
	return e.Bytes()
}

// DecodeLinkBody is the inverse of [LinkBody.Encode].
func DecodeLinkBody(raw []byte) (LinkBody, error) {
	d := NewDecoder(raw)
	return finish(d, "account.link", LinkBody{Link{d.String(2 * MaxNameBytes), d.String(MaxNameBytes)}})
}
