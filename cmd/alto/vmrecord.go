package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

const (
	mostRecorded = 2_000_000 // steps that a debugger keeps, at 40 bytes
	pageSteps    = 512       // whose stacks are fetched together
	keptPages    = 16
	shownStack   = 16 // values of a stack that a page keeps
)

// record is a step as a debugger remembers it: all but the stack, which is fetched by running again.
type record struct {
	pc        uint32
	depth     uint16 // of calls
	stack     uint16 // values
	evidence  bool
	isInteger bool   // the top of the stack is one
	top       uint64 // the top's value, or a hash of it
	gas       uint64 // left before
	cost      uint64
}

// recording is a run that can be looked at in any order. Since a run is a function of its input, whatever was not kept is
// computed again.
type recording struct {
	m      vm.VM
	p      *prepared
	steps  []record
	ops    map[[2]uint32]string // by evidence, PC
	result *vm.Result           // nil: the run has more steps than are kept
	pages  map[int][][]string
	order  []int // of pages, the least recently fetched first
}

// recordRun runs once and remembers the steps.
func recordRun(ctx context.Context, m vm.VM, p *prepared) (*recording, error) {
	r := &recording{m: m, p: p, ops: map[[2]uint32]string{}, pages: map[int][][]string{}}
	err := m.Trace(ctx, nil, p.run, func(s vm.Step) error {
		if s.Op != "" {
			if len(r.steps) == mostRecorded {
				return errEnough
			}
			rec := record{pc: uint32(s.PC), depth: uint16(min(s.Depth, 1<<16-1)), stack: uint16(min(len(s.Stack), 1<<16-1)), evidence: s.Evidence, gas: s.Gas,
				cost: s.GasCost}
			if n := len(s.Stack); n > 0 {
				rec.top, rec.isInteger = valueKey(s.Stack[n-1])
			}
			r.steps = append(r.steps, rec)
			if k := opKey(rec); r.ops[k] == "" {
				r.ops[k] = s.Op
			}
		}
		if s.Result != nil {
			r.result = s.Result
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return r, err
}

func opKey(r record) [2]uint32 {
	if r.evidence {
		return [2]uint32{1, r.pc}
	}
	return [2]uint32{0, r.pc}
}

// op is the instruction of a step.
func (r *recording) op(at int) string { return r.ops[opKey(r.steps[at])] }

// valueKey makes a value comparable: an integer is itself, anything else its hash.
func valueKey(v string) (uint64, bool) {
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		return uint64(n), true
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(v))
	return h.Sum64(), false
}

// place is where a step stands in the source.
func (r *recording) place(at int) (*vmProgram, vm.MapEntry, bool) {
	s := r.steps[at]
	src := r.p.program(s.evidence)
	e, ok := src.at.Find(uint64(s.pc))
	return src, e, ok
}

// top returns the upper values of the stack before a step, top last.
func (r *recording) top(ctx context.Context, at int) ([]string, error) {
	page := at / pageSteps
	if _, ok := r.pages[page]; !ok {
		if err := r.fetch(ctx, page); err != nil {
			return nil, err
		}
	}
	return r.pages[page][at%pageSteps], nil
}

func (r *recording) fetch(ctx context.Context, page int) error {
	var list [][]string
	err := r.between(ctx, page*pageSteps, (page+1)*pageSteps, func(s vm.Step) {
		top := make([]string, 0, shownStack)
		for _, v := range s.Stack[max(len(s.Stack)-shownStack, 0):] {
			top = append(top, shortValue(v))
		}
		list = append(list, top)
	})
	if err != nil {
		return err
	}
	if len(list) < min(pageSteps, len(r.steps)-page*pageSteps) {
		return fmt.Errorf("the run has other steps than before: it is no function of its input")
	}
	if len(r.order) == keptPages {
		delete(r.pages, r.order[0])
		r.order = r.order[1:]
	}
	r.pages[page], r.order = list, append(r.order, page)
	return nil
}

// whole returns all of the stack before a step.
func (r *recording) whole(ctx context.Context, at int) ([]string, error) {
	var out []string
	err := r.between(ctx, at, at+1, func(s vm.Step) { out = s.Stack })
	return out, err
}

// between runs again and shows the steps from one on up to another.
func (r *recording) between(ctx context.Context, from, to int, show func(vm.Step)) error {
	n := 0
	err := r.m.Trace(ctx, nil, r.p.run, func(s vm.Step) error {
		if s.Op == "" {
			return nil
		}
		if n >= to {
			return errEnough
		}
		if n >= from {
			show(s)
		}
		n++
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}
