package chainspec

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	hcljson "github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// JSONSuffix is how the name of a spec in HCL's JSON syntax ends. Anything else is native syntax.
const JSONSuffix = ".json"

// maxDeclarations bounds variables, and locals, of one spec.
const maxDeclarations = 1000

// Load reads and evaluates a spec. The spec is nil if there are errors; there may be warnings beside a spec.
func Load(path string, opts Options) (*Spec, Diagnostics) {
	src, err := readFile(path, MaxSpecBytes)
	if err != nil {
		return nil, fileFault(path, "the spec cannot be read", err)
	}
	return load(src, path, filepath.Dir(path), opts)
}

// LoadPlugins reads the plugin blocks of a spec alone: what a lock file is made from, before any plugin's schema is known.
func LoadPlugins(path string, opts Options) ([]PluginSource, Diagnostics) {
	opts.pluginsOnly = true
	s, diags := Load(path, opts)
	if s == nil {
		return nil, diags
	}
	return s.Plugins, diags
}

// readFile reads a regular file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.IsDir() {
		return nil, fmt.Errorf("%s is a folder; name the file in it", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return b, nil
}

// parse reads HCL in native or JSON syntax, within bounds. The file is nil if there are errors.
func parse(src []byte, path string) (*hcl.File, hcl.Diagnostics) {
	if strings.HasSuffix(path, JSONSuffix) {
		place := hcl.Range{Filename: path, Start: hcl.InitialPos, End: hcl.InitialPos}
		if err := checkDepth(src); err != nil {
			return nil, hcl.Diagnostics{fault(place, "nested too deeply", "%s.", err)}
		}
		if d := checkJSONTemplates(src, path); d != nil {
			return nil, hcl.Diagnostics{d}
		}
		f, diags := hcljson.Parse(src, path)
		if diags.HasErrors() {
			return nil, diags
		}
		return f, diags
	}
	tokens, diags := hclsyntax.LexConfig(src, path, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	if d := checkTokens(tokens); d != nil {
		return nil, hcl.Diagnostics{d}
	}
	f, diags := hclsyntax.ParseConfig(src, path, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	return f, diags
}

var specSchema = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
	{Type: "framework"}, {Type: "plugin", LabelNames: []string{"name"}}, {Type: "variable", LabelNames: []string{"name"}},
	{Type: "locals"}, {Type: "chain", LabelNames: []string{"name"}}, {Type: "network", LabelNames: []string{"name"}},
}}

// loader is the state of one Load.
type loader struct {
	opts      Options
	scope     *scope
	spec      *Spec
	instances []*instance
	diags     hcl.Diagnostics
	places    map[string]hcl.Range // of blocks that semantic checks speak about
}

func (l *loader) report(d ...*hcl.Diagnostic) {
	for _, x := range d {
		if x != nil {
			l.diags = append(l.diags, x)
		}
	}
}

func load(src []byte, path, dir string, opts Options) (*Spec, Diagnostics) {
	sources := map[string][]byte{path: src}
	f, diags := parse(src, path)
	if f == nil {
		return nil, export(diags, sources)
	}
	if opts.Schemas == nil {
		opts.Schemas = noSchemas{}
	}
	b := &budget{}
	l := &loader{opts: opts, places: map[string]hcl.Range{}, spec: &Spec{File: path}, diags: diags, scope: &scope{
		functions: functions(dir, b), vars: map[string]cty.Value{}, locals: map[string]cty.Value{},
	}}
	content, d := f.Body.Content(specSchema)
	l.report(d...)
	blocks := content.Blocks.ByType()

	locals, d := collectLocals(blocks["locals"])
	l.report(d...)
	meterFile(f, b)
	if len(blocks["variable"]) > maxDeclarations || len(locals) > maxDeclarations {
		l.report(fault(f.Body.MissingItemRange(), "too many declarations", "A spec has at most %d variables and %d local values.", maxDeclarations, maxDeclarations))
		return nil, export(l.diags, sources)
	}
	l.report(l.scope.evalVariables(blocks["variable"], opts.Vars, path)...)
	l.report(l.scope.evalLocals(locals)...)
	l.framework(blocks["framework"])
	l.plugins(blocks["plugin"])
	if !opts.pluginsOnly {
		l.chains(blocks["chain"], f.Body.MissingItemRange())
		l.networks(blocks["network"])
		l.check()
	}

	out := export(l.diags, sources)
	if out.HasErrors() {
		return nil, out
	}
	return l.spec, out
}

// noSchemas knows no plugin.
type noSchemas struct{}

func (noSchemas) Plugin(string, plugin.Kind) (plugin.Info, bool) { return plugin.Info{}, false }
func (noSchemas) Names(plugin.Kind) []string                     { return nil }

func (l *loader) framework(blocks []*hcl.Block) {
	for i, b := range blocks {
		if i > 0 {
			l.report(fault(b.DefRange, "framework block written twice", "A spec has one."))
			continue
		}
		a := newAttributes(b.Body, l.scope.context(nil), "required_version")
		c, ok := a.text("required_version")
		l.report(a.diags...)
		if !ok {
			continue
		}
		have := l.opts.Version
		if have == "" {
			have = FrameworkVersion
		}
		fits, err := CheckVersion(c, have)
		switch place := a.place("required_version"); {
		case err != nil:
			l.report(fault(place, "bad version constraint", "%s.", err))
		case !fits:
			l.report(fault(place, "the framework's version does not fit", "The spec requires %q, this is version %s of alto. Install a version that fits, or change required_version.", c, have))
		}
		l.spec.Framework.RequiredVersion = c
	}
}

func (l *loader) plugins(blocks []*hcl.Block) {
	seen := map[string]bool{}
	for _, b := range blocks {
		p, d := decodePluginSource(b, l.scope.context(nil))
		l.report(d...)
		if seen[p.Name] {
			l.report(fault(b.LabelRanges[0], "plugin named twice", "There is another plugin block %q in this spec.", p.Name))
			continue
		}
		seen[p.Name] = true
		l.spec.Plugins = append(l.spec.Plugins, p)
	}
}

// decodePluginSource reads a plugin block of a spec or of node.hcl.
func decodePluginSource(b *hcl.Block, ctx *hcl.EvalContext) (PluginSource, hcl.Diagnostics) {
	p := PluginSource{Name: b.Labels[0]}
	a := newAttributes(b.Body, ctx, "source", "version", "sha256")
	var diags hcl.Diagnostics
	if err := checkName("plugin", p.Name); err != nil {
		diags = append(diags, fault(b.LabelRanges[0], "bad name of a plugin", "%s.", err))
	}
	var ok bool
	if p.Source, ok = a.text("source"); !ok || p.Source == "" {
		a.missing("source", b.DefRange, "the path of the plugin's binary")
	} else if len(p.Source) > 4096 || strings.ContainsRune(p.Source, 0) {
		a.fail("source", "bad path", errors.New("a path has at most 4096 characters and no zero byte"))
	}
	if p.Version, ok = a.text("version"); ok {
		if _, err := CheckVersion(p.Version, "0.0.0"); err != nil {
			a.fail("version", "bad version constraint", err)
		}
	}
	if p.SHA256, ok = a.text("sha256"); ok {
		if err := checkDigest(p.SHA256); err != nil {
			a.fail("sha256", "bad digest", err)
		}
	}
	return p, append(diags, a.diags...)
}

// checkDigest says what is wrong with a SHA-256 digest in hexadecimal.
func checkDigest(s string) error {
	ok := len(s) == 64
	for _, c := range s {
		ok = ok && (c >= '0' && c <= '9' || c >= 'a' && c <= 'f')
	}
	if !ok {
		return fmt.Errorf("%q is no sha256 digest, which has 64 hexadecimal digits in lower case", clip(s))
	}
	return nil
}
