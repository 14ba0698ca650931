package host

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// target is what a plugin's process finally executes.
type target struct {
	path  string   // empty: the image
	image *image   // nil: the path
	args  []string // argv, the name included
}

func (p *Process) target() target {
	if p.spec.Builtin {
		return target{path: p.h.selfExe, args: append([]string{"alto"}, p.h.serveArgs(p.spec.Name)...)}
	}
	return target{image: p.image, args: append([]string{p.spec.Path}, p.spec.Args...)}
}

// command prepares the process: what runs, in which environment, in which cage. inherited are go-plugin's variables.
func (u *unit) command(i *incarnation, inherited []string, socketDir, token string) (*procRunner, error) {
	env := append(environment(u.p.spec, socketDir), inherited...)
	env = append(env, plugin.EnvToken+"="+token)
	if u.p.h.noSandbox {
		return u.bareCommand(env)
	}
	return u.cagedCommand(i, env, socketDir)
}

// bareCommand runs the plugin directly, without sandbox and limits.
func (u *unit) bareCommand(env []string) (*procRunner, error) {
	t := u.p.target()
	cmd := &exec.Cmd{Path: t.path, Args: t.args, Env: env, Dir: "/"}
	switch {
	case t.image != nil && imagesHaveNames:
		cmd.Path = t.image.file.Name()
	case t.image != nil:
		cmd.Path = inheritFile(cmd, t.image.file)
	}
	r, err := newProcRunner(u.p.spec.Name, cmd, u.p.h.launcher)
	if err != nil {
		return nil, err
	}
	r.group = true
	if err := r.addLifeline(); err != nil {
		return nil, errors.Join(err, r.discard())
	}
	cmd.SysProcAttr = withoutParent()
	return r, nil
}

// inheritFile passes a file on and returns its path as the child sees it.
func inheritFile(cmd *exec.Cmd, f *os.File) string {
	cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	return fdPath(2 + len(cmd.ExtraFiles))
}

// environment is the allow-list, with what the host has for it.
func environment(s Spec, tmp string) []string {
	env := []string{"TMPDIR=" + tmp}
	if n := s.Limits.Memory; n > 0 { // a Go program collects its garbage rather than grow over the limit
		env = append(env, fmt.Sprintf("GOMEMLIMIT=%d", n/10*9))
	}
	for _, e := range append(passedOn(), s.Env...) {
		name, _, set := strings.Cut(e, "=")
		value, ok := os.LookupEnv(name)
		switch {
		case set:
		case ok:
			e = name + "=" + value
		default:
			continue
		}
		env = append(slices.DeleteFunc(env, func(have string) bool { return strings.HasPrefix(have, name+"=") }), e)
	}
	return env
}
