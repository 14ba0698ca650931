#!/usr/bin/env bash
# Fuzzes every fuzz target of the repository for a while: fuzz.sh [TIME], 10s if left out. It fails if an input fails; that go
# test itself ends with "context deadline exceeded" when the time is over, which happens, is no failure.
set -euo pipefail
cd "$(dirname "$0")/../.."
time=${1:-10s}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}} {{.Dir}}{{end}}' ./... | while read -r pkg dir; do
	[ -n "$pkg" ] || continue
	for f in $(grep -hos 'func Fuzz[A-Za-z0-9_]*(f \*testing.F)' "$dir"/*_test.go | sed 's/func \(Fuzz[A-Za-z0-9_]*\).*/\1/'); do
		if go test -run '^$' -fuzz "^$f\$" -fuzztime "$time" -fuzzminimizetime 10x "$pkg" >"$out" 2>&1; then
			echo "$f $(tail -1 "$out")"
		elif grep -q 'context deadline exceeded' "$out" && ! grep -q 'Failing input written' "$out"; then
			echo "$f the time was over: $pkg"
		else
			cat "$out"
			exit 1
		fi
	done
done
