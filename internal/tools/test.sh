#!/usr/bin/env bash
# Runs go test with the flags and packages given, each package once. The machine may be busy with the packages beside it: one that
# fails is tested again, alone, and its first failure is printed all the same. What fails twice fails the run.
set -uo pipefail
cd "$(dirname "$0")/../.."
out=$(mktemp)
trap 'rm -f "$out"' EXIT
go test "$@" 2>&1 | tee "$out"
code=${PIPESTATUS[0]}
[ "$code" = 0 ] && exit 0
flags=()
for a in "$@"; do case $a in ./*) ;; *) flags+=("$a") ;; esac; done
failed=$(awk '$1 == "FAIL" && $2 ~ /\// && $3 != "[build" && $3 != "[setup" {print $2}' "$out" | sort -u)
if [ -z "$failed" ] || grep -qE '^FAIL.*\[(build|setup) failed\]|^WARNING: DATA RACE' "$out"; then
	exit "$code"
fi
if [ "$(echo "$failed" | wc -l)" -gt 3 ]; then
	echo "more than three packages fail"
	exit "$code"
fi
for p in $failed; do
	printf '\n== again, alone: %s\n' "$p"
	go test "${flags[@]}" -count=1 -p 1 "$p" || exit 1
done
printf '\nUNSTABLE: failed beside others and passed alone, see above: %s\n' "$(echo $failed)"
