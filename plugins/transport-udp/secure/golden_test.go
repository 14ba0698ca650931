package secure_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/secure"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

var update = flag.Bool("update", false, "write testdata/vectors.txt")

// TestVectors makes every datagram of the noise mode from fixed keys and compares with testdata/vectors.txt.
func TestVectors(t *testing.T) {
	var out strings.Builder
	out.WriteString(`# The datagrams of the noise mode, from fixed keys. A line: what it is, a colon, hexadecimal digits; those of a datagram are
# separated where its fields are. The header is that of the white paper; docs/reference/transport.md describes the rest.
`)
	note := func(text string) { out.WriteString("\n# " + text + "\n") }
	put := func(name string, fields ...[]byte) {
		out.WriteString(name + ":")
		for _, f := range fields {
			fmt.Fprintf(&out, " %x", f)
		}
		out.WriteString("\n")
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	fill := func(x byte) (s [32]byte) {
		copy(s[:], bytes.Repeat([]byte{x}, 32))
		return s
	}
	make1 := func(name string, node, static byte) *secure.Identity {
		seed, private := fill(node), fill(static)
		key := ed25519.NewKeyFromSeed(seed[:])
		id, err := secure.NewIdentity(bytes.NewReader(private[:]))
		must(err)
		certificate := transport.EncodeBinding(types.Ed25519Key(key.Public().(ed25519.PublicKey)), ed25519.Sign(key, transport.BindingBytes(id.Public())))
		_, err = id.Certify(certificate)
		must(err)
		put(name+", seed of the node key", seed[:])
		put(name+", node key", key.Public().(ed25519.PublicKey))
		put(name+", private session key", private[:])
		put(name+", session key", id.Public())
		put(name+", certificate", certificate)
		return id
	}
	note("Who they are. The node id is a hash of the node key, see docs/reference/encoding.md.")
	a, b := make1("caller", 1, 2), make1("other", 3, 4)
	ea, eb := fill(5), fill(6)
	put("caller, private ephemeral key", ea[:])
	put("other, private ephemeral key", eb[:])

	at := netip.MustParseAddrPort("192.0.2.1:26600")
	secret := fill(7)
	cookies, err := secure.NewCookies(bytes.NewReader(secret[:]))
	must(err)
	cookie := cookies.Make(time.Minute, at)
	mine := wire.Hello{Tag: 0x0102030405060708, Datagram: 1200, Lanes: []uint16{26601}}
	connect := wire.ConnectBody{Port: 26600, Hello: mine, Cookie: cookie[:]}
	call, err := secure.NewCall(a, ea, connect.Params(nil))
	must(err)
	connect.Handshake = call.First()
	frame := func(h wire.Header, body []byte) []byte { return append(h.Append(nil, true), body...) }
	cut := func(b []byte, at ...int) (fields [][]byte) {
		last := 0
		for _, n := range at {
			fields = append(fields, b[last:last+n])
			last += n
		}
		return append(fields, b[last:])
	}
	note("CONNECT: header, port, version, tag, largest datagram, link, lanes, port, cookie with its length, first message with its length, zeros.\n" +
		"# Without a cookie its length is 0. The cookie is of 192.0.2.1:26600.")
	put("CONNECT", cut(frame(wire.Header{ID: wire.Connect}, connect.Append(nil, 0)), 4, 2, 1, 8, 2, 8, 1, 2, 17, 2+len(connect.Handshake))...)
	note("CONN_OK: header, tag of the CONNECT, version, kind, cookie or second message.")
	put("CONN_OK, a cookie", cut(frame(wire.Header{ID: wire.ConnOK, Confirm: wire.Wanted}, wire.ConnOKBody{Echo: mine.Tag, Cookie: cookie[:]}.Append(nil)), 4, 8, 1, 1)...)
	theirs := wire.Hello{Tag: 0x1112131415161718, Datagram: 16384}
	answer, err := secure.NewAnswer(b, eb, connect.Params(nil), connect.Handshake, theirs.Append(nil))
	must(err)
	put("CONN_OK, the handshake", cut(frame(wire.Header{ID: wire.ConnOK, Confirm: wire.Wanted}, wire.ConnOKBody{Echo: mine.Tag, Handshake: answer.Second()}.Append(nil)), 4, 8, 1, 1)...)
	rotation := secure.Rotation{Datagrams: 2, Bytes: 1 << 40, Time: time.Hour}
	third, ra, err := call.Finish(answer.Second(), rotation)
	must(err)
	rb, err := answer.Finish(third, rotation)
	must(err)
	session := mine.Tag ^ theirs.Tag
	note("COFIRM: header, session, mark, third message.")
	put("COFIRM, the handshake", cut(frame(wire.Header{ID: wire.Confirm}, wire.AppendThird(nil, session, third)), 4, 8, 8)...)

	note("Sealed, with a key for two datagrams each: header, session, counter, cipher text with its tag. What is sealed comes before.")
	sealed := func(from *secure.Session, to *secure.Session, name string, h wire.Header, inner []byte) {
		t.Helper()
		d := binary.BigEndian.AppendUint64(h.Append(nil, true), session)
		d = append(append(d, make([]byte, wire.CounterSize)...), inner...)
		d, err := from.Seal(0, d, wire.Clear)
		must(err)
		put(name+", content", inner)
		put(name, cut(d, 4, 8, 8)...)
		got, _, err := to.Open(bytes.Clone(d), wire.Clear)
		if err != nil || !bytes.Equal(got, inner) {
			t.Fatalf("%s opens as %x, %v", name, got, err)
		}
	}
	sealed(rb.Session, ra.Session, "other, JUMP", wire.Header{ID: wire.Jump}, nil)
	message := wire.AppendMessage([]byte{0, 0, 0, 1, byte(wire.Messages)}, "c", []byte("hello"))
	sealed(ra.Session, rb.Session, "caller, DATA", wire.Header{ID: wire.Data, Confirm: wire.Wanted, Seq: 1}, message)
	sealed(rb.Session, ra.Session, "other, DATA_OK", wire.Header{ID: wire.DataOK, Seq: 1}, wire.Confirmation{Window: 127, Expected: 2}.Append(nil))
	sealed(ra.Session, rb.Session, "caller, the same DATA again", wire.Header{ID: wire.Data, Confirm: wire.Retransmits, Seq: 1}, message)
	sealed(ra.Session, rb.Session, "caller, ERROR under the next key", wire.Header{ID: wire.Error, Seq: 1}, append([]byte{byte(wire.DisConnect)}, "hung up"...))

	note("In the clear.")
	put("there is no such session", cut(frame(wire.Header{ID: wire.Error}, wire.AppendReset(nil, session, wire.DisConnect)), 4, 8)...)
	put("to a peer of the plain mode", cut(frame(wire.Header{ID: wire.Error}, []byte{byte(wire.ConfigError)}), 4)...)

	const file = "testdata/vectors.txt"
	if *update {
		must(os.MkdirAll("testdata", 0o755))
		must(os.WriteFile(file, []byte(out.String()), 0o644))
	}
	want, err := os.ReadFile(file)
	must(err)
	if string(want) != out.String() {
		for i, line := range strings.Split(out.String(), "\n") {
			if was := strings.Split(string(want), "\n"); i >= len(was) || was[i] != line {
				t.Fatalf("line %d is now\n%s", i+1, line)
			}
		}
		t.Fatal("lines are missing")
	}
	// The file itself can be read.
	for _, line := range strings.Split(string(want), "\n") {
		if _, digits, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, "#") {
			if _, err := hex.DecodeString(strings.ReplaceAll(digits, " ", "")); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
		}
	}
}
