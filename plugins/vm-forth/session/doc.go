// Package session holds interactive sessions: a person, or a file of tests, talks to the VM, which keeps its definitions and
// its stack from one input to the next. Top-level code runs at once; a definition, a structure, a comment or a test that an
// input leaves open waits for more.
//
// Besides the words of the language there are words that look at the session (.s words see cost env), that test (T{ … -> … }T)
// and that run whole contracts (contract … end-contract, evidence{ … }, run, fails); Help describes them. They count at the top
// level only, and give way to definitions of the same name.
//
// Nothing here belongs to the rules of a chain.
package session
