package plugintest

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/consensus/consensustest"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/oracle/oracletest"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/storage/storagetest"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/transport/transporttest"
	"github.com/paloalto-chain/paloalto/sdk/vm"
	"github.com/paloalto-chain/paloalto/sdk/vm/vmtest"
)

// open opens an instance of a kind for a factory: it has no context of its own, and its instances outlive the opening.
func (p *Process) open(kind plugin.Kind, req plugin.OpenRequest) (uint64, grpc.ClientConnInterface, func() error, error) {
	req.Kind = kind
	h, cc, err := p.Open(context.Background(), req)
	if err != nil {
		return 0, nil, nil, err
	}
	return h, cc, func() error { return p.Close(context.Background(), h) }, nil
}

// Storage makes a factory of the stores that a process opens with req, whose DataDir is set by the suite. A caller whose store
// is volatile sets Volatile in what is returned.
func Storage(p *Process, req plugin.OpenRequest) storagetest.Factory {
	return storagetest.Factory{Open: func(dir string) (storage.Store, func() error, error) {
		req := req
		req.DataDir = dir
		h, cc, end, err := p.open(plugin.Storage, req)
		if err != nil {
			return nil, nil, err
		}
		return storage.NewClient(cc, h), end, nil
	}}
}

// VM completes a factory, which has sources in the VM's language, by the VMs that a process opens with req.
func VM(p *Process, req plugin.OpenRequest, f vmtest.Factory) vmtest.Factory {
	f.Open = func(vmtest.T) (vm.VM, func() error, error) {
		h, cc, end, err := p.open(plugin.VM, req)
		if err != nil {
			return nil, nil, err
		}
		return vm.NewClient(cc, h), end, nil
	}
	return f
}

// Transport makes a factory of the transports that a process opens with req. Each is a node with a key of its own, by which
// the host answers its BindTransport. authenticates says whether the transport authenticates its peers by these keys.
func Transport(p *Process, req plugin.OpenRequest, authenticates bool) transporttest.Factory {
	return transporttest.Factory{Authenticates: authenticates, Open: func(name string) (transport.Transport, func() error, error) {
		in, err := p.now()
		if err != nil {
			return nil, nil, err
		}
		req := req
		req.Handle = p.newHandle()
		if err := in.offer(req.Handle, transporttest.Host(name)); err != nil {
			return nil, nil, err
		}
		h, cc, end, err := p.open(plugin.Transport, req)
		if err != nil {
			in.offers.withdraw(req.Handle)
			return nil, nil, err
		}
		return transport.NewClient(cc, h), func() error {
			defer in.offers.withdraw(h)
			return end()
		}, nil
	}}
}

// Consensus makes a factory of the engines that a process opens with req. slotMs is the length of a slot, in milliseconds,
// that req.Config asks for.
func Consensus(p *Process, req plugin.OpenRequest, slotMs uint64) consensustest.Factory {
	return consensustest.Factory{SlotMs: slotMs, Open: func() (consensus.Engine, func() error, error) {
		h, cc, end, err := p.open(plugin.Consensus, req)
		if err != nil {
			return nil, nil, err
		}
		return consensus.NewClient(cc, h), end, nil
	}}
}

// Module completes a factory, which knows the module's transactions, by the instances that a process opens with req.
// req.Kind is the kind whose instances are modules; empty means module. Its chain is that of the factory.
func Module(p *Process, req plugin.OpenRequest, f moduletest.Factory) moduletest.Factory {
	if req.Kind == "" {
		req.Kind = plugin.Module
	}
	req.ChainID = f.Chain[:]
	f.Open = func() (moduletest.Instance, error) {
		h, cc, end, err := p.open(req.Kind, req)
		if err != nil {
			return moduletest.Instance{}, err
		}
		other, err := p.other(moduletest.OtherKindHandle, plugin.Module)
		if err != nil {
			return moduletest.Instance{}, errors.Join(err, end())
		}
		return moduletest.Instance{Module: module.NewClient(cc, h), Dial: func(uint64) grpc.ClientConnInterface { return cc },
			NoOtherKind: !other, Close: end}, nil
	}
	return f
}

// Oracle makes a factory of the observers that a process opens with req. questions are some that they can be asked.
func Oracle(p *Process, req plugin.OpenRequest, questions []oracle.Question) oracletest.Factory {
	return oracletest.Factory{Questions: questions, Open: func() (oracletest.Instance, error) {
		h, cc, end, err := p.open(plugin.Oracle, req)
		if err != nil {
			return oracletest.Instance{}, err
		}
		other, err := p.other(oracletest.OtherKindHandle, plugin.Oracle)
		if err != nil {
			return oracletest.Instance{}, errors.Join(err, end())
		}
		return oracletest.Instance{Observer: oracle.NewClient(cc, h), Conn: cc, NoOtherKind: !other, Close: end}, nil
	}}
}

// other sees to it that an instance which does not serve a kind is open under a handle, and says whether the plugin has such
// a kind; most have not. It stays until another is needed there or the process ends, since instances of a factory share it.
func (p *Process) other(handle uint64, not plugin.Kind) (bool, error) {
	in, err := p.now()
	if err != nil {
		return false, err
	}
	in.otherMu.Lock()
	defer in.otherMu.Unlock()
	for _, k := range in.info.Kinds {
		if k.Kind == not || not == plugin.Module && k.HasModule {
			continue
		}
		if in.otherKind == k.Kind {
			return true, nil
		}
		if in.otherKind != "" {
			if err := p.Close(context.Background(), handle); err != nil {
				return false, fmt.Errorf("close an instance of another kind, %s: %w", in.otherKind, err)
			}
		}
		if _, _, _, err := p.open(k.Kind, plugin.OpenRequest{Handle: handle}); err != nil {
			return false, fmt.Errorf("open an instance of another kind, %s: %w", k.Kind, err)
		}
		in.otherKind = k.Kind
		return true, nil
	}
	return false, nil
}
