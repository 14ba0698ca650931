package hot

import (
	"errors"
	"fmt"
	"slices"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
)

// ErrUnsuitable is wrapped by errors that say why a program has no translation. The interpreter runs it.
var ErrUnsuitable = errors.New("unsuitable for the hot tier")

// What a translation may take. Beyond that, the interpreter serves.
const (
	maxSteps     = 1 << 18 // instructions that the analysis looks at, each as often as it does
	maxFunctions = 512     // words, one for each combination of types that they are used with
	maxBody      = 8192    // instructions of one body
	maxEmitted   = 1 << 18 // bytes of WebAssembly of one program
	maxNesting   = 1024    // blocks within blocks
	maxInline    = 48      // instructions of a word that is put in place of its call
	maxRounds    = 24      // of an analysis that starts again with what it has learned
	maxResults   = 64      // values that a word takes or leaves
)

// kind is what is known of a value's type.
type kind uint8

const (
	kNone  kind = iota // of a slot: nothing has been stored
	kInt               //
	kBytes             //
	kAny               // one or the other
	kLoop              // on the return stack: a loop's limit or index
	kFrame             // on the return stack: a call that was put in place
)

func join(a, b kind) kind {
	switch {
	case a == kNone || a == b:
		return b
	case b == kNone:
		return a
	case a > kAny || b > kAny:
		return kNone // they cannot meet
	}
	return kAny
}

// val is what is known of a value.
type val struct {
	k     kind
	known bool
	v     int64 // if known: the integer, or the place in Ins of the literal that made the bytes
}

// fn is a body, for the types of what it finds on the stack.
type fn struct {
	t          *translation
	word       int // or main
	start, end int // its instructions, the end being the one that the loader put there
	entry      int // values on the stack where it was analysed
	low        int // the lowest place that it looks at; what is above it at the start it takes
	in, out    []kind
	short      bool // on some path it found too few values, so that it serves that one depth only
	returns    bool
	sums       bool // in, out and returns are a first guess to go by in a recursion
	recursive  bool // it calls itself, or calls one that does
	self       bool
	usesDepth  bool
	maxD       int // the most values above those at its start, and on the return stack, words that are not recursive included
	maxR       int
	localD     int // maxD and maxR without what it calls
	localR     int
	growD      int // at its calls of itself: values above those at the start, at most
	stepR      int // and places on the return stack, at least
	deepD      int // maxD, with all levels of recursion
	blocks     []block
	at         map[int]int // block by its first instruction
	index      int         // in the module, 0 before its first call is written
}

const mainWord = -1

// translation is the work on one program for one shape.
type translation struct {
	p      *bytecode.Program
	lim    *bytecode.Limits
	b      *builder
	memo   map[int][]*fn
	active []*fn // being analysed
	slots  map[int64]kind
	ends   bool // a word ends the run
	byHash bool // a word is called by its hash
	anew   bool // a slot holds more than was known
	steps  int
	count  int
	carryD bool // the depth of the stack is carried along in recursions
	size   int
	queue  []*fn
	memory bool
}

func unsuitable(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrUnsuitable}, args...)...)
}

// add translates a program for a stack that has values of these types when the code starts. Its function is the next of
// b.exports. hashes says that it calls words by hash.
func (b *builder) add(p *bytecode.Program, shape []kind) (hashes bool, err error) {
	t := &translation{p: p, lim: b.lim, b: b, slots: map[int64]kind{}}
	var ctx []val
	for _, k := range shape {
		ctx = append(ctx, val{k: k})
	}
	var main *fn
	for round := 0; ; round++ {
		if round == maxRounds {
			return false, unsuitable("what its slots hold is not settled")
		}
		t.memo, t.active, t.anew, t.count = map[int][]*fn{}, nil, false, 0
		if main, err = t.analyse(mainWord, ctx); err != nil {
			return false, err
		}
		if !t.anew {
			break
		}
	}
	switch {
	case !main.returns && !t.ends:
		return false, unsuitable("no path ends as it should")
	case len(shape)+main.maxD > int(b.lim.StackDepth) || main.maxR > int(b.lim.ReturnDepth):
		return false, unsuitable("it may need more stack than there is")
	}
	t.carryD = len(shape)+main.deepD > int(b.lim.StackDepth)
	funcs, sites, slots, cost := len(b.funcs), len(b.sites), b.slots, b.cost
	undo := func() { b.funcs, b.sites, b.slots, b.cost = b.funcs[:funcs], b.sites[:sites], slots, cost }
	main.low = 0 // it takes all there is
	main.index = b.reserve()
	t.queue = []*fn{main}
	for len(t.queue) > 0 {
		f := t.queue[0]
		t.queue = t.queue[1:]
		if err := t.emit(f); err != nil {
			undo()
			return false, err
		}
	}
	b.memory = b.memory || t.memory
	b.exports = append(b.exports, export{fmt.Sprintf("m%d", len(b.exports)), main.index})
	return t.byHash, nil
}

// body returns where a word's instructions start and end.
func (t *translation) body(word int) (start, end int) {
	switch {
	case word == mainWord:
		return int(t.p.Main), len(t.p.Ins) - 1
	case word+1 < len(t.p.Starts):
		return int(t.p.Starts[word]), int(t.p.Starts[word+1]) - 1
	}
	return int(t.p.Starts[word]), int(t.p.Main) - 1
}

// wordAt returns the word that starts at an instruction, the last one if some are empty (no body is: each has its end).
func (t *translation) wordAt(start int64) int {
	n, ok := slices.BinarySearch(t.p.Starts, int32(start))
	if !ok {
		return mainWord
	}
	return n
}
