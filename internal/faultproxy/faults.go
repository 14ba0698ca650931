package faultproxy

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Faults is what a directed pair of names suffers. The zero value forwards everything at once, in order and unaltered.
type Faults struct {
	Loss      float64 // probability that a datagram is lost, 0 to 1
	Duplicate float64 // probability that it comes twice; the copies are delayed, reordered and altered separately
	Corrupt   float64 // probability that one to eight of its bits are flipped

	Delay     time.Duration // from arrival, or from leaving the queue of the rate limit, to delivery; at most MaxDelay
	Jitter    time.Duration // spread of the delay: Delay ± Jitter, uniform, never below 0; at most MaxDelay
	Normal    bool          // the spread is normal instead, Jitter its standard deviation, cut at four of these
	KeepOrder bool          // jitter reorders nothing: a datagram waits for those before it

	Reorder    float64       // probability that a datagram is held back by ReorderGap, while later ones pass
	ReorderGap time.Duration // at most MaxDelay; 0: DefaultReorderGap

	Rate  int64 // bytes of payload a second that leave the queue; 0: no limit
	Queue int64 // bytes that may wait; what does not fit is dropped, but an empty queue takes anything; 0: DefaultQueue
	MTU   int   // bytes; larger datagrams are dropped; 0: no limit
}

// Bounds and defaults of faults.
const (
	MaxDelay          = time.Minute
	MaxQueue          = 64 << 20
	DefaultReorderGap = 5 * time.Millisecond
	DefaultQueue      = 64 << 10
)

// Check returns an error that wraps ErrInvalid if a value is out of its bounds.
func (f Faults) Check() error {
	for _, p := range []struct {
		name string
		v    float64
	}{{"loss", f.Loss}, {"duplicate", f.Duplicate}, {"corrupt", f.Corrupt}, {"reorder", f.Reorder}} {
		if !(p.v >= 0 && p.v <= 1) { // NaN too
			return fmt.Errorf("fault %s: %v is no probability from 0 to 1: %w", p.name, p.v, ErrInvalid)
		}
	}
	for _, d := range []struct {
		name string
		v    time.Duration
	}{{"delay", f.Delay}, {"jitter", f.Jitter}, {"gap", f.ReorderGap}} {
		if d.v < 0 || d.v > MaxDelay {
			return fmt.Errorf("fault %s: %v is not from 0 to %v: %w", d.name, d.v, MaxDelay, ErrInvalid)
		}
	}
	if f.Rate < 0 {
		return fmt.Errorf("fault rate: %d bytes a second is below 0: %w", f.Rate, ErrInvalid)
	}
	if f.Queue < 0 || f.Queue > MaxQueue {
		return fmt.Errorf("fault queue: %d bytes is not from 0 to %d: %w", f.Queue, MaxQueue, ErrInvalid)
	}
	if f.MTU < 0 {
		return fmt.Errorf("fault mtu: %d bytes is below 0: %w", f.MTU, ErrInvalid)
	}
	return nil
}

// String returns the form that ParseFaults reads: what is not zero, or "none".
func (f Faults) String() string {
	var s []string
	add := func(set bool, word, value string) {
		if set {
			s = append(s, word+value)
		}
	}
	share := func(word string, v float64) { add(v != 0, word, strconv.FormatFloat(v, 'g', -1, 64)) }
	count := func(word string, v int64) { add(v != 0, word, strconv.FormatInt(v, 10)) }
	span := func(word string, v time.Duration) { add(v != 0, word, v.String()) }
	share("loss=", f.Loss)
	share("duplicate=", f.Duplicate)
	share("corrupt=", f.Corrupt)
	span("delay=", f.Delay)
	span("jitter=", f.Jitter)
	add(f.Normal, "normal", "")
	add(f.KeepOrder, "keep-order", "")
	share("reorder=", f.Reorder)
	span("gap=", f.ReorderGap)
	count("rate=", f.Rate)
	count("queue=", f.Queue)
	count("mtu=", int64(f.MTU))
	if len(s) == 0 {
		return "none"
	}
	return strings.Join(s, " ")
}

// ParseFaults reads faults as words apart by white space or commas, such as
//
//	loss=1% duplicate=0.01 corrupt=0.1% delay=50ms jitter=10ms normal keep-order reorder=2% gap=5ms rate=1M queue=64k mtu=1200
//
// in any order, each at most once. Probabilities are shares of one or per cent; k and M are 1,000 and 1,000,000 bytes. "none"
// alone is no faults. Errors wrap ErrInvalid.
func ParseFaults(text string) (Faults, error) {
	var f Faults
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r' })
	if len(words) == 0 {
		return f, fmt.Errorf("faults: no word; \"none\" says that there are no faults: %w", ErrInvalid)
	}
	if len(words) == 1 && words[0] == "none" {
		return f, nil
	}
	seen := map[string]bool{}
	for _, w := range words {
		name, value, valued := strings.Cut(w, "=")
		if seen[name] {
			return f, fmt.Errorf("faults: %q comes twice: %w", name, ErrInvalid)
		}
		seen[name] = true
		if err := f.set(name, value, valued); err != nil {
			return f, fmt.Errorf("faults: %q: %w: %v", w, ErrInvalid, err)
		}
	}
	return f, f.Check()
}

func (f *Faults) set(name, value string, valued bool) (err error) {
	switch {
	case name == "normal" && !valued:
		f.Normal = true
		return nil
	case name == "keep-order" && !valued:
		f.KeepOrder = true
		return nil
	}
	switch name {
	case "loss":
		f.Loss, err = parseShare(value)
	case "duplicate":
		f.Duplicate, err = parseShare(value)
	case "corrupt":
		f.Corrupt, err = parseShare(value)
	case "reorder":
		f.Reorder, err = parseShare(value)
	case "delay":
		f.Delay, err = time.ParseDuration(value)
	case "jitter":
		f.Jitter, err = time.ParseDuration(value)
	case "gap":
		f.ReorderGap, err = time.ParseDuration(value)
	case "rate":
		f.Rate, err = parseBytes(value)
	case "queue":
		f.Queue, err = parseBytes(value)
	case "mtu":
		f.MTU, err = strconv.Atoi(value)
	default:
		err = fmt.Errorf("not one of loss, duplicate, corrupt, delay, jitter, normal, keep-order, reorder, gap, rate, queue, mtu, " +
			"or \"normal\" and \"keep-order\" with a value")
	}
	return err
}

func parseShare(s string) (float64, error) {
	s, percent := strings.CutSuffix(s, "%")
	v, err := strconv.ParseFloat(s, 64)
	if percent {
		v /= 100
	}
	return v, err
}

func parseBytes(s string) (int64, error) {
	unit := int64(1)
	if t, ok := strings.CutSuffix(s, "k"); ok {
		s, unit = t, 1e3
	} else if t, ok := strings.CutSuffix(s, "M"); ok {
		s, unit = t, 1e6
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err == nil && (v > 1e12 || v < -1e12) {
		return 0, fmt.Errorf("%d is too large", v)
	}
	return v * unit, err
}
