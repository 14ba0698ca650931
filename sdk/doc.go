// Package sdk is all that the author of a Paloalto plugin imports. An author implements plugin.Plugin, whose instances
// implement the interface of a kind (storage.Store, transport.Transport, consensus.Engine, vm.VM, oracle.Observer,
// module.Module), and calls [Serve] from main:
//
//	func main() { sdk.Serve(myPlugin{}) }
//
// Serve speaks the protocol that docs/reference/plugin-protocol.md describes: go-plugin's handshake on standard output, a
// unix socket, the health service, the PluginService and the services of the kinds that Describe lists.
package sdk
