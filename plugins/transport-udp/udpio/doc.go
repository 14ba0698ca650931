// Package udpio moves datagrams between a UDP socket and its owner in batches, with as few system calls as the system
// allows.
//
// A Socket reads and writes slices of datagrams. On Linux one system call moves many of them (recvmmsg, sendmmsg), and a
// run of datagrams to one address that are equally long, the last of which may be shorter, goes through the kernel as a
// single packet that is cut up as late as possible (UDP_SEGMENT, called GSO); in the other direction the kernel joins
// datagrams of one sender (UDP_GRO) and Read cuts them up again. Neither end sees a difference: what was written as
// separate datagrams arrives as separate datagrams, unaltered, whether the other end uses this package or not. What the
// kernel has is found out by asking it when the socket is opened, never by its version, and what fails later, because a
// device cannot do it, is done without from then on; the datagrams for which it failed are sent one by one. Where there
// is nothing of all this, on other systems, the same methods move one datagram a system call. Features tells what is
// in use.
//
// Datagrams are never fragmented where the system can be told so (Linux, macOS, FreeBSD): one that is too long for its
// path disappears, and one that is too long for the first device is refused with ErrTooLong. That is what discovery of
// the path's MTU by probing needs (RFC 8899): the kernel's own opinion of the path, which rests on ICMP messages that
// anybody can forge, is ignored.
//
// A UDP socket outlives all trouble with single datagrams. Errors that ICMP brings, such as a refusal by a host where
// nobody listens, say nothing that the protocol above does not notice by itself, and are ignored. Read and Write fail
// only when the socket is closed, or when the system is in serious trouble.
//
// Memory is fixed when the socket is opened: nothing is allocated for a datagram, and a datagram longer than agreed is
// counted and dropped.
package udpio
