package hot

// The part of the WebAssembly binary format that a translation needs.

const (
	typeI32 = 0x7f
	typeI64 = 0x7e
	noType  = 0x40

	wUnreachable = 0x00
	wBlock       = 0x02
	wLoop        = 0x03
	wIf          = 0x04
	wElse        = 0x05
	wEnd         = 0x0b
	wBr          = 0x0c
	wBrIf        = 0x0d
	wReturn      = 0x0f
	wCall        = 0x10
	wDrop        = 0x1a
	wSelect      = 0x1b
	wGet         = 0x20
	wSet         = 0x21
	wTee         = 0x22
	wGlobalGet   = 0x23
	wGlobalSet   = 0x24
	wLoad        = 0x29
	wLoad8       = 0x31
	wStore       = 0x37
	wStore8      = 0x3c
	wConst32     = 0x41
	wConst       = 0x42
	wEqz32       = 0x45
	wGtS32       = 0x4a
	wAdd32       = 0x6a
	wEqz         = 0x50
	wEq          = 0x51
	wNe          = 0x52
	wLtS         = 0x53
	wLtU         = 0x54
	wGtS         = 0x55
	wGtU         = 0x56
	wLeS         = 0x57
	wGeS         = 0x59
	wGeU         = 0x5a
	wAnd32       = 0x71
	wOr32        = 0x72
	wAdd         = 0x7c
	wSub         = 0x7d
	wMul         = 0x7e
	wDivS        = 0x7f
	wRemS        = 0x81
	wAnd         = 0x83
	wOr          = 0x84
	wXor         = 0x85
	wShl         = 0x86
	wShrS        = 0x87
	wShrU        = 0x88
	wWrap        = 0xa7
	wExtendS     = 0xac
	wExtendU     = 0xad
)

// code is WebAssembly that is being written.
type code []byte

func (c *code) op(ops ...byte) { *c = append(*c, ops...) }

// u writes an unsigned number.
func (c *code) u(v uint64) {
	for v >= 0x80 {
		*c = append(*c, byte(v)|0x80)
		v >>= 7
	}
	*c = append(*c, byte(v))
}

// s writes a signed number.
func (c *code) s(v int64) {
	for {
		b := byte(v & 0x7f)
		if v >>= 7; v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			*c = append(*c, b)
			return
		}
		*c = append(*c, b|0x80)
	}
}

func (c *code) get(local int)       { c.op(wGet); c.u(uint64(local)) }
func (c *code) set(local int)       { c.op(wSet); c.u(uint64(local)) }
func (c *code) tee(local int)       { c.op(wTee); c.u(uint64(local)) }
func (c *code) global(n int)        { c.op(wGlobalGet); c.u(uint64(n)) }
func (c *code) setGlobal(n int)     { c.op(wGlobalSet); c.u(uint64(n)) }
func (c *code) int(v int64)         { c.op(wConst); c.s(v) }
func (c *code) int32(v int)         { c.op(wConst32); c.s(int64(v)) }
func (c *code) call(f int)          { c.op(wCall); c.u(uint64(f)) }
func (c *code) name(s string)       { c.u(uint64(len(s))); *c = append(*c, s...) }
func (c *code) memory(op, log byte) { c.op(op, log, 0) }

func (c *code) section(id byte, body code) {
	c.op(id)
	c.u(uint64(len(body)))
	*c = append(*c, body...)
}
