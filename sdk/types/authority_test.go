package types

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestAuthorityValidate(t *testing.T) {
	if err := testAuthority().Validate(); err != nil {
		t.Fatal(err)
	}
	chainOf := func(n int) func(a *Authority) {
		return func(a *Authority) {
			parent := OwnerPermission
			for i := range n {
				name := fmt.Sprintf("p%d", i)
				a.Permissions = append(a.Permissions, Permission{Name: name, Parent: parent, Threshold: 1, Keys: a.Permissions[0].Keys})
				parent = name
			}
			a.Sort()
		}
	}
	many := func(n, keys int) func(a *Authority) {
		return func(a *Authority) {
			for i := range n {
				p := Permission{Name: fmt.Sprintf("p%02d%s", i, strings.Repeat("x", 40)), Parent: OwnerPermission, Threshold: 1}
				for j := range keys {
					p.Accounts = append(p.Accounts, AccountWeight{AccountID(testHash(fmt.Sprint(j))), strings.Repeat("y", 40), 1})
				}
				a.Permissions = append(a.Permissions, p)
			}
			a.Sort()
		}
	}
	for _, c := range []struct {
		name   string
		change func(a *Authority)
		want   error // nil: valid
	}{
		{"as it is", func(*Authority) {}, nil},
		{"no owner", func(a *Authority) { a.Permissions[2].Name = "ownerx" }, ErrMalformed},
		{"owner with a parent", func(a *Authority) { a.Permissions[2].Parent = "active" }, ErrMalformed},
		{"second root", func(a *Authority) { a.Permissions[1].Parent = "" }, ErrMalformed},
		{"unknown parent", func(a *Authority) { a.Permissions[1].Parent = "nobody" }, ErrMalformed},
		{"cycle", func(a *Authority) { a.Permissions[0].Parent = "pay" }, ErrCycle},
		{"own parent", func(a *Authority) { a.Permissions[1].Parent = "cold" }, ErrCycle},
		{"as deep as allowed", chainOf(MaxPermissionDepth), nil},
		{"too deep", chainOf(MaxPermissionDepth + 1), ErrCycle},
		{"not sorted", func(a *Authority) { a.Permissions[0], a.Permissions[1] = a.Permissions[1], a.Permissions[0] }, ErrMalformed},
		{"repeated name", func(a *Authority) { a.Permissions[1].Name = "active" }, ErrMalformed},
		{"name with a dot", func(a *Authority) { a.Permissions[3].Name = "pay.x" }, ErrMalformed},
		{"name with a new line", func(a *Authority) { a.Permissions[3].Name = "pay\n" }, ErrMalformed},
		{"name beyond ASCII", func(a *Authority) { a.Permissions[3].Name = "pay\xff" }, ErrMalformed},
		{"name too long", func(a *Authority) { a.Permissions[3].Name = strings.Repeat("z", MaxNameBytes+1) }, ErrMalformed},
		{"no name", func(a *Authority) { a.Permissions[0].Name = "" }, ErrMalformed},
		{"delay", func(a *Authority) { a.Permissions[0].Delay = 1 }, ErrMalformed},
		{"threshold zero", func(a *Authority) { a.Permissions[0].Threshold = 0 }, ErrThreshold},
		{"threshold out of reach", func(a *Authority) { a.Permissions[0].Threshold = 3 }, ErrThreshold},
		{"weights beyond 32 bits", func(a *Authority) {
			a.Permissions[0].Keys[0].Weight, a.Permissions[0].Keys[1].Weight = 1<<32-1, 1<<32-1
			a.Permissions[0].Threshold = 1<<32 - 1
		}, nil},
		{"key without weight", func(a *Authority) { a.Permissions[0].Keys[0].Weight = 0 }, ErrMalformed},
		{"key without scheme", func(a *Authority) { a.Permissions[0].Keys[0].Scheme = 0 }, ErrMalformed},
		{"repeated key", func(a *Authority) { a.Permissions[0].Keys[1] = a.Permissions[0].Keys[0] }, ErrMalformed},
		{"repeated account", func(a *Authority) { a.Permissions[1].Accounts[1] = a.Permissions[1].Accounts[0] }, ErrMalformed},
		{"account without permission", func(a *Authority) { a.Permissions[1].Accounts[1].Permission = "" }, ErrMalformed},
		{"too many keys and accounts", many(1, MaxAuthorities+1), ErrMalformed},
		{"too many permissions", many(MaxPermissions, 1), ErrMalformed},
		{"too many bytes", many(MaxPermissions-4, MaxAuthorities), ErrMalformed},
		{"links not sorted", func(a *Authority) { a.Links[0], a.Links[1] = a.Links[1], a.Links[0] }, ErrMalformed},
		{"link to nothing", func(a *Authority) { a.Links[0].Permission = "nobody" }, ErrMalformed},
		{"link without pattern", func(a *Authority) { a.Links[0].Pattern = "" }, ErrMalformed},
		{"too many links", func(a *Authority) {
			for i := range MaxLinks {
				a.Links = append(a.Links, Link{fmt.Sprintf("x.%02d", i), "pay"})
			}
		}, ErrMalformed},
		{"guard of nothing", func(a *Authority) { a.Guard = "nobody" }, ErrMalformed},
		{"no guard", func(a *Authority) { a.Guard = "" }, ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := testAuthority()
			c.change(a)
			err := a.Validate()
			if c.want == nil && err != nil || c.want != nil && !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			// What is valid can be read back, and nothing else can.
			got, decodeErr := DecodeAuthority(a.Encode())
			if (decodeErr == nil) != (err == nil) || (got == nil) != (err != nil) {
				t.Errorf("decoded: %v, %v", got, decodeErr)
			}
		})
	}
}

func TestSingleKeyAuthority(t *testing.T) {
	_, k := testKey(0)
	a := SingleKeyAuthority(k)
	if err := a.Validate(); err != nil {
		t.Fatal(err)
	}
	b := SingleKeyAuthority(k)
	b.Salt = 1
	if a.ID() != AccountIDOf(a.Encode()) || a.ID() == b.ID() || a.ID().Place() == b.ID().Place() {
		t.Error("ids")
	}
}

func TestRequiredAndCovers(t *testing.T) {
	a := testAuthority()
	for _, c := range []struct{ module, action, want string }{
		{"bank", "transfer", "pay"}, {"bank", "burn", "cold"}, {"oracle", "ask", "active"},
	} {
		if got := a.Required(c.module, c.action); got != c.want {
			t.Errorf("%s.%s needs %q, want %q", c.module, c.action, got, c.want)
		}
	}
	a.Links = nil
	if got := a.Required("bank", "burn"); got != ActivePermission {
		t.Error(got)
	}
	onlyOwner := &Authority{Permissions: []Permission{a.Permissions[2]}, Guard: OwnerPermission}
	if got := onlyOwner.Required("bank", "burn"); got != OwnerPermission {
		t.Error(got)
	}
	for _, c := range []struct {
		name, required string
		want           bool
	}{
		{"pay", "pay", true}, {"active", "pay", true}, {"owner", "pay", true}, {"pay", "active", false}, {"cold", "pay", false},
		{"owner", "cold", true}, {"nobody", "pay", false}, {"owner", "nobody", false}, {"", "pay", false},
	} {
		if got := a.Covers(c.name, c.required); got != c.want {
			t.Errorf("Covers(%q, %q) = %v", c.name, c.required, got)
		}
	}
}
