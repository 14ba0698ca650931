package secure

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"time"

	"golang.org/x/crypto/blake2s"
)

// CookieSize is the length of a cookie in bytes.
const CookieSize = 16

// cookieSlot is how often the secret changes. A cookie is good in the slot that it was made in and in the next.
const cookieSlot = 2 * time.Minute

// Cookie proves to who made it that its holder receives at an address.
type Cookie [CookieSize]byte

// Cookies makes and checks cookies, and keeps nothing of them.
type Cookies struct {
	master [32]byte
	slot   uint64
	keys   [2][32]byte // of this slot and the one before
	ready  bool
}

// NewCookies draws the secret that all others follow from.
func NewCookies(random io.Reader) (*Cookies, error) {
	c := &Cookies{}
	if _, err := io.ReadFull(random, c.master[:]); err != nil {
		return nil, fmt.Errorf("make a secret for cookies: %w", err)
	}
	return c, nil
}

// Make returns the cookie of an address at a time.
func (c *Cookies) Make(now time.Duration, at netip.AddrPort) Cookie {
	c.turn(now)
	return c.code(0, at)
}

// Good tells whether a cookie is one of that address and not too old. It costs a hash, or nothing.
func (c *Cookies) Good(now time.Duration, at netip.AddrPort, cookie []byte) bool {
	if len(cookie) != CookieSize {
		return false
	}
	c.turn(now)
	age := byte(c.slot) - cookie[0]
	if age > 1 || uint64(age) > c.slot {
		return false
	}
	want := c.code(int(age), at)
	return subtle.ConstantTimeCompare(want[:], cookie) == 1
}

// turn makes the secrets of the time. BLAKE2s with a secret of fixed length before a message of fixed length is a code.
func (c *Cookies) turn(now time.Duration) {
	slot := uint64(max(now, 0) / cookieSlot)
	if c.ready && slot == c.slot {
		return
	}
	c.slot, c.ready = slot, true
	for age := range c.keys {
		c.keys[age] = blake2s.Sum256(binary.BigEndian.AppendUint64(append([]byte(nil), c.master[:]...), slot-uint64(age)))
	}
}

func (c *Cookies) code(age int, at netip.AddrPort) (out Cookie) {
	var in [32 + 16 + 2]byte
	ip := at.Addr().As16()
	copy(in[:], c.keys[age][:])
	copy(in[32:], ip[:])
	binary.BigEndian.PutUint16(in[48:], at.Port())
	sum := blake2s.Sum256(in[:])
	copy(out[:], sum[:])
	out[0] = byte(c.slot - uint64(age))
	return out
}

// Jar keeps the cookies that others gave, one for each of the latest addresses.
type Jar struct {
	cookies map[netip.AddrPort]Cookie
	order   []netip.AddrPort
	next    int
}

// jarSize is how many addresses a jar remembers.
const jarSize = 1024

// Put keeps a cookie for an address.
func (j *Jar) Put(at netip.AddrPort, c Cookie) {
	if j.cookies == nil {
		j.cookies = map[netip.AddrPort]Cookie{}
	}
	if _, ok := j.cookies[at]; !ok {
		if len(j.order) < jarSize {
			j.order = append(j.order, at)
		} else {
			delete(j.cookies, j.order[j.next])
			j.order[j.next] = at
			j.next = (j.next + 1) % jarSize
		}
	}
	j.cookies[at] = c
}

// Get returns the cookie of an address, or nothing.
func (j *Jar) Get(at netip.AddrPort) (Cookie, bool) {
	c, ok := j.cookies[at]
	return c, ok
}
