package udpio

import (
	"net"
	"net/netip"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// encode writes an address in the form of the system call and returns its length, 0 if the socket cannot reach it. A
// socket of IPv6 has IPv4 addresses in the form of IPv6.
func (z *zones) encode(name *unix.RawSockaddrInet6, to netip.AddrPort, six bool) uint32 {
	ip := to.Addr()
	switch {
	case !six && (ip.Is4() || ip.Is4In6()):
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		*four = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: ip.Unmap().As4()}
		putPort(&four.Port, to.Port())
		return unix.SizeofSockaddrInet4
	case six && ip.IsValid():
		*name = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: ip.As16()}
		putPort(&name.Port, to.Port())
		if zone := ip.Zone(); zone != "" {
			if name.Scope_id = z.index(zone); name.Scope_id == 0 {
				return 0
			}
		}
		return unix.SizeofSockaddrInet6
	}
	return 0
}

// decode returns the address that the kernel has written.
func (z *zones) decode(name *unix.RawSockaddrInet6, size uint32) (netip.AddrPort, bool) {
	switch {
	case name.Family == unix.AF_INET && size >= unix.SizeofSockaddrInet4:
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), getPort(&four.Port)), true
	case name.Family == unix.AF_INET6 && size >= unix.SizeofSockaddrInet6:
		ip := netip.AddrFrom16(name.Addr).Unmap()
		if name.Scope_id != 0 && ip.Is6() {
			ip = ip.WithZone(z.name(name.Scope_id))
		}
		return netip.AddrPortFrom(ip, getPort(&name.Port)), true
	}
	return netip.AddrPort{}, false
}

// A port is in the network's order whatever the machine's is.
func putPort(p *uint16, port uint16) {
	*(*[2]byte)(unsafe.Pointer(p)) = [2]byte{byte(port >> 8), byte(port)}
}

func getPort(p *uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(p))
	return uint16(b[0])<<8 | uint16(b[1])
}

const (
	// zonesLimit is how many interfaces are remembered, zonesAge for how long.
	zonesLimit = 256
	zonesAge   = time.Minute
)

// zones remembers the names and numbers of the interfaces that link-local addresses mention. Its zero value is ready. It
// belongs to one caller.
type zones struct {
	since   time.Time
	names   map[uint32]string
	indexes map[string]uint32
}

func (z *zones) fresh() {
	if z.names == nil || len(z.names) >= zonesLimit || len(z.indexes) >= zonesLimit || time.Since(z.since) > zonesAge {
		z.since, z.names, z.indexes = time.Now(), map[uint32]string{}, map[string]uint32{}
	}
}

// name returns the name of an interface as package net writes it, or its number if it has none any more.
func (z *zones) name(index uint32) string {
	z.fresh()
	name, ok := z.names[index]
	if !ok {
		name = strconv.FormatUint(uint64(index), 10)
		if i, err := net.InterfaceByIndex(int(index)); err == nil {
			name = i.Name
		}
		z.names[index] = name
	}
	return name
}

// index returns the number of an interface, 0 if there is none of that name.
func (z *zones) index(name string) uint32 {
	z.fresh()
	index, ok := z.indexes[name]
	if !ok {
		if i, err := net.InterfaceByName(name); err == nil {
			index = uint32(i.Index)
		} else if n, err := strconv.ParseUint(name, 10, 32); err == nil {
			index = uint32(n)
		}
		z.indexes[name] = index
	}
	return index
}
