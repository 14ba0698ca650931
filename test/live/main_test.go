package live

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var (
	live     = flag.Bool("live", os.Getenv("ALTO_LIVE") == "1", "run the live scenarios")
	altoPath = flag.String("alto", "", "an alto binary to test instead of one that is built now")
	blocks   = flag.Int("blocks", 60, "how many blocks finality is measured over")
	slotTime = flag.Duration("slot", 500*time.Millisecond, "length of a slot where finality is measured")
	kills    = flag.Int("kills", 50, "how many processes are killed")
	seedFlag = flag.Uint64("seed", 0, "seed of everything that is drawn; 0: a new one")
	strict   = flag.Bool("strict", false, "fail where a figure misses its goal")
)

// binaries are built when they are first asked for.
var binaries struct {
	sync.Mutex
	dir   string
	built map[string]string
}

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "live-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binaries.dir, binaries.built = dir, map[string]string{}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// binary returns the alto binary with build tags, such as "noguard"; none is the shipped one.
func binary(t *testing.T, tag string) string {
	t.Helper()
	if tag == "" && *altoPath != "" {
		p, err := filepath.Abs(*altoPath)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	binaries.Lock()
	defer binaries.Unlock()
	if p := binaries.built[tag]; p != "" {
		return p
	}
	p := filepath.Join(binaries.dir, "alto-"+tag)
	if out, err := exec.Command("go", "build", "-tags", tag, "-o", p, "../../cmd/alto").CombinedOutput(); err != nil {
		t.Fatalf("build alto with tags %q: %v\n%s", tag, err, out)
	}
	binaries.built[tag] = p
	return p
}

// scenario begins a test that runs with -live alone.
func scenario(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	if !*live {
		t.Skip("a live scenario; run it with -live, ALTO_LIVE=1 or make " + target(t.Name()))
	}
	return bounded(t, limit)
}

// target is the make target of a test.
func target(name string) string {
	name, _, _ = strings.Cut(strings.TrimPrefix(name, "Test"), "/")
	name = strings.TrimSuffix(name, "Short")
	return "live-" + strings.ToLower(name)
}

// bounded begins a test that must end in time.
func bounded(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("long")
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// random returns the source of everything that is drawn, and tells how to draw it again.
func random(t *testing.T) (*rand.Rand, uint64) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	t.Logf("seed %d (again: make %s LIVE='-seed %d')", seed, target(t.Name()), seed)
	return rand.New(rand.NewPCG(seed, 0)), seed
}

// figure reports a measured value and its goal.
func figure(t *testing.T, name string, got, goal time.Duration) {
	t.Helper()
	switch {
	case goal == 0:
		t.Logf("FIGURE %s: %s", name, short(got))
	case got <= goal:
		t.Logf("FIGURE %s: %s, goal %s: reached", name, short(got), goal)
	case *strict:
		t.Errorf("FIGURE %s: %s, goal %s: missed", name, short(got), goal)
	default:
		t.Logf("FIGURE %s: %s, goal %s: MISSED (load %s)", name, short(got), goal, loadAverage())
	}
}

func short(d time.Duration) string { return fmt.Sprintf("%.3g s", d.Seconds()) }

func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Fields(string(b))[0]
}
