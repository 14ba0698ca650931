package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/internal/faultproxy"
	"github.com/paloalto-chain/paloalto/internal/localnet"
)

func (a *app) netFaultsRunCmd() *cobra.Command {
	var listen, target []string
	var seed uint64
	c := &cobra.Command{
		Use: "run --listen HOST:PORT --target HOST:PORT FAULTS", Short: "Run the fault proxy alone, before any program that speaks UDP",
		Long: "Forwards what comes to --listen to --target, and the answers back, with FAULTS in both directions, in the foreground until Ctrl-C; then it\n" +
			"prints what became of the datagrams. The flags may be repeated, as pairs. What comes from a target is sent on from the address that stands\n" +
			"for it, so that programs that call each other both see the proxy. Loopback addresses only: it is an instrument for tests, no relay.",
		Example: "  alto net faults run --listen 127.0.0.1:9000 --target 127.0.0.1:9001 loss=1% delay=50ms\n" +
			"  alto net faults run --listen 127.0.0.1:9000 --target 127.0.0.1:9001 --fault-seed 7 reorder=5%\n" +
			"  alto net faults run --listen 127.0.0.1:9000 --target 127.0.0.1:9001 --listen 127.0.0.1:9010 --target 127.0.0.1:9011 none",
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			faults, err := faultproxy.ParseFaults(strings.Join(args, " "))
			if err != nil {
				return coded(exitUsage, err)
			}
			if !c.Flags().Changed("fault-seed") {
				seed = randomSeed()
			}
			cfg := faultproxy.Config{Seed: seed, Faults: faults}
			if cfg.Endpoints, err = runEndpoints(listen, target); err != nil {
				return coded(exitUsage, err)
			}
			proxy, err := faultproxy.New(cfg)
			if err != nil {
				if errors.Is(err, faultproxy.ErrInvalid) {
					return coded(exitUsage, err)
				}
				return err
			}
			defer proxy.Close()
			for _, e := range cfg.Endpoints {
				a.progress("%s -> %s", proxy.Addr(e.Name), e.Target)
			}
			a.progress("seed %d: %s; Ctrl-C ends it", seed, faults)
			<-c.Context().Done()
			st := proxy.Stats()
			f := &localnet.Faults{Seed: seed, NoTarget: st.NoTarget, NoFlow: st.NoFlow, Names: []string{faultproxy.Unknown}, Links: []localnet.FaultLink{}}
			for _, e := range cfg.Endpoints {
				f.Names = append(f.Names, e.Name)
			}
			for _, l := range st.Links {
				f.Links = append(f.Links, localnet.NewFaultLink(l))
			}
			return a.printFaults("fault proxy", f)
		},
	}
	c.Flags().StringArrayVar(&listen, "listen", nil, "address of the proxy that stands for the target; port 0 lets the system choose")
	c.Flags().StringArrayVar(&target, "target", nil, "address of the program")
	c.Flags().Uint64Var(&seed, "fault-seed", 0, "what the decisions are drawn from (default: another each time)")
	return c
}

// runEndpoints makes endpoints of the pairs. An endpoint has the name of its target.
func runEndpoints(listen, target []string) ([]faultproxy.Endpoint, error) {
	if len(listen) == 0 || len(listen) != len(target) {
		return nil, fmt.Errorf("there are %d --listen and %d --target; give one of each for every address", len(listen), len(target))
	}
	var out []faultproxy.Endpoint
	for i := range listen {
		var e faultproxy.Endpoint
		for _, x := range []struct {
			flag, text string
			to         *netip.AddrPort
		}{{"--listen", listen[i], &e.Listen}, {"--target", target[i], &e.Target}} {
			at, err := netip.ParseAddrPort(x.text)
			if err != nil || !at.Addr().IsLoopback() {
				return nil, fmt.Errorf("%s %q: a loopback address with a port is wanted, such as 127.0.0.1:9000", x.flag, x.text)
			}
			*x.to = at
		}
		e.Name = strings.NewReplacer("[", "", "]", "").Replace(target[i])
		out = append(out, e)
	}
	return out, nil
}
