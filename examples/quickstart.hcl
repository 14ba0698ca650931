# One chain on four nodes of this machine, with the genesis of the white paper: one billion ALTO.
# go run ./cmd/alto up examples/quickstart.hcl

chain "root" {
  consensus "dpospbft" {
    slot      = "500ms"
    producers = 4
  }
  vm "forth" {}
  storage "cometbftdb" { backend = "pebbledb" }
  oracle "prophecy" {}
  transport "udp" {}
}

network "local" {
  nodes  = 4
  faucet = "community"
}
