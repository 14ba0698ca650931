package types

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

// Limits of an account's authority.
const (
	MaxPermissions     = 32
	MaxPermissionDepth = 6
	MaxAuthorities     = 32 // keys and accounts of one permission together
	MaxAccountDepth    = 4  // recursion over accounts
	MaxLinks           = 64
	MaxAuthorityBytes  = 32 << 10
)

// Names of the permissions that every account has or falls back to.
const (
	OwnerPermission  = "owner"
	ActivePermission = "active"
)

// Errors of authorities.
var (
	ErrThreshold = errors.New("threshold cannot be reached, or is zero")
	ErrCycle     = errors.New("cycle")
)

// KeyWeight is a key's share of a permission. The hash of the key is kept, not the key.
type KeyWeight struct {
	Scheme Scheme
	Key    Hash
	Weight uint32
}

// AccountWeight is the share of another account's permission in a permission.
type AccountWeight struct {
	Account    AccountID
	Permission string
	Weight     uint32
}

// Permission is a node of an account's tree of permissions.
type Permission struct {
	Name      string
	Parent    string // empty for the root, "owner"
	Threshold uint32
	Keys      []KeyWeight
	Accounts  []AccountWeight
	Delay     uint64 // in ticks of the chain's clock; only 0 is accepted until delays exist
}

// Link says which permission an action needs. Pattern is "module.action", "module.*" or "*"; the most exact one counts.
type Link struct{ Pattern, Permission string }

// Authority is the whole of an account's rights.
type Authority struct {
	Salt        uint64 // lets one choose where one's id lies
	Permissions []Permission
	Links       []Link
	Guard       string // what changing the authority itself needs
}

// SingleKeyAuthority is the smallest tree: one key in owner and active.
func SingleKeyAuthority(key PublicKey) *Authority {
	kw := []KeyWeight{{key.Scheme, key.Hash(), 1}}
	return &Authority{
		Permissions: []Permission{
			{Name: ActivePermission, Parent: OwnerPermission, Threshold: 1, Keys: kw},
			{Name: OwnerPermission, Threshold: 1, Keys: kw},
		},
		Guard: OwnerPermission,
	}
}

// ID returns the id of the account whose first authority this is.
func (a *Authority) ID() AccountID { return AccountIDOf(a.Encode()) }

// AccountIDOf returns the id of the account whose first authority has these bytes.
func AccountIDOf(authority []byte) AccountID { return AccountID(Sum(DomainAccount, authority)) }

// Encode returns the canonical bytes. Permissions and links must be sorted, as [Authority.Validate] demands.
func (a *Authority) Encode() []byte {
	e := NewEncoder(128)
	e.Byte(1) // format
	e.Uint(a.Salt)
	e.Uint(uint64(len(a.Permissions)))
	for _, p := range a.Permissions {
		encodePermission(e, p)
	}
	e.Uint(uint64(len(a.Links)))
	for _, l := range a.Links {
		e.String(l.Pattern)
		e.String(l.Permission)
	}
	e.String(a.Guard)
	return e.Bytes()
}

// DecodeAuthority is the inverse of [Authority.Encode]; it also validates.
func DecodeAuthority(b []byte) (*Authority, error) {
	if len(b) > MaxAuthorityBytes {
		return nil, fmt.Errorf("authority: %w: %d bytes", ErrMalformed, len(b))
	}
	d := NewDecoder(b)
	if f := d.Byte(); f != 1 {
		d.Fail("authority format %d is unknown", f)
	}
	a := &Authority{Salt: d.Uint()}
	for range d.Count(MaxPermissions, 6) {
		a.Permissions = append(a.Permissions, decodePermission(d))
	}
	for range d.Count(MaxLinks, 2) {
		a.Links = append(a.Links, Link{d.String(2 * MaxNameBytes), d.String(MaxNameBytes)})
	}
	a.Guard = d.String(MaxNameBytes)
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return a, nil
}

func encodePermission(e *Encoder, p Permission) {
	e.String(p.Name)
	e.String(p.Parent)
	e.Uint(uint64(p.Threshold))
	e.Uint(uint64(len(p.Keys)))
	for _, k := range p.Keys {
		e.Byte(byte(k.Scheme))
		e.Hash(k.Key)
		e.Uint(uint64(k.Weight))
	}
	e.Uint(uint64(len(p.Accounts)))
	for _, w := range p.Accounts {
		e.Raw(w.Account[:])
		e.String(w.Permission)
		e.Uint(uint64(w.Weight))
	}
	e.Uint(p.Delay)
}

func decodePermission(d *Decoder) Permission {
	p := Permission{Name: d.String(MaxNameBytes), Parent: d.String(MaxNameBytes), Threshold: d.Uint32()}
	for range d.Count(MaxAuthorities, 34) {
		p.Keys = append(p.Keys, KeyWeight{Scheme(d.Byte()), d.Hash(), d.Uint32()})
	}
	for range d.Count(MaxAuthorities, 34) {
		var w AccountWeight
		copy(w.Account[:], d.Raw(32))
		w.Permission, w.Weight = d.String(MaxNameBytes), d.Uint32()
		p.Accounts = append(p.Accounts, w)
	}
	p.Delay = d.Uint()
	return p
}

// Find returns the permission with a name, or nil.
func (a *Authority) Find(name string) *Permission {
	for i := range a.Permissions {
		if a.Permissions[i].Name == name {
			return &a.Permissions[i]
		}
	}
	return nil
}

// Sort puts permissions and links into the order that Validate demands.
func (a *Authority) Sort() {
	sort.Slice(a.Permissions, func(i, j int) bool { return a.Permissions[i].Name < a.Permissions[j].Name })
	sort.Slice(a.Links, func(i, j int) bool { return a.Links[i].Pattern < a.Links[j].Pattern })
}

// Validate checks the tree: "owner" is its only root, every parent exists, depth and sizes are bounded, every threshold can
// be reached, links and guard name permissions that exist, and everything is sorted without repetition. What it accepts,
// [DecodeAuthority] reads back from the encoding.
func (a *Authority) Validate() error {
	if len(a.Permissions) > MaxPermissions || len(a.Links) > MaxLinks {
		return fmt.Errorf("authority: %w: %d permissions and %d links, at most %d and %d are allowed", ErrMalformed,
			len(a.Permissions), len(a.Links), MaxPermissions, MaxLinks)
	}
	if p := a.Find(OwnerPermission); p == nil || p.Parent != "" {
		return fmt.Errorf("authority: %w: the root permission %q is missing", ErrMalformed, OwnerPermission)
	}
	for i := range a.Permissions {
		p := &a.Permissions[i]
		if i > 0 && a.Permissions[i-1].Name >= p.Name {
			return fmt.Errorf("authority: %w: permissions are not sorted at %q", ErrMalformed, p.Name)
		}
		if err := a.validatePermission(p); err != nil {
			return fmt.Errorf("authority: permission %q: %w", p.Name, err)
		}
	}
	for i, l := range a.Links {
		if i > 0 && a.Links[i-1].Pattern >= l.Pattern {
			return fmt.Errorf("authority: %w: links are not sorted at %q", ErrMalformed, l.Pattern)
		}
		if l.Pattern == "" || len(l.Pattern) > 2*MaxNameBytes || !printable(l.Pattern, "") {
			return fmt.Errorf("authority: %w: bad link pattern %q", ErrMalformed, l.Pattern)
		}
		if a.Find(l.Permission) == nil {
			return fmt.Errorf("authority: link %q: %w: permission %q does not exist", l.Pattern, ErrMalformed, l.Permission)
		}
	}
	if a.Find(a.Guard) == nil {
		return fmt.Errorf("authority: guard: %w: permission %q does not exist", ErrMalformed, a.Guard)
	}
	if n := len(a.Encode()); n > MaxAuthorityBytes {
		return fmt.Errorf("authority: %w: %d bytes, at most %d are allowed", ErrMalformed, n, MaxAuthorityBytes)
	}
	return nil
}

// printable tells whether s has only visible ASCII characters and none of those excluded, so that it reads the same in
// every log, table and JSON document.
func printable(s, excluded string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return !strings.ContainsAny(s, excluded)
}

func (a *Authority) validatePermission(p *Permission) error {
	if p.Name == "" || len(p.Name) > MaxNameBytes || !printable(p.Name, ".*") {
		return fmt.Errorf("%w: bad name", ErrMalformed)
	}
	if (p.Parent == "") != (p.Name == OwnerPermission) {
		return fmt.Errorf("%w: only %q has no parent", ErrMalformed, OwnerPermission)
	}
	if p.Delay != 0 {
		return fmt.Errorf("%w: delays are not part of these rules", ErrMalformed)
	}
	depth := 0
	for q := p; q.Parent != ""; depth++ {
		if depth >= MaxPermissionDepth {
			return fmt.Errorf("%w or more than %d levels", ErrCycle, MaxPermissionDepth)
		}
		parent := a.Find(q.Parent)
		if parent == nil {
			return fmt.Errorf("%w: parent %q does not exist", ErrMalformed, q.Parent)
		}
		q = parent
	}
	if len(p.Keys)+len(p.Accounts) > MaxAuthorities {
		return fmt.Errorf("%w: more than %d keys and accounts", ErrMalformed, MaxAuthorities)
	}
	var sum uint64
	seen := map[string]bool{}
	for _, k := range p.Keys {
		id := "k" + string(k.Key[:])
		if k.Weight == 0 || k.Scheme == 0 || seen[id] {
			return fmt.Errorf("%w: key %s repeated or without weight", ErrMalformed, k.Key.Short())
		}
		seen[id] = true
		sum += uint64(k.Weight)
	}
	for _, w := range p.Accounts {
		id := "a" + string(w.Account[:]) + w.Permission
		if w.Weight == 0 || w.Permission == "" || len(w.Permission) > MaxNameBytes || !printable(w.Permission, ".*") || seen[id] {
			return fmt.Errorf("%w: account %s repeated, without weight or with a bad permission", ErrMalformed, w.Account)
		}
		seen[id] = true
		sum += uint64(w.Weight)
	}
	if p.Threshold == 0 || sum < uint64(p.Threshold) {
		return fmt.Errorf("%w: threshold %d, weights sum to %d", ErrThreshold, p.Threshold, sum)
	}
	return nil
}

// Required returns the name of the permission that an action needs: by the most exact link, else "active", else "owner".
func (a *Authority) Required(module, action string) string {
	best, rank := "", 0
	for _, l := range a.Links {
		r := 0
		switch l.Pattern {
		case module + "." + action:
			r = 3
		case module + ".*":
			r = 2
		case "*":
			r = 1
		}
		if r > rank {
			best, rank = l.Permission, r
		}
	}
	if rank > 0 {
		return best
	}
	if a.Find(ActivePermission) != nil {
		return ActivePermission
	}
	return OwnerPermission
}

// Covers tells whether permission name is required or one of its ancestors.
func (a *Authority) Covers(name, required string) bool {
	for p := a.Find(required); p != nil; p = a.Find(p.Parent) {
		if p.Name == name {
			return true
		}
		if p.Parent == "" {
			return false
		}
	}
	return false
}
