package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"

	"github.com/paloalto-chain/paloalto/internal/load"
	"github.com/paloalto-chain/paloalto/internal/localnet"
)

// ticksPerSecond is what /proc counts processor time in, on every Linux there is.
const ticksPerSecond = 100

// cpuTimes returns the processor time so far, in seconds, of all nodes together and of each plugin over all nodes. Where
// there is no /proc it is empty.
func cpuTimes(ctx context.Context, net *load.Network) map[string]float64 {
	out := map[string]float64{}
	info, err := localnet.NewControl(net.Dir).Info(ctx)
	if err != nil {
		return out
	}
	for _, pid := range info.Nodes {
		out["node"] += cpuOf(pid)
	}
	for _, c := range net.Nodes {
		st, err := c.Status(ctx)
		if err != nil {
			return out
		}
		for _, p := range st.Plugins {
			out[p.Name] += cpuOf(p.PID)
		}
	}
	return out
}

func cpuOf(pid int) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 13 {
		return 0
	}
	user, err1 := strconv.ParseFloat(string(f[11]), 64)
	sys, err2 := strconv.ParseFloat(string(f[12]), 64)
	if err1 != nil || err2 != nil {
		return 0
	}
	return (user + sys) / ticksPerSecond
}

// cpuText says what was used between two readings.
func cpuText(before, after map[string]float64) string {
	var names []string
	for n := range after {
		names = append(names, n)
	}
	sort.Strings(names)
	var parts []string
	for _, n := range names {
		if d := after[n] - before[n]; d >= 0.01 {
			parts = append(parts, fmt.Sprintf("%s %.2f s", n, d))
		}
	}
	return strings.Join(parts, ", ")
}
