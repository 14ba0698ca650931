package types

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/golden.txt again")

// TestGolden fixes encodings, ids and roots to the byte. A difference means that the chains that exist would split.
func TestGolden(t *testing.T) {
	var out bytes.Buffer
	line := func(name string, b []byte) { fmt.Fprintf(&out, "%-28s %s\n", name, hex.EncodeToString(b)) }
	hash := func(name string, h Hash) { line(name, h[:]) }
	text := func(name, s string) { fmt.Fprintf(&out, "%-28s %s\n", name, s) }
	chain := testHash("chain")
	for _, k := range kinds() {
		line(strings.ReplaceAll(k.name, " ", "-"), k.sample)
	}
	_, key := testKey(0)
	raw := testTransaction().Encode()
	hash("tx-id", TxIDOf(chain, raw))
	line("tx-sign-bytes", TxSignBytes(chain, raw))
	hash("block-id", testHeader().ID())
	for _, f := range fieldsOf(t, testHeader()) { // another id with each field
		hash("block-id-"+f.name, f.changed.ID())
	}
	hash("finality-block-id", testFinality(testSet(4), 0, 1, 3).Suffix[1].ID())
	hash("body-root", testBody(chain).BodyRoot([]TxID{testHash("1"), testHash("2")}))
	hash("body-root-empty", (&Body{}).BodyRoot(nil))
	hash("extension-root", testBody(chain).ExtensionRoot())
	hash("set-hash", testSet(4).Hash())
	line("commit-sign-bytes", SignBytes(chain, PurposeCommit, CommitPayload(testSet(4).Hash(), 7, 1203, 1000, testHeader().ID())))
	line("possession-bytes", PossessionBytes(chain, testAuthority().ID()))
	hash("lock-id", LockIDOf(TxIDOf(chain, raw), 200))
	hash("history-root", testHistory(11).Root())
	hash("receipts-root", ReceiptsRoot([]Receipt{*testReceipt(), {Status: "fee"}}))
	hash("merkle-root-empty", MerkleRoot(nil))
	hash("key-hash", key.Hash())
	text("key", key.String())
	text("account", testAuthority().ID().String())
	text("account-burn", BurnAccount.String())
	path := StatePathOf("bank", Place{1, 2, 3, 4, 5, 6, 7, 8}, "key")
	line("state-path", path[:])
	hash("state-value", StateValueHash([]byte("value")))
	leaf := StateLeafHash(&path, StateValueHash([]byte("value")))
	hash("state-leaf", leaf)
	other := testHash("sibling")
	hash("state-branch", StateBranchHash(319, &leaf, &other))

	const file = "testdata/golden.txt"
	if *update {
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, exp := strings.Split(out.String(), "\n"), strings.Split(string(want), "\n")
	if len(got) != len(exp) {
		t.Fatalf("%d lines, want %d", len(got), len(exp))
	}
	for i := range got {
		if got[i] != exp[i] {
			t.Errorf("got  %s\nwant %s", got[i], exp[i])
		}
	}
}
