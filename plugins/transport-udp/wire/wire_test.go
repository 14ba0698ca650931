package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"testing"
)

// TestCapture checks the sixteen messages against the bytes that the white paper gives them.
func TestCapture(t *testing.T) {
	for _, c := range []struct {
		h    Header
		body []byte
		hex  string
	}{
		{Header{ID: Connect}, []byte{0x67, 0xe8}, "0100000067e8"},
		{Header{ID: Confirm, Seq: 7}, nil, "00010007"},
		{Header{ID: ConnOK, Confirm: Wanted, Seq: 1}, nil, "00020101"},
		{Header{ID: Data, Confirm: Wanted, Seq: 2}, []byte("hi"), "010301026869"},
		{Header{ID: DataOK, Seq: 2}, nil, "00040002"},
		{Header{ID: DataOver, Confirm: Wanted, Seq: 3}, nil, "00050103"},
		{Header{ID: DataOverOK, Seq: 3}, nil, "00060003"},
		{Header{ID: Error, Confirm: Wanted, Seq: 4}, []byte{byte(DisConnect)}, "0107010402"},
		{Header{ID: FileName, Confirm: Wanted, Seq: 5}, []byte("f"), "0108010566"},
		{Header{ID: FileNameOK, Seq: 5}, nil, "00090005"},
		{Header{ID: Jump, Seq: 5}, nil, "000a0005"},
		{Header{ID: Result, Confirm: Wanted, Seq: 255}, nil, "000b01ff"},
		{Header{ID: Start, Confirm: Retransmits, Seq: 0}, nil, "000c0200"},
		{Header{ID: StartOK}, nil, "000d0000"},
		{Header{ID: Stop, Confirm: Wanted, Seq: 1}, nil, "000e0101"},
		{Header{ID: TestOver, Confirm: Wanted, Seq: 2}, nil, "000f0102"},
	} {
		b := append(c.h.Append(nil, len(c.body) > 0), c.body...)
		if got := hex.EncodeToString(b); got != c.hex {
			t.Errorf("%s is %s, want %s", c.h.ID, got, c.hex)
		}
		h, body, err := Parse(b)
		if err != nil || h != c.h || !bytes.Equal(body, c.body) {
			t.Errorf("%s is read as %+v %x, %v", c.hex, h, body, err)
		}
	}
}

func TestMalformed(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty":               {},
		"short":               {0, 1, 0},
		"type 2":              {2, 1, 0, 0},
		"identification 16":   {0, 16, 0, 0},
		"confirmation 3":      {0, 1, 3, 0},
		"type 1 without body": {1, 1, 0, 0},
		"type 0 with a body":  {0, 1, 0, 0, 1},
		"too long":            make([]byte, MaxDatagram+1),
	} {
		if _, _, err := Parse(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzDatagram: no decoder panics, and what a decoder takes it would write the same.
func FuzzDatagram(f *testing.F) {
	hello := Hello{Tag: 1, Datagram: 1200, Link: 9, Lanes: []uint16{7}}
	connect := ConnectBody{Port: 26600, Hello: hello, Handshake: []byte("first")}
	f.Add(connect.Append(Header{ID: Connect}.Append(nil, true), 0))
	connect.Cookie = make([]byte, CookieSize)
	f.Add(connect.Append(Header{ID: Connect}.Append(nil, true), 600))
	f.Add(ConnOKBody{Echo: 3, Cookie: make([]byte, CookieSize)}.Append(Header{ID: ConnOK, Confirm: 1}.Append(nil, true)))
	f.Add(ConnOKBody{Echo: 3, Handshake: []byte("second")}.Append(Header{ID: ConnOK, Confirm: 1}.Append(nil, true)))
	f.Add(AppendThird(Header{ID: Confirm}.Append(nil, true), 7, []byte("third")))
	f.Add(Confirmation{Window: 127, Expected: 3, Bits: []byte{1}}.Append(append(Header{ID: DataOK}.Append(nil, true), make([]byte, 8)...)))
	f.Add(File{Message: 1, Length: 2, Channel: []byte("c")}.Append(append(Header{ID: FileName, Confirm: 1}.Append(nil, true), make([]byte, 8)...)))
	f.Add(AppendMessage(append(Header{ID: Data, Confirm: 1}.Append(nil, true), make([]byte, 9)...), "c", []byte("hello")))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, body, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if got := append(h.Append(nil, len(body) > 0), body...); !bytes.Equal(got, b) {
			t.Fatalf("%x is written as %x", b, got)
		}
		if c, err := ParseConnect(body); err == nil && !bytes.Equal(c.Append(nil, len(body)), body) {
			t.Fatalf("CONNECT %x is written as %x", body, c.Append(nil, len(body)))
		}
		if third, ok := ParseThird(body); ok && !bytes.Equal(AppendThird(nil, binary.BigEndian.Uint64(body), third), body) {
			t.Fatalf("third message %x", body)
		}
		if c, err := ParseConnOK(body); err == nil && !bytes.Equal(c.Append(nil), body) {
			t.Fatalf("CONN_OK %x is written as %x", body, c.Append(nil))
		}
		tag, rest, err := ParseTag(body)
		_ = tag
		if err != nil {
			return
		}
		if c, err := ParseConfirmation(rest); err == nil && !bytes.Equal(c.Append(nil), rest) {
			t.Fatalf("confirmation %x", rest)
		}
		if c, err := ParseFile(rest); err == nil && !bytes.Equal(c.Append(nil), rest) {
			t.Fatalf("FILENAME %x", rest)
		}
		_, _, _, _ = ParsePiece(rest)
		_, _ = ParseOver(rest)
		for len(rest) > 0 {
			_, _, next, err := NextMessage(rest)
			if err != nil {
				break
			}
			if len(next) >= len(rest) {
				t.Fatal("a message of no length")
			}
			rest = next
		}
	})
}
