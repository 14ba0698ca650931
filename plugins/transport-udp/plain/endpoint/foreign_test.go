package endpoint

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/plain"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// foreign is a peer as somebody could write it who has the white paper and nothing else: it sends one message at a time and
// waits for its confirmation, has no buffer for what comes early, and knows the sixteen numbers. It shares no code with ours.
type foreign struct {
	t      *testing.T
	sock   *net.UDPConn
	to     netip.AddrPort
	number byte
	// The paper can be read in several ways.
	fromZero    bool // the first message has number 0
	silentOnOK  bool // CONN_OK is not confirmed
	onlyConfirm bool // everything is confirmed by COFIRM
	otherSocket *net.UDPConn
}

func newForeign(t *testing.T) *foreign {
	sock, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sock.Close() })
	return &foreign{t: t, sock: sock}
}

func (f *foreign) write(b ...byte) {
	sock := f.sock
	if f.otherSocket != nil {
		sock = f.otherSocket
	}
	if _, err := sock.WriteToUDPAddrPort(b, f.to); err != nil {
		f.t.Fatal(err)
	}
}

// read returns the next datagram that is no JUMP.
func (f *foreign) read() []byte {
	f.t.Helper()
	buf := make([]byte, 70000)
	for {
		_ = f.sock.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, from, err := f.sock.ReadFromUDPAddrPort(buf)
		if err != nil {
			f.t.Fatal(err)
		}
		if f.to = from; n >= 4 && buf[1] != 10 {
			return buf[:n]
		}
	}
}

// call connects as the agent.
func (f *foreign) call(to netip.AddrPort) {
	f.to = to
	port := f.sock.LocalAddr().(*net.UDPAddr).Port
	f.write(1, 0, 0, 0, byte(port>>8), byte(port))
	b := f.read()
	if len(b) != 4 || b[0] != 0 || b[1] != 2 || b[2] != 1 {
		f.t.Fatalf("CONNECT is answered with %x", b)
	}
	if !f.silentOnOK {
		f.write(0, 1, 0, b[3])
	}
	if f.fromZero {
		f.number--
	}
}

// say sends a message and waits for its confirmation.
func (f *foreign) say(id byte, confirm byte, body string) {
	f.t.Helper()
	f.number++
	kind := byte(0)
	if body != "" {
		kind = 1
	}
	f.write(append([]byte{kind, id, 1, f.number}, body...)...)
	for {
		b := f.read()
		if b[1] == 2 { // CONN_OK again, because it was not confirmed
			continue
		}
		if len(b) != 4 || b[0] != 0 || b[1] != confirm || b[2] != 0 || b[3] != f.number {
			f.t.Fatalf("message %d with number %d is answered with %x", id, f.number, b)
		}
		return
	}
}

// TestForeignAgent: a peer written from the paper sends a file and has a test run, whichever way it reads the paper.
func TestForeignAgent(t *testing.T) {
	for name, set := range map[string]func(*foreign){
		"as it is":                 func(*foreign) {},
		"counts from zero":         func(f *foreign) { f.fromZero = true },
		"does not confirm CONN_OK": func(f *foreign) { f.silentOnOK = true },
		"sends from another port": func(f *foreign) {
			other, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = other.Close() })
			f.otherSocket = other
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, Folder{}, options(func(c *plain.Config) { c.Retransmit = time.Second }))
			f := newForeign(t)
			set(f)
			f.call(s.Address())
			var want []byte
			f.say(8, 9, "params.txt")
			for i := range 300 { // past the end of the numbers
				line := fmt.Sprintf("line %d\n", i)
				want = append(want, line...)
				f.say(3, 4, line)
			}
			f.say(5, 6, "")
			if got, err := os.ReadFile(filepath.Join(s.dir, "params.txt")); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			f.say(12, 13, "")
			f.say(3, 4, "test")
			f.say(5, 6, "")
			b := f.read() // TEST_OVER
			if b[1] != 15 || b[2] != 1 {
				t.Fatalf("the end of the test is reported with %x", b)
			}
			f.write(0, 1, 0, b[3])
			f.say(11, 1, "")
			var result []byte
			for id := byte(0); id != 5; {
				b := f.read()
				if id = b[1]; id == 3 {
					result = append(result, b[4:]...)
				}
				f.write(0, map[byte]byte{8: 9, 3: 4, 5: 6}[id], 0, b[3])
			}
			if string(result) != "messages 1\nbytes 4\nrepeated 0\n" {
				t.Fatalf("the result is %q", result)
			}
			f.say(14, 1, "")
			f.number++
			f.write(1, 7, 1, f.number, 2) // DisConnect
			if b := f.read(); b[1] != 1 || b[3] != f.number {
				t.Fatalf("ERROR is answered with %x", b)
			}
		})
	}
}

// TestForeignDevice: a peer written from the paper receives a file from ours, which has to send one message at a time.
func TestForeignDevice(t *testing.T) {
	for name, onlyConfirm := range map[string]bool{"a confirmation of its own for each": false, "COFIRM for all": true} {
		t.Run(name, func(t *testing.T) {
			f := newForeign(t)
			f.onlyConfirm = onlyConfirm
			data := content(5000)
			var got []byte
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				b := f.read()
				if !bytes.Equal(b[:4], []byte{1, 0, 0, 0}) || len(b) != 6 {
					t.Errorf("CONNECT is %x", b)
					return
				}
				f.write(0, 2, 1, 1)
				for last := byte(0); ; {
					b := f.read()
					if b[1] == 1 {
						continue
					}
					confirm := map[byte]byte{8: 9, 3: 4, 5: 6, 7: 1}[b[1]]
					if f.onlyConfirm {
						confirm = 1
					}
					switch {
					case b[3] != last && b[3] != last+1:
						t.Errorf("number %d comes after %d", b[3], last)
						return
					case b[3] != last && b[1] == 3:
						got = append(got, b[4:]...)
					}
					last = b[3]
					if f.write(0, confirm, 0, last); b[1] == 7 {
						return
					}
				}
			}()
			a := open(t, options(func(c *plain.Config) { c.Window, c.Retransmit = 1, time.Second }))
			p := dial(t, a, f.sock.LocalAddr().(*net.UDPAddr).AddrPort())
			if _, err := SendFile(t.Context(), p, "f", bytes.NewReader(data), 17); err != nil {
				t.Fatal(err)
			}
			if err := p.Hangup(t.Context(), wire.DisConnect); err != nil {
				t.Fatal(err)
			}
			<-ended
			if !bytes.Equal(got, data) {
				t.Fatalf("%d bytes have arrived of %d, or others", len(got), len(data))
			}
		})
	}
}
