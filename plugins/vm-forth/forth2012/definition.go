package forth2012

import (
	"encoding/binary"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
)

// definition is a word that is being compiled.
type definition struct {
	bytecode.Emitter
	name   string // empty for one without
	xt     int    // -1 until it is finished, unless it has to be known before
	first  int    // the word that gets the name; another than xt behind DOES>, and -1 as long as there is none
	marks  []mark
	flow   []flow
	loops  []*loop
	locals []local // in the order in which their old values are put on the return stack
}

// local is a local variable; a definition puts the old value of its slot on the return stack and restores it.
type local struct {
	name string
	slot int
}

// flow is an item of the control-flow stack.
type flow struct {
	kind flowKind
	at   int // of a jump, or where to jump to
	loop *loop
	of   []int // jumps behind a CASE
}

type flowKind uint8

const (
	flowOrig flowKind = iota // a jump forward
	flowDest                 // where to jump back to
	flowDo
	flowCase
)

// loop is a DO that has no LOOP yet.
type loop struct {
	start int
	exits []int // jumps behind it
}

// host writes a call of a host word.
func (d *definition) host(n int) {
	d.Code = binary.AppendUvarint(append(d.Code, byte(bytecode.OpHost)), uint64(n))
}

// ops writes instructions.
func (d *definition) ops(ops ...bytecode.Opcode) {
	for _, o := range ops {
		d.Op(o)
	}
}

// check says whether the definition is still short enough.
func (d *definition) check(s *System) error {
	if len(d.Code) > maxBody {
		return s.fail(throwDictionary, "the definition is too long")
	}
	return s.charge(2)
}

// local finds a local variable, the latest first.
func (d *definition) local(name string) (int, bool) {
	if len(d.locals) == 0 {
		return 0, false
	}
	key := fold(name)
	for i := len(d.locals) - 1; i >= 0; i-- {
		if d.locals[i].name == key {
			return d.locals[i].slot, true
		}
	}
	return 0, false
}

// addLocal writes what declares a local variable. It takes its first value off the stack, or has 0.
func (d *definition) addLocal(s *System, name string, initialised bool) error {
	if err := checkName(s, name); err != nil {
		return err
	}
	if len(d.locals) >= maxLocals {
		return s.fail(throwDictionary, "locals")
	}
	slot := len(d.locals)
	d.Slot(bytecode.OpSlot, slot)
	d.Op(bytecode.OpToR)
	if !initialised {
		d.Integer(0)
	}
	d.Slot(bytecode.OpSetSlot, slot)
	d.locals = append(d.locals, local{fold(name), slot})
	s.locals = max(s.locals, len(d.locals))
	return d.check(s)
}

// leave writes what restores the variables that were there before the locals.
func (d *definition) leave() {
	for i := len(d.locals) - 1; i >= 0; i-- {
		d.Op(bytecode.OpFromR)
		d.Slot(bytecode.OpSetSlot, d.locals[i].slot)
	}
}

func (d *definition) push(s *System, f flow) error {
	if len(d.flow) >= maxControl {
		return s.fail(throwControlFull, "")
	}
	d.flow = append(d.flow, f)
	return d.check(s)
}

// pop takes the top of the control-flow stack, which has to be of a kind.
func (d *definition) pop(s *System, k flowKind) (flow, error) {
	n := len(d.flow)
	if n == 0 || d.flow[n-1].kind != k {
		return flow{}, s.fail(throwControl, "")
	}
	f := d.flow[n-1]
	d.flow = d.flow[:n-1]
	return f, nil
}

// ahead writes a jump forward.
func (d *definition) ahead(s *System, op bytecode.Opcode) error {
	return d.push(s, flow{kind: flowOrig, at: d.Jump(op)})
}

// then lets the jump on top come here.
func (d *definition) then(s *System) error {
	f, err := d.pop(s, flowOrig)
	if err != nil {
		return err
	}
	d.Target(f.at, len(d.Code))
	return d.check(s)
}

func (d *definition) begin(s *System) error {
	return d.push(s, flow{kind: flowDest, at: len(d.Code)})
}

// back writes a jump to the BEGIN on top.
func (d *definition) back(s *System, op bytecode.Opcode) error {
	f, err := d.pop(s, flowDest)
	if err != nil {
		return err
	}
	d.Target(d.Jump(op), f.at)
	return d.check(s)
}

// swap exchanges the two upper items of the control-flow stack.
func (d *definition) swap(s *System) error {
	n := len(d.flow)
	if n < 2 {
		return s.fail(throwControl, "")
	}
	d.flow[n-1], d.flow[n-2] = d.flow[n-2], d.flow[n-1]
	return nil
}

// do opens a loop.
func (d *definition) do(s *System, op bytecode.Opcode) error {
	l := &loop{}
	if op == bytecode.OpQDo {
		l.exits = []int{d.Jump(op)}
	} else {
		d.Op(op)
	}
	l.start = len(d.Code)
	d.loops = append(d.loops, l)
	return d.push(s, flow{kind: flowDo, loop: l})
}

// loop closes one.
func (d *definition) loop(s *System, op bytecode.Opcode) error {
	f, err := d.pop(s, flowDo)
	if err != nil {
		return err
	}
	d.Target(d.Jump(op), f.loop.start)
	for _, at := range f.loop.exits {
		d.Target(at, len(d.Code))
	}
	for i, l := range d.loops {
		if l == f.loop {
			d.loops = append(d.loops[:i], d.loops[i+1:]...)
			break
		}
	}
	return d.check(s)
}

// exitLoop writes LEAVE.
func (d *definition) exitLoop(s *System) error {
	if len(d.loops) == 0 {
		return s.fail(throwControl, "LEAVE outside of a loop")
	}
	l := d.loops[len(d.loops)-1]
	d.Op(bytecode.OpUnloop)
	l.exits = append(l.exits, d.Jump(bytecode.OpJump))
	return d.check(s)
}

// compiling returns the definition, where there is one.
func (s *System) compiling() (*definition, error) {
	if s.def == nil {
		return nil, s.fail(throwCompileOnly, "there is no definition")
	}
	return s.def, nil
}

// start begins a definition.
func (s *System) start(name string) error {
	if s.def != nil {
		return s.fail(throwNesting, "the definition of "+show(s.def.name)+" has no ;")
	}
	s.def = &definition{name: name, xt: -1, first: -1}
	return s.setState(true)
}

// reserve defines a word whose body comes later.
func (s *System) reserve(name string) (int, error) {
	return s.define(name, append(constant(throwUndefined), byte(bytecode.OpThrow)), nil)
}

// finish ends the body of the definition. Its last instruction may have been EXIT.
func (s *System) finish(d *definition) error {
	if len(d.flow) > 0 {
		return s.fail(throwControl, "a control structure is open")
	}
	d.leave()
	d.locals = nil
	if err := d.check(s); err != nil {
		return err
	}
	if d.xt >= 0 {
		return s.redefine(d.xt, d.Code, d.marks)
	}
	xt, err := s.define(d.name, d.Code, nil)
	if err != nil {
		return err
	}
	d.xt, s.bodies[xt].marks = xt, d.marks
	if d.first < 0 {
		d.first = xt
	}
	return nil
}
