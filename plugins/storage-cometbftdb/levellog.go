package cometbftdb

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/storage"
)

// The format of goleveldb's logs: blocks of 32 KiB, in them chunks of crc 4, length 2, type 1 and payload
// (https://github.com/google/leveldb/blob/main/doc/log_format.md).
const (
	levelBlock  = 32 << 10
	levelHeader = 7
	maxLevelLog = 1 << 30
)

// checkLevelLogs refuses a database whose log is damaged before its end. Left to itself goleveldb skips the damaged
// block and goes on behind it, which would lose one version and keep the next.
func checkLevelLogs(database string) error {
	logs, err := filepath.Glob(filepath.Join(escapeGlob(database), "*.log"))
	if err != nil {
		return fmt.Errorf("look for logs of %s: %w", database, err)
	}
	slices.Sort(logs)
	for i, path := range logs {
		if st, err := os.Stat(path); err != nil || st.Size() > maxLevelLog {
			return fmt.Errorf("log %s is larger than %d bytes or cannot be read: %w", path, maxLevelLog, storage.ErrCorrupt)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read log %s: %w", path, err)
		}
		bad, later := scanLevelLog(raw)
		if bad >= 0 && (later >= 0 || i < len(logs)-1) {
			return fmt.Errorf("log %s is damaged at byte %d and goes on behind it; a crash does not do that: restore the folder or remove it to sync the chain again: %w",
				path, bad, storage.ErrCorrupt)
		}
	}
	return nil
}

// scanLevelLog returns the offset of the first chunk that does not verify, and of a later one that does; -1 for none.
// Damage with nothing good behind it is how a crash leaves the last write.
func scanLevelLog(raw []byte) (bad, later int) {
	bad = -1
	for block := 0; block < len(raw); block += levelBlock {
		b := raw[block:min(block+levelBlock, len(raw))]
		for off := 0; off+levelHeader <= len(b); {
			n := int(binary.LittleEndian.Uint16(b[off+4:]))
			whole := off+levelHeader+n <= len(b)
			good := whole && b[off+6] >= 1 && b[off+6] <= 4 &&
				binary.LittleEndian.Uint32(b[off:]) == levelCRC(b[off+6:off+levelHeader+n])
			if good && bad >= 0 {
				return bad, block + off
			}
			if !good && bad < 0 {
				bad = block + off
			}
			switch {
			case good:
				off += levelHeader + n
			default:
				off++ // the length may be what is damaged: look for a good chunk at every byte
			}
		}
	}
	return bad, -1
}

// levelCRC is LevelDB's masked CRC-32C.
func levelCRC(b []byte) uint32 {
	c := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	return (c>>15 | c<<17) + 0xa282ead8
}
