package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/cmd/builtin"
	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/core/node"
	"github.com/paloalto-chain/paloalto/core/signer"
	"github.com/paloalto-chain/paloalto/internal/localnet"
)

// closeTimeout is how long a node takes at most to end in order.
const closeTimeout = 5 * time.Second

func (a *app) nodeRunCmd() *cobra.Command {
	var home, level string
	var newValidator, inProcess bool
	var checkpoints []string
	c := &cobra.Command{
		Use:   "run --home DIR",
		Short: "Run one node from its data folder, in the foreground",
		Long: "Runs the node whose configuration is DIR/node.hcl and whose key is \"node\" in DIR/keys. It ends on SIGTERM, SIGINT, or when its\n" +
			"supervisor is gone.",
		Example: "  alto node run --home ~/.alto/networks/local/nodes/node-0\n  alto node run --home /srv/alto --new-validator    its key has never signed anything\n  alto node run --home /srv/alto --checkpoint main=120000:9f2c…    the id as `alto block show` tells it on a node that you trust",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if home == "" {
				return coded(exitUsage, errors.New("--home DIR is missing: the node's data folder"))
			}
			r := newReporter()
			err := a.runNode(c.Context(), home, level, checkpoints, newValidator, inProcess, r)
			if err != nil {
				r.send(localnet.Report{Error: err.Error(), Code: exitCode(c.Context(), err)})
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&home, "home", "", "the node's data folder")
	f.StringVar(&level, "log-level", "info", "debug, info, warn or error")
	f.BoolVar(&newValidator, "new-validator", false, "the key has no guard because it has never signed anything")
	f.StringArrayVar(&checkpoints, "checkpoint", nil, "CHAIN=HEIGHT:ID, a recent block that somebody you trust has told you, for a node that is new or was away for long")
	f.BoolVar(&inProcess, "in-process", os.Getenv("ALTO_IN_PROCESS") != "", "run the built-in plugins without processes of their own, to measure what those cost")
	_ = f.MarkHidden("in-process")
	return c
}

// reporter tells a supervisor how the start goes, if there is one.
type reporter struct{ w io.WriteCloser }

func newReporter() *reporter {
	f := inherited(localnet.EnvReady)
	if f == nil {
		return &reporter{}
	}
	return &reporter{f}
}

func (r *reporter) send(rep localnet.Report) {
	if r.w == nil {
		return
	}
	_ = json.NewEncoder(r.w).Encode(rep)
	if rep.API != "" || rep.Error != "" { // the last that there is to say
		_ = r.w.Close()
		r.w = nil
	}
}

// inherited returns the file descriptor that an environment variable names, and forgets the variable.
func inherited(name string) *os.File {
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil || n < 3 {
		return nil
	}
	_ = os.Unsetenv(name)
	f := os.NewFile(uintptr(n), name)
	closeOnExec(f)
	return f
}

func (a *app) runNode(ctx context.Context, home, level string, checkpoints []string, newValidator, inProcess bool, rep *reporter) error {
	home, err := filepath.Abs(home)
	if err != nil {
		return coded(exitConfig, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if life := inherited(localnet.EnvLifeline); life != nil {
		go followSupervisor(life, cancel)
	}

	lv := &slog.LevelVar{}
	if err := lv.UnmarshalText([]byte(level)); err != nil {
		return coded(exitUsage, fmt.Errorf("--log-level: %w", err))
	}
	log := slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: lv}))

	if path := os.Getenv("ALTO_CPUPROFILE"); path != "" {
		stop, err := profile(path)
		if err != nil {
			return coded(exitConfig, err)
		}
		defer stop()
	}
	rep.send(localnet.Report{Stage: "read the configuration"})
	cfg, docs, err := a.loadNode(home)
	if err != nil {
		return coded(exitConfig, err)
	}
	if err := setCheckpoints(cfg, checkpoints); err != nil {
		return coded(exitUsage, err)
	}
	rep.send(localnet.Report{Stage: "open the key"})
	keys, err := signer.OpenKeystore(filepath.Join(home, "keys"), signer.KeystoreOptions{})
	if err != nil {
		return coded(exitConfig, err)
	}
	key, err := keys.OpenSigner(localnet.NodeKeyName, os.Getenv("ALTO_PASSPHRASE"), signer.Options{NewValidator: newValidator})
	if err != nil {
		return coded(exitConfig, err)
	}
	defer key.Close()
	host.Harden()

	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	cat := catalog{known: builtin.Describe(), external: cfg.Plugins, base: home, inside: inProcess}
	started := time.Now()
	rep.send(localnet.Report{Stage: "start plugins and chains"})
	n, err := node.Start(ctx, node.Config{Home: home, Node: cfg, Genesis: docs, Signer: key, Catalog: cat, Log: log, Registry: reg})
	if err != nil {
		return err
	}
	defer func() {
		cctx, ccancel := context.WithTimeout(context.Background(), closeTimeout)
		defer ccancel()
		if err := n.Close(cctx); err != nil {
			log.Warn("the node did not end cleanly", "cause", err)
		}
	}()
	rep.send(localnet.Report{Stage: "serve the api"})
	an := &apiNode{n: n, started: started, level: lv, stop: func(reason string) { cancel(fmt.Errorf("asked to stop: %s", reason)) }}
	srv := api.NewServer(an, api.Options{Metrics: promhttp.HandlerFor(reg, promhttp.HandlerOpts{}), Log: log})
	defer func() {
		sctx, scancel := context.WithTimeout(context.Background(), time.Second)
		defer scancel()
		_ = srv.Shutdown(sctx)
	}()
	l, err := api.Listen(cfg.API)
	if err != nil {
		return coded(exitConfig, fmt.Errorf("node %s: api: %w", cfg.Name, err))
	}
	served := make(chan error, 2)
	if err := serveAdmin(srv, an, home, served); err != nil {
		return coded(exitConfig, errors.Join(fmt.Errorf("node %s: administration: %w", cfg.Name, err), l.Close()))
	}
	go func() { served <- srv.Serve(l) }()
	rep.send(localnet.Report{API: l.Addr().String()})
	log.Info("the node runs", "node", cfg.Name, "api", l.Addr().String(), "listen", cfg.Listen)
	select {
	case <-ctx.Done():
		log.Info("the node ends", "cause", context.Cause(ctx))
		return nil
	case err := <-n.Fatal():
		return fmt.Errorf("node %s: %w", cfg.Name, err)
	case err := <-served:
		return fmt.Errorf("node %s: api: %w", cfg.Name, err)
	}
}

// setCheckpoints puts what the flags say into the configuration.
func setCheckpoints(cfg *chainspec.Node, flags []string) error {
	for _, f := range flags {
		name, text, ok := strings.Cut(f, "=")
		if !ok {
			return fmt.Errorf("--checkpoint %q: write CHAIN=HEIGHT:ID", f)
		}
		at, err := chainspec.ParseCheckpoint(text)
		if err != nil {
			return fmt.Errorf("--checkpoint %s: %w", name, err)
		}
		c := cfg.Chain(name)
		if c == nil {
			return fmt.Errorf("--checkpoint %s: node.hcl has no chain of that name", name)
		}
		c.Checkpoint = at
	}
	return nil
}

// serveAdmin serves the administration on a socket of this machine, to callers who can read the token.
func serveAdmin(srv *api.Server, an api.Admin, home string, served chan<- error) error {
	token, err := api.EnsureToken(localnet.AdminToken(home))
	if err != nil {
		return err
	}
	l, err := localnet.ListenAdmin(home)
	if err != nil {
		return err
	}
	go func() { served <- srv.ServeAdmin(l, an, token) }()
	return nil
}

// profile writes what the node's own process spends its time on to a file below the folder, for go tool pprof.
func profile(folder string) (stop func(), err error) {
	f, err := os.Create(filepath.Join(folder, fmt.Sprintf("node-%d.pprof", os.Getpid())))
	if err == nil {
		err = pprof.StartCPUProfile(f)
	}
	if err != nil {
		return nil, fmt.Errorf("ALTO_CPUPROFILE: %w", err)
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}, nil
}

// loadNode reads node.hcl and the genesis documents that it names.
func (a *app) loadNode(home string) (*chainspec.Node, map[string][]byte, error) {
	path := filepath.Join(home, "node.hcl")
	cfg, diags := chainspec.LoadNode(path, nodeSchemas(home))
	if diags.HasErrors() {
		return nil, nil, told(exitConfig, a.showDiagnostics(diags))
	}
	docs := map[string][]byte{}
	for _, c := range cfg.Chains {
		p := c.Genesis
		if !filepath.IsAbs(p) {
			p = filepath.Join(home, p)
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return nil, nil, fmt.Errorf("chain %q: its genesis document: %w", c.Name, err)
		}
		docs[c.Name] = b
	}
	return cfg, docs, nil
}

// followSupervisor ends this node when its supervisor is gone, however that came about.
func followSupervisor(f *os.File, cancel context.CancelCauseFunc) {
	var b [1]byte
	for {
		if n, err := f.Read(b[:]); n == 0 || err != nil {
			cancel(errors.New("the supervisor is gone"))
			time.AfterFunc(closeTimeout+2*time.Second, func() { os.Exit(exitFailed) })
			return
		}
	}
}
