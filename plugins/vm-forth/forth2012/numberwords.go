package forth2012

import (
	"math/bits"
	"strconv"
)

func numberWords() []*builtin {
	return []*builtin{
		{name: "BASE", run: func(s *System) error { return s.give(s.sys(atBase)) }},
		{name: "DECIMAL", run: func(s *System) error { return s.setBase(10) }},
		{name: "HEX", run: func(s *System) error { return s.setBase(16) }},
		{name: "<#", run: func(s *System) error {
			s.hold = s.sys(pictureEnd)
			return nil
		}},
		{name: "#", run: func(s *System) error {
			a, err := s.take(2)
			if err != nil {
				return err
			}
			lo, hi, err := s.digit(uint64(a[0]), uint64(a[1]))
			if err != nil {
				return err
			}
			return s.give(int64(lo), int64(hi))
		}},
		{name: "#S", run: func(s *System) error {
			a, err := s.take(2)
			if err != nil {
				return err
			}
			lo, hi := uint64(a[0]), uint64(a[1])
			for {
				if lo, hi, err = s.digit(lo, hi); err != nil {
					return err
				}
				if lo|hi == 0 {
					return s.give(0, 0)
				}
			}
		}},
		{name: "#>", run: func(s *System) error {
			if _, err := s.take(2); err != nil {
				return err
			}
			if s.hold == 0 {
				s.hold = s.sys(pictureEnd)
			}
			return s.give(s.hold, s.sys(pictureEnd)-s.hold)
		}},
		{name: "HOLD", run: func(s *System) error {
			a, err := s.take(1)
			if err != nil {
				return err
			}
			return s.picture(string([]byte{byte(a[0])}))
		}},
		{name: "HOLDS", run: func(s *System) error {
			text, err := s.takeText()
			if err != nil {
				return err
			}
			return s.picture(text)
		}},
		{name: "SIGN", run: func(s *System) error {
			a, err := s.take(1)
			if err != nil || a[0] >= 0 {
				return err
			}
			return s.picture("-")
		}},
		{name: ">NUMBER", run: (*System).toNumber},
	}
}

// picture puts text before the pictured number.
func (s *System) picture(text string) error {
	to := s.hold - int64(len(text))
	if s.hold == 0 || to < s.sys(atPicture) {
		return s.fail(throwPicture, "")
	}
	s.hold = to
	return s.write(to, text)
}

// digit puts the last digit of a number before the pictured one, and returns the others.
func (s *System) digit(lo, hi uint64) (uint64, uint64, error) {
	base, err := s.base()
	if err != nil {
		return 0, 0, err
	}
	b := uint64(base)
	qh, r := bits.Div64(0, hi, b)
	ql, r := bits.Div64(r, lo, b)
	return ql, qh, s.picture(string(digits[r]))
}

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// toNumber is >NUMBER.
func (s *System) toNumber() error {
	a, err := s.take(4)
	if err != nil {
		return err
	}
	text, err := s.text(a[2], a[3])
	if err != nil {
		return err
	}
	base, err := s.base()
	if err != nil {
		return err
	}
	lo, hi := uint64(a[0]), uint64(a[1])
	n := 0
	for ; n < len(text); n++ {
		d, ok := digit(text[n], uint64(base))
		if !ok {
			break
		}
		hi, lo, _ = mulAdd(hi, lo, uint64(base), d)
	}
	return s.give(int64(lo), int64(hi), a[2]+int64(n), int64(len(text)-n))
}

// format writes a double number in the current base.
func (s *System) format(lo, hi int64, signed bool) (string, error) {
	base, err := s.base()
	if err != nil {
		return "", err
	}
	l, h := uint64(lo), uint64(hi)
	negative := signed && hi < 0
	if negative {
		var borrow uint64
		l, borrow = bits.Sub64(0, l, 0)
		h, _ = bits.Sub64(0, h, borrow)
	}
	if h == 0 {
		text := fold(strconv.FormatUint(l, int(base)))
		if negative {
			text = "-" + text
		}
		return text, nil
	}
	var out [130]byte
	at := len(out)
	for l|h != 0 {
		var r uint64
		h, r = bits.Div64(0, h, uint64(base))
		l, r = bits.Div64(r, l, uint64(base))
		at--
		out[at] = digits[r]
	}
	if negative {
		at--
		out[at] = '-'
	}
	return string(out[at:]), nil
}
