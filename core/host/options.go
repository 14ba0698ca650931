package host

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// MaxRunDir is the longest path of a folder for sockets, in bytes: a unix socket's whole path is limited to 108 and the
// names below the folder take the rest.
const MaxRunDir = 65

// Options are the settings of a host. The zero value works for a binary that calls sdk.Serve for `plugin serve NAME` and
// [RunShim] for `plugin exec-shim`.
type Options struct {
	RunDir    string                     // folder for sockets, made with mode 0700 if missing; empty: a fresh one that Close removes
	LogDir    string                     // folder for the plugins' standard error; empty: kept in memory only
	SelfExe   string                     // the binary of the built-in plugins and of the shim; empty: the running one
	ServeArgs func(name string) []string // arguments that make it serve a built-in; nil: plugin serve NAME
	ShimArgs  []string                   // arguments that make it the shim; nil: plugin exec-shim
	Logger    *slog.Logger               // nil: discard
	LogBytes  int64                      // size at which a log file is rotated; 0: 10 MiB. Three old ones are kept
	NoSandbox bool                       // start plugins without the shim: no sandbox, no limits. For tests and for comparing
	Progress  func(name, message string) // told of restarts and failures, for a status line; may be nil
	Notify    func(Status)               // called on every change of a process's state; may be nil
	Cgroup    string                     // where the cgroup file systems are mounted; empty: /sys/fs/cgroup
}

// Isolation says which instances share a process.
type Isolation string

// The isolations.
const (
	Shared   Isolation = "shared" // the default: all chains of a plugin
	PerChain Isolation = "chain"  // each instance has its own
)

// Limits of one process. Zero means none.
type Limits struct {
	Memory    int64  // bytes, the process and its children together where a cgroup can be made, its own resident set otherwise
	OpenFiles uint64 // file descriptors
}

// Grant is a path that the sandbox lets a plugin use besides its own folder.
type Grant struct {
	Path  string
	Write bool
}

// Spec says which plugin to run and how. Two specs that are equal share a process.
type Spec struct {
	Name    string // what chain specs call it
	Builtin bool   // served by the running binary itself
	Path    string // of an external plugin
	SHA256  string // of the file at Path: 64 hexadecimal digits
	// Unpinned runs whatever is at Path and reports its digest, for writing a lock file.
	Unpinned bool
	Args     []string      // of an external plugin
	Kinds    []plugin.Kind // that the plugin must have

	DataDir   string // the only folder it may write; made if missing. Instances' folders lie in it. Empty: none
	Isolation Isolation
	Limits    Limits
	MTLS      bool     // encrypt and authenticate with one-time certificates instead of peer credentials
	Network   bool     // it may use the network; transports and oracles always may
	Grants    []Grant  // further paths
	Env       []string // further environment: NAME passes the host's value on, NAME=value sets one
	NoSandbox bool     // no Landlock, no PID namespace, all capabilities. Limits still hold

	StartTimeout time.Duration // from start to described; 0: 10 s
	OpenTimeout  time.Duration // of one Open or Close; 0: 30 s
	CallTimeout  time.Duration // of one call, after which the plugin counts as hung and is replaced; 0: 60 s
	// ModuleTimeout is the CallTimeout of a module face, without the time that the core takes to answer what it reads. A chain
	// stands still while a block is executed. 0: 10 s, or CallTimeout if that is less.
	ModuleTimeout time.Duration
	PingTimeout   time.Duration // silence after which it counts as hung; 0: 10 s
	MaxCrashes    int           // without progress within CrashWindow, after which an instance has failed; 0: 5
	// CrashWindow is as long as crashes count. It is made long enough for MaxCrashes calls that time out, with starting and
	// opening in between, twice over: else an instance that always hangs would never have failed. 0: 2 min
	CrashWindow time.Duration
}

// passedOn is the environment that every plugin gets, if the host has it.
func passedOn() []string {
	return []string{"PATH", "TZ", "LANG", "LC_ALL", "LC_CTYPE", "SSL_CERT_FILE", "SSL_CERT_DIR"}
}

// defaults fills in what is not set and checks the rest.
func (s Spec) defaults() (Spec, error) {
	if s.Name == "" {
		return s, errors.New("a plugin needs a name")
	}
	if s.Builtin == (s.Path != "") {
		return s, fmt.Errorf("plugin %q: either built in or a path", s.Name)
	}
	if s.Path != "" {
		p, err := filepath.Abs(s.Path)
		if err != nil {
			return s, fmt.Errorf("plugin %q: %w", s.Name, err)
		}
		s.Path = p
		if b, err := hex.DecodeString(s.SHA256); !s.Unpinned && (err != nil || len(b) != 32) {
			return s, fmt.Errorf("plugin %q (%s): sha256 %q is not 64 hexadecimal digits; `alto plugin lock` writes it", s.Name, s.Path, s.SHA256)
		}
	}
	for _, p := range append([]Grant{{Path: s.DataDir}}, s.Grants...) {
		if p.Path != "" && !filepath.IsAbs(p.Path) {
			return s, fmt.Errorf("plugin %q: folder %q is not absolute", s.Name, p.Path)
		}
	}
	switch s.Isolation {
	case "":
		s.Isolation = Shared
	case Shared, PerChain:
	default:
		return s, fmt.Errorf("plugin %q: isolation %q is neither %q nor %q", s.Name, s.Isolation, Shared, PerChain)
	}
	if s.Limits.Memory < 0 {
		return s, fmt.Errorf("plugin %q: negative memory limit", s.Name)
	}
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&s.StartTimeout, 10*time.Second)
	def(&s.OpenTimeout, 30*time.Second)
	def(&s.CallTimeout, 60*time.Second)
	def(&s.PingTimeout, 10*time.Second)
	def(&s.ModuleTimeout, min(s.CallTimeout, 10*time.Second))
	def(&s.CrashWindow, 2*time.Minute)
	if s.MaxCrashes <= 0 {
		s.MaxCrashes = 5
	}
	round := max(s.CallTimeout, s.ModuleTimeout, s.PingTimeout) + reapTimeout + 3*maxBackoff/2 + s.StartTimeout + s.OpenTimeout
	s.CrashWindow = max(s.CrashWindow, 2*time.Duration(s.MaxCrashes)*round)
	return s, nil
}

// key is equal for specs that can share a process.
func (s Spec) key() string {
	s.Kinds = nil
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // plain data
	}
	return string(b)
}

// online tells whether the sandbox leaves the network open. A transport and an oracle have no other use.
func (s Spec) online() bool {
	return s.Network || slices.Contains(s.Kinds, plugin.Transport) || slices.Contains(s.Kinds, plugin.Oracle)
}

// where names the binary for people.
func (s Spec) where() string {
	if s.Builtin {
		return "built in"
	}
	return s.Path
}
