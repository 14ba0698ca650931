package chainspec

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// Unit is how many of the smallest unit make a token.
const Unit = 1_000_000

// unit is a suffix and how many of the base unit it stands for.
type unit struct {
	name  string
	scale int64
}

var durationUnits = []unit{
	{"ns", 1}, {"µs", 1000}, {"us", 1000}, {"ms", 1_000_000}, {"s", int64(time.Second)}, {"m", int64(time.Minute)},
	{"h", int64(time.Hour)}, {"d", 24 * int64(time.Hour)},
}

var sizeUnits = []unit{
	{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1000}, {"KB", 1000}, {"MB", 1_000_000}, {"GB", 1_000_000_000}, {"TB", 1_000_000_000_000},
}

// ParseDuration reads a duration such as "500ms", "1h30m" or "14d". Unlike time.ParseDuration it knows days, refuses signs
// and is exact.
func ParseDuration(s string) (time.Duration, error) {
	v, err := parseUnits(s, durationUnits, true)
	if err != nil {
		return 0, fmt.Errorf("%q is no duration: %w; write it like \"500ms\", \"10m\" or \"1h30m\"", clip(s), err)
	}
	return time.Duration(v), nil
}

// ParseSize reads a number of bytes such as "4MiB" or "64KiB".
func ParseSize(s string) (uint64, error) {
	v, err := parseUnits(s, sizeUnits, false)
	if err != nil {
		return 0, fmt.Errorf("%q is no size: %w; write it like \"64KiB\" or \"4MiB\"", clip(s), err)
	}
	return uint64(v), nil
}

// parseUnits reads number and unit, many times if several is true, exactly, up to 63 bits.
func parseUnits(s string, units []unit, several bool) (int64, error) {
	if s == "0" {
		return 0, nil
	}
	if s == "" {
		return 0, errors.New("it is empty")
	}
	if len(s) > 64 {
		return 0, errors.New("it is too long")
	}
	var sum int64
	for first := true; s != ""; first = false {
		if !first && !several {
			return 0, fmt.Errorf("%q follows", s)
		}
		n := 0
		for n < len(s) && (s[n] >= '0' && s[n] <= '9' || s[n] == '.') {
			n++
		}
		number, rest := s[:n], s[n:]
		n = 0
		for n < len(rest) && (rest[n] < '0' || rest[n] > '9') && rest[n] != '.' {
			n++
		}
		name := rest[:n]
		s = rest[n:]
		scale := int64(0)
		for _, u := range units {
			if u.name == strings.TrimLeft(name, " ") {
				scale = u.scale
			}
		}
		switch {
		case number == "":
			return 0, errors.New("a number is missing")
		case name == "":
			return 0, errors.New("the unit is missing")
		case scale == 0:
			return 0, fmt.Errorf("the unit %q is unknown", name)
		}
		v, err := parseDecimal(number, scale)
		if err != nil {
			return 0, err
		}
		if v > math.MaxInt64 || sum > math.MaxInt64-int64(v) {
			return 0, errors.New("it is too large")
		}
		sum += int64(v)
	}
	return sum, nil
}

// parseDecimal reads digits with or without a fraction and multiplies by scale, exactly.
func parseDecimal(s string, scale int64) (uint64, error) {
	whole, fraction, dot := strings.Cut(s, ".")
	if whole == "" || dot && fraction == "" || len(s) > 64 {
		return 0, fmt.Errorf("%q is no number", clip(s))
	}
	for _, c := range whole + fraction {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("%q is no number", clip(s))
		}
	}
	v, _ := new(big.Int).SetString(whole+fraction, 10)
	v.Mul(v, big.NewInt(scale))
	var rest big.Int
	v.QuoRem(v, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(len(fraction))), nil), &rest)
	if rest.Sign() != 0 {
		return 0, fmt.Errorf("%s is finer than the smallest unit", s)
	}
	if !v.IsUint64() {
		return 0, fmt.Errorf("%s is too large", s)
	}
	return v.Uint64(), nil
}

// ParseAmount reads an amount such as "0.0001 ALTO" into the smallest unit. token is the chain's; another is refused.
func ParseAmount(s, token string) (uint64, error) {
	like := fmt.Sprintf("write it like \"0.5 %s\"", token)
	number, symbol, found := strings.Cut(strings.TrimSpace(s), " ")
	symbol = strings.TrimSpace(symbol)
	if !found || symbol == "" {
		return 0, fmt.Errorf("%q is no amount: the token is missing; %s", clip(s), like)
	}
	if symbol != token {
		return 0, fmt.Errorf("%q is in %s, the chain's token is %s; %s", clip(s), clip(symbol), token, like)
	}
	v, err := parseDecimal(number, Unit)
	if err != nil {
		return 0, fmt.Errorf("%q is no amount: %w; a token has six decimals, the most is %s", clip(s), err, FormatAmount(math.MaxUint64, token))
	}
	return v, nil
}

// FormatAmount writes an amount the way [ParseAmount] reads it.
func FormatAmount(v uint64, token string) string {
	s := strconv.FormatUint(v/Unit, 10)
	if f := v % Unit; f != 0 {
		s += "." + strings.TrimRight(fmt.Sprintf("%06d", f), "0")
	}
	return s + " " + token
}

// FormatDuration writes a duration the way [ParseDuration] reads it, in the largest unit that divides it.
func FormatDuration(d time.Duration) string { return formatUnits(int64(d), durationUnits) }

func formatDuration(d time.Duration) string { return FormatDuration(d) }

// FormatSize writes a number of bytes the way [ParseSize] reads it.
func FormatSize(n uint64) string { return formatSize(n) }

func formatSize(n uint64) string {
	if n > math.MaxInt64 {
		return strconv.FormatUint(n, 10) + "B"
	}
	return formatUnits(int64(n), sizeUnits[:5])
}

func formatUnits(n int64, units []unit) string {
	for i := len(units) - 1; i > 0; i-- {
		if u := units[i]; n != 0 && n%u.scale == 0 {
			return strconv.FormatInt(n/u.scale, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10) + units[0].name
}

// clip bounds what is quoted in an error.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
