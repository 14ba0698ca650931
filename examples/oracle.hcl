# Four producers who decide questions, with windows that one can wait for: alto up examples/oracle.hcl
# docs/guide/oracle.md goes through it. A chain that matters has windows of hours or days.

chain "root" {
  consensus "dpospbft" {
    slot      = "500ms"
    producers = 4
  }
  storage "cometbftdb" { backend = "goleveldb" }
  transport "udp" {}
  oracle "prophecy" {
    base             = "100 ALTO"
    per_day          = "1 ALTO"
    initiator_window = "2m"
    challenge        = "1m"
    notice           = "20s"
    commit_window    = "10s"
    reveal_window    = "10s"
    observer         = "manual"
  }
}

network "local" { nodes = 4 }
