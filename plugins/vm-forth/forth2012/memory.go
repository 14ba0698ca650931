package forth2012

import "encoding/binary"

// The data space: programs have what is below System.space, from firstAddress on; above is the area of the system, with
// offsets as follows. A contract has no such area.
const (
	firstAddress = 8

	atBase      = 0
	atState     = 8
	atIn        = 16
	atWord      = 64 // where WORD leaves its string
	atPicture   = 384
	pictureEnd  = 704
	atPad       = 1024
	padBytes    = 1024
	atTransient = 2048 // strings of S" and its like, while interpreting
	transient   = 16 << 10
	atLines     = atTransient + transient
	lineBuffers = 4
	systemSpace = atLines + lineBuffers*maxLine
)

// sys is the address of something in the area of the system.
func (s *System) sys(offset int64) int64 { return s.space + offset }

// fetch and store reach a cell.
func (s *System) fetch(at int64) (int64, error) {
	b, err := s.live.Memory(at, 8)
	if err != nil {
		return 0, err
	}
	return int64(binary.LittleEndian.Uint64(b)), nil
}

func (s *System) store(at, v int64) error {
	b, err := s.live.Memory(at, 8)
	if err != nil {
		return err
	}
	binary.LittleEndian.PutUint64(b, uint64(v))
	return nil
}

// text returns a string of the data space, and charges for it.
func (s *System) text(at, n int64) (string, error) {
	if n == 0 {
		return "", nil
	}
	if n < 0 || n > s.space+systemSpace {
		return "", s.fail(throwAddress, "")
	}
	b, err := s.live.Memory(at, n)
	if err != nil {
		return "", err
	}
	return string(b), s.charge(n / 8)
}

// write copies a text into the data space.
func (s *System) write(at int64, text string) error {
	if text == "" {
		return nil
	}
	b, err := s.live.Memory(at, int64(len(text)))
	if err != nil {
		return err
	}
	copy(b, text)
	return s.charge(int64(len(text)) / 8)
}

// allot moves HERE.
func (s *System) allot(n int64) error {
	to := s.dp + n
	if (n > 0 && (to < s.dp || to > s.space)) || (n < 0 && to < firstAddress) {
		return s.fail(throwDictionary, "")
	}
	s.dp = to
	return nil
}

// comma puts cells at HERE.
func (s *System) comma(vs ...int64) error {
	for _, v := range vs {
		at := s.dp
		if err := s.allot(8); err != nil {
			return err
		}
		if err := s.store(at, v); err != nil {
			return err
		}
	}
	return nil
}

func (s *System) align() error { return s.allot(-s.dp & 7) }

// place puts a text at HERE and returns where.
func (s *System) place(text string) (int64, error) {
	at := s.dp
	if err := s.allot(int64(len(text))); err != nil {
		return 0, err
	}
	if err := s.write(at, text); err != nil {
		return 0, err
	}
	return at, s.align()
}

// passing puts a text into the area of transient strings, where it stays until the area has been used up.
func (s *System) passing(text string) (int64, error) {
	n := int64(len(text))
	if n > transient {
		return 0, s.fail(throwStringLong, "")
	}
	if s.transit+n > transient {
		s.transit = 0
	}
	at := s.sys(atTransient) + s.transit
	s.transit += n
	return at, s.write(at, text)
}

func (s *System) setBase(n int64) error { return s.store(s.sys(atBase), n) }

// base returns the number base.
func (s *System) base() (int64, error) {
	n, err := s.fetch(s.sys(atBase))
	if err != nil {
		return 0, err
	}
	if n < 2 || n > 36 {
		return 0, s.fail(throwNumber, "BASE is not 2 to 36")
	}
	return n, nil
}

func (s *System) setState(compiling bool) error {
	s.state = compiling
	return s.store(s.sys(atState), flag(compiling))
}

func flag(b bool) int64 {
	if b {
		return -1
	}
	return 0
}

// take takes n integers off the stack; the last was on top.
func (s *System) take(n int) ([]int64, error) {
	out := make([]int64, n)
	if s.live.Depth() < n {
		return nil, s.fail(throwUnderflow, "")
	}
	for i := n - 1; i >= 0; i-- {
		v, err := s.live.Pop()
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

// give puts integers on the stack.
func (s *System) give(vs ...int64) error {
	for _, v := range vs {
		if err := s.live.Push(v); err != nil {
			return err
		}
	}
	return nil
}

// takeText takes a string off the stack.
func (s *System) takeText() (string, error) {
	a, err := s.take(2)
	if err != nil {
		return "", err
	}
	return s.text(a[0], a[1])
}
