package main

import (
	"errors"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// pumped is how much a raw pump of datagrams moved.
type pumped struct {
	Size      int     // of a datagram, in bytes
	Window    int     // datagrams
	Datagrams float64 // a second that came
	Bytes     float64 // a second that came
}

var errNothingMoved = errors.New("the pump moved nothing")

// pump sends datagrams from one address to the other, a window of them at a time, and counts what comes: what no transport
// can exceed on that path. Those that have not come after a round trip and a little more are taken for lost. It lets the kernel
// cut its writes into datagrams and reads many at once, so that the path is what bounds it.
func pump(j job) (pumped, error) {
	from, to, err := pumpSockets(j)
	if err != nil {
		return pumped{}, err
	}
	defer from.Close()
	defer to.Close()
	var came, bytes atomic.Int64
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		messages := make([]ipv4.Message, 32)
		for i := range messages {
			messages[i].Buffers = [][]byte{make([]byte, j.Size+1)}
		}
		for batch := ipv4.NewPacketConn(to); ; {
			n, err := batch.ReadBatch(messages, 0)
			if err != nil {
				return
			}
			for i := range n {
				bytes.Add(int64(messages[i].N))
			}
			came.Add(int64(n))
		}
	}()
	const step = time.Millisecond
	patience := time.Duration(j.Setting.Trip)*time.Millisecond/2 + 30*time.Millisecond
	history := make([]int64, int(patience/step)+1) // how many had been sent at each step, a ring
	b := make([]byte, pumpBurst(j)*j.Size)
	var sent, skip, skipBytes int64
	var skipped time.Duration
	start := time.Now()
	for {
		now := time.Since(start)
		if now >= j.Time {
			break
		}
		if skipped == 0 && now >= j.Time/3 { // the pipe has filled
			skip, skipBytes, skipped = came.Load(), bytes.Load(), now
		}
		at := int(now/step) % len(history)
		history[at] = sent
		room := int64(j.Window) - (sent - max(came.Load(), history[(at+1)%len(history)]))
		if room < int64(min(pumpBurst(j), j.Window)) {
			time.Sleep(20 * time.Microsecond)
			continue
		}
		n := min(room, int64(pumpBurst(j)))
		if _, err := from.WriteToUDPAddrPort(b[:n*int64(j.Size)], j.Dial[1]); err != nil {
			return pumped{}, err
		}
		sent += n
	}
	took := (time.Since(start) - skipped).Seconds()
	r := pumped{Size: j.Size, Window: j.Window, Datagrams: float64(came.Load()-skip) / took, Bytes: float64(bytes.Load()-skipBytes) / took}
	_ = to.Close()
	<-ended
	if r.Datagrams == 0 {
		return r, errNothingMoved
	}
	return r, nil
}

// pumpBurst is how many datagrams are written at once.
func pumpBurst(j job) int { return max(1, min(60_000/j.Size, j.Window/4)) }

func pumpSockets(j job) (from, to *net.UDPConn, err error) {
	if from, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(j.At[0])); err != nil {
		return nil, nil, err
	}
	if to, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(j.At[1])); err != nil {
		return nil, nil, errors.Join(err, from.Close())
	}
	for _, s := range []*net.UDPConn{from, to} {
		_ = s.SetReadBuffer(4 << 20)
		_ = s.SetWriteBuffer(4 << 20)
	}
	raw, err := from.SyscallConn()
	if err == nil {
		cerr := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT, j.Size) })
		err = errors.Join(err, cerr)
	}
	if err != nil {
		return nil, nil, errors.Join(err, from.Close(), to.Close())
	}
	return from, to, nil
}
