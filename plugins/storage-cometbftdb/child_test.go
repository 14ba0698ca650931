package cometbftdb

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/storage"
)

// The tests in this file start their own binary again as a child that does what childEnv says.
const childEnv = "STORAGE_TEST_CHILD"

func childMain() {
	args := strings.Split(os.Getenv(childEnv), "|")
	var err error
	switch args[0] {
	case "write":
		err = childWrite(args[1], args[2])
	case "fill":
		err = childFill(args[1], args[2])
	default:
		err = fmt.Errorf("child: %q", args)
	}
	if err != nil {
		fmt.Println("FAILED", err)
		os.Exit(1)
	}
}

// killKeys is the number of keys that each version of a killed store rewrites, with the version as their value.
const killKeys = 50

func killBatch(v uint64) storage.Batch {
	b := storage.Batch{From: v - 1, To: v, Sync: v%5 == 0}
	for i := range killKeys {
		value := fmt.Sprintf("%d %s", v, strings.Repeat("x", int(v*7+uint64(i)*31)%900))
		b.Puts = append(b.Puts, storage.KV{Key: fmt.Appendf(nil, "key-%02d", i), Value: []byte(value)})
	}
	// One key is there in even versions only.
	if last := len(b.Puts) - 1; v%2 == 1 {
		b.Deletes, b.Puts = [][]byte{b.Puts[last].Key}, b.Puts[:last]
	}
	return b
}

// childWrite applies versions for ever and prints what is durable as soon as it is told so.
func childWrite(dir, backend string) error {
	s, err := openTest(dir, backend)
	if err != nil {
		return err
	}
	for v := s.read().Version + 1; ; v++ {
		st, err := s.Apply(context.Background(), killBatch(v))
		if err != nil {
			return err
		}
		fmt.Println(st.Version, st.Durable)
	}
}

func child(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	noError(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join(args, "|"))
	cmd.Stderr = os.Stderr
	return cmd
}

// TestKill kills a writing process again and again, at a random line of its output. What it was told is durable must be
// there, and one whole version.
func TestKill(t *testing.T) {
	rounds := 8
	if testing.Short() {
		rounds = 2
	}
	for _, backend := range []string{pebbleBackend, levelBackend} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			rng := rand.New(rand.NewPCG(7, uint64(len(backend))))
			for range rounds {
				durable := runAndKill(t, child(t, "write", dir, backend), 1+rng.IntN(60))
				checkKilled(t, dir, backend, durable)
			}
		})
	}
}

// runAndKill lets the child print some lines, kills it, and returns the newest version that it called durable.
func runAndKill(t *testing.T, cmd *exec.Cmd, lines int) (durable uint64) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	noError(t, err)
	noError(t, cmd.Start())
	sc := bufio.NewScanner(out)
	for n := 0; sc.Scan(); n++ {
		_, d, ok := strings.Cut(sc.Text(), " ")
		v, err := strconv.ParseUint(d, 10, 64)
		if !ok || err != nil {
			t.Errorf("the child says %q", sc.Text())
			break
		}
		durable = max(durable, v)
		if n == lines {
			noError(t, cmd.Process.Kill()) // what it printed in the meantime is read to the end
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the child ended with %v", err)
	}
	return durable
}

func checkKilled(t *testing.T, dir, backend string, durable uint64) {
	t.Helper()
	s, err := openTest(dir, backend)
	noError(t, err)
	defer func() { noError(t, s.Close()) }()
	v := s.read().Version
	if v < durable {
		t.Fatalf("version is %d, %d was durable", v, durable)
	}
	page, err := s.Scan(t.Context(), nil, nil, 1000)
	noError(t, err)
	want := killBatch(v)
	if v > 0 && len(page.Items) != len(want.Puts) {
		t.Fatalf("version %d has %d items, want %d", v, len(page.Items), len(want.Puts))
	}
	for i, it := range page.Items {
		if !bytes.Equal(it.Key, want.Puts[i].Key) || !bytes.Equal(it.Value, want.Puts[i].Value) {
			t.Fatalf("item %s is not of version %d", it.Key, v)
		}
	}
}

// TestKillWhileOpening kills a process that creates a store before it can have told anything.
func TestKillWhileOpening(t *testing.T) {
	for _, backend := range []string{pebbleBackend, levelBackend} {
		dir := t.TempDir()
		f, err := openFolder(dir, openRequest(dir, backend).ChainID, backend)
		noError(t, err)
		noError(t, os.MkdirAll(f.database(), 0o700))
		write(t, filepath.Join(f.database(), "CURRENT"), "half made")
		noError(t, f.close())
		s := mustOpen(t, dir, backend)
		put(t, s, 0, true, "a", "1")
	}
}

// childFill works on a small file system of its own: it fills it up, sees that batches are refused and nothing is there
// in part, makes room and goes on.
func childFill(dir, backend string) error {
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=128m"); err != nil {
		fmt.Println("SKIP", err)
		return nil
	}
	ballast := filepath.Join(dir, "ballast")
	s, err := openTest(filepath.Join(dir, "store"), backend)
	if err != nil {
		return err
	}
	if err := fillAndGoOn(s, ballast); err != nil {
		return err
	}
	want := s.read()
	if err := s.Close(); err != nil {
		return err
	}
	if s, err = openTest(filepath.Join(dir, "store"), backend); err != nil {
		return err
	}
	defer s.Close()
	if got := s.read(); got.Version != want.Version {
		return fmt.Errorf("version %d after all, it was %d", got.Version, want.Version)
	}
	if err := checkFill(s); err != nil {
		return err
	}
	fmt.Println("OK")
	return nil
}

const fillKeys = 16

func fillBatch(v uint64, size int) storage.Batch {
	b := storage.Batch{From: v - 1, To: v, Sync: v%3 == 0}
	for i := range fillKeys {
		value := append(fmt.Appendf(nil, "%d ", v), make([]byte, size)...)
		for j := len(value) - size; j < len(value); j++ {
			value[j] = byte(uint32(j*i+int(v)) * 2654435761 >> 13) // compresses badly
		}
		b.Puts = append(b.Puts, storage.KV{Key: fmt.Appendf(nil, "key-%02d", i), Value: value})
	}
	return b
}

func fillAndGoOn(s *Store, ballast string) error {
	ctx := context.Background()
	v := uint64(0)
	for ; v < 10; v++ {
		if _, err := s.Apply(ctx, fillBatch(v+1, 1000)); err != nil {
			return fmt.Errorf("while there is room: %w", err)
		}
	}
	for round := range 6 {
		// In odd rounds nobody looks whether there is room, so that it is the database that runs into the full disk.
		leave := int64(reserveBytes + 1<<20)
		s.room = room
		if round%2 == 1 {
			leave = 200 << 10
			s.room = func(string, int64) error { return nil }
		}
		if err := writeBallast(ballast, leave); err != nil {
			return err
		}
		refused := false
		for range 400 {
			_, err := s.Apply(ctx, fillBatch(v+1, 8000))
			if errors.Is(err, storage.ErrNoSpace) {
				refused = true
				break
			}
			if err != nil {
				return fmt.Errorf("round %d: a full disk gives %w", round, err)
			}
			v++
		}
		if !refused {
			return fmt.Errorf("round %d: 400 batches fit a full disk", round)
		}
		if err := checkFill(s); err != nil && !errors.Is(err, storage.ErrNoSpace) {
			return fmt.Errorf("round %d, full: %w", round, err)
		}
		if err := os.Remove(ballast); err != nil {
			return err
		}
		if err := goOn(s, &v); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
	}
	return nil
}

// goOn applies until it works again; a store may need a moment to notice that there is room.
func goOn(s *Store, v *uint64) error {
	ctx := context.Background()
	deadline := time.Now().Add(20 * time.Second)
	for {
		st, err := s.Status(ctx, true)
		if err == nil {
			*v = st.Version // the batch that was in doubt may have taken effect
			st, err = s.Apply(ctx, fillBatch(*v+1, 1000))
		}
		if err == nil {
			*v = st.Version
			return checkFill(s)
		}
		if !errors.Is(err, storage.ErrNoSpace) || time.Now().After(deadline) {
			return fmt.Errorf("with room again: %w", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func checkFill(s *Store) error {
	page, err := s.Scan(context.Background(), nil, nil, 100)
	if err != nil {
		return err
	}
	if len(page.Items) != fillKeys {
		return fmt.Errorf("%d items, want %d", len(page.Items), fillKeys)
	}
	for _, it := range page.Items {
		if v, _, _ := strings.Cut(string(it.Value[:min(20, len(it.Value))]), " "); v != fmt.Sprint(page.Version) {
			return fmt.Errorf("%s is of version %s, the page of %d", it.Key, v, page.Version)
		}
	}
	return nil
}

// writeBallast fills the file system up to so many bytes.
func writeBallast(path string, leave int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	for chunk := make([]byte, 4096); ; {
		var st syscall.Statfs_t
		if err := syscall.Statfs(filepath.Dir(path), &st); err != nil {
			return err
		}
		if int64(st.Bavail)*st.Bsize <= leave {
			return nil
		}
		if _, err := f.Write(chunk); errors.Is(err, syscall.ENOSPC) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// TestDiskFull runs in a mount namespace of its own, where it may mount a small file system.
func TestDiskFull(t *testing.T) {
	for _, backend := range []string{pebbleBackend, levelBackend} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			cmd := child(t, "fill", t.TempDir(), backend)
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
				UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}}
			out, err := cmd.Output()
			if err != nil && cmd.Process == nil {
				t.Skipf("this machine gives no mount namespace: %v", err)
			}
			if strings.HasPrefix(string(out), "SKIP") {
				t.Skipf("this machine lets nobody mount: %s", out)
			}
			if err != nil || !strings.Contains(string(out), "OK") {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}
