package plugintest

import (
	"errors"
	"slices"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

func describeCases() []Case {
	return []Case{
		{"describes-itself", "people have to see what runs, and a chain which rules it computes by", func(t T, b Binary) {
			info := b.process(t).Info()
			if info.Version == "" {
				t.Errorf("the plugin %s has no version", info.Name)
			}
			for _, k := range info.Kinds {
				if !slices.Contains(plugin.Kinds, k.Kind) {
					t.Errorf("%q is no kind", k.Kind)
				}
				if len(k.Rules) == 0 {
					t.Errorf("kind %s has no rules version", k.Kind)
				}
			}
		}},
		{"schema-is-sound", "the host fills in defaults, and refuses a chain spec by the limits", func(t T, b Binary) {
			for _, k := range b.process(t).Info().Kinds {
				for _, a := range k.Schema.Attributes {
					if err := checkAttribute(a); err != nil {
						t.Errorf("kind %s, attribute %s: %v", k.Kind, a.Name, err)
					}
				}
			}
		}},
	}
}

// wantRefused opens an instance of each kind, changed so that it has to be refused.
func (b *Binary) wantRefused(t T, want error, says string, change func(*plugin.OpenRequest)) {
	t.Helper()
	p := b.process(t)
	for _, k := range p.Info().Kinds {
		req, err := p.complete(p.Info(), b.request(k.Kind))
		if err != nil {
			t.Fatalf("%v", err)
		}
		change(&req)
		ctx, cancel := b.call(t)
		defer cancel()
		err = p.Client().Open(ctx, req)
		if err == nil {
			err = p.Close(ctx, req.Handle)
			t.Errorf("the %s instance is opened, want %v (close: %v)", k.Kind, want, err)
			continue
		}
		if !errors.Is(err, want) {
			t.Errorf("open a %s instance: %v, want %v", k.Kind, err, want)
		} else if !strings.Contains(err.Error(), says) {
			t.Errorf("open a %s instance: %v, which does not say %q", k.Kind, err, says)
		}
	}
}

func openCases() []Case {
	const unheardOf = "unheard_of_attribute"
	return []Case{
		{"unknown-kind-is-refused", "a chain that asks for what the plugin is not must not start", func(t T, b Binary) {
			b.wantRefused(t, plugin.ErrWrongKind, "", func(r *plugin.OpenRequest) { r.Kind = "weather" })
		}},
		{"bad-config-is-refused", "what cannot be read must not become defaults", func(t T, b Binary) {
			for _, config := range []string{`{`, `[]`, `"x"`, `{} {}`} {
				b.wantRefused(t, plugin.ErrBadConfig, "", func(r *plugin.OpenRequest) { r.Config = []byte(config) })
			}
		}},
		{"unknown-attribute-is-refused", "a setting that is overlooked is worse than one that is refused", func(t T, b Binary) {
			b.wantRefused(t, plugin.ErrBadConfig, unheardOf, func(r *plugin.OpenRequest) {
				r.Config = []byte(strings.TrimSuffix(string(r.Config), "}"))
				if len(r.Config) > 1 {
					r.Config = append(r.Config, ',')
				}
				r.Config = append(r.Config, `"`+unheardOf+`":1}`...)
			})
		}},
		{"unknown-rules-are-refused", "nodes that compute by other rules are on another chain", func(t T, b Binary) {
			b.wantRefused(t, plugin.ErrBadConfig, "", func(r *plugin.OpenRequest) { r.Rules = "no-such-rules" })
		}},
		{"two-chains-are-apart", "one process serves all chains of a node", func(t T, b Binary) {
			p := b.process(t)
			for _, k := range p.Info().Kinds {
				other := func(r *plugin.OpenRequest) {
					if k.Kind != plugin.Transport {
						r.ChainID, r.ChainName = []byte("another chain of the same plugin"), "another"
					}
				}
				first, second := b.open(t, p, k.Kind, ""), b.open(t, p, k.Kind, "", other)
				b.answers(t, first, "that is open")
				b.answers(t, second, "of another chain")
				first.close()
				b.answers(t, second, "after that of another chain was closed")
				second.close()
			}
		}},
		{"open-again-after-close", "a chain that was stopped is started again", func(t T, b Binary) {
			p := b.process(t)
			for _, k := range p.Info().Kinds {
				o := b.open(t, p, k.Kind, "")
				o.close()
				again := b.open(t, p, k.Kind, o.dir)
				b.answers(t, again, "that was opened again in its folder")
				again.close()
			}
		}},
		{"closed-is-unknown", "a core that goes on with what is closed has to be told", func(t T, b Binary) {
			p := b.process(t)
			for _, k := range p.Info().Kinds {
				o := b.open(t, p, k.Kind, "")
				o.close()
				b.unknown(t, p, k.Kind, o.handle, "that was closed")
			}
		}},
		{"close-again-is-no-error", "the first answer may have been lost", func(t T, b Binary) {
			p := b.process(t)
			for _, k := range p.Info().Kinds {
				o := b.open(t, p, k.Kind, "")
				o.close()
				o.close()
			}
		}},
		{"many-rounds", "chains come and go, and a node runs for years", manyRounds},
	}
}

// many is how often manyRounds opens and closes.
const many = 200

func manyRounds(t T, b Binary) {
	p := b.process(t)
	rounds := b.rounds
	if rounds == 0 {
		rounds = many
	}
	for _, k := range p.Info().Kinds {
		o := b.open(t, p, k.Kind, "")
		o.close()
		before := usage(p.PID())
		for range rounds {
			o = b.open(t, p, k.Kind, o.dir)
			o.close()
		}
		t.Logf("%s: opened and closed %d times; %s before and %s after", k.Kind, rounds, before, usage(p.PID()))
	}
}
