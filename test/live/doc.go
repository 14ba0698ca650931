// Package live holds the live scenarios: networks of real processes of the real binary, on which what consensus promises is
// shown and measured. Each scenario is one test and one target of the Makefile:
//
//	make live            all of them
//	make live-partition  one
//	go test ./test/live -run Partition -v -live -blocks 1000 -seed 7
//
// Without -live (or ALTO_LIVE=1) only short forms of some scenarios run, which measure nothing. What must never happen, such as
// two final blocks at one height, fails a test always. A figure that misses its goal is reported, and fails the test only with
// -strict: a busy machine is no fault of the code.
package live
