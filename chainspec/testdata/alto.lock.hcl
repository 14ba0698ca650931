# Written by `alto plugin lock`. Keep it with the spec; do not edit it.

plugin "cometbftdb" {
  version = "0.1.0"
  source  = "./bin/cometbftdb"
  api     = [1, 1]
  sha256 = {
    "darwin/arm64" = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
    "linux/amd64"  = "abababababababababababababababababababababababababababababababab"
  }
  kind "storage" {
    rules = ["2", "1"]
    attribute "backend" {
      type    = "string"
      default = "\"pebbledb\""
      one_of  = ["pebbledb", "goleveldb", "memdb"]
    }
    attribute "cache" {
      type    = "size"
      default = "16777216"
      min     = "1048576"
      max     = "68719476736"
    }
  }
}

plugin "dpospbft" {
  version = "0.1.0"
  source  = "./bin/dpospbft"
  api     = [1, 1]
  sha256 = {
    "darwin/arm64" = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
    "linux/amd64"  = "abababababababababababababababababababababababababababababababab"
  }
  kind "consensus" {
    rules = ["2", "1"]
    attribute "slot" {
      type     = "duration"
      critical = true
      default  = "500000000"
      min      = "1000000"
    }
    attribute "turn" {
      type     = "number"
      critical = true
      default  = "6"
      min      = "1"
      max      = "100"
    }
    attribute "max_unfinal" {
      type     = "number"
      critical = true
      default  = "64"
    }
    attribute "verbose" {
      type    = "bool"
      default = "false"
    }
  }
}

plugin "forth" {
  version = "0.1.0"
  source  = "./bin/forth"
  api     = [1, 1]
  sha256 = {
    "darwin/arm64" = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
    "linux/amd64"  = "abababababababababababababababababababababababababababababababab"
  }
  kind "vm" {
    rules = ["2", "1"]
    attribute "gas_limit" {
      type     = "number"
      critical = true
      default  = "1000000"
      min      = "1000"
    }
    attribute "dialect" {
      type     = "string"
      critical = true
      default  = "\"paper\""
      one_of   = ["paper", "ans"]
    }
    attribute "words" {
      type     = "list(string)"
      critical = true
    }
    attribute "cache" {
      type    = "size"
      default = "1048576"
      min     = "4096"
    }
  }
}

plugin "names" {
  version = "0.1.0"
  source  = "./bin/names"
  api     = [1, 1]
  sha256 = {
    "darwin/arm64" = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
    "linux/amd64"  = "abababababababababababababababababababababababababababababababab"
  }
  kind "module" {
    rules = ["2", "1"]
    attribute "owner" {
      type        = "string"
      required    = true
      critical    = true
      description = "who may add names"
    }
  }
}

plugin "prophecy" {
  version = "0.1.0"
  source  = "./bin/prophecy"
  api     = [1, 1]
  sha256 = {
    "darwin/arm64" = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
    "linux/amd64"  = "abababababababababababababababababababababababababababababababab"
  }
  kind "oracle" {
    rules = ["2", "1"]
    attribute "base" {
      type     = "amount"
      critical = true
      default  = "1000000"
    }
    attribute "challenge" {
      type     = "duration"
      critical = true
      default  = "86400000000000"
      min      = "1000000000"
      max      = "2592000000000000"
    }
  }
}

plugin "solo" {
  version = "0.1.0"
  source  = "./bin/solo"
  api     = [1, 1]
  sha256 = {
    "darwin/arm64" = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
    "linux/amd64"  = "abababababababababababababababababababababababababababababababab"
  }
  kind "consensus" {
    rules = ["2", "1"]
  }
}

plugin "tcp" {
  version = "0.1.0"
  source  = "./bin/tcp"
  api     = [1, 1]
  sha256 = {
    "darwin/arm64" = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
    "linux/amd64"  = "abababababababababababababababababababababababababababababababab"
  }
  kind "transport" {
    rules = ["2", "1"]
  }
}

plugin "udp" {
  version = "0.1.0"
  source  = "./bin/udp"
  api     = [1, 1]
  sha256 = {
    "darwin/arm64" = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
    "linux/amd64"  = "abababababababababababababababababababababababababababababababab"
  }
  kind "transport" {
    rules = ["2", "1"]
    attribute "buffer" {
      type    = "size"
      default = "4194304"
    }
  }
}
