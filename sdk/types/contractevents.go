package types

import (
	"crypto/sha256"
	"slices"
)

// EnvironmentHash is the SHA-256 of everything that a run of a contract could read. common is [CommonEnvironmentHash] of what all runs
// of a block can read, and comes first; own is what the run can read besides, as there. Events of [ModuleContract] have it, so that
// whoever runs a contract again knows that he does so with what the chain did.
func EnvironmentHash(common Hash, own map[string][]byte) Hash { return hashEnvironment(common[:], own) }

// CommonEnvironmentHash is the SHA-256 of the number of names, then each name and its value, in the order of the names' bytes;
// numbers are uvarints, and names and values have their lengths in front.
func CommonEnvironmentHash(common map[string][]byte) Hash { return hashEnvironment(nil, common) }

func hashEnvironment(first []byte, env map[string][]byte) Hash {
	names, size := make([]string, 0, 16), len(first)+3
	for name, v := range env {
		names, size = append(names, name), size+len(name)+len(v)+6
	}
	slices.Sort(names)
	e := NewEncoder(size)
	e.Raw(first)
	e.Uint(uint64(len(names)))
	for _, name := range names {
		e.String(name)
		e.Blob(env[name])
	}
	return sha256.Sum256(e.Bytes())
}

// ResultEvent is the data of the event "result" of [ModuleContract]: what a contract that was only run came to.
type ResultEvent struct {
	Stack       []int64 `json:"stack"` // bottom first; never nil
	Gas         uint64  `json:"gas"`   // that the VM counted
	Environment Hash    `json:"environment_hash"`
}

// LockedEvent is the data of the event "locked" of [ModuleContract].
type LockedEvent struct {
	Lock         Hash         `json:"lock"`
	Payer        AccountID    `json:"payer"`
	Participants [2]AccountID `json:"participants"`
	Code         Hash         `json:"code_hash"`
	Amount       uint64       `json:"amount,string"`
	Deadline     uint64       `json:"deadline"`
}

// PaidEvent is the data of the events "claimed", "settled" and "refunded": where a lock's whole amount went.
type PaidEvent struct {
	Lock   Hash       `json:"lock"`
	By     AccountID  `json:"by"` // the signer
	Amount uint64     `json:"amount,string"`
	Burned uint64     `json:"burned,string"`
	First  uint64     `json:"first,string"`           // to the first participant
	Second uint64     `json:"second,string"`          // to the second
	Payer  *AccountID `json:"payer,omitempty"`        // if it was refunded
	Refund uint64     `json:"refund,string,omitzero"` // to the payer
	Nonce  uint64     `json:"nonce"`
	Gas    uint64     `json:"gas,omitzero"` // that the VM counted

	Environment *Hash `json:"environment_hash,omitempty"` // [EnvironmentHash] of the run, if there was one
}

// ClosingEvent is the data of the event "closing": a claim was accepted that is paid out when it is due.
type ClosingEvent struct {
	Lock     Hash      `json:"lock"`
	By       AccountID `json:"by"`
	First    uint64    `json:"first,string"`
	Second   uint64    `json:"second,string"`
	Nonce    uint64    `json:"nonce"`
	Replaced *uint64   `json:"replaced,omitempty"` // the nonce of the claim whose place it takes
	Delay    uint64    `json:"delay"`              // that the contract asked for, in ticks
	Due      uint64    `json:"due"`                // clock
	Gas      uint64    `json:"gas"`

	Environment Hash `json:"environment_hash"` // [EnvironmentHash]
}
