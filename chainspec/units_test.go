package chainspec

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "500ms": 500 * time.Millisecond, "1.5s": 1500 * time.Millisecond, "1h30m": 90 * time.Minute, "2d": 48 * time.Hour,
		"1ns": 1, "3us": 3000, "3µs": 3000, "0.000000001s": 1, "106751d": 106751 * 24 * time.Hour,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "5", "-1s", "+1s", "1 week", "s", "1.s", ".5s", "0.1ns", "106752d", "1s2", "1e3s", "1s ", "٣s", strings.Repeat("1s", 60)} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q was accepted as %v", text, got)
		}
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]uint64{"0": 0, "1B": 1, "64KiB": 64 << 10, "4 MiB": 4 << 20, "1.5KiB": 1536, "1kB": 1000, "1TB": 1e12} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "1", "1mib", "-1B", "0.1B", "1MiB2B", "8388608TiB", "99999999999999999999999B"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q was accepted as %v", text, got)
		}
	}
}

func TestParseAmount(t *testing.T) {
	for text, want := range map[string]uint64{
		"0.0001 ALTO": 100, "1 ALTO": Unit, "0.000000 ALTO": 0, "18446744073709.551615 ALTO": math.MaxUint64, " 2.50  ALTO ": 2_500_000,
	} {
		if got, err := ParseAmount(text, "ALTO"); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "1", "ALTO", "-1 ALTO", "1 alto", "1 BTC", "0.0000001 ALTO", "18446744073709.551616 ALTO", "1e3 ALTO", "1,5 ALTO", "1 ALTO x"} {
		if got, err := ParseAmount(text, "ALTO"); err == nil {
			t.Errorf("%q was accepted as %v", text, got)
		}
	}
}

func TestUnitsProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(t, "duration"))
		if got, err := ParseDuration(formatDuration(d)); err != nil || got != d {
			t.Fatalf("%s: %v, %v", formatDuration(d), got, err)
		}
		n := rapid.Uint64Range(0, math.MaxInt64).Draw(t, "size")
		if got, err := ParseSize(formatSize(n)); err != nil || got != n {
			t.Fatalf("%s: %v, %v", formatSize(n), got, err)
		}
		a := rapid.Uint64().Draw(t, "amount")
		if got, err := ParseAmount(FormatAmount(a, "T"), "T"); err != nil || got != a {
			t.Fatalf("%s: %v, %v", FormatAmount(a, "T"), got, err)
		}
	})
}

func TestCheckVersion(t *testing.T) {
	cases := []struct {
		constraint, version string
		want                bool
	}{
		{"1.2.3", "1.2.3", true}, {"= 1.2.3", "1.2.4", false}, {"!= 1.2.3", "1.2.4", true},
		{">= 1.2", "1.2.0", true}, {">= 1.2", "1.1.9", false}, {"> 1.2", "1.2.0", false}, {"< 2", "1.9.9", true}, {"<= 2", "2.0.0", true},
		{"~> 0.1", "0.1.0", true}, {"~> 0.1", "0.9.0", true}, {"~> 0.1", "1.0.0", false}, {"~> 0.1", "0.0.9", false},
		{"~> 1.2.3", "1.2.9", true}, {"~> 1.2.3", "1.3.0", false}, {"~> 1.2.3", "1.2.2", false}, {"~> 1", "7.0.0", true},
		{">= 1.0, < 2.0", "1.5.0", true}, {">= 1.0, < 2.0", "2.0.0", false}, {">=1.0,<2.0", "v1.5.0+build", true},
		{">= 1.0.0", "1.0.0-rc.1", false}, {"> 1.0.0-rc.1", "1.0.0-rc.2", true}, {"> 1.0.0-rc.9", "1.0.0-rc.10", true},
		{"> 1.0.0-1", "1.0.0-a", true}, {"> 1.0.0-a.1", "1.0.0-a", false}, {"> 1.0.0-a", "1.0.0-a.1", true},
	}
	for _, c := range cases {
		if got, err := CheckVersion(c.constraint, c.version); err != nil || got != c.want {
			t.Errorf("%q with %s: %v, %v", c.constraint, c.version, got, err)
		}
	}
	for _, bad := range []string{"", "1.2.3.4", "x", "=> 1", "~ 1", "1..2", ">= 1,", ">= -1", ">= 99999999999"} {
		if _, err := CheckVersion(bad, "1.0.0"); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	if _, err := CheckVersion("1", "one"); err == nil {
		t.Error("the version one was accepted")
	}
}
