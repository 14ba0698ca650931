package observe

import (
	"fmt"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/oracle"
)

// finding is what one service says, or why it says nothing.
type finding struct {
	name  string
	value oracle.Value
	err   error
}

// maxFinding bounds what one service adds to a reason, in bytes, so that all of them fit.
const maxFinding = 200

func (f finding) String() string {
	if f.err != nil {
		return clean(fmt.Sprintf("%s: %v", f.name, f.err), maxFinding)
	}
	return clean(fmt.Sprintf("%s says %s", f.name, f.value), maxFinding)
}

// agreed is the rule: at least so many say the same, and fewer contradict. It is a function of what was found.
func agreed(said []finding, agree int) (oracle.Belief, error) {
	var count [4]int
	answers := 0
	for _, f := range said {
		if f.err == nil && int(f.value) < len(count) {
			count[f.value]++
			answers++
		}
	}
	texts := make([]string, len(said))
	for i, f := range said {
		texts[i] = f.String()
	}
	all := strings.Join(texts, "; ")
	best := oracle.No
	for _, v := range values() {
		if count[v] > count[best] {
			best = v
		}
	}
	switch n := count[best]; {
	case answers == 0:
		return oracle.Belief{}, noBelief("none of %d sources has an answer: %s", len(said), all)
	case n < agree:
		return oracle.Belief{}, noBelief("%d of %d sources say %s, and %d have to agree: %s", n, len(said), best, agree, all)
	case answers-n >= n:
		return oracle.Belief{}, noBelief("the sources disagree, %d for %s and %d against: %s", n, best, answers-n, all)
	default:
		return oracle.Belief{Value: best, Reason: fmt.Sprintf("%d of %d sources agree: %s", n, len(said), all)}, nil
	}
}
