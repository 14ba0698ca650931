package transportudp

import (
	"sync"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/udpio"
	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// narrow is a device that takes no datagram above a size, and says so.
type narrow struct {
	packets
	most int

	mu      *sync.Mutex
	refused map[int]int // how many, by their size
}

func (d narrow) Write(batch []udpio.Datagram) (refused int, err error) {
	var some []udpio.Datagram
	for i := range batch {
		if size := len(batch[i].Head) + len(batch[i].Body); size > d.most {
			batch[i].Err = udpio.ErrTooLong
			refused++
			d.mu.Lock()
			d.refused[size]++
			d.mu.Unlock()
			continue
		}
		some = append(some, batch[i])
	}
	if len(some) == 0 {
		return refused, nil
	}
	n, err := d.packets.Write(some)
	return refused + n, err
}

// TestTooLongForTheDevice: what the device says about a size is believed at once: each size is tried once, and the search for the largest
// datagram goes on with the next.
func TestTooLongForTheDevice(t *testing.T) {
	a, err := openNode("a", fast)
	if err != nil {
		t.Fatal(err)
	}
	device := narrow{most: 2000, mu: new(sync.Mutex), refused: map[int]int{}}
	a.wrap = func(p packets) packets { return narrow{p, device.most, device.mu, device.refused} }
	x := &live{node: a, name: "a", tb: t}
	if x.address, err = a.Listen(t.Context(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	x.control, x.bulk = x.attach(transport.Control), x.attach(transport.Bulk)
	defer x.stop()
	y := startNamed(t, "b", fast, "127.0.0.1:0")
	defer y.stop()
	if err := x.control.Dial(y.id(), y.address); err != nil {
		t.Fatal(err)
	}
	waitEvent(t, x.control, y.id(), true)
	sent := func(size int) int {
		device.mu.Lock()
		defer device.mu.Unlock()
		return device.refused[size]
	}
	for deadline := time.Now().Add(20 * time.Second); sent(4052) == 0; time.Sleep(time.Millisecond) { // a pace, no verdict
		if time.Now().After(deadline) {
			t.Fatal("the search has not come to 4052 bytes")
		}
	}
	send(t, x.bulk, make([]byte, 100_000), y.id())
	if m := recv(t, y.bulk); len(m.Payload) != 100_000 {
		t.Fatalf("%d bytes arrived", len(m.Payload))
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) { // what is confirmed tells
		all, err := a.Stats(t.Context())
		if err != nil || len(all) != 1 {
			t.Fatalf("%d links, %v", len(all), err)
		}
		if all[0].Datagram == 1472 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("datagrams of %d bytes", all[0].Datagram)
		}
	}
	device.mu.Lock()
	defer device.mu.Unlock()
	if len(device.refused) != 2 || device.refused[16<<10] != 1 || device.refused[4052] != 1 {
		t.Fatalf("refused, by size: %v", device.refused)
	}
}
