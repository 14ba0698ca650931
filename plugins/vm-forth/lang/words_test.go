package lang

import (
	"os"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// testEnvironment is what the words of these tests read.
func testEnvironment() map[string][]byte {
	return map[string][]byte{"height": {0, 0, 0, 0, 0, 0, 1, 0}, "chain-id": []byte("chain"), "balance:2": {0, 0, 0, 0, 0, 0, 0, 5},
		"participant:-1": []byte("p"), "param:fee": {0, 0, 0, 0, 0, 0, 0, 7}, "nonce": {0x80, 0, 0, 0, 0, 0, 0, 0}, "slot": {1}}
}

// TestWords evaluates sources of the dialect paloalto to the whole stack, or to a status.
func TestWords(t *testing.T) {
	m := machine(t)
	for source, want := range map[string]string{
		"1 2 + 3 * 4 -":                  "5",
		"7 -2 / 7 -2 mod -7 2 /mod":      "-3 1 -1 -3",
		"9223372036854775807 1 +":        "Overflow",
		"-9223372036854775808 -1 /":      "Overflow",
		"-9223372036854775808 -1 mod":    "Overflow",
		"-9223372036854775808 abs":       "Overflow",
		"4611686018427387904 2 *":        "Overflow",
		"-4611686018427387904 2 *":       "-9223372036854775808",
		"1 0 /":                          "DivByZero",
		"9000000000000000000 9 10 */":    "8100000000000000000",
		"-9000000000000000000 9 7 */mod": "Overflow",
		"-7 3 2 */mod":                   "-1 -10",
		"9223372036854775807 1 +w 1 2 -w 4611686018427387904 4 *w": "-9223372036854775808 -1 0",
		"1 63 lshift 1 64 lshift -1 1 rshift 1 -1 lshift":          "-9223372036854775808 0 9223372036854775807 0",
		"5 3 and 5 3 or 5 3 xor 5 invert":                          "1 7 6 -6",
		"1 2 = 2 2 = 1 2 == 2 2 == 1 2 <>":                         "0 -1 0 1 -1",
		`x"01" 1 == x"01" x"01" == x"01" x"02" =`:                  "0 1 0",
		"-1 1 u< 1 -1 u< 0 0= 5 0< -5 0<":                          "0 -1 -1 0 -1",
		`1 x"01" +`:                                                "TypeError",
		`x"01" if then`:                                            "TypeError",
		"drop":                                                     "StackUnderflow",
		"1 2 3 rot 1 2 3 -rot":                                     "2 3 1 3 1 2",
		"1 2 nip 3 4 tuck 0 ?dup 5 ?dup":                           "2 4 3 4 0 5 5",
		"1 2 3 4 2swap 2over depth":                                "3 4 1 2 3 4 6",
		"10 20 30 2 pick 10 20 30 2 roll 6 pick":                   "10 20 30 10 20 30 10 10",
		"1 1 pick":                                                 "StackUnderflow",
		"1 >r 2 r@ r>":                                             "2 1 1",
		": w r> ; 1 >r w":                                          "StackUnderflow",
		": w 1 >r ; w":                                             "StackUnderflow",
		": w r@ drop ; w":                                          "StackUnderflow",
		"2 0 do r@ loop":                                           "StackUnderflow",
		": w 1 exit 2 ; w":                                         "1",
		": fac dup 2 < if drop 1 exit then dup 1- recurse * ; 20 fac": "2432902008176640000",
		": fac dup 2 < if drop 1 exit then dup 1- recurse * ; 21 fac": "Overflow",
		": w recurse ; w":                                     "StackOverflow",
		"begin 1 again":                                       "StackOverflow",
		"begin again":                                         "OutOfGas",
		"0 5 0 do i + loop":                                   "10",
		"5 5 ?do 1 loop 3 0 ?do i loop":                       "0 1 2",
		"0 10 do i -3 +loop":                                  "10 7 4 1",
		"10 0 do i 4 +loop":                                   "0 4 8",
		"2 0 do 2 0 do j 10 * i + loop loop":                  "0 1 10 11",
		"10 0 do i dup 3 = if leave then loop":                "0 1 2 3",
		": w 10 0 do i 3 = if i unloop exit then loop 99 ; w": "3",
		"0 begin 1+ dup 5 = until":                            "5",
		"5 begin dup while 1- dup repeat":                     "4 3 2 1 0 0",
		"0 begin 1+ dup 3 < while dup 9 < while repeat":       "3",
		"1 if 10 else 20 then 0 if 10 else 20 end":            "10 20",
		"i": "StackUnderflow",
		"variable x variable y 7 x ! 8 y ! x @ y @ 5 x +! x @ 0 c@": "7 8 12 12",
		"1 65536 !":               "BadAddress",
		"1 65529 !":               "BadAddress",
		"1 65528 ! 65528 @ -1 c@": "BadAddress",
		`x"0102" len x"" len x"0102" x"03" cat x"010203" 1 2 slice`: `2 0 x"010203" x"0203"`,
		`x"0102" 1 2 slice`:                        "BadAddress",
		`x"0102" -1 1 slice`:                       "BadAddress",
		`258 >b dup b> x"0102" b> x"" b>`:          `x"0000000000000102" 258 258 0`,
		`x"010203040506070809" b>`:                 "Overflow",
		`s" abc" hash`:                             `x"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"`,
		`s" abc" sha256`:                           `x"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"`,
		`x"" keccak256`:                            `x"c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"`,
		`s" abc" blake2b`:                          `x"bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"`,
		`1 hash`:                                   "TypeError",
		`x"00" 20 0 do dup cat loop`:               "OutOfSpace",
		"height chain-id 2 balance -1 participant": `256 x"636861696e" 5 x"70"`,
		`s" fee" param`:                            "7",
		"nonce":                                    "Overflow",
		"slot":                                     "EnvMissing",
		"clock":                                    "EnvMissing",
		"3 balance":                                "EnvMissing",
		"fail":                                     "Fail",
		"0 throw 1 throw":                          "Thrown",
		"1 2 return 3":                             "1 2",
		`x"01" call`:                               "UnknownWord",
		": w 5 ; ' w call ' w execute w call":      "5 5 5",
		": a 5 ; : b a 1+ ; ' b call":              "6",
		"true false":                               "-1 0",
		"macro two 2 ; macro four two two ; four +":    "4",
		"( a comment ) 1 \\ another\n% and another\n2": "1 2",
		"$ff -$10": "255 -16",

		"-1 1 u> 1 -1 u> 5 1 6 within 6 1 6 within 0 -5 1 within": "-1 0 -1 0 -1",
		"-7 s>d 7 s>d":     "-7 -1 7 0",
		"3 4 m* -1 -1 um*": "12 0 1 -2",
		"1 0 3 um/mod -7 -1 2 sm/rem -7 -1 2 fm/mod": "1 0 -1 -3 1 -4",
		"1 2 2>r 2r@ 2r>": "1 2 1 2",
		"0 0 d0= 1 2 1 2 d= 1 2 1 3 d= -1 0 1 0 d+":                          "-1 -1 0 0 1",
		"5 value x x 6 to x x x\"0102\" to x x":                              `5 6 x"0102"`,
		"6 7 * value x : w x 1+ to x ; w w x":                                "44",
		`5 constant five s" a" constant A five A`:                            `5 x"61"`,
		"2 3 * constant six six six":                                         "6 6",
		"60 constant minute minute 60 * constant hour hour":                  "3600",
		"create t 10 , 20 , 30 c, t @ t cell+ @ t 16 + c@ here":              "10 20 30 17",
		"create t 3 cells allot variable y y t 2 cells + 7 over ! @":         "24 7",
		`create m s" hello" s, m 5 mem>b s" abc" m b>mem m 5 mem>b`:          `x"68656c6c6f" x"6162636c6f"`,
		"create b 4 allot b 4 7 fill b 2 + 1 erase b 4 mem>b":                `x"07070007"`,
		"variable a align 1 2 a 2! a 2@":                                     "1 2",
		"2variable d 1 2 d 2! d 2@":                                          "1 2",
		"char A [char] z":                                                    "65 122",
		": c case 1 of 10 endof 2 of 20 endof 30 swap endcase ; 1 c 2 c 3 c": "10 20 30",
		`: w 5 ; ['] w call`:                                                 "5",
		"3 cell+ 4 char+ 5 1 2 + cells":                                      "11 5 5 24",
		": double dup cells ; 3 double":                                      "3 24",
	} {
		out, err := Compile(vm.Source{Text: source}, limits())
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, text := evaluate(t, m, out.Code, nil, testEnvironment()); got != want {
			t.Errorf("%s: %s (%s), want %s", source, got, text, want)
		}
	}
}

// TestChalangWords does the same in the dialect chalang.
func TestChalangWords(t *testing.T) {
	m := machine(t)
	for source, want := range map[string]string{
		"int 1 int 2 ==":                                                    "1 2 0",
		"int 2 int 2 == swap drop swap drop":                                "1",
		"int 2 int 2 =2 int 1 int 2 =2":                                     "1 0",
		"binary 2 AQI= binary 2 AQI= =2":                                    "1",
		"binary 0 binary 2 AQI= ++ binary 1 Aw== ++":                        `x"010203"`,
		"int 5 int 0 and int 5 int 6 and int 0 int 0 or":                    "0 1 0",
		"int 5 int 0 or int 5 int 6 xor int 0 int 6 xor":                    "1 0 1",
		"int 12 int 10 band int 12 int 10 bor int 12 int 10 bxor":           "8 14 6",
		"int 0 not int 7 not":                                               "1 0",
		"int 3 int 2 > int 3 int 2 < int 2 int 2 >":                         "1 0 0",
		"int 1 int 2 int 3 tuck":                                            "3 1 2",
		"int 1 int 2 int 3 rot":                                             "2 3 1",
		"int 1 int 2 2dup ddup":                                             "1 2 1 2 1 2",
		"int 10 int 20 int 30 int 1 pickn":                                  "10 30 20",
		"int 1 >r int 2 r@ r>":                                              "2 1 1",
		"int 7 int 2 / int 7 int 2 rem int 7 int 2 - int 7 int 2 *":         "3 1 5 14",
		"int 9223372036854775807 int 1 +":                                   "Overflow",
		"binary 3 AQID int 1 split":                                         `x"0203" x"01"`,
		"binary 3 AQID int 0 split binary 3 AQID int 3 split":               `x"010203" x"" x"" x"010203"`,
		"binary 3 AQID int 4 split":                                         "BadAddress",
		"binary 3 YWJj hash":                                                `x"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"`,
		"int 1 if int 10 else int 20 then int 0 if int 10 else int 20 then": "10 20",
		": sq dup * ; int 4 sq call":                                        "16",
		": sq dup * ; : quad sq call sq call ; int 2 quad call":             "16",
		": sq dup * ; sq":                                                   `x"c908bbb497afc0b8942366e80ba64513e9af8cf0d36e8b3f25e5438c0c509eb0"`,
		"def sq dup * ; int 3 swap call":                                    "9",
		": fac dup int 2 < if drop int 1 else dup int 1 - recurse call * then ; int 5 fac call": "120",
		": down dup int 0 > if int 1 - recurse call else then ; int 250 down call":              "0",
		": down dup int 0 > if int 1 - recurse call else then ; int 256 down call":              "StackOverflow",
		"variable X variable Y int 12 X ! binary 1 AQ== Y ! X @ Y @ X @":                        `12 x"01" 12`,
		"variable X X @": "0",
		"macro two int 2 ; macro four two two + ; four":          "4",
		"int 5 stack_size nop int 9 % comment\n( and one ) drop": "5 1",
		"int 1 int 2 return int 3":                               "1 2",
		"int 1 crash int 3":                                      "1",
		"fail":                                                   "Fail",
		"binary 1 AQ== call":                                     "UnknownWord",
		"height int 2 balance chain-id":                          `256 5 x"636861696e"`,
	} {
		out, err := Compile(vm.Source{Text: source, Dialect: Chalang}, limits())
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, text := evaluate(t, m, out.Code, nil, testEnvironment()); got != want {
			t.Errorf("%s: %s (%s), want %s", source, got, text, want)
		}
	}
}

// TestLinkedSources calls words that another source has defined, by their hashes: the contract does not have them.
func TestLinkedSources(t *testing.T) {
	m := machine(t)
	for name, c := range map[string]struct{ word, dialect, hash string }{
		"paloalto":                 {": w 0 100 ;", Paloalto, ": w 0 100 ; ' w"},
		"chalang":                  {": w int 0 int 100 ;", Chalang, ": w int 0 int 100 ; w"},
		"a word that calls others": {": a 100 ; : w 0 a ;", Paloalto, ": a 100 ; : w 0 a ; ' w"},
	} {
		hash, _ := evaluate(t, m, compiled(t, vm.Source{Text: c.hash, Dialect: c.dialect}).Code, nil, nil)
		contract := compiled(t, vm.Source{Text: hash + " call 1"}).Code
		evidence := compiled(t, vm.Source{Text: c.word, Dialect: c.dialect, Evidence: true}).Code
		if got, text := evaluate(t, m, contract, evidence, nil); got != "0 100 1" {
			t.Errorf("%s: %s %s", name, got, text)
		}
		if got, _ := evaluate(t, m, contract, nil, nil); got != "UnknownWord" {
			t.Errorf("%s, without the word: %s", name, got)
		}
	}
}

// TestChalangHashLock runs the program of the golden file.
func TestChalangHashLock(t *testing.T) {
	b, err := os.ReadFile("testdata/chalang-hashlock.txt")
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(b), separator)
	m := machine(t)
	code := compiled(t, vm.Source{Text: text}).Code
	for secret, want := range map[string]string{"binary 32 mEylFiIAc0xZIUjxggtxBX8JhXPROGZrSGY+TjDNjTo=": "0 100 1", "binary 4 AAAAAA==": "0 50 1", "": "StackUnderflow"} {
		evidence := compiled(t, vm.Source{Text: secret, Dialect: Chalang, Evidence: true}).Code
		if got, text := evaluate(t, m, code, evidence, nil); got != want {
			t.Errorf("%q: %s (%s), want %s", secret, got, text, want)
		}
	}
}
