package main

import (
	"crypto/sha256"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// TestMain is the plugin where a test has started it.
func TestMain(m *testing.M) {
	if servePlugin(os.Args) {
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

func testOptions() options {
	return options{rounds: 1, lockTime: time.Millisecond, worst: 4, gforth: columnGforth}
}

// TestEnginesAgree runs each program on each engine; measureGrid fails if a result differs from Go's.
func TestEnginesAgree(t *testing.T) {
	interpreter, err := newAlto(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	cs := []contender{{columnInterp, interpreter}, {columnEVM, evm{}}, {columnNative, native{}}}
	if hot, err := newAlto(t.Context(), map[string]any{"hot_tier": "wazero"}); err == nil {
		cs = append(cs, contender{columnHot, hot})
		t.Cleanup(func() {
			if err := hot.close(); err != nil {
				t.Error(err)
			}
		})
	} else {
		t.Log("without the hot tier:", err)
	}
	if g, err := newGforth(t.Context(), columnGforth); err == nil {
		cs = append(cs, contender{columnGforth, g})
	} else if errors.Is(err, errNoGforth) {
		t.Log("without gforth:", err)
	} else {
		t.Fatal(err)
	}
	rows, err := measureGrid(t.Context(), short(), cs, 1, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		for _, c := range cs {
			if _, ok := r.Took[c.name]; !ok && (c.name != columnEVM || !strings.HasPrefix(r.Program, "sha256")) {
				t.Errorf("%s did not run on %s", r.Program, c.name)
			}
		}
		if r.Gas == 0 {
			t.Errorf("%s cost no gas", r.Program)
		}
	}
}

// TestGforthAgrees is for gforth alone, so that it shows where it was not there.
func TestGforthAgrees(t *testing.T) {
	g, err := newGforth(t.Context(), columnGforth)
	if errors.Is(err, errNoGforth) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := measureGrid(t.Context(), short(), []contender{{columnGforth, g}}, 1, io.Discard); err != nil {
		t.Fatal(err)
	}
}

func TestAGforthThatIsMissing(t *testing.T) {
	_, err := newGforth(t.Context(), "no-such-gforth")
	if !errors.Is(err, errNoGforth) || !strings.Contains(err.Error(), "apt-get install gforth") {
		t.Fatal(err)
	}
}

// TestADifferenceIsNoticed: an engine whose result is wrong ends the measurement.
func TestADifferenceIsNoticed(t *testing.T) {
	ps := short()[:1]
	right := ps[0].native
	ps[0].native = func(n int64) int64 { return right(n) + 1 }
	_, err := measureGrid(t.Context(), ps, []contender{{columnEVM, evm{}}}, 1, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "leaves 55, the others 56") {
		t.Fatal(err)
	}
}

// TestKnownResults holds what all agree on against what is known from elsewhere.
func TestKnownResults(t *testing.T) {
	if n := nativeFib(30); n != 832040 {
		t.Errorf("fib(30) = %d", n)
	}
	if n := nativeSieve(1); n != 1899 {
		t.Errorf("%d primes, BYTE counts 1899", n)
	}
	if n := nativeLoop(1000); n != 1000 {
		t.Errorf("a loop of 1000 has %d rounds", n)
	}
	var b [32]byte
	for range 3 {
		b = sha256.Sum256(b[:])
	}
	if n, want := nativeSHA256(3), int64(hashWords(b)[0]); n != want {
		t.Errorf("sha-256 three times begins with %x, want %x", n, want)
	}
}

func TestAssembler(t *testing.T) {
	for _, c := range []struct{ name, text, want, trouble string }{
		{"numbers", "0 1 255 256", "\x5f\x60\x01\x60\xff\x61\x01\x00", ""},
		{"a place", "@end JUMP STOP end:", "\x61\x00\x05\x56\x00\x5b", ""},
		{"stack", "DUP1 DUP16 SWAP2 ; SWAP1", "\x80\x8f\x91", ""},
		{"an unknown word", "NOP", "", `"NOP" is no instruction`},
		{"no such place", "@end", "", "no place end"},
		{"a place twice", "a: a:", "", "a is there twice"},
		{"too deep", "DUP17", "", `"DUP17" is no instruction`},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := assemble("%s", c.text).bytes()
			if c.trouble != "" {
				if err == nil || !strings.Contains(err.Error(), c.trouble) {
					t.Fatalf("%v", err)
				}
				return
			}
			if err != nil || string(b) != c.want {
				t.Fatalf("%x, %v; want %x", b, err, c.want)
			}
		})
	}
}

func TestMeans(t *testing.T) {
	rows := []row{
		{Took: map[string]float64{columnGforth: 1, columnInterp: 2, columnEVM: 20},
			Rounds: map[string][]float64{columnGforth: {1, 2}, columnInterp: {2, 2}, columnEVM: {20, 20}}},
		{Took: map[string]float64{columnGforth: 1, columnInterp: 8}, Rounds: map[string][]float64{columnGforth: {2, 1}, columnInterp: {9, 8}}},
	}
	got := means(rows, 2)
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	if m := got[0]; math.Abs(m.Value-4) > 1e-9 || m.Programs != 2 || m.Reached || math.Abs(m.Lowest-math.Sqrt(8)) > 1e-9 || math.Abs(m.Highest-3) > 1e-9 {
		t.Errorf("interpreter: %+v", m)
	}
	if m := got[1]; math.Abs(m.Value-10) > 1e-9 || m.Programs != 1 || !m.Reached {
		t.Errorf("EVM: %+v", m)
	}
}

func TestLocksOpen(t *testing.T) {
	got, err := measureLocks(t.Context(), testOptions())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range got {
		if l.Nanoseconds <= 0 || l.Bytes == 0 {
			t.Errorf("%+v", l)
		}
	}
	v, err := openForth(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	runs, err := hashLocks(t.Context(), v, 2, true)
	if err != nil {
		t.Fatal(err)
	}
	runs[1].Evidence = runs[0].Evidence
	res, err := v.RunBatch(t.Context(), vm.Batch{Runs: runs})
	if err != nil {
		t.Fatal(err)
	}
	if err := opened(res); err == nil || !strings.Contains(err.Error(), "lock 1:") {
		t.Errorf("a lock whose secret is another's: %v", err)
	}
}

// TestBoundary measures through the plugin's process, and leaves none behind.
func TestBoundary(t *testing.T) {
	got, err := measureBoundary(t.Context(), testOptions())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range got {
		if b.PerSecond <= 0 || b.Host <= 0 {
			t.Errorf("%+v", b)
		}
	}
}

// TestBurners: each burns gas as it was meant to, and the whole limit over the boundary.
func TestBurners(t *testing.T) {
	burnt, err := measureBurners(t.Context(), testOptions())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range burnt {
		if b.Used < worstGas/3 {
			t.Errorf("%s ended with status %d after %d gas", b.Name, b.Status, b.Used)
		}
	}
	got, err := measureWorst(t.Context(), testOptions(), burnt)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range got {
		if w.Refused == "" && w.Seconds <= 0 {
			t.Errorf("%+v", w)
		}
	}
}
