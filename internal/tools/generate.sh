#!/usr/bin/env bash
# Regenerates all generated code. Needs protoc 3.21 (Debian: protobuf-compiler); fetches the Go plugins at pinned versions.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
GOBIN=$bin go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
GOBIN=$bin go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
GOBIN=$bin go install connectrpc.com/connect/cmd/protoc-gen-connect-go@v1.21.1
PATH=$bin:$PATH
(cd sdk/proto && protoc -I . --go_out=paths=source_relative:. --go-grpc_out=paths=source_relative:. $(find paloalto -name '*.proto' | sort))
if [ -d api/proto ]; then
	(cd api/proto && protoc -I . --go_out=paths=source_relative:. --connect-go_out=paths=source_relative:. $(find paloalto -name '*.proto' | sort))
fi
