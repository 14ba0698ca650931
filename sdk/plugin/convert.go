package plugin

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	pluginv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/plugin/v1"
)

// Limits of a description. They keep what a stranger's plugin says about itself printable.
const (
	MaxName       = 64
	MaxVersion    = 64
	MaxKinds      = 16
	MaxRules      = 64
	MaxAttributes = 256
	// MaxExports bounds the exported prefixes of a kind, and MaxExportBytes each of them, in bytes: that of a module's key.
	MaxExports     = 64
	MaxExportBytes = 64
)

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)

// ToProto turns a description into its wire form.
func (i Info) ToProto() *pluginv1.DescribeResponse {
	out := &pluginv1.DescribeResponse{Name: i.Name, Version: i.Version, ApiMin: i.API.Min, ApiMax: i.API.Max}
	for _, k := range i.Kinds {
		pk := &pluginv1.KindInfo{Kind: string(k.Kind), Rules: k.Rules, HasModule: k.HasModule, Schema: &pluginv1.Schema{}}
		for _, e := range k.Exports {
			pk.Exports = append(pk.Exports, []byte(e))
		}
		for _, a := range k.Schema.Attributes {
			pk.Schema.Attributes = append(pk.Schema.Attributes, &pluginv1.Attribute{
				Name: a.Name, Type: string(a.Type), Required: a.Required, DefaultJson: a.Default,
				ConsensusCritical: a.ConsensusCritical, Description: a.Description, OneOf: a.OneOf, MinJson: a.Min, MaxJson: a.Max,
				Governed: a.Governed, StepJson: a.Step,
			})
		}
		out.Kinds = append(out.Kinds, pk)
	}
	return out
}

// InfoFromProto is the inverse of [Info.ToProto]. It refuses descriptions that are malformed or beyond the limits; kinds
// and attribute types that it does not know are kept, since the protocol may grow.
func InfoFromProto(r *pluginv1.DescribeResponse) (Info, error) {
	i := Info{Name: r.GetName(), Version: r.GetVersion(), API: Range{r.GetApiMin(), r.GetApiMax()}}
	if len(i.Name) > MaxName || !nameForm.MatchString(i.Name) {
		return Info{}, fmt.Errorf("describe: name %.80q is not of the form %s with at most %d bytes", i.Name, nameForm, MaxName)
	}
	if err := printable("version", i.Version, MaxVersion); err != nil {
		return Info{}, err
	}
	if i.API.Min == 0 || i.API.Min > i.API.Max {
		return Info{}, fmt.Errorf("describe: %d to %d is no range of API versions", i.API.Min, i.API.Max)
	}
	if n := len(r.GetKinds()); n == 0 || n > MaxKinds {
		return Info{}, fmt.Errorf("describe: %d kinds, must be 1 to %d", n, MaxKinds)
	}
	for _, pk := range r.GetKinds() {
		k, err := kindFromProto(pk)
		if err != nil {
			return Info{}, err
		}
		if _, twice := i.Find(k.Kind); twice {
			return Info{}, fmt.Errorf("describe: kind %s twice", k.Kind)
		}
		i.Kinds = append(i.Kinds, k)
	}
	return i, nil
}

func kindFromProto(pk *pluginv1.KindInfo) (KindInfo, error) {
	k := KindInfo{Kind: Kind(pk.GetKind()), Rules: pk.GetRules(), HasModule: pk.GetHasModule()}
	if err := printable("kind", pk.GetKind(), MaxName); err != nil {
		return k, err
	}
	if len(k.Rules) > MaxRules {
		return k, fmt.Errorf("describe: kind %s has %d rules versions, more than %d", k.Kind, len(k.Rules), MaxRules)
	}
	for _, r := range k.Rules {
		if err := printable("rules version", r, MaxVersion); err != nil {
			return k, err
		}
	}
	for _, e := range pk.GetExports() {
		k.Exports = append(k.Exports, string(e))
	}
	if err := k.checkExports(); err != nil {
		return k, fmt.Errorf("describe: kind %s: %w", k.Kind, err)
	}
	attrs := pk.GetSchema().GetAttributes()
	if len(attrs) > MaxAttributes {
		return k, fmt.Errorf("describe: kind %s has %d attributes, more than %d", k.Kind, len(attrs), MaxAttributes)
	}
	for _, a := range attrs {
		if err := printable("attribute", a.GetName(), MaxName); err != nil {
			return k, err
		}
		if _, twice := k.Schema.Find(a.GetName()); twice || a.GetName() == "" {
			return k, fmt.Errorf("describe: kind %s: attribute %q is empty or twice", k.Kind, a.GetName())
		}
		k.Schema.Attributes = append(k.Schema.Attributes, Attribute{
			Name: a.GetName(), Type: AttrType(a.GetType()), Required: a.GetRequired(), Default: a.GetDefaultJson(),
			ConsensusCritical: a.GetConsensusCritical(), Description: a.GetDescription(), OneOf: a.GetOneOf(),
			Min: a.GetMinJson(), Max: a.GetMaxJson(), Governed: a.GetGoverned(), Step: a.GetStepJson(),
		})
	}
	return k, nil
}

// checkExports checks the exported prefixes for number, length and order.
func (k KindInfo) checkExports() error {
	switch {
	case len(k.Exports) > MaxExports:
		return fmt.Errorf("%d exported prefixes, more than %d", len(k.Exports), MaxExports)
	case len(k.Exports) > 0 && k.Kind != Module && !k.HasModule:
		return fmt.Errorf("exports without a module face")
	}
	for n, e := range k.Exports {
		switch {
		case e == "" || len(e) > MaxExportBytes:
			return fmt.Errorf("an exported prefix of %d bytes, must be 1 to %d", len(e), MaxExportBytes)
		case n > 0 && (e <= k.Exports[n-1] || strings.HasPrefix(e, k.Exports[n-1])):
			return fmt.Errorf("exported prefix %q after %q: they must ascend, and none may begin with another", e, k.Exports[n-1])
		}
	}
	return nil
}

// Exported tells whether other modules may read a key of the module face.
func (k KindInfo) Exported(key string) bool {
	return slices.ContainsFunc(k.Exports, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
}

func printable(what, s string, limit int) error {
	if len(s) > limit {
		return fmt.Errorf("describe: %s of %d bytes, more than %d", what, len(s), limit)
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return fmt.Errorf("describe: %s %q is not printable", what, s)
		}
	}
	return nil
}

func (r OpenRequest) toProto() *pluginv1.OpenRequest {
	return &pluginv1.OpenRequest{
		Kind: string(r.Kind), ChainId: r.ChainID, ChainName: r.ChainName, ConfigJson: string(r.Config), Rules: r.Rules,
		DataDir: r.DataDir, GenesisJson: r.Genesis, Instance: r.Handle, Producer: r.Producer,
	}
}

func openFromProto(r *pluginv1.OpenRequest) OpenRequest {
	return OpenRequest{
		Kind: Kind(r.GetKind()), ChainID: r.GetChainId(), ChainName: r.GetChainName(), Config: []byte(r.GetConfigJson()),
		Rules: r.GetRules(), DataDir: r.GetDataDir(), Genesis: r.GetGenesisJson(), Handle: r.GetInstance(), Producer: r.GetProducer(),
	}
}
