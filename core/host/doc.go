// Package host runs plugins: it finds and verifies their binaries, starts them in a sandbox, negotiates the API,
// supervises, restarts, limits and stops them, and carries their calls to the core.
//
// The life of a plugin. [Host.Start] starts a process of a [Spec], or shares the one that runs already, asks it to describe
// itself and returns a [Process]. [Process.Open] opens an instance in it, for a chain. An [Instance] hands out the
// interfaces of the SDK (Store, VM, Module, Engine, Transport, Observer), and outlives the process: when that dies, hangs
// or is replaced, the host starts another, opens the instance again under a new handle, and calls that were under way are
// made again there, questions once. Only the conversations (consensus.Engine's Run, transport.Transport's Attach, vm.VM's Trace) end with
// an error that wraps [ErrPluginLost]; their owner begins them again, which waits until the plugin is ready.
//
// Who is to blame. An instance that had a call under way when its process died is a suspect; one whose call took too long
// is known to be the one. Suspects that share a process with others get a process of their own after the second time, so that
// what follows has one cause. A panic on the goroutine of a call is known to be of one instance, and so is an answer of a module
// that is none (see [Instance.Module]): only that instance is opened again, and what else was under way in it is made again.
// An instance with which this happens again and again without [Instance.Progress] in between has failed: [Instance.Failed] and
// [Instance.Err] say so, and the others go on without it. A module that hangs gets there in bounded time, since crashes count for
// longer than MaxCrashes time-outs take: with the defaults, 5 blocks of 10 s, after about a minute.
//
// Questions ([Asking]) and tries ([Once]) do not count, since anybody may ask and what is tried is not needed. The rule, for
// an instance and the calls in it that were under way when it was lost:
//
//   - only such as are needed: it counts;
//   - only questions and tries: it does not count, and questions rest for a while;
//   - both: nobody knows which it was. It does not count; the needed call is made again, with no question beside it, and if it
//     is lost again it counts. So a question costs a block that it meets one repetition, and a block that its module does not
//     survive is not excused by questions that are always under way. If a conversation was lost, which is not made again here, no
//     question is let in until Progress;
//   - none, but a question had ended within the second before: as the last, until Progress;
//   - none at all: it counts for every instance in the process.
//
// A question that is not let in waits up to 5 s and then fails with [ErrPluginLost].
//
// What the core does for a call, such as reading the state, is not the plugin's: it does not count as its time, and an error
// of it ends the call as it is.
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
