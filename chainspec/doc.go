// Package chainspec reads chain specs: HCL in, typed values out.
//
// The way of a spec. [Load] parses a file, evaluates variables, locals, count and for_each, decodes each plugin's block
// against the schema that the plugin brought ([Schemas]), fills in defaults and checks what can be checked without
// running anything. It reports everything that is wrong with a file at once, as [Diagnostics] that carry file, line, column
// and the source line. [Resolve] turns one chain of the spec into a [Genesis] document, for which it is told what a spec
// does not say: the time of slot 0, keys of producers and accounts that a local network makes, and the rules versions of
// plugins. The document's hash is the chain's id.
//
// What is in the document is the chain's identity; what is not, such as storage, transport, isolation and memory limits, is each
// node's own affair and lies in node.hcl ([Node]). alto.lock.hcl ([Lock]) pins external plugins.
//
// The package does no I/O but reading files: the spec, and files in its folder that the spec names with file().
package chainspec
