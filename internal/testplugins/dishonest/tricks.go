package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/module"
)

// The tricks that take a process. Each is also known under "check-", "extend-", "query-" and "due-".
const (
	exit   = "exit"   // the process ends, with last words
	deaf   = "deaf"   // never answers, whatever becomes of the call
	spin   = "spin"   // the same, with a processor busy
	long   = "long"   // an answer that is longer than a message may be
	hungry = "hungry" // takes memory, and does not answer
)

// mostTaken is where hungry stops, so that a machine survives a host that does not limit memory. In bytes.
const mostTaken = 512 << 20

// play plays a trick that takes a process. It tells whether what is too long is to be answered.
func (l *liar) play(trick string) (answerLong bool) {
	switch trick {
	case exit:
		fmt.Fprintln(os.Stderr, "dishonest: I leave")
		os.Exit(1)
	case deaf:
		select {}
	case spin:
		for {
			runtime.Gosched()
		}
	case hungry:
		var taken [][]byte
		for n := 0; n < mostTaken; n += 8 << 20 {
			b := make([]byte, 8<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			taken = append(taken, b)
		}
		fmt.Fprintln(os.Stderr, "dishonest: I am full")
		wait := make(chan struct{})
		<-wait
		runtime.KeepAlive(taken)
	}
	return trick == long
}

func tooLong() string { return strings.Repeat("x", module.MaxMessage+1) }
