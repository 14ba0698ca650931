package bytecode

// Limits are what a chain allows its contracts. All but the last are part of its rules.
type Limits struct {
	GasLimit      int64  `json:"gas_limit"`
	CodeBytes     int64  `json:"code_bytes"`
	EvidenceBytes int64  `json:"evidence_bytes"`
	StackDepth    int64  `json:"stack_depth"`
	ReturnDepth   int64  `json:"return_depth"`
	ArenaBytes    int64  `json:"arena_bytes"`
	DataBytes     int64  `json:"data_bytes"`
	Definitions   int64  `json:"definitions"`
	Variables     int64  `json:"variables"`
	Result        string `json:"result"`
	Dialect       string `json:"dialect"`
}

// MaxBytes is the longest byte string. It is no setting, since a cell's layout rests on it.
const MaxBytes = 1024

// DefaultLimits are those of a chain that says nothing.
func DefaultLimits() Limits {
	return Limits{GasLimit: 1_000_000, CodeBytes: 16 << 10, EvidenceBytes: 8 << 10, StackDepth: 1024, ReturnDepth: 256, ArenaBytes: 256 << 10,
		DataBytes: 64 << 10, Definitions: 256, Variables: 256, Result: "burn-pay-nonce", Dialect: "paloalto"}
}
