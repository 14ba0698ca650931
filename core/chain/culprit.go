package chain

import (
	"context"
	"fmt"
)

// charge is what of a block a module's plugin does not survive. At most one of its kinds is set.
type charge struct {
	tx        int  // index among the module's transactions in the block; -1: none
	due       int  // index among what is due; -1: none
	extension bool // the module's extension
	block     bool // the block with nothing of these: its mere execution
	again     bool // it happened again when only the module executed the block; false: the cause is not the block, or not it alone
	probes    int
}

// part is a part of what a block has for a module: the first so many of its transactions, what its producer puts in for it, and
// the first so many of what is due; -1 stands for all that is due.
type part struct {
	txs       int
	extension bool
	due       int
}

// prober executes a part of a block with an instance of the module that has seen nothing else, and tells whether the instance
// does not survive it, and how much was due. Its error says that this could not be found out.
type prober func(ctx context.Context, p part) (dies bool, due int, err error)

// search finds by bisection what of a block kills a module. Results build on each other within a block, so what it looks for is
// the shortest beginning that kills: its last transaction is the one. It asks at most 2·log₂ of what there is times, plus four. Its
// error is the prober's; what was found out until then is in the charge.
func search(ctx context.Context, txs int, extension bool, probe prober) (charge, error) {
	c := charge{tx: -1, due: -1}
	ask := func(p part) (bool, int, error) {
		c.probes++
		dies, due, err := probe(ctx, p)
		if err != nil {
			err = fmt.Errorf("probe %d: %w", c.probes, err)
		}
		return dies, due, err
	}
	dies, due, err := ask(part{txs, extension, -1})
	if err != nil || !dies {
		return c, err
	}
	c.again = true
	if txs > 0 {
		if dies, _, err = ask(part{0, extension, -1}); err != nil {
			return c, err
		}
		if !dies {
			n, err := shortest(txs, func(n int) (bool, error) {
				dies, _, err := ask(part{n, extension, -1})
				return dies, err
			})
			if err == nil {
				c.tx = n - 1
			}
			return c, err
		}
	}
	if extension {
		if dies, _, err = ask(part{0, false, -1}); err != nil {
			return c, err
		}
		if !dies {
			c.extension = true
			return c, nil
		}
	}
	if due > 0 {
		if dies, _, err = ask(part{0, false, 0}); err != nil {
			return c, err
		}
		if !dies {
			n, err := shortest(due, func(n int) (bool, error) {
				dies, _, err := ask(part{0, false, n})
				return dies, err
			})
			if err == nil {
				c.due = n - 1
			}
			return c, err
		}
	}
	c.block = true
	return c, nil
}

// shortest returns the least n for which kills is true, where it is false for 0 and true for all. If it is not monotone, n is one of
// those for which it is true while it is false for n-1.
func shortest(all int, kills func(n int) (bool, error)) (int, error) {
	lives, dies := 0, all
	for dies-lives > 1 {
		n := lives + (dies-lives)/2
		k, err := kills(n)
		if err != nil {
			return 0, err
		}
		if k {
			dies = n
		} else {
			lives = n
		}
	}
	return dies, nil
}
