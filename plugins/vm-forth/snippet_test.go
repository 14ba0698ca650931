package vmforth

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/vm"
	"github.com/paloalto-chain/paloalto/sdk/vm/vmtest"
)

// whitePaper is section 4.1.1, verbatim.
const whitePaper = `: hashlock
swap
hash
== ;
macro Commitment a9d7e8023f80ac8928334 ;

Commitment hashlock call if 0 100 else 0 50 end 1
`

// open opens an instance; config is a JSON object or empty.
func open(t testing.TB, config string) *VM {
	t.Helper()
	v, err := Plugin().Open(t.Context(), nil, plugin.OpenRequest{Kind: plugin.VM, Config: []byte(config)})
	if err != nil {
		t.Fatal(err)
	}
	return v.(*VM)
}

func compiled(t testing.TB, v vm.VM, text string, evidence bool) []byte {
	t.Helper()
	c, err := v.Compile(t.Context(), vm.Source{Text: text, Evidence: evidence})
	if err != nil {
		t.Fatalf("compile %q: %v", text, err)
	}
	return c.Code
}

// TestWhitePaper has the acceptance tests of the white paper's snippet, through Compile and RunBatch, in process and over
// the wire.
func TestWhitePaper(t *testing.T) {
	in := factory()
	secret := []byte("the secret")
	locked := strings.Replace(whitePaper, "a9d7e8023f80ac8928334", fmt.Sprintf(`x"%x"`, sha256.Sum256(secret)), 1)
	bare := strings.Replace(whitePaper, "a9d7e8023f80ac8928334", fmt.Sprintf("%x", sha256.Sum256(secret)), 1)
	cases := []struct {
		name, source, evidence string
		want                   []int64
		status                 vm.Status
	}{
		{"a, verbatim", whitePaper, `s" any secret"`, []int64{0, 50, 1}, vm.OK},
		{"a, verbatim, a secret of 32 bytes", whitePaper, fmt.Sprintf(`x"%x"`, sha256.Sum256(secret)), []int64{0, 50, 1}, vm.OK},
		{"b, a true commitment and its secret", locked, fmt.Sprintf(`x"%x"`, secret), []int64{0, 100, 1}, vm.OK},
		{"b, without x and quotes", bare, fmt.Sprintf(`x"%x"`, secret), []int64{0, 100, 1}, vm.OK},
		{"c, a wrong secret", locked, `s" another secret"`, []int64{0, 50, 1}, vm.OK},
		{"d, no evidence", locked, "", nil, bytecode.StackUnderflow},
		{"d, verbatim, no evidence", whitePaper, "", nil, bytecode.StackUnderflow},
	}
	for where, f := range map[string]vmtest.Factory{"in process": in, "over the wire": vmtest.Remote(in)} {
		v, done, err := f.Open(t)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			t.Run(where+"/"+c.name, func(t *testing.T) {
				r := vm.Run{Code: compiled(t, v, c.source, false), Evidence: compiled(t, v, c.evidence, true), GasLimit: 100_000}
				got, err := v.RunBatch(t.Context(), vm.Batch{Runs: []vm.Run{r}})
				if err != nil {
					t.Fatal(err)
				}
				if got[0].Status != c.status || !slices.Equal(got[0].Stack, c.want) {
					t.Fatalf("%+v, want status %d and %v", got[0], c.status, c.want)
				}
			})
		}
		if err := done(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWhitePaperWarns sees that the odd commitment of the paper does not pass in silence.
func TestWhitePaperWarns(t *testing.T) {
	c, err := open(t, "").Compile(t.Context(), vm.Source{Text: whitePaper, File: "paper.fs"})
	if err != nil || len(c.Warnings) != 1 || !strings.HasPrefix(c.Warnings[0], "paper.fs:5:18: warning: 21 hexadecimal digits") {
		t.Fatalf("%+v, %v", c, err)
	}
}
