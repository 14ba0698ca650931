package host

import (
	"encoding/json"
	"fmt"
	"os"
)

// shimOrder tells the shim how to confine itself and what to become. It travels as one argument, in JSON.
type shimOrder struct {
	Path   string   // of the program; empty: the image
	Args   []string // its argv
	Image  int      // descriptor of the program, or 0
	Script bool     // the image must stay open for its interpreter

	Lifeline int // descriptor that ends with the host
	Report   int // descriptor that wants to know what was done

	OpenFiles uint64   // 0: as it is
	Group     []string // files of control groups to join by writing to them
	Sandbox   bool     // the rest
	Online    bool     // the network is open
	Read      []string // paths to read and execute, besides the system's
	Write     []string // paths to read and write
	Private   []string // paths that no system folder lays open
}

func (o shimOrder) encode() (string, error) {
	b, err := json.Marshal(o)
	return string(b), err
}

// shimFailed is the exit status of a shim that could not do its work.
const shimFailed = 126

// RunShim confines this process as the host has ordered in args and then becomes the plugin. It does not return. A host
// starts plugins so; see [Options].
func RunShim(args []string) {
	err := runShim(args)
	fmt.Fprintf(os.Stderr, "alto: start a plugin: %v\n", err)
	os.Exit(shimFailed)
}

func runShim(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("this is the host's way to start plugins and takes its order, not %d arguments", len(args))
	}
	var o shimOrder
	if err := json.Unmarshal([]byte(args[0]), &o); err != nil {
		return fmt.Errorf("read the order: %w", err)
	}
	if len(o.Args) == 0 || o.Path == "" && o.Image < 3 {
		return fmt.Errorf("the order names no program")
	}
	return o.become()
}
