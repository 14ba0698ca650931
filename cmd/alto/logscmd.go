package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/internal/localnet"
)

func (a *app) logsCmd() *cobra.Command {
	var follow bool
	var lines int
	var plug string
	c := &cobra.Command{
		Use: "logs [NODE]", Short: "Show the logs of nodes and plugins",
		Long: "Shows the end of the log of one node, or of all, each line behind the node's name. --plugin shows what a plugin wrote to its standard\n" +
			"error instead.",
		Example: "  alto logs\n  alto logs node-1 --follow\n  alto logs node-1 --plugin consensus-dpospbft", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, dir, err := a.state()
			if err != nil {
				return err
			}
			names := nodeNames(s)
			if len(args) > 0 {
				found := false
				for _, n := range names {
					found = found || n == args[0]
				}
				if !found {
					return coded(exitUsage, fmt.Errorf("network %s has no node %q%s", s.Name, args[0], didYouMean(args[0], names)))
				}
				names = args
			}
			var files []logSource
			for _, n := range names {
				home := localnet.NodeDir(dir, n)
				path := filepath.Join(home, "node.log")
				if plug != "" {
					if path, err = pluginLog(home, plug); err != nil {
						return err
					}
				}
				files = append(files, logSource{name: n, path: path})
			}
			return a.showLogs(c.Context(), files, lines, follow)
		},
	}
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on until Ctrl-C")
	c.Flags().IntVarP(&lines, "lines", "n", 50, "how many lines of each log")
	c.Flags().StringVar(&plug, "plugin", "", "a plugin's log instead of the node's own")
	return c
}

func pluginLog(home, name string) (string, error) {
	all, err := filepath.Glob(filepath.Join(home, "logs", "*.log"))
	if err != nil {
		return "", err
	}
	var names []string
	for _, p := range all {
		n := strings.TrimSuffix(filepath.Base(p), ".log")
		if n == name {
			return p, nil
		}
		names = append(names, n)
	}
	sort.Strings(names)
	return "", coded(exitUsage, fmt.Errorf("there is no log of a plugin %q in %s%s; there are %s", name, home, didYouMean(name, names), strings.Join(names, ", ")))
}

type logSource struct {
	name, path string
	offset     int64
}

// showLogs prints the ends of files, and what is added to them.
func (a *app) showLogs(ctx context.Context, files []logSource, lines int, follow bool) error {
	for i := range files {
		list, end, err := tailOf(files[i].path, lines)
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		files[i].offset = end
		a.printLines(files, i, list)
	}
	for follow {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
		for i := range files {
			list, end, err := since(files[i].path, files[i].offset)
			if err == nil {
				files[i].offset = end
				a.printLines(files, i, list)
			}
		}
	}
	return nil
}

func (a *app) printLines(files []logSource, i int, lines []string) {
	for _, l := range lines {
		if len(files) > 1 {
			fmt.Fprintf(a.out, "%s  ", files[i].name)
		}
		fmt.Fprintln(a.out, l)
	}
}

// tailBytes is how much of the end of a log is looked at.
const tailBytes = 1 << 20

func tailOf(path string, n int) ([]string, int64, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	list, end, err := since(path, max(0, st.Size()-tailBytes))
	if len(list) > n {
		list = list[len(list)-n:]
	}
	return list, end, err
}

// since reads whole lines from an offset, or from the start if the file has become shorter.
func since(path string, offset int64) ([]string, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, offset, err
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.Size() < offset {
		offset = 0
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, offset, err
	}
	var out []string
	r := bufio.NewReaderSize(f, 64<<10)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return out, offset, nil
		}
		offset += int64(len(line))
		out = append(out, strings.TrimSuffix(line, "\n"))
	}
}
