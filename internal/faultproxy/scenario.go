package faultproxy

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Action is what a step does.
type Action uint8

// The actions of steps, by the methods of Proxy that do the same.
const (
	SetLink     Action = iota + 1 // SetFaults
	SplitGroups                   // Partition
	HealGroups                    // Heal
	ResetAll                      // Reset
)

// String returns the word that a scenario has for the action.
func (a Action) String() string {
	switch a {
	case SetLink:
		return "link"
	case SplitGroups:
		return "partition"
	case HealGroups:
		return "heal"
	case ResetAll:
		return "reset"
	}
	return fmt.Sprintf("action %d", uint8(a))
}

// Step is a change of faults at a time.
type Step struct {
	At       time.Duration // since the scenario began
	Do       Action
	From, To string     // of SetLink
	Faults   Faults     // of SetLink
	Groups   [][]string // of SplitGroups
}

// Bounds of a scenario.
const (
	MaxScenario = 64 << 10 // bytes
	MaxSteps    = 1000
	maxGroups   = 64
)

// check finds what is wrong with a step whatever the proxy.
func (s Step) check() error {
	switch s.Do {
	case SetLink:
		for _, name := range [...]string{s.From, s.To} {
			if name == Any {
				continue
			}
			if err := checkName(name); err != nil {
				return err
			}
		}
		return s.Faults.Check()
	case SplitGroups:
		if len(s.Groups) == 0 || len(s.Groups) > maxGroups {
			return fmt.Errorf("%d groups are not 1 to %d: %w", len(s.Groups), maxGroups, ErrInvalid)
		}
		for _, g := range s.Groups {
			if len(g) == 0 {
				return fmt.Errorf("a group is empty: %w", ErrInvalid)
			}
			for _, name := range g {
				if err := checkName(name); err != nil {
					return err
				}
			}
		}
		return nil
	case HealGroups, ResetAll:
		return nil
	}
	return fmt.Errorf("%s does not exist: %w", s.Do, ErrInvalid)
}

// checkNames finds names that the proxy does not know, with the lock held.
func (p *Proxy) checkNames(s Step) error {
	var names []string
	if s.Do == SetLink {
		names = []string{s.From, s.To}
	}
	for _, g := range s.Groups {
		names = append(names, g...)
	}
	for _, n := range names {
		if n != Any && !p.names[n] {
			return fmt.Errorf("no endpoint and no registered sender has the name %q: %w", n, ErrInvalid)
		}
	}
	return nil
}

// String returns the line of the step in a scenario.
func (s Step) String() string { return s.At.String() + " " + s.action() }

func (s Step) action() string {
	switch s.Do {
	case SetLink:
		return fmt.Sprintf("link %s > %s %s", s.From, s.To, s.Faults)
	case SplitGroups:
		groups := make([]string, len(s.Groups))
		for i, g := range s.Groups {
			groups[i] = strings.Join(g, " ")
		}
		return "partition " + strings.Join(groups, " | ")
	}
	return s.Do.String()
}

// ParseScenario reads a scenario, a step a line, in the order of their times; what follows a # is a comment:
//
//	0s   link * > * loss=1% delay=50ms jitter=10ms
//	5s   link n1 > n2 rate=100k
//	10s  partition n1 n2 | n3 n4
//	20s  heal
//	30s  reset
//
// The faults are those of ParseFaults. Errors wrap ErrInvalid and name the line.
func ParseScenario(text string) ([]Step, error) {
	if len(text) > MaxScenario {
		return nil, fmt.Errorf("scenario: %d bytes are more than %d: %w", len(text), MaxScenario, ErrInvalid)
	}
	var steps []Step
	number := 0
	for line := range strings.Lines(text) {
		number++
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		s, err := parseStep(words)
		if err == nil && len(steps) == MaxSteps {
			err = fmt.Errorf("more than %d steps: %w", MaxSteps, ErrInvalid)
		}
		if err == nil && len(steps) > 0 && s.At < steps[len(steps)-1].At {
			err = fmt.Errorf("%v is before the step before: %w", s.At, ErrInvalid)
		}
		if err != nil {
			return nil, fmt.Errorf("scenario line %d: %w", number, err)
		}
		steps = append(steps, s)
	}
	return steps, nil
}

func parseStep(words []string) (Step, error) {
	var s Step
	at, err := time.ParseDuration(words[0])
	if err != nil || at < 0 {
		return s, fmt.Errorf("%q is no time since the beginning, such as 10s: %w", words[0], ErrInvalid)
	}
	s.At = at
	if len(words) < 2 {
		return s, fmt.Errorf("no action after the time: %w", ErrInvalid)
	}
	verb, rest := words[1], words[2:]
	switch verb {
	case "link":
		if len(rest) < 4 || rest[1] != ">" {
			return s, fmt.Errorf("a link is \"FROM > TO FAULTS\": %w", ErrInvalid)
		}
		s.Do, s.From, s.To = SetLink, rest[0], rest[2]
		if s.Faults, err = ParseFaults(strings.Join(rest[3:], " ")); err != nil {
			return s, err
		}
	case "partition":
		s.Do = SplitGroups
		for group := range strings.SplitSeq(strings.Join(rest, " "), "|") {
			s.Groups = append(s.Groups, strings.Fields(group))
		}
	case "heal", "reset":
		if s.Do = HealGroups; verb == "reset" {
			s.Do = ResetAll
		}
		if len(rest) > 0 {
			return s, fmt.Errorf("%s takes no words: %w", verb, ErrInvalid)
		}
	default:
		return s, fmt.Errorf("%q is not one of link, partition, heal, reset: %w", verb, ErrInvalid)
	}
	return s, s.check()
}

// Play carries out a scenario, whose times count from the call, and returns after its last step, or when ctx ends or the
// proxy is closed. Nothing is done if a step is wrong.
func (p *Proxy) Play(ctx context.Context, steps []Step) error {
	p.mu.RLock()
	for i, s := range steps {
		err := s.check()
		if err == nil {
			err = p.checkNames(s)
		}
		if err == nil && i > 0 && s.At < steps[i-1].At {
			err = fmt.Errorf("it is before the step before: %w", ErrInvalid)
		}
		if err != nil {
			p.mu.RUnlock()
			return p.fail(err, "step %d (%s)", i+1, s)
		}
	}
	p.mu.RUnlock()
	start := time.Now()
	for _, s := range steps {
		timer := time.NewTimer(time.Until(start.Add(s.At)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return p.fail(ctx.Err(), "before the step %s", s)
		case <-p.done:
			timer.Stop()
			return p.fail(ErrClosed, "before the step %s", s)
		}
		if err := p.apply(s); err != nil {
			return err
		}
	}
	return nil
}
