package module

// Further limits that [Guard] and the client enforce. Sizes count keys, values and names, and [RecordBytes] for each write,
// transfer, schedule and event.
const (
	MaxScan             = MaxReadsPerTx                  // items that one scan returns; a larger limit is cut down to it
	MaxReadItems        = 1024                           // items that one Read may name
	MaxBlockReads       = MaxReadsPerTx * MaxDuePerBlock // items read for BlockTx in one block
	MaxQueryReads       = 16 << 10                       // items read for one Query or Extend
	MaxMigrateReads     = 1 << 30                        // items read for one Migrate
	MaxRefusals         = 16                             // reads that may be refused to one transaction; one more is a fault
	MaxScanBytes        = 1 << 20                        // keys and values that one scan returns, but at least one item
	MaxDetailBytes      = 1024                           // a longer Detail is cut
	MaxFacets           = 64                             // of one TxCheck
	MaxResultBytes      = 1 << 20                        // size of one transaction's result
	MaxBlockResultBytes = 2 << 20                        // size of Outcome.Block
	MaxOutcomeBytes     = 64 << 20                       // size of a whole Outcome
	MaxAnswerBytes      = 1 << 20                        // JSON of an Answer
	MaxRestsOn          = 4096                           // items of an Answer
	MaxMigrateBytes     = 256 << 20                      // size of the writes of one Migrate
	MaxMessage          = 4 << 20                        // bytes of one message of the module service, either way
	RecordBytes         = 64
)

// pieceBytes is where a stream's sender starts a new piece. The largest single part, a result, still fits a message.
const pieceBytes = 1 << 20
