# A root and a child that differ in storage and slot time, on the same four nodes and in the same plugin processes.

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

chain "child" {
  parent = chain.root
  consensus "dpospbft" {
    slot      = "250ms"
    producers = 4
  }
  vm "forth" {}
  storage "cometbftdb" { backend = "goleveldb" }
  transport "udp" {}
  genesis {
    token  = "CHILD" # a child mints a token of its own
    supply = 1000000
    allocation "operator" { share = 100 }
  }
}

network "local" {
  nodes  = 4
  faucet = "community"
}
