# Conveniences; everything works with plain go as well (README).
.PHONY: run test race generate lint bench fuzz

run:
	go run ./cmd/alto up examples/quickstart.hcl --demo

test:
	go test ./...

race:
	go test -race ./...

generate:
	internal/tools/generate.sh

lint:
	gofmt -l . && go vet ./... && go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

bench:
	go build -o bin/alto ./cmd/alto
	go run ./bench/finality -alto bin/alto
	go run ./bench/throughput -alto bin/alto
	go test -run '^$$' -bench . ./...

fuzz:
	internal/tools/fuzz.sh
