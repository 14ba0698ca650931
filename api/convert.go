package api

import (
	"strings"
	"time"

	apiv1 "github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// This file turns values into messages; parse.go is the way back.

// text returns the hexadecimal form, or "" for none.
func text(h types.Hash) string {
	if h.IsZero() {
		return ""
	}
	return h.String()
}

func unixMs(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// clean makes a text from elsewhere fit for a message, which must be UTF-8.
func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func count(n int) uint64 { return uint64(max(n, 0)) }

func nodeStatusMessage(s *NodeStatus) *apiv1.StatusResponse {
	m := &apiv1.StatusResponse{Name: s.Name, Id: text(s.ID), Version: s.Version, Listen: s.Listen, StartedMs: unixMs(s.Started)}
	for _, p := range s.Peers {
		m.Peers = append(m.Peers, &apiv1.Peer{Name: p.Name, Id: text(p.ID), Address: p.Address, Connected: p.Connected})
	}
	for i := range s.Chains {
		m.Chains = append(m.Chains, chainStatusMessage(&s.Chains[i]))
	}
	for _, p := range s.Plugins {
		pm := &apiv1.Plugin{
			Name: p.Name, Kinds: p.Kinds, Version: p.Version, Digest: p.Digest, Path: p.Path, Pid: int64(p.PID), State: p.State,
			Restarts: count(p.Restarts), Rss: uint64(max(p.RSS, 0)), StartedMs: unixMs(p.Started), LastError: clean(p.LastError), Chain: p.Chain,
		}
		for _, i := range p.Instances {
			pm.Instances = append(pm.Instances, &apiv1.Instance{Chain: i.Chain, Kind: i.Kind, Ready: i.Ready, Crashes: count(i.Crashes),
				Failed: clean(i.Failed)})
		}
		m.Plugins = append(m.Plugins, pm)
	}
	return m
}

func chainStatusMessage(s *ChainStatus) *apiv1.ChainStatus {
	return &apiv1.ChainStatus{
		Name: s.Name, Id: text(s.ID), Parent: text(s.Parent), Head: s.Head, Final: s.Final, FinalId: text(s.FinalID),
		FinalSlot: s.FinalSlot, Slot: s.Slot, StateRoot: text(s.StateRoot), StateHeight: s.StateHeight,
		Producers: uint32(count(s.Producers)), Producer: s.Producer, Produced: s.Produced, Skipped: s.Skipped, Waiting: count(s.Waiting),
		Halted: clean(s.Halted), Stalled: clean(s.Stalled), Trouble: clean(s.Trouble), Burned: s.Burned,
	}
}

func setMessage(s *types.Set) *apiv1.ProducerSet {
	m := &apiv1.ProducerSet{Epoch: s.Epoch, Threshold: s.Threshold, Hash: s.Hash().String(), Encoded: s.Encode()}
	for _, seat := range s.Seats {
		m.Seats = append(m.Seats, &apiv1.Seat{Key: seat.Key.String(), Weight: seat.Weight})
	}
	return m
}

func paramsMessage(p *Params) *apiv1.ChainParams {
	return &apiv1.ChainParams{
		Token: p.Token, GenesisTimeMs: p.GenesisTimeMs, SlotMs: p.SlotMs, TxLifetime: p.TxLifetime, Modules: p.Modules,
		Fees:   &apiv1.Fees{PerByte: p.Fees.PerByte, PerGas: p.Fees.PerGas, Floor: p.Fees.Floor, BurnPpm: p.Fees.BurnPPM},
		Limits: &apiv1.Limits{BlockBytes: p.Limits.BlockBytes, TxBytes: p.Limits.TxBytes, BlockGas: p.Limits.BlockGas},
	}
}

func txMessage(t *Tx) *apiv1.Transaction {
	m := &apiv1.Transaction{Id: t.ID.String(), Stage: apiv1.Stage(t.Stage), Envelope: t.Envelope}
	if t.Stage >= Included {
		m.Height, m.Block, m.Index = t.Height, text(t.Block), uint32(t.Index)
	}
	if t.Receipt != nil {
		m.Receipt = receiptMessage(t.Receipt)
	}
	return m
}

func receiptMessage(r *types.Receipt) *apiv1.Receipt {
	m := &apiv1.Receipt{Id: r.ID.String(), Status: clean(r.Status), Fee: r.Fee, Gas: r.Gas}
	for _, e := range r.Events {
		em := &apiv1.Event{Module: clean(e.Module), Name: clean(e.Name), Data: clean(string(e.Data)), Item: e.Item}
		for _, a := range e.Accounts {
			em.Accounts = append(em.Accounts, a.String())
		}
		m.Events = append(m.Events, em)
	}
	return m
}

func headerMessage(h *types.Header) *apiv1.Header {
	return &apiv1.Header{
		Chain: h.Chain.String(), Height: h.Height, Slot: h.Slot, Clock: h.Clock, Parent: h.Parent.String(), Producer: h.Producer.String(),
		BodyRoot: h.BodyRoot.String(), ExtensionRoot: h.ExtensionRoot.String(), StateRoot: h.StateRoot.String(),
		ReceiptsRoot: h.ReceiptsRoot.String(), OutboxRoot: h.OutboxRoot.String(), HistoryRoot: h.HistoryRoot.String(),
		CertHeight: h.CertHeight, NextSet: text(h.NextSet), Shard: h.Shard, Consensus: h.Consensus, Epoch: h.Epoch,
	}
}

func certificateMessage(c *types.Certificate) *apiv1.Certificate {
	m := &apiv1.Certificate{Scheme: uint32(c.Scheme), SetHash: c.SetHash.String(), Epoch: c.Epoch, Slot: c.Slot, Height: c.Height,
		Block: c.Block.String(), Encoded: c.Encode()}
	for i := range len(c.Bitmap) * 8 {
		if c.Bitmap[i/8]>>(i%8)&1 == 1 {
			m.Seats = append(m.Seats, uint32(i))
		}
	}
	return m
}

// blockMessage returns as much of a block as detail asks for.
func blockMessage(b *Block, p *Params, detail apiv1.BlockDetail) *apiv1.Block {
	m := &apiv1.Block{Id: b.ID.String(), Header: headerMessage(b.Header), HeaderBytes: b.Header.Encode(),
		TimeMs: p.SlotTimeMs(b.Header.Slot), TxCount: uint32(len(b.TxIDs))}
	if b.Certificate != nil {
		m.Certificate = certificateMessage(b.Certificate)
	}
	if b.Finality != nil {
		m.Finality = b.Finality.Encode()
	}
	if detail >= apiv1.BlockDetail_BLOCK_DETAIL_IDS {
		for _, id := range b.TxIDs {
			m.TxIds = append(m.TxIds, id.String())
		}
	}
	if detail >= apiv1.BlockDetail_BLOCK_DETAIL_RECEIPTS {
		for i := range b.Receipts {
			m.Receipts = append(m.Receipts, receiptMessage(&b.Receipts[i]))
		}
	}
	if detail >= apiv1.BlockDetail_BLOCK_DETAIL_BODY {
		m.Body = b.Body
	}
	return m
}

func accountMessage(a *Account) *apiv1.GetAccountResponse {
	m := &apiv1.GetAccountResponse{Account: a.ID.String(), Balance: a.Balance, Locked: a.Locked, Free: a.Free, Height: a.Height, Clock: a.Clock,
		ProofHeight: a.ProofHeight, Proofs: proofMessages(a.Proofs)}
	if a.Authority != nil {
		m.Authority = authorityMessage(a.Authority)
	}
	return m
}

func authorityMessage(a *types.Authority) *apiv1.Authority {
	m := &apiv1.Authority{Salt: a.Salt, Guard: a.Guard, Encoded: a.Encode()}
	for _, p := range a.Permissions {
		pm := &apiv1.Permission{Name: p.Name, Parent: p.Parent, Threshold: p.Threshold, Delay: p.Delay}
		for _, k := range p.Keys {
			pm.Keys = append(pm.Keys, &apiv1.KeyWeight{Scheme: uint32(k.Scheme), Key: k.Key.String(), Weight: k.Weight})
		}
		for _, w := range p.Accounts {
			pm.Accounts = append(pm.Accounts, &apiv1.AccountWeight{Account: w.Account.String(), Permission: w.Permission, Weight: w.Weight})
		}
		m.Permissions = append(m.Permissions, pm)
	}
	for _, l := range a.Links {
		m.Links = append(m.Links, &apiv1.Link{Pattern: l.Pattern, Permission: l.Permission})
	}
	return m
}
