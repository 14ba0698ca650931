package plugintest

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// usage says what a process uses, as far as the system tells.
func usage(pid int) string {
	files := "?"
	if d, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)); err == nil {
		files = strconv.Itoa(len(d))
	}
	memory := "?"
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid)); err == nil {
		if f := bytes.Fields(b); len(f) > 1 {
			if pages, err := strconv.Atoi(string(f[1])); err == nil {
				memory = strconv.Itoa(pages * os.Getpagesize() >> 20)
			}
		}
	}
	return fmt.Sprintf("%s MiB and %s files", memory, files)
}
