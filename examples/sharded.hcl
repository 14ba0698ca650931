# A root with as many shards below it as the variable says: alto up examples/sharded.hcl --var shards=3
# The shards are called shard-0, shard-1 and so on.

framework { required_version = "~> 0.1" }

variable "shards" {
  type        = number
  default     = 2
  description = "how many chains there are below the root"
  validation {
    condition     = var.shards >= 1 && var.shards <= 16
    error_message = "1 to 16 shards run on one machine."
  }
}

chain "root" {
  consensus "dpospbft" {
    slot      = "500ms"
    producers = 4
  }
  vm "forth" { gas_limit = 1000000 }
  storage "cometbftdb" { backend = "pebbledb" }
  oracle "prophecy" { challenge = "24h" }
  transport "udp" {}

  limits {
    block_bytes = "4MiB"
    tx_bytes    = "64KiB"
    block_gas   = 40000000
  }
  fees {
    per_byte = "0.000001 ALTO"
    per_gas  = "0.000000 ALTO"
    floor    = "0.0001 ALTO"
  }
  genesis {
    token  = "ALTO"
    supply = 1000000000
    allocation "contract" { share = 30 }
    allocation "community" { share = 10 }
    allocation "ecology" { share = 22 }
    allocation "cornerstone" { share = 21 }
    allocation "foundation" { share = 10 }
    allocation "development" { share = 6 }
    allocation "consultants" { share = 1 }
  }
}

chain "shard" {
  count  = var.shards
  parent = chain.root
  consensus "dpospbft" { producers = 4 }
  vm "forth" {}
  storage "cometbftdb" {}
  transport "udp" {}
  genesis {
    token  = "SHARD"
    supply = 1000000
    allocation "operator" { share = 100 }
  }
}

network "local" {
  nodes  = 4
  faucet = "community"
}
