package types

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// The vectors of BIP 350, "Test vectors for Bech32m".
func TestBIP350(t *testing.T) {
	valid := []string{
		"A1LQFN3A",
		"a1lqfn3a",
		"an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6",
		"abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
		"11llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllludsr8",
		"split1checkupstagehandshakeupstreamerranterredcaperredlc445v",
		"?1v759aa",
	}
	for _, s := range valid {
		l := strings.ToLower(s)
		i := strings.LastIndexByte(l, '1')
		var five []byte
		for _, c := range []byte(l[i+1:]) {
			five = append(five, byte(strings.IndexByte(bech32Charset, c)))
		}
		if bech32Polymod(append(bech32Expand(l[:i]), five...)) != bech32mConst {
			t.Errorf("%q: checksum", s)
		}
		// Those that hold whole bytes decode, and encode to themselves.
		if n := len(five) - 6; n*5%8 == 0 {
			data, err := bech32mDecode(l[:i], s)
			if err != nil || len(data) != n*5/8 || bech32mEncode(l[:i], data) != l {
				t.Errorf("%q: %x, %v", s, data, err)
			}
		} else if _, err := bech32mDecode(l[:i], s); err != nil && !strings.Contains(err.Error(), "padding") {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, c := range []struct{ hrp, s string }{
		{"\x20", "\x201xj0phk"}, {"\x7f", "\x7f1g6xzxy"}, {"\x80", "\x801vctc34"},
		{"", "qyrz8wqd2c9m"}, {"", "1qyrz8wqd2c9m"}, {"y", "y1b0jsk6g"}, {"lt", "lt1igcx5c0"}, {"in", "in1muywd"},
		{"mm", "mm1crxm3i"}, {"au", "au1s5cgom"}, {"m", "M1VUXWEZ"}, {"", "16plkw9"}, {"", "1p2gdwpf"},
	} {
		if c.hrp == "" {
			c.hrp = "alto"
		}
		if _, err := bech32mDecode(c.hrp, c.s); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", c.s, err)
		}
	}
}

func TestAccountText(t *testing.T) {
	id := testAuthority().ID()
	s := id.String()
	if !strings.HasPrefix(s, "alto1") {
		t.Fatal(s)
	}
	for _, good := range []string{s, strings.ToUpper(s)} {
		if got, err := ParseAccountID(good); err != nil || got != id {
			t.Errorf("%q: %v, %v", good, got, err)
		}
	}
	// Every change of one character is found, and of two.
	for i := len("alto1"); i < len(s); i++ {
		for _, c := range bech32Charset {
			bad := s[:i] + string(c) + s[i+1:]
			if _, err := ParseAccountID(bad); bad != s && !errors.Is(err, ErrMalformed) {
				t.Fatalf("%q: %v", bad, err)
			}
		}
	}
	swapped := []byte(s)
	for i := len("alto1"); i+1 < len(s); i++ {
		if s[i] != s[i+1] {
			swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
			break
		}
	}
	_, key := testKey(0)
	// The sign for Kelvin is a capital letter whose small form is k.
	kelvin := strings.Replace(strings.ToUpper(AccountID{22, 22, 22, 22, 22, 22, 22, 22}.String()), "K", "\u212a", 1)
	for name, bad := range map[string]string{
		"nothing": "", "prefix": "alto1", "no separator": s[:4] + s[5:], "another prefix": "beta1" + s[5:],
		"mixed case": strings.ToUpper(s[:10]) + s[10:], "cut": s[:len(s)-1], "longer": s + "q", "swapped": string(swapped),
		"a key": key.String(), "short": bech32mEncode("alto", make([]byte, 31)), "long": bech32mEncode("alto", make([]byte, 33)),
		"very long": "alto1" + strings.Repeat("q", 1000), "kelvin": kelvin, "space": " " + s, "bech32, not bech32m": "alto1qqqsyqcyq5rqwzqfv3j8wx",
	} {
		if _, err := ParseAccountID(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s, %q: %v", name, bad, err)
		}
	}
	if !strings.Contains(kelvin, "\u212a") {
		t.Error("the case of the sign for Kelvin tests nothing")
	}
	checkJSON(t, id)
}

func TestKeyText(t *testing.T) {
	_, k := testKey(0)
	s := k.String()
	got, err := ParsePublicKey(s)
	if err != nil || got.String() != s || got.Hash() != k.Hash() {
		t.Fatalf("%q: %v, %v", s, got, err)
	}
	for name, bad := range map[string]string{
		"nothing": bech32mEncode("altopub", nil), "short": bech32mEncode("altopub", make([]byte, 32)),
		"unknown scheme": PublicKey{9, k.Key}.String(), "account": testAuthority().ID().String(),
	} {
		if _, err := ParsePublicKey(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b, err := json.Marshal(k)
	var back PublicKey
	if err != nil || json.Unmarshal(b, &back) != nil || back.String() != s {
		t.Errorf("JSON %s, %v", b, err)
	}
}

func TestHashText(t *testing.T) {
	h := testHash("x")
	if h.Short() != h.String()[:8] {
		t.Error(h.Short())
	}
	checkJSON(t, h)
	for _, bad := range []string{"", "00", strings.Repeat("0", 63), strings.Repeat("0", 66), strings.Repeat("g", 64)} {
		if _, err := ParseHash(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func checkJSON[T comparable](t *testing.T, v T) {
	t.Helper()
	b, err := json.Marshal(v)
	var back T
	if err != nil || json.Unmarshal(b, &back) != nil || back != v {
		t.Errorf("JSON %s, %v", b, err)
	}
	if json.Unmarshal([]byte(`"nonsense"`), &back) == nil || back != v {
		t.Error("nonsense was read, or changed the value")
	}
}

func TestPlace(t *testing.T) {
	id := testAuthority().ID()
	if p := id.Place(); string(p[:]) != string(id[:8]) {
		t.Errorf("%x", p)
	}
}
