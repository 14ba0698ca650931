package engine

import (
	"fmt"
	"hash"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/sha3"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// ResultCount is how many integers a contract leaves.
const ResultCount = 3

// The two programs of a run.
const (
	evidence = 0
	code     = 1
)

// Machine runs contracts, one at a time. It keeps its memory from one to the next, but nothing that a contract can see.
type Machine struct {
	lim      *bytecode.Limits
	st, rs   *cells
	high     int // the place above the highest that the data stack may have
	rhigh    int // the same of the return stack
	arena    []byte
	data     []byte // made when it is first used
	touched  int    // bytes of data that may not be 0
	slots    []cell // made when they are first used
	slotted  int    // slots that may not be 0
	env      [2]map[string][]byte
	programs [2]*bytecode.Program
	ins      [2][]bytecode.Instr // what is executed of each, see fuse.go
	own      [2]bytecode.Program // for code that is not kept
	traced   [2][]bytecode.Instr // for the tracer
	blake    hash.Hash
	keccak   hash.Hash
	sum      [32]byte
	name     []byte // of an environment word
	msg      []byte // of a signature
	trace    *tracer
	fast     accelerated
	live     *Live // the session that the machine belongs to
	terse    bool  // see Terse
	state
}

// noOpcode has no name: nothing was executed.
const noOpcode bytecode.Opcode = 0xff

// state is where an execution is, while the loop in exec.go does not hold it.
type state struct {
	which  int // the program
	ip     int // in it, of the next instruction
	sp, rp int
	catch  int // the place of the innermost catch frame on the return stack, or 0
	gas    int64
	ended  bool
	loose  bool // it ended with return

	// Of the instruction that failed.
	text   string // why, where that says more than the status
	host   error  // what a host word of a session ended with
	final  bool   // and nobody catches that
	pc     uint32
	op     bytecode.Opcode
	thrown int64
}

// New returns a machine for contracts under limits.
func New(l *bytecode.Limits) (*Machine, error) {
	if l.StackDepth > deep || l.ReturnDepth > deep {
		return nil, fmt.Errorf("machine: stacks of %d and %d values, at most %d", l.StackDepth, l.ReturnDepth, deep)
	}
	b, err := blake2b.New256(nil)
	if err != nil {
		return nil, fmt.Errorf("blake2b: %w", err)
	}
	return &Machine{lim: l, st: newCells(), rs: newCells(), high: floor + int(l.StackDepth), rhigh: floor + int(l.ReturnDepth), blake: b,
		keccak: sha3.NewLegacyKeccak256()}, nil
}

// Terse sets whether later runs that fail say nothing but status and numbers. The texts are not metered, so a chain does
// without.
func (m *Machine) Terse(on bool) { m.terse = on }

// Run executes one run. kept is the loaded program of a run by hash. A caller checks the run first. The results are written
// to results, which Result.Stack is then. A fault of the machine itself panics with a [Fault]: it is no result.
func (m *Machine) Run(r *vm.Run, kept *bytecode.Program, common map[string][]byte, results []int64) vm.Result {
	limit := m.lim.GasLimit
	if r.GasLimit < uint64(limit) {
		limit = int64(r.GasLimit)
	}
	res := vm.Result{Gas: r.GasLimit}
	status := m.enter(r, kept, common, limit)
	if status == vm.OK {
		res.Convention = m.programs[code].Convention
		status = m.results(res.Convention, results)
	}
	if res.Status = status; status == vm.OK {
		res.Gas, res.Stack = uint64(limit-m.gas), results
	} else {
		m.describe(&res, limit)
	}
	res.Space = uint64(len(m.arena) + m.touched)
	m.leave()
	return res
}

// enter loads what is not loaded yet, and executes it.
func (m *Machine) enter(r *vm.Run, kept *bytecode.Program, common map[string][]byte, gas int64) vm.Status {
	m.state = state{sp: floor, rp: floor, gas: gas, which: code, op: noOpcode}
	size := len(r.Code)
	if kept != nil {
		size = len(kept.Code)
	}
	switch {
	case size > int(m.lim.CodeBytes):
		m.text = "the code is too long"
		return bytecode.BadCode
	case len(r.Evidence) > int(m.lim.EvidenceBytes):
		m.which, m.text = evidence, "the evidence is too long"
		return bytecode.BadCode
	}
	if m.gas -= bytecode.GasCodeByte * int64(size+len(r.Evidence)); m.gas < 0 {
		m.text = "for loading the code"
		return bytecode.OutOfGas
	}
	first := &m.own[evidence]
	if err := first.Load(r.Evidence, m.lim, true); err != nil {
		m.which, m.text = evidence, m.why("evidence: ", err)
		return bytecode.BadCode
	}
	second := kept
	if second == nil {
		second = &m.own[code]
		if err := second.Load(r.Code, m.lim, false); err != nil {
			m.text = m.why("", err)
			return bytecode.BadCode
		}
	}
	if m.gas -= first.Gas + second.Gas; m.gas < 0 {
		m.text = "for the words that can be called by hash"
		return bytecode.OutOfGas
	}
	if len(second.Data) > 0 {
		if m.gas -= m.touch(len(second.Data)); m.gas < 0 {
			m.text = "for the data"
			return bytecode.OutOfGas
		}
		copy(m.data, second.Data)
	}
	m.programs = [2]*bytecode.Program{first, second}
	m.env = [2]map[string][]byte{r.Environment, common}
	m.ins = [2][]bytecode.Instr{first.Ins, second.Ins}
	switch {
	case m.trace != nil:
		m.watch()
	case kept != nil && kept.Fast != nil:
		m.ins[code] = kept.Fast
	}
	m.which = evidence
	if len(r.Evidence) > 0 {
		m.ip = int(first.Main)
		if s := m.exec(); s != vm.OK {
			return s
		}
	}
	m.which, m.ip, m.rp, m.ended = code, int(second.Main), floor, false
	return m.codeSegment()
}

// leave forgets a run.
func (m *Machine) leave() {
	m.arena = m.arena[:0]
	clear(m.data[:m.touched])
	clear(m.slots[:m.slotted])
	m.touched, m.slotted = 0, 0
	m.programs, m.env, m.ins = [2]*bytecode.Program{}, [2]map[string][]byte{}, [2][]bytecode.Instr{}
	m.own[evidence].Code, m.own[code].Code = nil, nil
	m.text, m.host = "", nil
}

// Fault is a fault of the machine, not of a contract: something that the loader has to keep away. The machine panics with
// it, since no status is right, and a node must not take it for one.
type Fault struct{ What string }

func (f Fault) Error() string { return "vm-forth: internal fault: " + f.What }
