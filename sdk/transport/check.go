package transport

import (
	"fmt"
	"net"
	"strconv"
)

// Limits of calls.
const (
	// MaxPeers is how many receivers one Outgoing may name.
	MaxPeers = 1024
	// MaxAddress is the longest address, in bytes.
	MaxAddress = 260
	// MaxProbe is how many datagrams a Probe may ask for.
	MaxProbe = 1000
	// MaxLinks is how many links Stats tells at most.
	MaxLinks = 16384
)

// Check checks a message's form: payload, channel and number of receivers within their limits. The error wraps
// ErrTooLarge or ErrInvalid.
func (o Outgoing) Check() error {
	switch {
	case len(o.Payload) > MaxPayload:
		return fmt.Errorf("send %d bytes, at most %d are allowed: %w", len(o.Payload), MaxPayload, ErrTooLarge)
	case len(o.Channel) > MaxChannel:
		return fmt.Errorf("send on a channel of %d bytes, at most %d are allowed: %w", len(o.Channel), MaxChannel, ErrInvalid)
	case len(o.Peers) > MaxPeers:
		return fmt.Errorf("send to %d peers, at most %d are allowed: %w", len(o.Peers), MaxPeers, ErrInvalid)
	}
	return nil
}

// CheckAddress checks that an address to dial is host:port with a port from 1 to 65535. The error wraps ErrAddress.
func CheckAddress(address string) error {
	if len(address) > MaxAddress {
		return fmt.Errorf("address of %d bytes: %w", len(address), ErrAddress)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("address %q is not host:port: %w", address, ErrAddress)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" {
		return fmt.Errorf("address %q needs a host and a port from 1 to 65535: %w", address, ErrAddress)
	}
	return nil
}

// CheckListen checks that an address to listen on is host:port; the host may be empty and the port 0. The error wraps
// ErrAddress.
func CheckListen(address string) error {
	if len(address) > MaxAddress {
		return fmt.Errorf("address of %d bytes: %w", len(address), ErrAddress)
	}
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("address %q is not host:port: %w", address, ErrAddress)
	}
	return nil
}

// CheckLane checks that there is such a lane. The error wraps ErrInvalid.
func CheckLane(l Lane) error {
	if l > Bulk {
		return fmt.Errorf("%s: %w", l, ErrInvalid)
	}
	return nil
}

// CheckProbe checks the number of datagrams of a Probe. The error wraps ErrInvalid.
func CheckProbe(datagrams int) error {
	if datagrams < 1 || datagrams > MaxProbe {
		return fmt.Errorf("probe with %d datagrams, 1 to %d are allowed: %w", datagrams, MaxProbe, ErrInvalid)
	}
	return nil
}
