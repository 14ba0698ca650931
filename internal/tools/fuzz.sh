#!/usr/bin/env bash
# Fuzzes every fuzz target of the repository for a while: fuzz.sh [TIME], 10s if left out.
set -euo pipefail
cd "$(dirname "$0")/../.."
time=${1:-10s}
for pkg in $(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...); do
	dir=$(go list -f '{{.Dir}}' "$pkg")
	for f in $(grep -hos 'func Fuzz[A-Za-z0-9_]*(f \*testing.F)' "$dir"/*_test.go | sed 's/func \(Fuzz[A-Za-z0-9_]*\).*/\1/'); do
		go test -run '^$' -fuzz "^$f\$" -fuzztime "$time" -fuzzminimizetime 10x "$pkg" | tail -1
	done
done
