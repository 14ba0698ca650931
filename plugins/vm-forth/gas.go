package vmforth

// What gas depends on besides the opcode. Unit: about 1.2 ns of one core. All of this is part of consensus, under GasVersion.
const (
	gasCodeByte   = 4      // of code and evidence, before anything runs
	gasSignature  = 40_000 // of one Ed25519 check
	gasShaBase    = 65
	gasShaBlock   = 16
	gasBlakeBase  = 180
	gasBlakeBlock = 40
	gasKecBase    = 350
	gasKecBlock   = 65
	gasDataBytes  = 64 // of data space that is touched for the first time cost 1
)

// blocks is how many 32-byte blocks n bytes have.
func blocks(n int) int64 { return int64(n+31) / 32 }

// gasWord is what a definition costs that can be called by hash: 1 for each byte, and the hash.
func gasWord(body, canonical int) int64 {
	return int64(body) + gasShaBase + gasShaBlock*blocks(canonical)
}
