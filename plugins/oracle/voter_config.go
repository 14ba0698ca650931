package prophecy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/oracle/observe"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// Bounds and defaults of how often sources are asked.
const (
	defaultRetry    = 5 * time.Second
	shortestRetry   = 50 * time.Millisecond
	longestRetry    = time.Hour
	defaultParallel = 4
	mostParallel    = 64
)

// observerConfig is what a node's operator says about its ballots.
type observerConfig struct {
	source   observe.Config
	retry    time.Duration // from a failure to the next attempt; longer each time
	parallel int           // questions that are asked about at a time
}

// Names of the attributes.
const (
	attrObserver = "observer"
	attrCommand  = "observer_command"
	attrURLs     = "observer_urls"
	attrPath     = "observer_path"
	attrAgree    = "observer_agree"
	attrTimeout  = "observer_timeout"
	attrRetry    = "observer_retry"
	attrParallel = "observer_parallel"
)

// attrWords are the attributes of the table of words.
func attrWords() map[string]oracle.Value {
	return map[string]oracle.Value{"observer_yes": oracle.Yes, "observer_no": oracle.No, "observer_invalid": oracle.Invalid,
		"observer_too_early": oracle.TooEarly}
}

// observerAttributes are those that are this node's own business. None is part of the chain's rules.
func observerAttributes() []plugin.Attribute {
	list := func(name, text string) plugin.Attribute {
		return plugin.Attribute{Name: name, Type: plugin.StringList, Description: text}
	}
	span := func(name string, def, least, most time.Duration, text string) plugin.Attribute {
		return plugin.Attribute{Name: name, Type: plugin.Duration, Default: fmt.Sprint(int64(def)), Min: fmt.Sprint(int64(least)),
			Max: fmt.Sprint(int64(most)), Description: text}
	}
	return []plugin.Attribute{
		{Name: attrObserver, Type: plugin.String, Default: `"` + observe.None + `"`, OneOf: observe.Kinds(),
			Description: "where this node's own answers come from, for its ballots in disputes: none, manual (the operator alone), command or http; the operator's answer wins over all of them"},
		list(attrCommand, "for command: a program by its absolute path, and its arguments; it reads the question as JSON and writes YES, NO, INVALID or TOO_EARLY and a reason"),
		list(attrURLs, "for http: URLs that answer in JSON, with {id} and {question} in their path or query"),
		list(attrPath, "for http: JSONPaths (RFC 9535) of the one value that matters, one for all URLs or one for each"),
		list("observer_yes", `for http: which values mean YES; default "YES", "yes", "true"`),
		list("observer_no", `for http: which values mean NO; default "NO", "no", "false"`),
		list("observer_invalid", `for http: which values mean INVALID; default "INVALID", "invalid"`),
		list("observer_too_early", `for http: which values mean TOO_EARLY; default "TOO_EARLY", "too_early"`),
		{Name: attrAgree, Type: plugin.Number, Default: "0", Min: "0", Max: fmt.Sprint(observe.MaxURLs),
			Description: "for http: how many URLs have to say the same, while fewer contradict; 0: more than half of them"},
		span(attrTimeout, observe.DefaultTimeout, observe.MinTimeout, observe.MaxTimeout, "how long one attempt may take"),
		span(attrRetry, defaultRetry, shortestRetry, longestRetry, "how long after a failure the next attempt follows; twice as long after each further one, up to 8 times"),
		{Name: attrParallel, Type: plugin.Number, Default: fmt.Sprint(defaultParallel), Min: "1", Max: fmt.Sprint(mostParallel),
			Description: "about how many questions sources are asked at a time"},
	}
}

// parseObserver reads these attributes, as a host writes them. Others are refused.
func parseObserver(raw map[string]json.RawMessage) (observerConfig, error) {
	cfg := observerConfig{source: observe.Config{Words: map[oracle.Value][]string{}}, retry: defaultRetry, parallel: defaultParallel}
	into := map[string]any{attrObserver: &cfg.source.Kind, attrCommand: &cfg.source.Argv, attrURLs: &cfg.source.URLs, attrPath: &cfg.source.Paths,
		attrAgree: &cfg.source.Agree, attrTimeout: &cfg.source.Timeout, attrRetry: &cfg.retry, attrParallel: &cfg.parallel}
	words := map[string]*[]string{}
	for name := range attrWords() {
		words[name] = new([]string)
		into[name] = words[name]
	}
	names := make([]string, 0, len(raw))
	for name := range raw {
		names = append(names, name)
	}
	slices.Sort(names) // the same mistake is named each time
	for _, name := range names {
		p, ok := into[name]
		if !ok {
			return cfg, badConfig("attribute %.80q is unknown", name)
		}
		if err := json.Unmarshal(raw[name], p); err != nil {
			return cfg, badConfig("%s: %v", name, err)
		}
	}
	for name, list := range words {
		if len(*list) > 0 {
			cfg.source.Words[attrWords()[name]] = *list
		}
	}
	if cfg.retry < shortestRetry || cfg.retry > longestRetry {
		return cfg, badConfig("%s of %s is not %s to %s", attrRetry, cfg.retry, shortestRetry, longestRetry)
	}
	if cfg.parallel < 1 || cfg.parallel > mostParallel {
		return cfg, badConfig("%s of %d is not 1 to %d", attrParallel, cfg.parallel, mostParallel)
	}
	if err := cfg.source.Validate(); errors.Is(err, observe.ErrConfig) {
		return cfg, badConfig("%v", err)
	} else if err != nil {
		return cfg, err
	}
	return cfg, nil
}
