# Conveniences; everything works with plain go as well (README).
.PHONY: run test race generate lint bench fuzz

run:
	go run ./cmd/alto up examples/quickstart.hcl

test:
	go test ./...

race:
	go test -race ./...

generate:
	internal/tools/generate.sh

lint:
	gofmt -l . && go vet ./... && go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

bench:
	go test -run '^$$' -bench . ./...
