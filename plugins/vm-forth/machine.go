package vmforth

import (
	"encoding/binary"
	"fmt"
	"hash"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/sha3"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// kind is what a cell holds.
type kind uint8

const (
	isInt   kind = iota
	isBytes      // v is where in the arena, shifted by 16, and the length
	isLoop       // return stack: limit, or index above it
	isFrame      // return stack: v is where to go on, shifted by 1, and which program: 0 evidence, 1 code
)

// cell is a value.
type cell struct {
	v int64
	k kind
}

// machine runs contracts, one at a time. It keeps its memory from one to the next, but nothing that a contract can see.
type machine struct {
	lim      *limits
	stack    []cell
	rstack   []cell
	arena    []byte
	data     []byte // made when it is first used
	touched  int    // bytes of data that may not be 0
	env      [2]map[string][]byte
	programs [2]*program
	own      [2]program // for code that is not kept
	blake    hash.Hash
	keccak   hash.Hash
	sum      [32]byte
	name     []byte // of an indexed environment word
	msg      []byte // of a signature
	trace    *tracer
}

func newMachine(l *limits) (*machine, error) {
	b, err := blake2b.New256(nil)
	if err != nil {
		return nil, fmt.Errorf("blake2b: %w", err)
	}
	return &machine{lim: l, stack: make([]cell, l.StackDepth), rstack: make([]cell, l.ReturnDepth), blake: b, keccak: sha3.NewLegacyKeccak256()}, nil
}

// outcome is how an execution ended.
type outcome struct {
	status vm.Status
	text   string // why, where that says more than the status
	pc     uint32
	op     opcode
	sp     int
	loose  bool // it ended with return
	gas    int64
}

// run executes one run. kept is the loaded program of a run by hash. A caller checks the run first.
func (m *machine) run(r *vm.Run, kept *program, common map[string][]byte, results []int64) vm.Result {
	limit := m.lim.GasLimit
	if r.GasLimit < uint64(limit) {
		limit = int64(r.GasLimit)
	}
	o := m.enter(r, kept, common, limit)
	res := vm.Result{Status: o.status, Gas: r.GasLimit}
	if o.status == vm.OK {
		if s, text := m.results(o, results); s != vm.OK {
			o.status, o.text = s, text
			res.Status = s
		} else {
			res.Gas = uint64(limit - o.gas)
			res.Stack = results
		}
	}
	if o.status != vm.OK {
		res.PC, res.Word = uint64(o.pc), opcodes[o.op].name
		res.Error = statusName(o.status)
		if o.text != "" {
			res.Error += ": " + o.text
		}
	}
	m.leave()
	return res
}

// enter loads what is not loaded yet, and executes it.
func (m *machine) enter(r *vm.Run, kept *program, common map[string][]byte, gas int64) outcome {
	size := len(r.Code)
	if kept != nil {
		size = len(kept.code)
	}
	switch {
	case size > int(m.lim.CodeBytes):
		return outcome{status: BadCode, text: "the code is too long"}
	case len(r.Evidence) > int(m.lim.EvidenceBytes):
		return outcome{status: BadCode, text: "the evidence is too long"}
	}
	if gas -= gasCodeByte * int64(size+len(r.Evidence)); gas < 0 {
		return outcome{status: OutOfGas, text: "for loading the code"}
	}
	evidence := &m.own[0]
	if err := evidence.load(r.Evidence, m.lim, true); err != nil {
		return outcome{status: BadCode, text: "evidence: " + err.Error()}
	}
	if kept == nil {
		kept = &m.own[1]
		if err := kept.load(r.Code, m.lim, false); err != nil {
			return outcome{status: BadCode, text: err.Error()}
		}
	}
	if gas -= evidence.gas + kept.gas; gas < 0 {
		return outcome{status: OutOfGas, text: "for the words that can be called by hash"}
	}
	m.programs = [2]*program{evidence, kept}
	m.env = [2]map[string][]byte{r.Environment, common}
	o := m.exec(0, 0, gas)
	if o.status == vm.OK {
		o = m.exec(1, o.sp, o.gas)
	}
	return o
}

// leave forgets a run.
func (m *machine) leave() {
	m.arena = m.arena[:0]
	clear(m.data[:m.touched])
	m.touched = 0
	m.programs, m.env = [2]*program{}, [2]map[string][]byte{}
	m.own[0].code, m.own[1].code = nil, nil
}

// results takes burn, pay and nonce off the stack.
func (m *machine) results(o outcome, out []int64) (vm.Status, string) {
	switch {
	case o.sp < len(out):
		return BadResult, fmt.Sprintf("%d values are left, burn, pay and nonce are three", o.sp)
	case o.sp > len(out) && !o.loose:
		return BadResult, fmt.Sprintf("%d values are left, burn, pay and nonce are three; end with return to leave some", o.sp)
	}
	for i := range out {
		c := m.stack[o.sp-len(out)+i]
		if c.k != isInt || c.v < 0 {
			return BadResult, "burn, pay and nonce are integers, 0 or more"
		}
		out[i] = c.v
	}
	if out[0]+out[1] < 0 {
		return BadResult, "burn and pay together do not fit 64 bits"
	}
	return vm.OK, ""
}

// bytesOf returns what a cell of bytes holds; it is not to be changed.
func (m *machine) bytesOf(c cell) []byte {
	at, n := int(c.v>>16), int(c.v&0xffff)
	return m.arena[at : at+n : at+n]
}

// put copies bytes into the arena. It reports false if they do not fit.
func (m *machine) put(c *cell, b []byte) bool {
	if len(b) > maxBytes || len(m.arena)+len(b) > int(m.lim.ArenaBytes) {
		return false
	}
	*c = cell{int64(len(m.arena))<<16 | int64(len(b)), isBytes}
	m.arena = append(m.arena, b...)
	return true
}

// at returns n bytes of the data space, and what it costs that they are touched for the first time.
func (m *machine) at(address int64, n int) (b []byte, gas int64) {
	if address < 0 || address > m.lim.DataBytes-int64(n) {
		return nil, 0
	}
	if m.data == nil {
		m.data = make([]byte, m.lim.DataBytes)
	}
	end := int(address) + n
	if end > m.touched {
		gas = int64((end+gasDataBytes-1)/gasDataBytes - (m.touched+gasDataBytes-1)/gasDataBytes)
		m.touched = end
	}
	return m.data[address:end], gas
}

// lookup finds a value of the environment.
func (m *machine) lookup(name []byte) ([]byte, bool) {
	if v, ok := m.env[0][string(name)]; ok {
		return v, true
	}
	v, ok := m.env[1][string(name)]
	return v, ok
}

// integer reads an integer of the environment.
func integer(b []byte) (int64, vm.Status) {
	if len(b) != 8 {
		return 0, EnvMissing
	}
	u := binary.BigEndian.Uint64(b)
	if u>>63 != 0 {
		return 0, Overflow
	}
	return int64(u), vm.OK
}
