// Package endpoint gives the pure state machine of package plain a socket and a clock, and what people do with it: send a
// file, receive files, run the paper's measurement.
//
// [Endpoint] is the bare loop, used by nodes too. [Host] and [Peer] are a blocking interface on top of it: Dial or Accept,
// then Send and Recv messages. [SendFile], [Serve] and [Measure] are written with these.
package endpoint
