// Package journal is the write-ahead log of one chain: records in order, durable when [Journal.Sync] has returned.
//
// A journal is a folder of segments. Positions count the bytes of all records since the journal began, so that a
// position is for ever the same record; a segment is named after its first position. Records are appended with
// [Journal.Append], which only hands them to the operating system, and made durable with [Journal.Sync]; syncs that
// come at the same time share one. After a start [Journal.Replay] hands out every record that is there. What is no
// longer needed is given up with [Journal.DropBefore], whole segments at a time.
//
// # What a crash leaves
//
// Everything synced, and of the rest the operating system may have written any sector and left out any other. A record
// therefore carries how far the journal was synced when it was written. When Open comes upon a record at the end that
// does not verify, it cuts there only if both hold:
//
//   - no later record proves that the bad one had been synced, and
//   - it looks like an interrupted write: its end or a sector of it is missing, which is to say zero or beyond the end of
//     the file. A sector is written whole or not at all and was zero before; bytes that are there and wrong are not what a
//     crash does.
//
// Anything else is damage, [ErrCorrupt], and nothing is changed. What stays and is not proven to have been synced is
// written once more by Open, because a sync that failed in an earlier process leaves bytes that can be read but are not
// on the disk.
//
// A sync that failed is never tried again: the journal is dead from then on ([ErrFailed]) and the process must start
// again.
package journal
