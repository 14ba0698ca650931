package signer

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// runVictim, in a process that a test has started, signs from the ordinal in its environment and says what it has signed,
// until it is killed.
func runVictim() {
	dir := os.Getenv("SIGNER_TEST_VICTIM")
	if dir == "" {
		return
	}
	var ordinal uint64
	_, err := fmt.Sscan(os.Getenv("SIGNER_TEST_ORDINAL"), &ordinal)
	var s *Signer
	if err == nil {
		s, err = Open(testSeed, dir, Options{})
	}
	for ; err == nil; ordinal++ {
		var out []Result
		out, err = s.SignAll(testChain, ordinal*10, []Request{request("a", ordinal, os.Getpid())})
		if err == nil {
			if err = out[0].Err; err == nil {
				fmt.Printf("signed %d %x\n", ordinal, out[0].Sig)
			}
		}
	}
	fmt.Println("error", err)
	os.Exit(1)
}

// A process that is killed leaves a guard that knows everything that it has signed.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := t.TempDir()
	s, err := Open(testSeed, dir, Options{NewValidator: true})
	check(t, err)
	check(t, s.Close())
	next := uint64(1)
	for round := range 6 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "SIGNER_TEST_VICTIM="+dir, fmt.Sprint("SIGNER_TEST_ORDINAL=", next))
		out, err := cmd.StdoutPipe()
		check(t, err)
		check(t, cmd.Start())
		sc := bufio.NewScanner(out)
		var last uint64
		var sig []byte
		for n := 0; sc.Scan(); n++ {
			if _, err := fmt.Sscanf(sc.Text(), "signed %d %x", &last, &sig); err != nil {
				t.Errorf("the process says %q", sc.Text())
				break
			}
			if n == 10+13*round {
				break
			}
		}
		check(t, cmd.Process.Kill())
		for sc.Scan() { // what it said before it died counts
			_, _ = fmt.Sscanf(sc.Text(), "signed %d %x", &last, &sig)
		}
		_ = cmd.Wait()
		s, err := Open(testSeed, dir, Options{})
		check(t, err)
		results, err := s.SignAll(testChain, 0, []Request{request("a", last, -1), request("a", last-1, -1)})
		check(t, err)
		for i, r := range results {
			if r.Err == nil {
				t.Fatalf("round %d: ordinal %d was signed a second time", round, last-uint64(i))
			}
		}
		if err := s.CheckJournal(testChain, last*10-1); err == nil {
			t.Errorf("round %d: the position was forgotten", round)
		}
		check(t, types.VerifySignature(s.Public(), types.SignBytes(testChain, "a", request("a", last, cmd.Process.Pid).Payload), sig))
		mark, _ := s.guard.state.mark(testChain, "a")
		next = mark.ordinal + 1
		check(t, s.Close())
	}
}
