package plain

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// shown is how many bytes of a body Hex writes; of longer ones it tells the length.
const shown = 48

// Describe says in words what a datagram is: "DATA 17, 512 bytes". Numbers stand behind the names; a retransmission is marked.
func Describe(b []byte) string {
	h, body, err := wire.Parse(b)
	if err != nil {
		return err.Error()
	}
	s := h.ID.String() + " " + strconv.Itoa(int(h.Seq))
	switch {
	case h.ID == wire.Connect && len(body) == 2:
		s += fmt.Sprintf(", port %d", int(body[0])<<8|int(body[1]))
	case h.ID == wire.Error && len(body) == 1:
		s += ", " + wire.Code(body[0]).String()
	case h.ID == wire.FileName:
		s += ", " + strconv.Quote(clip(string(body)))
	case len(body) == 1:
		s += ", 1 byte"
	case len(body) > 0:
		s += fmt.Sprintf(", %d bytes", len(body))
	}
	if h.Confirm == wire.Retransmits {
		s += ", again"
	}
	return s
}

func clip(s string) string {
	if len(s) > shown {
		return s[:shown] + "…"
	}
	return s
}

// Hex writes a datagram as the captures have it: the four bytes of the header, then the body, of which at most 48 bytes are
// written and the rest as +LENGTH.
func Hex(b []byte) string {
	group := func(b []byte) string {
		var w strings.Builder
		for i := range b {
			if i > 0 {
				w.WriteByte(' ')
			}
			w.WriteString(hex.EncodeToString(b[i : i+1]))
		}
		return w.String()
	}
	if len(b) <= wire.HeaderSize {
		return group(b)
	}
	body, rest := b[wire.HeaderSize:], ""
	if len(body) > shown {
		rest, body = fmt.Sprintf(" +%d", len(body)-shown), body[:shown]
	}
	return group(b[:wire.HeaderSize]) + "  " + group(body) + rest
}

// Line is a line of a capture: the time in milliseconds, who sends to whom, the bytes, and what they are.
func Line(at Time, from, to string, b []byte) string {
	return fmt.Sprintf("%-8s %s > %s  %-40s # %s", strconv.FormatFloat(float64(at)/float64(time.Millisecond), 'f', -1, 64)+"ms", from, to, Hex(b), Describe(b))
}
