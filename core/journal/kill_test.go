package journal

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// runVictim, in a process that a test has started, appends numbered records to a journal and says after each sync how
// far it came, until it is killed.
func runVictim() {
	dir := os.Getenv("JOURNAL_TEST_VICTIM")
	if dir == "" {
		return
	}
	j, err := Open(dir, Options{SegmentBytes: 64 << 10})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	n := 0
	err = j.Replay(j.Start(), func(_ Position, r Record) error {
		_, err := fmt.Sscanf(string(r.Data), "%d", &n)
		n++
		return err
	})
	for err == nil {
		for range 1 + n%3 {
			if _, _, err = j.Append(Record{1, fmt.Appendf(nil, "%d %0*d", n, 1+n*37%3000, 0)}); err != nil {
				break
			}
			n++
		}
		if err == nil {
			err = j.Sync()
		}
		if err == nil && n%50 == 0 {
			err = j.DropBefore(j.End() - min(j.End(), 200<<10))
		}
		fmt.Println("synced", n)
	}
	fmt.Println("error", err)
	os.Exit(1)
}

// A process that is killed loses nothing that it synced.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := t.TempDir()
	want := 0
	for round := range 8 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "JOURNAL_TEST_VICTIM="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		sc := bufio.NewScanner(out)
		stop := want + 20 + 37*round
		for sc.Scan() {
			if _, err := fmt.Sscanf(sc.Text(), "synced %d", &want); err != nil {
				t.Errorf("the process says %q", sc.Text())
				break
			}
			if want >= stop {
				break
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for sc.Scan() { // what it said before it died counts
			_, _ = fmt.Sscanf(sc.Text(), "synced %d", &want)
		}
		_ = cmd.Wait()
		j, err := Open(dir, Options{SegmentBytes: 64 << 10})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		next := -1
		for _, e := range contents(t, j) {
			var n int
			if _, err := fmt.Sscanf(e.data, "%d", &n); err != nil || next >= 0 && n != next {
				t.Fatalf("round %d: %.20q instead of %d", round, e.data, next)
			}
			next = n + 1
		}
		if next < want {
			t.Fatalf("round %d: %d records were synced, %d are there", round, want, next)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if want < 100 {
		t.Fatalf("only %d records", want)
	}
}
