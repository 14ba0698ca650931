// Package plugin is what all kinds of plugins share: how a plugin describes itself, how its instances are opened and
// closed, the schema of its configuration, what it may ask of its host, and how sentinel errors cross the wire.
//
// The life of a plugin process. The host starts the binary, completes go-plugin's handshake, calls Describe once and
// refuses the plugin unless the API ranges overlap. For each chain that uses it, the host calls Open with a
// configuration that it has checked against the schema; Open may be called for many chains at the same time, and again
// for the same chain after Close. Calls on different instances, and unless the kind says otherwise on one, may come
// concurrently. At the end the host calls Drain, closes every instance and stops the process. A plugin must expect to
// be killed at any instant instead; the host then opens its instances again in a new process.
package plugin

import (
	"context"
	"errors"
)

// Kind names what a plugin can be.
type Kind string

// The kinds.
const (
	Storage   Kind = "storage"
	Transport Kind = "transport"
	Consensus Kind = "consensus"
	VM        Kind = "vm"
	Oracle    Kind = "oracle"
	Module    Kind = "module"
)

// Kinds are all kinds, in the order in which a chain opens them.
var Kinds = []Kind{Storage, Transport, VM, Oracle, Module, Consensus}

// API is the range of plugin APIs that this version of the SDK speaks. It only grows.
var API = Range{Min: 1, Max: 1}

// MaxMessage is the largest message that either side accepts, in bytes.
const MaxMessage = 16 << 20

// Range is a range of API versions, both ends included.
type Range struct{ Min, Max uint32 }

// Overlaps tells whether both ranges share a version.
func (r Range) Overlaps(o Range) bool { return r.Min <= o.Max && o.Min <= r.Max }

// Info is how a plugin describes itself.
type Info struct {
	Name    string // what chain specs call it, such as "cometbftdb"
	Version string // of this build, semantic
	API     Range
	Kinds   []KindInfo
}

// KindInfo is what a plugin is for one kind.
type KindInfo struct {
	Kind      Kind
	Rules     []string // versions of what it computes, newest first; nodes with the same rules share a chain
	Schema    Schema
	HasModule bool // its instances are also module.Module
	// Exports are prefixes of keys: what the module face keeps under keys that begin with one of them, at any place, other
	// modules of the chain may read, and nothing else. They are part of the rules: two builds with the same rules export the
	// same. At most [MaxExports] of 1 to [MaxExportBytes] bytes, ascending, none a prefix of another, and none without a
	// module face.
	Exports []string
}

// Find returns the description for a kind.
func (i Info) Find(k Kind) (KindInfo, bool) {
	for _, ki := range i.Kinds {
		if ki.Kind == k {
			return ki, true
		}
	}
	return KindInfo{}, false
}

// OpenRequest asks for an instance.
type OpenRequest struct {
	Kind      Kind
	ChainID   []byte // 32 bytes; nil for transport
	ChainName string
	Config    []byte // JSON object as described by the schema, defaults filled in: durations in ns, sizes in bytes, amounts in the smallest unit
	Rules     string
	DataDir   string // the only folder that the instance may write; absolute
	Genesis   []byte // the genesis document, JSON; nil for transport
	Handle    uint64 // chosen by the host, see [MakeHandle]; 0 lets the plugin choose
	// Producer is the public key with which this node makes blocks of the chain and signs ([Host].Sign), as
	// [EncodeProducer] writes it; nil if the node has none, and for transport. It is this node's own: what a
	// module computes for a block must not depend on it.
	Producer []byte
}

// MakeHandle makes the handle of an instance: the incarnation of the process, counted by the host over all its starts of
// this plugin, and a number that is unique within it. A handle of an earlier process is therefore unknown to a later one.
func MakeHandle(incarnation, number uint32) uint64 { return uint64(incarnation)<<32 | uint64(number) }

// Plugin is implemented by an author and passed to sdk.Serve.
type Plugin interface {
	// Describe is called at any time and does no work.
	Describe() Info
	// Open returns an instance, which implements the interface of the requested kind (storage.Store, vm.VM, …), and
	// module.Module too if the description says so. If it implements io.Closer, Close ends it, also while calls are under
	// way. ctx ends when Open returns; host does not.
	Open(ctx context.Context, host Host, req OpenRequest) (any, error)
}

// Drainer may be implemented by a Plugin that wants to be asked before it is stopped.
type Drainer interface {
	Drain(ctx context.Context) error
}

// Host is what a plugin may ask of the core. It is bound to the instance. All but Log and Metric fail with
// [ErrHostUnavailable] while the host is not attached.
type Host interface {
	// Sign signs a payload with the node's key for this chain. The core prefixes a domain, the chain and the purpose;
	// its guard refuses a second, different payload for the same purpose and ordinal.
	Sign(ctx context.Context, purpose string, ordinal uint64, payload []byte) ([]byte, error)
	// ProveVRF returns the RFC 9381 proof for input (ECVRF-EDWARDS25519-SHA512-ELL2).
	ProveVRF(ctx context.Context, input []byte) ([]byte, error)
	// Derive returns 32 secret bytes that are the same for the same label, chain and key.
	Derive(ctx context.Context, label string) ([]byte, error)
	// BindTransport returns the core's certificate that a session key belongs to this node.
	BindTransport(ctx context.Context, sessionKey []byte) ([]byte, error)
	Log(level, message string, fields map[string]string)
	Metric(name string, value float64)
}

// Errors of all kinds.
var (
	ErrUnknownInstance = errors.New("unknown instance handle")
	ErrWrongKind       = errors.New("the instance is of another kind")
	ErrHostUnavailable = errors.New("the host is not attached")
	ErrBadConfig       = errors.New("bad configuration")
	ErrAPIMismatch     = errors.New("no API version in common")
	ErrPanicked        = errors.New("the plugin panicked")
	ErrDraining        = errors.New("the plugin is being stopped")
)

// Instances finds open instances by handle. The servers of the kinds use it.
type Instances interface {
	Instance(handle uint64) (any, error)
}

// InstanceAs returns an instance as a T, or an error that wraps ErrUnknownInstance or ErrWrongKind.
func InstanceAs[T any](in Instances, handle uint64) (T, error) {
	var zero T
	v, err := in.Instance(handle)
	if err != nil {
		return zero, err
	}
	t, ok := v.(T)
	if !ok {
		return zero, ErrWrongKind
	}
	return t, nil
}
