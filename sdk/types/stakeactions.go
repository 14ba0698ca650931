package types

// Actions of the module face of the consensus plugin, [ModuleConsensus], where that plugin elects its producers by stake.
const (
	ActionRegisterProducer = "register_producer" // RegisterBody
	ActionRotateKey        = "rotate_key"        // RotateBody
	ActionReactivate       = "reactivate"        // empty body
	ActionRetire           = "retire"            // empty body
	ActionStake            = "stake"             // StakeBody; max_spend must cover it
	ActionUnstake          = "unstake"           // StakeBody
	ActionVote             = "vote"              // VoteBody
	ActionEvidence         = "evidence"          // EvidenceBody
)

// Limits of these bodies.
const (
	MaxProducerNameBytes = 64
	MaxApprovals         = 30 // producers that one account can vote for
)

// PurposePossession is the purpose under which a producer's key signs for its account, see [PossessionBytes].
const PurposePossession = "possession"

// PossessionBytes returns what a key signs to show that whoever registers it for an account has it: nobody can register the
// key of another, on this chain or with a signature from another one.
func PossessionBytes(chain ChainID, account AccountID) []byte {
	return SignBytes(chain, PurposePossession, account[:])
}

// RegisterBody is the body of consensus.register_producer. Proof is the key's signature over [PossessionBytes]; Name, which
// may be empty, is for people: visible ASCII characters.
type RegisterBody struct {
	Key   PublicKey
	Proof []byte
	Name  string
}

func putKey(e *Encoder, k PublicKey) {
	e.Byte(byte(k.Scheme))
	e.Blob(k.Key)
}

func takeKey(d *Decoder) PublicKey {
	k := PublicKey{Scheme(d.Byte()), d.Blob(MaxKeyBytes)}
	if d.Err() == nil {
		if err := k.Validate(); err != nil {
			d.Fail("%v", err)
		}
	}
	return k
}

// Encode returns the canonical bytes.
func (b RegisterBody) Encode() []byte {
	e := NewEncoder(180)
	putKey(e, b.Key)
	e.Blob(b.Proof)
	e.String(b.Name)
	return e.Bytes()
}

// DecodeRegisterBody is the inverse of [RegisterBody.Encode]. It verifies no signature.
func DecodeRegisterBody(raw []byte) (RegisterBody, error) {
	d := NewDecoder(raw)
	b := RegisterBody{takeKey(d), d.Blob(MaxSignatureBytes), d.String(MaxProducerNameBytes)}
	if !printable(b.Name, "") {
		d.Fail("a name of characters that are not visible ASCII")
	}
	return finish(d, "consensus.register_producer", b)
}

// RotateBody is the body of consensus.rotate_key: the key that the producer signs with from the next set on, and its
// signature over [PossessionBytes].
type RotateBody struct {
	Key   PublicKey
	Proof []byte
}

// Encode returns the canonical bytes.
func (b RotateBody) Encode() []byte {
	e := NewEncoder(120)
	putKey(e, b.Key)
	e.Blob(b.Proof)
	return e.Bytes()
}

// DecodeRotateBody is the inverse of [RotateBody.Encode]. It verifies no signature.
func DecodeRotateBody(raw []byte) (RotateBody, error) {
	d := NewDecoder(raw)
	return finish(d, "consensus.rotate_key", RotateBody{takeKey(d), d.Blob(MaxSignatureBytes)})
}

// StakeBody is the body of consensus.stake and consensus.unstake: an amount of the smallest unit, above 0.
type StakeBody struct{ Amount uint64 }

// Encode returns the canonical bytes.
func (b StakeBody) Encode() []byte {
	e := NewEncoder(10)
	e.Uint(b.Amount)
	return e.Bytes()
}

// DecodeStakeBody is the inverse of [StakeBody.Encode].
func DecodeStakeBody(raw []byte) (StakeBody, error) {
	d := NewDecoder(raw)
	b := StakeBody{d.Uint()}
	if b.Amount == 0 {
		d.Fail("an amount of 0")
	}
	return finish(d, "consensus.stake", b)
}

// VoteBody is the body of consensus.vote: the accounts of the producers that the voter approves of, ascending without
// repetition. It replaces the former vote; an empty one takes it back.
type VoteBody struct{ Producers []AccountID }

// Encode returns the canonical bytes.
func (b VoteBody) Encode() []byte {
	e := NewEncoder(2 + 32*len(b.Producers))
	e.Uint(uint64(len(b.Producers)))
	for _, p := range b.Producers {
		e.Raw(p[:])
	}
	return e.Bytes()
}

// DecodeVoteBody is the inverse of [VoteBody.Encode].
func DecodeVoteBody(raw []byte) (VoteBody, error) {
	d := NewDecoder(raw)
	var b VoteBody
	for i := range d.Count(MaxApprovals, 32) {
		a := AccountID(d.Hash())
		if i > 0 && string(b.Producers[i-1][:]) >= string(a[:]) {
			d.Fail("producer %d repeats another or is not in order", i)
			break
		}
		b.Producers = append(b.Producers, a)
	}
	return finish(d, "consensus.vote", b)
}

// EvidenceBody is the body of consensus.evidence: proof, in the encoding of the consensus plugin, that a producer has broken
// the rules.
type EvidenceBody struct{ Evidence []byte }

// Encode returns the canonical bytes.
func (b EvidenceBody) Encode() []byte {
	e := NewEncoder(4 + len(b.Evidence))
	e.Blob(b.Evidence)
	return e.Bytes()
}

// DecodeEvidenceBody is the inverse of [EvidenceBody.Encode]. It does not look at the evidence.
func DecodeEvidenceBody(raw []byte) (EvidenceBody, error) {
	d := NewDecoder(raw)
	return finish(d, "consensus.evidence", EvidenceBody{d.Blob(MaxTxBytes)})
}
