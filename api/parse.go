package api

import (
	"fmt"
	"time"

	apiv1 "github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// This file turns messages of a node, which are not to be trusted, back into values. Fields that repeat what an encoding
// holds are not read. A missing message is read as an empty one.

// parser keeps the first error, so that the functions read like the values that they make.
type parser struct{ err error }

func (p *parser) fail(what string, err error) {
	if p.err == nil && err != nil {
		p.err = fmt.Errorf("answer of the node: %s: %w", what, err)
	}
}

// hash reads 64 hexadecimal digits, or "" for none.
func (p *parser) hash(what, s string) types.Hash {
	if s == "" {
		return types.Hash{}
	}
	h, err := types.ParseHash(s)
	p.fail(what, err)
	return h
}

func (p *parser) account(what, s string) types.AccountID {
	a, err := types.ParseAccountID(s)
	p.fail(what, err)
	return a
}

func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// ParseNodeStatus reads a StatusResponse.
func ParseNodeStatus(m *apiv1.StatusResponse) (NodeStatus, error) {
	var p parser
	s := NodeStatus{Name: m.GetName(), ID: p.hash("id", m.GetId()), Version: m.GetVersion(), Listen: m.GetListen(), Started: timeOf(m.GetStartedMs())}
	for _, q := range m.GetPeers() {
		s.Peers = append(s.Peers, Peer{Name: q.GetName(), ID: p.hash("peer", q.GetId()), Address: q.GetAddress(), Connected: q.GetConnected()})
	}
	for _, c := range m.GetChains() {
		s.Chains = append(s.Chains, p.chainStatus(c))
	}
	for _, q := range m.GetPlugins() {
		v := Plugin{
			Name: q.GetName(), Chain: q.GetChain(), Kinds: q.GetKinds(), Version: q.GetVersion(), Digest: q.GetDigest(), Path: q.GetPath(),
			PID: int(q.GetPid()), State: q.GetState(), Restarts: int(q.GetRestarts()), RSS: int64(q.GetRss()), Started: timeOf(q.GetStartedMs()),
			LastError: q.GetLastError(),
		}
		for _, i := range q.GetInstances() {
			v.Instances = append(v.Instances, Instance{Chain: i.GetChain(), Kind: i.GetKind(), Ready: i.GetReady(), Crashes: int(i.GetCrashes()),
				Failed: i.GetFailed()})
		}
		s.Plugins = append(s.Plugins, v)
	}
	return s, p.err
}

// ParseChainStatus reads a ChainStatus.
func ParseChainStatus(m *apiv1.ChainStatus) (ChainStatus, error) {
	var p parser
	return p.chainStatus(m), p.err
}

func (p *parser) chainStatus(m *apiv1.ChainStatus) ChainStatus {
	return ChainStatus{
		Name: m.GetName(), ID: p.hash("chain id", m.GetId()), Parent: p.hash("parent", m.GetParent()), Head: m.GetHead(), Final: m.GetFinal(),
		FinalID: p.hash("final id", m.GetFinalId()), FinalSlot: m.GetFinalSlot(), Slot: m.GetSlot(), StateRoot: p.hash("state root", m.GetStateRoot()),
		StateHeight: m.GetStateHeight(), Producers: int(m.GetProducers()), Producer: m.GetProducer(), Produced: m.GetProduced(),
		Skipped: m.GetSkipped(), Waiting: int(m.GetWaiting()), Burned: m.GetBurned(), Halted: m.GetHalted(), Stalled: m.GetStalled(),
		Trouble: m.GetTrouble(),
	}
}

// ParseSet reads a ProducerSet from its encoding and validates it.
func ParseSet(m *apiv1.ProducerSet) (*types.Set, error) {
	s, err := types.DecodeSet(m.GetEncoded())
	if err != nil {
		return nil, fmt.Errorf("answer of the node: %w", err)
	}
	return s, nil
}

// ParseParams reads a ChainParams.
func ParseParams(m *apiv1.ChainParams) Params {
	return Params{
		Token: m.GetToken(), GenesisTimeMs: m.GetGenesisTimeMs(), SlotMs: m.GetSlotMs(), TxLifetime: m.GetTxLifetime(), Modules: m.GetModules(),
		Fees:   Fees{m.GetFees().GetPerByte(), m.GetFees().GetPerGas(), m.GetFees().GetFloor(), m.GetFees().GetBurnPpm()},
		Limits: ChainLimits{m.GetLimits().GetBlockBytes(), m.GetLimits().GetTxBytes(), m.GetLimits().GetBlockGas()},
	}
}

// ParseReference reads a GetReferenceResponse.
func ParseReference(m *apiv1.GetReferenceResponse) (chain types.ChainID, r Reference, params Params, err error) {
	var p parser
	r = Reference{Height: m.GetHeight(), ID: p.hash("block id", m.GetId()), Clock: m.GetClock(), Slot: m.GetSlot()}
	return p.hash("chain id", m.GetChainId()), r, ParseParams(m.GetParams()), p.err
}

// ParseTx reads a Transaction.
func ParseTx(m *apiv1.Transaction) (Tx, error) {
	var p parser
	if m.GetStage() < 0 || Stage(m.GetStage()) > Final {
		p.fail("stage", fmt.Errorf("%d is unknown", m.GetStage()))
	}
	t := Tx{ID: p.hash("transaction id", m.GetId()), Stage: Stage(m.GetStage()), Height: m.GetHeight(), Block: p.hash("block id", m.GetBlock()),
		Index: int(m.GetIndex()), Envelope: m.GetEnvelope()}
	if m.GetReceipt() != nil {
		r := p.receipt(m.GetReceipt())
		t.Receipt = &r
	}
	return t, p.err
}

func (p *parser) receipt(m *apiv1.Receipt) types.Receipt {
	r := types.Receipt{ID: p.hash("receipt", m.GetId()), Status: m.GetStatus(), Fee: m.GetFee(), Gas: m.GetGas()}
	for _, e := range m.GetEvents() {
		v := types.Event{Module: e.GetModule(), Name: e.GetName(), Data: []byte(e.GetData()), Item: e.GetItem()}
		for _, a := range e.GetAccounts() {
			v.Accounts = append(v.Accounts, p.account("event", a))
		}
		r.Events = append(r.Events, v)
	}
	return r
}

// ParseBlock reads a Block. Its id is computed from the header, so it fits; that the block is final is for the caller to verify.
func ParseBlock(m *apiv1.Block) (*Block, error) {
	var p parser
	h, err := types.DecodeHeader(m.GetHeaderBytes())
	if err != nil {
		return nil, fmt.Errorf("answer of the node: %w", err)
	}
	b := &Block{ID: h.ID(), Header: h, TxCount: int(m.GetTxCount()), Body: m.GetBody()}
	if p.hash("block id", m.GetId()) != b.ID {
		p.fail("block", fmt.Errorf("its id is %q, its header's is %s", m.GetId(), b.ID))
	}
	if m.GetCertificate() != nil {
		b.Certificate, err = types.DecodeCertificate(m.GetCertificate().GetEncoded())
		p.fail("block", err)
	}
	if len(m.GetFinality()) > 0 {
		b.Finality, err = types.DecodeFinality(m.GetFinality())
		p.fail("block", err)
	}
	for _, id := range m.GetTxIds() {
		b.TxIDs = append(b.TxIDs, p.hash("transaction id", id))
	}
	for _, r := range m.GetReceipts() {
		b.Receipts = append(b.Receipts, p.receipt(r))
	}
	if p.err != nil {
		return nil, p.err
	}
	return b, nil
}

// ParseAccount reads a GetAccountResponse.
func ParseAccount(m *apiv1.GetAccountResponse) (Account, error) {
	var p parser
	a := Account{ID: p.account("account", m.GetAccount()), Balance: m.GetBalance(), Locked: m.GetLocked(), Free: m.GetFree(), Height: m.GetHeight(),
		Clock: m.GetClock(), ProofHeight: m.GetProofHeight()}
	if m.GetAuthority() != nil {
		var err error
		a.Authority, err = types.DecodeAuthority(m.GetAuthority().GetEncoded())
		p.fail("account", err)
	}
	a.Proofs = p.proofs(m.GetProofs())
	return a, p.err
}
