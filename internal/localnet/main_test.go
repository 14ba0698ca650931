package localnet

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes the test binary be a node when a supervisor starts it.
func TestMain(m *testing.M) {
	if len(os.Args) == 5 && os.Args[1] == "node" && os.Args[2] == "run" {
		os.Exit(fakeNode(os.Args[4]))
	}
	goleak.VerifyTestMain(m)
}

// fakeNode behaves as the file "manners" in its folder says, and ends with its supervisor.
func fakeNode(home string) int {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	manners, _ := os.ReadFile(filepath.Join(home, "manners"))
	life := os.NewFile(3, "lifeline")
	ready := json.NewEncoder(os.NewFile(4, "ready"))
	_ = ready.Encode(Report{Stage: "do its work"})
	switch string(manners) {
	case "refuses":
		_ = ready.Encode(Report{Error: "the key is gone", Code: 3})
		return 3
	case "ends":
		fmt.Fprintln(os.Stderr, "these are my last words")
		return 7
	case "dawdles":
	default:
		_ = ready.Encode(Report{API: "127.0.0.1:1"})
	}
	gone := make(chan struct{})
	go func() {
		_, _ = io.ReadAll(life)
		close(gone)
	}()
	select {
	case <-gone:
	case <-term:
	}
	return 0
}
