package bytecode

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const (
	reference  = "../../../docs/reference/vm-forth.md"
	tableBegin = "<!-- the table of instructions; bytecode/reference_test.go keeps it -->\n"
	tableEnd   = "<!-- end -->\n"
)

// TestReference sees that the reference has each instruction with its effect and its gas, and the hash of the schedule.
// Run with UPDATE=1 to write the table anew.
func TestReference(t *testing.T) {
	special := map[Opcode]string{
		OpInt: "-- n", OpBytes: "-- b", OpJump: "--", OpJumpZero: "n --", OpCall: "runs the word", OpRecurse: "runs its own word", OpExit: "ends the word",
		OpCallHash: "b -- , runs the word with that hash", OpReturn: "ends the run, whatever is below the results", OpFail: "fails", OpThrow: "n --",
		OpDo: "limit first --", OpQDo: "limit first -- , jumps if they are equal", OpLoop: "-- , jumps unless done", OpPlusLoop: "n -- , jumps unless done",
		OpI: "-- n", OpJ: "-- n", OpUnloop: "--", OpEnv: "see the environment", OpExecute: "n -- , runs word n", OpCatch: "n -- m , runs word n",
		OpSlot: "-- x", OpSetSlot: "x --", OpQDup: "n -- 0 or n n", OpPick: "… n -- … x", OpRoll: "… n -- …", OpToR: "x --", OpFromR: "-- x", OpRFetch: "-- x",
	}
	operands := map[Operand]string{NoOperand: "", IntOperand: "zigzag uvarint", BytesOperand: "uvarint, bytes", JumpOperand: "2 bytes", WordOperand: "uvarint", EnvOperand: "1 byte",
		SlotOperand: "uvarint"}
	names := map[byte]string{'i': "n", 'b': "b", 'a': "x"}
	var b strings.Builder
	b.WriteString("| opcode | asm | operand | effect | gas |\n|---|---|---|---|---|\n")
	for op, i := range Opcodes {
		if i.Name == "" || i.Operand == InternalOperand {
			continue
		}
		effect := special[Opcode(op)]
		if k, ok := kindsOf[Opcode(op)]; ok && effect == "" {
			in, out, _ := strings.Cut(k, "-")
			var words []string
			for _, c := range []byte(in) {
				words = append(words, names[c])
			}
			words = append(words, "--")
			for _, c := range []byte(out) {
				words = append(words, names[c])
			}
			effect = strings.Join(words, " ")
		}
		if m, ok := shuffles[Opcode(op)]; ok {
			words := strings.Split("w x y z"[:2*m.takes-1], " ")
			words = append(words, "--")
			for _, n := range m.order {
				words = append(words, words[n])
			}
			effect = strings.Join(words, " ")
		}
		if effect == "" {
			t.Errorf("%s has no effect", i.Name)
		}
		fmt.Fprintf(&b, "| %#02x | `%s` | %s | %s | %d |\n", op, i.Name, operands[i.Operand], effect, i.Gas)
	}
	fmt.Fprintf(&b, "| 0xc0 to 0xff | `int 0` to `int 63` | | -- n | 1 |\n")
	page, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), tableBegin)
	table, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no table of instructions", reference)
	}
	if os.Getenv("UPDATE") != "" && table != b.String() {
		if err := os.WriteFile(reference, []byte(before+tableBegin+b.String()+tableEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if table != b.String() {
		t.Errorf("the table of instructions in %s is\n%swant\n%s", reference, table, b.String())
	}
	if hash := fmt.Sprintf("%x", GasTableHash()); !strings.Contains(string(page), hash) {
		t.Errorf("%s lacks the hash of the gas schedule, %s", reference, hash)
	}
	for _, e := range Environment {
		if !strings.Contains(string(page), "`"+e.Name+"`") && !strings.Contains(string(page), "`"+e.Name+" ") && !strings.Contains(string(page), " "+e.Name+"`") && !strings.Contains(string(page), " "+e.Name+" ") {
			t.Errorf("%s lacks the environment word %s", reference, e.Name)
		}
	}
}
