package chainspec

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// LockFile is the name of the lock file, which lies beside a spec.
const LockFile = "alto.lock.hcl"

// MaxLockBytes bounds a lock file.
const MaxLockBytes = 1 << 20

// Lock pins external plugins: which binaries may run, and how they describe themselves, so that a spec can be validated
// without running them.
type Lock struct{ Plugins []LockedPlugin }

// LockedPlugin is one external plugin.
type LockedPlugin struct {
	Info   plugin.Info       // name, version, API range, kinds with rules and schemas
	Source string            // as in the spec
	SHA256 map[string]string // digest of the binary by platform, such as "linux/amd64"
}

// Platform returns the key of [LockedPlugin].SHA256 for runtime.GOOS and runtime.GOARCH.
func Platform(goos, goarch string) string { return goos + "/" + goarch }

// Errors about the lock file.
var (
	ErrNotLocked      = errors.New("not in the lock file")
	ErrDigestMismatch = errors.New("digest mismatch")
)

// DigestError says that a binary is not the one that the lock file pins. It wraps [ErrDigestMismatch].
type DigestError struct{ Plugin, Path, Platform, Expected, Actual string }

// Error names both digests, the path and the command that mends it.
func (e *DigestError) Error() string {
	return fmt.Sprintf("plugin %q: %s: sha256 is %s, the lock file pins %s for %s: if you trust the new binary, run `alto plugin lock`",
		e.Plugin, e.Path, e.Actual, e.Expected, e.Platform)
}

// Unwrap returns [ErrDigestMismatch].
func (e *DigestError) Unwrap() error { return ErrDigestMismatch }

// Find returns the entry of a plugin, or nil.
func (l *Lock) Find(name string) *LockedPlugin {
	if l == nil {
		return nil
	}
	for i := range l.Plugins {
		if l.Plugins[i].Info.Name == name {
			return &l.Plugins[i]
		}
	}
	return nil
}

// Digest returns the pinned digest of a plugin for a platform, or an error that wraps [ErrNotLocked].
func (l *Lock) Digest(name, goos, goarch string) (string, error) {
	p := l.Find(name)
	if p == nil {
		return "", fmt.Errorf("plugin %q: %w: run `alto plugin lock`", name, ErrNotLocked)
	}
	d, ok := p.SHA256[Platform(goos, goarch)]
	if !ok {
		return "", fmt.Errorf("plugin %q: %w for %s, only for %s: run `alto plugin lock` on such a machine", name, ErrNotLocked,
			Platform(goos, goarch), strings.Join(sortedKeys(p.SHA256), ", "))
	}
	return d, nil
}

// Check compares the digest of a binary at path with the pinned one. The error wraps [ErrNotLocked], or is a [*DigestError].
func (l *Lock) Check(name, goos, goarch, path, actual string) error {
	want, err := l.Digest(name, goos, goarch)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if want != actual {
		return &DigestError{name, path, Platform(goos, goarch), want, actual}
	}
	return nil
}

// With returns the schemas of both base and the lock file. Where both know a name, base, which holds the built-in plugins,
// counts.
func (l *Lock) With(base Schemas) Schemas { return lockedSchemas{base, l} }

type lockedSchemas struct {
	base Schemas
	lock *Lock
}

// Plugin implements Schemas.
func (s lockedSchemas) Plugin(name string, kind plugin.Kind) (plugin.Info, bool) {
	if s.base != nil {
		if i, ok := s.base.Plugin(name, kind); ok {
			return i, true
		}
	}
	p := s.lock.Find(name)
	if p == nil {
		return plugin.Info{}, false
	}
	_, ok := p.Info.Find(kind)
	return p.Info, ok
}

// Names implements Schemas.
func (s lockedSchemas) Names(kind plugin.Kind) []string {
	seen := map[string]bool{}
	if s.base != nil {
		for _, n := range s.base.Names(kind) {
			seen[n] = true
		}
	}
	if s.lock != nil {
		for _, p := range s.lock.Plugins {
			if _, ok := p.Info.Find(kind); ok {
				seen[p.Info.Name] = true
			}
		}
	}
	return sortedKeys(seen)
}

// WriteLock writes a lock file, by way of a second file so that a reader never sees half of one.
func WriteLock(path string, l *Lock) error {
	b, err := l.Encode()
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".alto.lock-*")
	if err != nil {
		return fmt.Errorf("write lock file %s: %w", path, err)
	}
	defer os.Remove(f.Name()) // not there any more if all went well
	_, err = f.Write(b)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write lock file %s: %w", path, err)
	}
	return nil
}

// Encode returns the text of the lock file, the same for equal locks: plugins by name, kinds in their own order, attributes in that
// of the schema. What [ReadLock] would refuse is an error.
func (l *Lock) Encode() ([]byte, error) {
	f := hclwrite.NewEmptyFile()
	f.Body().AppendUnstructuredTokens(hclwrite.Tokens{{Type: hclsyntax.TokenComment, Bytes: []byte("# Written by `alto plugin lock`. Keep it with the spec; do not edit it.\n")}})
	plugins := append([]LockedPlugin(nil), l.Plugins...)
	sort.SliceStable(plugins, func(i, j int) bool { return plugins[i].Info.Name < plugins[j].Info.Name })
	for _, p := range plugins {
		f.Body().AppendNewline()
		writeLocked(f.Body().AppendNewBlock("plugin", []string{p.Info.Name}).Body(), p)
	}
	out := hclwrite.Format(f.Bytes())
	if _, diags := readLock(out, LockFile); diags.HasErrors() {
		return nil, fmt.Errorf("lock file: %w", diags.Err())
	}
	return out, nil
}

func writeLocked(b *hclwrite.Body, p LockedPlugin) {
	setText(b, "version", p.Info.Version)
	setText(b, "source", p.Source)
	b.SetAttributeValue("api", cty.TupleVal([]cty.Value{cty.NumberUIntVal(uint64(p.Info.API.Min)), cty.NumberUIntVal(uint64(p.Info.API.Max))}))
	digests := map[string]cty.Value{}
	for k, v := range p.SHA256 {
		digests[k] = cty.StringVal(v)
	}
	b.SetAttributeValue("sha256", cty.ObjectVal(digests))
	for _, k := range p.Info.Kinds {
		kb := b.AppendNewBlock("kind", []string{string(k.Kind)}).Body()
		kb.SetAttributeValue("rules", texts(k.Rules))
		if k.HasModule {
			kb.SetAttributeValue("module", cty.True)
		}
		for _, a := range k.Schema.Attributes {
			ab := kb.AppendNewBlock("attribute", []string{a.Name}).Body()
			setText(ab, "type", string(a.Type))
			for _, flag := range []struct {
				name string
				set  bool
			}{{"required", a.Required}, {"critical", a.ConsensusCritical}, {"governed", a.Governed}} {
				if flag.set {
					ab.SetAttributeValue(flag.name, cty.True)
				}
			}
			for _, t := range []struct{ name, s string }{{"default", a.Default}, {"min", a.Min}, {"max", a.Max}, {"step", a.Step}, {"description", a.Description}} {
				if t.s != "" {
					setText(ab, t.name, t.s)
				}
			}
			if len(a.OneOf) > 0 {
				ab.SetAttributeValue("one_of", texts(a.OneOf))
			}
		}
	}
}

func texts(list []string) cty.Value {
	out := []cty.Value{}
	for _, s := range list {
		out = append(out, cty.StringVal(s))
	}
	return cty.TupleVal(out)
}

// ReadLock reads a lock file. A file that is not there is an empty lock.
func ReadLock(path string) (*Lock, Diagnostics) {
	src, err := readFile(path, MaxLockBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return &Lock{}, nil
	}
	if err != nil {
		return nil, fileFault(path, "the lock file cannot be read", err)
	}
	return readLock(src, path)
}

var (
	lockSchema      = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "plugin", LabelNames: []string{"name"}}}}
	lockedAttrs     = []hcl.AttributeSchema{{Name: "version", Required: true}, {Name: "source", Required: true}, {Name: "api", Required: true}, {Name: "sha256", Required: true}}
	lockedSchema    = &hcl.BodySchema{Attributes: lockedAttrs, Blocks: []hcl.BlockHeaderSchema{{Type: "kind", LabelNames: []string{"kind"}}}}
	lockedKindAttrs = []hcl.AttributeSchema{{Name: "rules", Required: true}, {Name: "module"}}
	lockedKind      = &hcl.BodySchema{Attributes: lockedKindAttrs, Blocks: []hcl.BlockHeaderSchema{{Type: "attribute", LabelNames: []string{"name"}}}}
)

func readLock(src []byte, path string) (*Lock, Diagnostics) {
	sources := map[string][]byte{path: src}
	f, diags := parse(src, path)
	if f == nil {
		return nil, export(diags, sources)
	}
	meterFile(f, &budget{})
	l := &Lock{}
	c, d := f.Body.Content(lockSchema)
	diags = append(diags, d...)
	seen := map[string]bool{}
	for _, b := range c.Blocks {
		p, d := readLocked(b)
		diags = append(diags, d...)
		if seen[p.Info.Name] {
			diags = append(diags, fault(b.LabelRanges[0], "plugin locked twice", "There is another entry for %q.", p.Info.Name))
		}
		seen[p.Info.Name] = true
		l.Plugins = append(l.Plugins, p)
	}
	out := export(diags, sources)
	if out.HasErrors() {
		return nil, append(out, Diagnostic{Severity: SeverityError, Summary: "the lock file is damaged",
			Detail: "Run `alto plugin lock` to write it anew.", File: path})
	}
	return l, out
}

func readLocked(b *hcl.Block) (p LockedPlugin, diags hcl.Diagnostics) {
	p.Info.Name = b.Labels[0]
	if err := checkName("plugin", p.Info.Name); err != nil {
		diags = append(diags, fault(b.LabelRanges[0], "bad name of a plugin", "%s.", err))
	}
	c, d := b.Body.Content(lockedSchema)
	diags = append(diags, d...)
	a := evaluated(c.Attributes, nil)
	p.Info.Version, _ = a.text("version")
	p.Source, _ = a.text("source")
	if v, ok := a.known("api"); ok {
		if !v.Type().IsTupleType() || v.LengthInt() != 2 {
			a.fail("api", "bad API range", errors.New("it must be [min, max]"))
		} else {
			for i, to := range []*uint32{&p.Info.API.Min, &p.Info.API.Max} {
				n, err := asInteger(v.Index(cty.NumberIntVal(int64(i))))
				if err != nil || !n.IsUint64() || n.Uint64() > math.MaxUint32 {
					a.fail("api", "bad API range", errors.New("it must be [min, max]"))
					break
				}
				*to = uint32(n.Uint64())
			}
		}
	}
	if v, ok := a.known("sha256"); ok {
		p.SHA256 = map[string]string{}
		if !v.Type().IsObjectType() {
			a.fail("sha256", "bad digests", errors.New("it must be an object of digests by platform"))
		} else {
			for it := v.ElementIterator(); it.Next(); {
				k, e := it.Element()
				s, err := asString(e)
				if err == nil {
					err = checkDigest(s)
				}
				if err != nil {
					a.fail("sha256", "bad digest", err)
				}
				p.SHA256[k.AsString()] = s
			}
		}
	}
	diags = append(diags, a.diags...)
	seen := map[string]bool{}
	for _, x := range c.Blocks {
		k, d := readLockedKind(x)
		diags = append(diags, d...)
		if seen[x.Labels[0]] {
			diags = append(diags, fault(x.LabelRanges[0], "kind described twice", "There is another block for %q.", clip(x.Labels[0])))
		}
		seen[x.Labels[0]] = true
		p.Info.Kinds = append(p.Info.Kinds, k)
	}
	return p, diags
}

func readLockedKind(b *hcl.Block) (k plugin.KindInfo, diags hcl.Diagnostics) {
	k.Kind = plugin.Kind(b.Labels[0])
	known := false
	for _, x := range plugin.Kinds {
		known = known || x == k.Kind
	}
	if !known {
		diags = append(diags, fault(b.LabelRanges[0], "unknown kind", "There is no kind %q.", clip(b.Labels[0])))
	}
	c, d := b.Body.Content(lockedKind)
	diags = append(diags, d...)
	a := evaluated(c.Attributes, nil)
	k.Rules = a.list("rules")
	k.HasModule, _ = a.boolean("module")
	diags = append(diags, a.diags...)
	seen := map[string]bool{}
	for _, x := range c.Blocks {
		s := plugin.Attribute{Name: x.Labels[0]}
		if err := checkName("attribute", s.Name); err != nil || seen[s.Name] {
			diags = append(diags, fault(x.LabelRanges[0], "bad name of an attribute", "%q is malformed, or there twice.", clip(s.Name)))
		}
		seen[s.Name] = true
		a := newAttributes(x.Body, nil, "type", "required", "critical", "governed", "default", "min", "max", "step", "description", "one_of")
		t, ok := a.text("type")
		if !ok {
			a.missing("type", x.DefRange, "such as \"string\"")
		}
		s.Type = plugin.AttrType(t)
		s.Required, _ = a.boolean("required")
		s.ConsensusCritical, _ = a.boolean("critical")
		s.Governed, _ = a.boolean("governed")
		s.Default, _ = a.text("default")
		s.Min, _ = a.text("min")
		s.Max, _ = a.text("max")
		s.Step, _ = a.text("step")
		s.Description, _ = a.text("description")
		s.OneOf = a.list("one_of")
		diags = append(diags, a.diags...)
		k.Schema.Attributes = append(k.Schema.Attributes, s)
	}
	return k, diags
}

// list reads a list of strings; nil if it is absent or empty.
func (a *attributes) list(name string) []string {
	v, ok := a.known(name)
	if !ok {
		return nil
	}
	out, err := asStrings(v)
	if err != nil {
		a.fail(name, "wrong type", err)
		return nil
	}
	if len(out) == 0 {
		return nil
	}
	return out
}
