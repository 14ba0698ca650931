package types

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
)

// Fixed values that golden vectors, round trips and fuzz seeds share.

func testKey(i int) (ed25519.PrivateKey, PublicKey) {
	seed := sha256.Sum256(fmt.Appendf(nil, "test key %d", i))
	k := ed25519.NewKeyFromSeed(seed[:])
	return k, Ed25519Key(k.Public().(ed25519.PublicKey))
}

func testHash(s string) Hash { return sha256.Sum256([]byte(s)) }

func testAuthority() *Authority {
	_, k0 := testKey(0)
	_, k1 := testKey(1)
	_, k2 := testKey(2)
	kw := func(k PublicKey, w uint32) KeyWeight { return KeyWeight{k.Scheme, k.Hash(), w} }
	other := SingleKeyAuthority(k2).ID()
	return &Authority{
		Salt: 300,
		Permissions: []Permission{
			{Name: ActivePermission, Parent: OwnerPermission, Threshold: 2, Keys: []KeyWeight{kw(k0, 1), kw(k1, 1)}},
			{Name: "cold", Parent: OwnerPermission, Threshold: 5, Keys: []KeyWeight{kw(k2, 3)},
				Accounts: []AccountWeight{{other, ActivePermission, 2}, {other, OwnerPermission, 4}}},
			{Name: OwnerPermission, Threshold: 3, Keys: []KeyWeight{kw(k0, 2), kw(k1, 2)}},
			{Name: "pay", Parent: ActivePermission, Threshold: 1, Keys: []KeyWeight{kw(k1, 1)}},
		},
		Links: []Link{{"*", ActivePermission}, {"bank.*", "pay"}, {"bank.burn", "cold"}},
		Guard: "cold",
	}
}

func testTransaction() *Transaction {
	_, k := testKey(0)
	a := SingleKeyAuthority(k)
	return &Transaction{
		Module: "bank",
		Actions: []Action{
			{Name: "transfer", Body: []byte{1, 2, 3}, MaxSpend: 1_000_000},
			{Name: "burn", Body: nil, MaxSpend: 1 << 63},
		},
		Account: a.ID(), Permission: "active", Authority: a.Encode(), Expires: 130, RefHeight: 99, RefHash: [16]byte{7, 8, 9},
		Salt: 1<<64 - 1, MaxGas: 5000, MaxFee: 127,
	}
}

func testEnvelope(chain ChainID) *Envelope {
	k0, p0 := testKey(0)
	k1, p1 := testKey(1)
	raw := testTransaction().Encode()
	msg := TxSignBytes(chain, raw)
	return &Envelope{Raw: raw, Signatures: []Signature{{p0, ed25519.Sign(k0, msg)}, {p1, ed25519.Sign(k1, msg)}}}
}

func testHeader() *Header {
	_, k := testKey(3)
	return &Header{
		Chain: testHash("chain"), Height: 1000, Slot: 1203, Epoch: 7, Clock: 1190, Parent: testHash("parent"), Producer: k.Hash(),
		BodyRoot: testHash("body"), ExtensionRoot: testHash("extension"), StateRoot: testHash("state"),
		ReceiptsRoot: testHash("receipts"), OutboxRoot: testHash("outbox"), HistoryRoot: testHash("history"), CertHeight: 998,
		NextSet: testHash("next"), Shard: []byte("shard"), Consensus: []byte("consensus"),
	}
}

func testSet(n int) *Set {
	keys := make([]PublicKey, n)
	for i := range keys {
		_, keys[i] = testKey(10 + i)
	}
	return EqualSet(7, keys)
}

func testCertificate(chain Hash, set *Set, seats ...int) *Certificate {
	c := &Certificate{Scheme: CertEd25519List, SetHash: set.Hash(), Epoch: set.Epoch, Slot: 1203, Height: 1000,
		Block: testHeader().ID(), Bitmap: make([]byte, (len(set.Seats)+7)/8)}
	signCertificate(c, chain, seats...)
	return c
}

// signCertificate signs what c says by seats, which must ascend; it signs with the keys of testSet.
func signCertificate(c *Certificate, chain Hash, seats ...int) {
	msg := SignBytes(chain, PurposeCommit, CommitPayload(c.SetHash, c.Epoch, c.Slot, c.Height, c.Block))
	clear(c.Bitmap)
	c.Signatures = nil
	for _, i := range seats {
		k, _ := testKey(10 + i)
		c.Bitmap[i/8] |= 1 << (i % 8)
		c.Signatures = append(c.Signatures, ed25519.Sign(k, msg))
	}
}

// testFinality shows that testHeader, which closes its epoch, is final by what was signed for its grandchild.
func testFinality(set *Set, seats ...int) *Finality {
	x := testHeader()
	f := &Finality{}
	for i := range 2 {
		p := x
		if i > 0 {
			p = f.Suffix[i-1]
		}
		s := *p
		s.Height, s.Slot, s.Clock, s.Parent, s.NextSet, s.CertHeight = p.Height+1, p.Slot+2, NextClock(p.Clock, p.Slot, p.Slot+2), p.ID(), Hash{}, 0
		f.Suffix = append(f.Suffix, &s)
	}
	tip := f.Suffix[1]
	f.Cert = &Certificate{Scheme: CertEd25519List, SetHash: set.Hash(), Epoch: set.Epoch, Slot: tip.Slot, Height: tip.Height, Block: tip.ID(),
		Bitmap: make([]byte, (len(set.Seats)+7)/8)}
	signCertificate(f.Cert, x.Chain, seats...)
	return f
}

func testBody(chain ChainID) *Body {
	return &Body{
		Certificate: testCertificate(chain, testSet(4), 0, 1, 3).Encode(),
		Extensions:  []Extension{{"oracle", []byte("ballot")}, {"chains", nil}},
		Txs:         [][]byte{testEnvelope(chain).Encode(), testEnvelope(testHash("elsewhere")).Encode()},
	}
}

func testRegister(chain ChainID) RegisterBody {
	k, pub := testKey(0)
	return RegisterBody{Key: pub, Proof: ed25519.Sign(k, PossessionBytes(chain, testAuthority().ID())), Name: "producer-1"}
}

func testReceipt() *Receipt {
	_, k := testKey(0)
	id := SingleKeyAuthority(k).ID()
	return &Receipt{ID: testHash("tx"), Status: StatusOK, Fee: 12, Gas: 3000, Events: []Event{
		{Module: "bank", Name: "transferred", Data: []byte(`{"amount":"5"}`), Accounts: []AccountID{id, BurnAccount}},
		{Module: "oracle", Name: "asked", Item: []byte("question")},
	}}
}

func testHistory(n int) (h History) {
	for i := range n {
		h = h.Append(testHash(fmt.Sprint("header ", i)))
	}
	return h
}

func testMerkleProof() MerkleProof {
	return MerkleProve([][]byte{{1}, {2}, {3}, {4}, {5}, {6}, {7}}, 4)
}

func testStateProof() *StateProof {
	p := &StateProof{Steps: []StateStep{{0, testHash("a")}, {9, testHash("b")}, {319, testHash("c")}},
		Other: &StateLeaf{Path: StatePathOf("bank", Place{1}, "other"), Value: StateValueHash([]byte("value"))}}
	return p
}

// kind is an encoding: decode returns the bytes of what it has understood.
type kind struct {
	name   string
	sample []byte
	decode func([]byte) ([]byte, error)
}

func kinds() []kind {
	chain := testHash("chain")
	one := func(k string, sample []byte, f func([]byte) ([]byte, error)) kind { return kind{k, sample, f} }
	return []kind{
		one("authority", testAuthority().Encode(), func(b []byte) ([]byte, error) { return re(DecodeAuthority(b)) }),
		one("transaction", testTransaction().Encode(), func(b []byte) ([]byte, error) { return re(DecodeTransaction(b)) }),
		one("envelope", testEnvelope(chain).Encode(), func(b []byte) ([]byte, error) { return re(DecodeEnvelope(b)) }),
		one("right to ask", testQueryAuth().Encode(), func(b []byte) ([]byte, error) { return re(DecodeQueryAuth(b)) }),
		one("signed query", testSignedQuery(chain).Encode(), func(b []byte) ([]byte, error) { return re(DecodeSignedQuery(b)) }),
		one("header", testHeader().Encode(), func(b []byte) ([]byte, error) { return re(DecodeHeader(b)) }),
		one("body", testBody(chain).Encode(), func(b []byte) ([]byte, error) { return re(DecodeBody(b)) }),
		one("set", testSet(4).Encode(), func(b []byte) ([]byte, error) { return re(DecodeSet(b)) }),
		one("certificate", testCertificate(chain, testSet(4), 0, 1, 3).Encode(),
			func(b []byte) ([]byte, error) { return re(DecodeCertificate(b)) }),
		one("finality", testFinality(testSet(4), 0, 1, 3).Encode(), func(b []byte) ([]byte, error) { return re(DecodeFinality(b)) }),
		one("receipt", testReceipt().Encode(), func(b []byte) ([]byte, error) { return re(DecodeReceipt(b)) }),
		one("history", testHistory(11).Encode(), func(b []byte) ([]byte, error) { return re(DecodeHistory(b)) }),
		one("merkle proof", testMerkleProof().Encode(), func(b []byte) ([]byte, error) { return re(DecodeMerkleProof(b)) }),
		one("state proof", testStateProof().Encode(), func(b []byte) ([]byte, error) { return re(DecodeStateProof(b)) }),
		one("transfer body", TransferBody{To: testAuthority().ID(), Amount: 1 << 40, Memo: []byte("memo")}.Encode(),
			func(b []byte) ([]byte, error) { return re(DecodeTransferBody(b)) }),
		one("burn body", BurnBody{300}.Encode(), func(b []byte) ([]byte, error) { return re(DecodeBurnBody(b)) }),
		one("run body", RunBody{[]byte("code"), []byte("evidence"), nil}.Encode(), func(b []byte) ([]byte, error) { return re(DecodeRunBody(b)) }),
		one("lock body", testLockBody().Encode(), func(b []byte) ([]byte, error) { return re(DecodeLockBody(b)) }),
		one("claim body", ClaimBody{testHash("lock"), []byte("code"), []byte("evidence"), nil}.Encode(),
			func(b []byte) ([]byte, error) { return re(DecodeClaimBody(b)) }),
		one("lock reference", LockRefBody{testHash("lock")}.Encode(), func(b []byte) ([]byte, error) { return re(DecodeLockRefBody(b)) }),
		one("lock", testLock().Encode(), func(b []byte) ([]byte, error) { return re(DecodeLock(b)) }),
		one("spawn body", SpawnBody{[]byte("genesis")}.Encode(), func(b []byte) ([]byte, error) { return re(DecodeSpawnBody(b)) }),
		one("permission body", PermissionBody{testAuthority().Permissions[1]}.Encode(),
			func(b []byte) ([]byte, error) { return re(DecodePermissionBody(b)) }),
		one("name body", NameBody{"pay"}.Encode(), func(b []byte) ([]byte, error) { return re(DecodeNameBody(b)) }),
		one("register body", testRegister(chain).Encode(), func(b []byte) ([]byte, error) { return re(DecodeRegisterBody(b)) }),
		one("rotate body", RotateBody{testRegister(chain).Key, testRegister(chain).Proof}.Encode(),
			func(b []byte) ([]byte, error) { return re(DecodeRotateBody(b)) }),
		one("stake body", StakeBody{1 << 40}.Encode(), func(b []byte) ([]byte, error) { return re(DecodeStakeBody(b)) }),
		one("vote body", VoteBody{[]AccountID{{1}, {2}, AccountID(testHash("producer"))}}.Encode(),
			func(b []byte) ([]byte, error) { return re(DecodeVoteBody(b)) }),
		one("evidence body", EvidenceBody{[]byte("evidence")}.Encode(), func(b []byte) ([]byte, error) { return re(DecodeEvidenceBody(b)) }),
		one("link body", LinkBody{Link{"bank.*", "pay"}}.Encode(), func(b []byte) ([]byte, error) { return re(DecodeLinkBody(b)) }),
	}
}

// re encodes again what a decoder returned.
func re[T interface{ Encode() []byte }](v T, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return v.Encode(), nil
}
