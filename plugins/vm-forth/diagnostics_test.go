package vmforth

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/vm"
	"github.com/paloalto-chain/paloalto/sdk/vm/vmtest"
)

// fullStack fails, cheaply, with byte strings of 1,024 bytes on the stack, more than a failed run shows of them.
const fullStack = `x"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" dup cat dup cat dup cat dup cat dup cat dup dup dup dup dup dup dup fail`

// TestFailedRunsFitAMessage runs, over the boundary, as many failing contracts as a call may have, each of which has as much
// on its stack as a failed run shows. All that is shown would be several times the largest message.
func TestFailedRunsFitAMessage(t *testing.T) {
	const n = 4096
	here := open(t, "")
	code := compiled(t, here, fullStack, false)
	conn, stop, err := vmtest.Serve(here)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	runs := make([]vm.Run, n)
	for i := range runs {
		runs[i] = vm.Run{Code: code, GasLimit: 2_000}
	}
	for name, v := range map[string]vm.VM{"over the boundary": vm.NewClient(conn, vmtest.Handle), "in process": here} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, err := v.RunBatch(t.Context(), vm.Batch{Runs: runs})
		runtime.ReadMemStats(&after)
		if err != nil || len(got) != n {
			t.Fatalf("%s: %d results, %v", name, len(got), err)
		}
		for i, r := range got {
			if r.Status != 13 || r.Gas != 2_000 || r.Error != "" || r.Word != "" || r.Top != nil {
				t.Fatalf("%s: run %d: %.300s", name, i, fmt.Sprintf("%+v", r))
			}
		}
		t.Logf("%s: %d bytes allocated for each run", name, (after.TotalAlloc-before.TotalAlloc)/n)
		if made := (after.TotalAlloc - before.TotalAlloc) / n; made > 4<<10 {
			t.Errorf("%s: %d bytes were allocated for each run", name, made)
		}
	}
	for name, v := range map[string]vm.VM{"over the boundary": vm.NewClient(conn, vmtest.Handle), "in process": here} {
		got, err := v.RunBatch(t.Context(), vm.Batch{Runs: runs[:2000], Diagnostics: true})
		if err != nil || len(got) != 2000 || got[0].Error == "" || got[0].Word != "fail" || len(got[0].Top) != vm.MaxTop || !strings.HasPrefix(got[0].Top[0], `x"0011`) {
			t.Errorf("with diagnostics, %s: %.300s, %v", name, fmt.Sprint(got[:min(len(got), 1)]), err)
		}
	}
}
