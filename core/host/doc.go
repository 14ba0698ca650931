// Package host runs plugins: it finds and verifies their binaries, starts them in a sandbox, negotiates the API,
// supervises, restarts, limits and stops them, and carries their calls to the core.
//
// The life of a plugin. [Host.Start] starts a process of a [Spec], or shares the one that runs already, asks it to describe
// itself and returns a [Process]. [Process.Open] opens an instance in it, for a chain. An [Instance] hands out the
// interfaces of the SDK (Store, VM, Module, Engine, Transport, Observer), and outlives the process: when that dies, hangs
// or is replaced, the host starts another, opens the instance again under a new handle, and calls that were under way are
// made again there. Only the conversations (consensus.Engine's Run, transport.Transport's Attach, vm.VM's Trace) end with
// an error that wraps [ErrPluginLost]; their owner begins them again, which waits until the plugin is ready.
//
// Who is to blame. An instance that had a call under way when its process died is a suspect. Suspects that share a
// process with others get a process of their own after the second time, so that what follows has one cause. An instance
// that loses its process again and again without [Instance.Progress] in between has failed: [Instance.Failed] and
// [Instance.Err] say so, and the others go on without it. A panic on the goroutine of a call is known to be of one
// instance, and only that one is opened again.
//
// What holds a plugin. A process starts as a shim ([RunShim]) that confines itself and then becomes the plugin. On Linux, as
// far as the kernel has it: Landlock opens the plugin's own folders, what is granted, and of the system what programs
// need, so that it reads no key and nobody's memory, root's plugin neither; a filter refuses it all sockets but local ones
// unless its kind or its spec needs the network; it has no capabilities and can't gain any; and it is the first process of a PID
// namespace, so that what it starts ends with it. (As such it inherits orphans: one that starts daemons must wait for them.)
// Memory is limited by a control group where one can be made, and otherwise watched. Where the kernel has none of it, a plugin
// has the rights of the user who runs the node; [Status] says which of it holds.
//
// One level down: a unit is the place of one operating-system process; an incarnation is one run of it. Every call has a
// deadline, nothing waits for a plugin without one, and a plugin that does not end when asked is killed after a second.
package host
