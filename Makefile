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

# transport-udp beside quic-go and kcp-go; BENCH takes flags, such as BENCH='-cells "d25-*" -time 5s' or BENCH=-junk.
.PHONY: bench-transport
bench-transport:
	cd bench/transport && go run . $(BENCH)

# vm-forth beside gforth-fast (apt-get install gforth) and go-ethereum's EVM; BENCH takes flags, such as BENCH='-only programs -rounds 2'.
.PHONY: bench-vm
bench-vm:
	cd bench/vm && go run . $(BENCH)

fuzz:
	internal/tools/fuzz.sh

# The live scenarios: networks of real processes; see test/live. LIVE takes their flags, such as LIVE='-blocks 1000 -seed 7 -strict'.
LIVE ?=
LIVE_SCENARIOS = finality dead kills partition equivocate election newcomer clocks
.PHONY: live $(addprefix live-,$(LIVE_SCENARIOS))

live:
	go test ./test/live -count=1 -v -timeout 3h -live $(LIVE)

$(addprefix live-,$(LIVE_SCENARIOS)): live-%:
	go test ./test/live -count=1 -v -timeout 1h -live $(LIVE) -run "(?i)^Test$*$$"

# The simulator of dpospbft: SEEDS seeds over all its configurations, in parallel on all processors. A seed that fails is printed with the command
# that replays it and with what happened last. SIM takes flags, such as SIM='-sim.config=n7-twins' or SIM='-sim.first=100001'.
SEEDS ?= 1000
SIM ?=
SIM_TEST = go test ./plugins/consensus-dpospbft/pbft -count=1 -v -timeout 0
.PHONY: sim sim-mutants sim-table

sim:
	$(SIM_TEST) -run '^TestSim$$' -sim.seeds=$(SEEDS) $(SIM)

sim-mutants:
	$(SIM_TEST) -run '^TestMutants$$' $(SIM)

# Finality of 21 producers under nine kinds of delay, beside what the design's prototype measured.
sim-table:
	$(SIM_TEST) -run '^TestFinalityTable$$' -sim.table $(SIM)
