package types

import (
	"fmt"
	"strings"
)

// The checksum and the 5-bit encoding of BIP 350 (bech32m). Written here because it is forty lines that fix what an
// address is; the test vectors of the BIP are in the tests.

const bech32Charset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
const bech32mConst = 0x2bc830a3

func bech32Polymod(values []byte) uint32 {
	gen := [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3}
	chk := uint32(1)
	for _, v := range values {
		top := chk >> 25
		chk = (chk&0x1ffffff)<<5 ^ uint32(v)
		for i, g := range gen {
			if top>>i&1 == 1 {
				chk ^= g
			}
		}
	}
	return chk
}

func bech32Expand(hrp string) []byte {
	out := make([]byte, 0, 2*len(hrp)+1)
	for i := range len(hrp) {
		out = append(out, hrp[i]>>5)
	}
	out = append(out, 0)
	for i := range len(hrp) {
		out = append(out, hrp[i]&31)
	}
	return out
}

func bech32mEncode(hrp string, data []byte) string {
	var five []byte
	acc, bits := uint32(0), 0
	for _, b := range data {
		acc, bits = acc<<8|uint32(b), bits+8
		for bits >= 5 {
			bits -= 5
			five = append(five, byte(acc>>bits&31))
		}
	}
	if bits > 0 {
		five = append(five, byte(acc<<(5-bits)&31))
	}
	chk := bech32Polymod(append(append(bech32Expand(hrp), five...), 0, 0, 0, 0, 0, 0)) ^ bech32mConst
	var sb strings.Builder
	sb.WriteString(hrp + "1")
	for _, v := range five {
		sb.WriteByte(bech32Charset[v])
	}
	for i := range 6 {
		sb.WriteByte(bech32Charset[chk>>(5*(5-i))&31])
	}
	return sb.String()
}

func bech32mDecode(hrp, s string) ([]byte, error) {
	if len(s) > 128 {
		return nil, fmt.Errorf("%w: %d characters are too many", ErrMalformed, len(s))
	}
	// Letters outside ASCII come first: some of them turn into ASCII letters when their case is changed.
	for i := range len(s) {
		if s[i] < '!' || s[i] > '~' {
			return nil, fmt.Errorf("%w: byte 0x%02x at position %d", ErrMalformed, s[i], i+1)
		}
	}
	if s != strings.ToLower(s) && s != strings.ToUpper(s) {
		return nil, fmt.Errorf("%w: upper and lower case are mixed", ErrMalformed)
	}
	s = strings.ToLower(s)
	rest, ok := strings.CutPrefix(s, hrp+"1")
	if !ok {
		return nil, fmt.Errorf("%w: does not start with %q", ErrMalformed, hrp+"1")
	}
	if len(rest) < 6 {
		return nil, fmt.Errorf("%w: too short", ErrMalformed)
	}
	five := make([]byte, len(rest))
	for i := range len(rest) {
		v := strings.IndexByte(bech32Charset, rest[i])
		if v < 0 {
			return nil, fmt.Errorf("%w: character %q at position %d", ErrMalformed, rest[i], len(hrp)+2+i)
		}
		five[i] = byte(v)
	}
	if bech32Polymod(append(bech32Expand(hrp), five...)) != bech32mConst {
		return nil, fmt.Errorf("%w: the checksum does not match; is a character mistyped?", ErrMalformed)
	}
	five = five[:len(five)-6]
	out := make([]byte, 0, len(five)*5/8)
	acc, bits := uint32(0), 0
	for _, v := range five {
		acc, bits = acc<<5|uint32(v), bits+5
		if bits >= 8 {
			bits -= 8
			out = append(out, byte(acc>>bits))
		}
	}
	if bits >= 5 || acc&(1<<bits-1) != 0 {
		return nil, fmt.Errorf("%w: bad padding", ErrMalformed)
	}
	return out, nil
}
