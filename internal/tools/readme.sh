#!/usr/bin/env bash
# Runs the README's first command in a folder of its own, waits until the transfer is final on all nodes, and ends it as Ctrl-C does.
set -euo pipefail
cd "$(dirname "$0")/../.."
home=$1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
ALTO_HOME=$home CGO_ENABLED=0 setsid go run ./cmd/alto up examples/quickstart.hcl --demo >"$log" 2>&1 &
job=$!
for _ in $(seq 600); do
	if grep -q 'nodes have it' "$log"; then break; fi
	kill -0 "$job" 2>/dev/null || { cat "$log"; echo "it ended by itself"; exit 1; }
	sleep 0.5
done
kill -INT -- "-$job"
wait "$job" || true
cat "$log"
grep -q 'nodes have it' "$log"
