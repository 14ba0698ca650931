package pbft

import (
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// judge sees every signature that is made, and so finds every piece of evidence that there is.
type judge struct {
	s     *sim
	votes map[int][]verdict           // by producer
	found map[int]string              // the first thing against a producer
	qcs   map[[2]uint64]types.BlockID // by epoch and slot
}

type verdict struct {
	kind        byte // evidence kind: proposal, prepare, commit
	epoch, slot uint64
	src         uint64
	height      uint64
	id          types.BlockID
}

func newJudge(s *sim) *judge {
	return &judge{s: s, votes: map[int][]verdict{}, found: map[int]string{}, qcs: map[[2]uint64]types.BlockID{}}
}

const (
	judgeProposal byte = 1 + iota
	judgePrepare
	judgeCommit
)

// signed takes note of a message that a producer has signed.
func (j *judge) signed(id int, byz bool, payload []byte) {
	msg, err := DecodeMessage(payload)
	if err != nil {
		j.s.fail("producer %d signs what is no message: %v", id, err)
		return
	}
	var v verdict
	switch m := msg.(type) {
	case *Proposal:
		v = verdict{kind: judgeProposal, epoch: m.Header.Epoch, slot: m.Header.Slot, id: m.Header.ID()}
	case *Prepare:
		v = verdict{judgePrepare, m.Epoch, m.Slot, m.Src, m.Height, m.ID}
	case *Commit:
		v = verdict{judgeCommit, m.Epoch, m.Slot, 0, m.Height, m.ID}
	default:
		j.s.fail("producer %d signs a %T", id, msg)
		return
	}
	for _, o := range j.votes[id] {
		if o == v {
			return
		}
	}
	for _, o := range j.votes[id] {
		if why := j.conflict(o, v); why != "" {
			if _, ok := j.found[id]; !ok {
				j.found[id] = why
			}
			if !byz {
				j.s.fail("I3/I4: the honest producer %d signs what is evidence %s against it: %+v, %+v", id, why, o, v)
			}
		}
	}
	j.votes[id] = append(j.votes[id], v)
}

// conflict tells which kind of evidence two signatures are, if any.
func (j *judge) conflict(a, b verdict) string {
	if a.epoch != b.epoch {
		return ""
	}
	if a.kind == b.kind {
		if a.slot != b.slot {
			return ""
		}
		return [...]string{judgeProposal: "E1", judgePrepare: "E2", judgeCommit: "E3"}[a.kind]
	}
	if a.kind == judgePrepare {
		a, b = b, a
	}
	if a.kind != judgeCommit || b.kind != judgePrepare || b.src >= a.slot || a.slot >= b.slot {
		return ""
	}
	x := j.s.blocks[b.id]
	for x != nil && x.h.Slot > a.slot {
		x = x.parent
	}
	if x == nil || x.id == a.id {
		return ""
	}
	return "E4"
}

// culprits returns how many have signed what is evidence against them.
func (j *judge) culprits() int { return len(j.found) }
