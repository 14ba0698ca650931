package sdk

import (
	"fmt"

	"google.golang.org/grpc"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// kind is what Serve knows of a kind: its service, and how an instance is recognised.
type kind struct {
	register func(grpc.ServiceRegistrar, plugin.Instances)
	is       func(any) bool
	named    string // the interface, for people
}

func implements[T any](v any) bool { _, ok := v.(T); return ok }

// kindOf knows all kinds.
func kindOf(k plugin.Kind) (kind, bool) {
	switch k {
	case plugin.Consensus:
		return kind{consensus.RegisterServer, implements[consensus.Engine], "consensus.Engine"}, true
	case plugin.Module:
		return kind{module.RegisterServer, implements[module.Module], "module.Module"}, true
	case plugin.Oracle:
		return kind{oracle.RegisterServer, implements[oracle.Observer], "oracle.Observer"}, true
	case plugin.Storage:
		return kind{storage.RegisterServer, implements[storage.Store], "storage.Store"}, true
	case plugin.Transport:
		return kind{transport.RegisterServer, implements[transport.Transport], "transport.Transport"}, true
	case plugin.VM:
		return kind{vm.RegisterServer, implements[vm.VM], "vm.VM"}, true
	}
	return kind{}, false
}

// registerKinds serves each kind that a plugin describes, once, and the module service if instances have that face too.
func registerKinds(s grpc.ServiceRegistrar, in plugin.Instances, infos []plugin.KindInfo) error {
	done := map[plugin.Kind]bool{}
	add := func(name plugin.Kind) error {
		if done[name] {
			return nil
		}
		done[name] = true
		k, ok := kindOf(name)
		if !ok {
			return fmt.Errorf("this version of the SDK does not know the kind %q", name)
		}
		k.register(s, in)
		return nil
	}
	for _, i := range infos {
		if err := add(i.Kind); err != nil {
			return err
		}
		if i.HasModule {
			if err := add(plugin.Module); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkInstance says whether what a plugin's Open returned is what it promised.
func checkInstance(name plugin.Kind, info plugin.KindInfo, v any) error {
	want := []plugin.Kind{name}
	if info.HasModule && name != plugin.Module {
		want = append(want, plugin.Module)
	}
	for _, w := range want {
		k, ok := kindOf(w)
		if !ok {
			return fmt.Errorf("this version of the SDK does not know the kind %q", w)
		}
		if !k.is(v) {
			return fmt.Errorf("%w: the plugin's Open returned a %T, which is no %s", plugin.ErrWrongKind, v, k.named)
		}
	}
	return nil
}
