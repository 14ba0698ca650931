package udpio

import (
	"errors"
	"net"
)

// plain moves a datagram at a time.
type plain struct {
	conn    *net.UDPConn
	largest int
	in, out []byte
	count   *counters
}

func newPlain(conn *net.UDPConn, cfg Config, count *counters) *plain {
	return &plain{conn: conn, largest: cfg.Largest, in: make([]byte, cfg.Largest+1), out: make([]byte, 0, 1<<16), count: count}
}

func (p *plain) features() Features { return Features{} }

func (p *plain) close(socket func() error) error { return socket() }

func (p *plain) read(into []Packet) ([]Packet, error) {
	for {
		n, from, err := p.conn.ReadFromUDPAddrPort(p.in)
		switch {
		case tooLong(err) || err == nil && n > p.largest:
			p.count.tooLong.Add(1)
		case err == nil:
			p.count.readCalls.Add(1)
			return append(into, Packet{From: unmap(from), Data: p.in[:n]}), nil
		case !harmless(err):
			return into, err
		}
	}
}

func (p *plain) write(batch []Datagram) (refused int, err error) {
	for i := range batch {
		d := &batch[i]
		d.Err = p.writeOne(d)
		if d.Err == nil {
			continue
		}
		if errors.Is(d.Err, net.ErrClosed) {
			return refused, d.Err
		}
		refused++
	}
	return refused, nil
}

func (p *plain) writeOne(d *Datagram) error {
	if d.size() > MaxDatagram {
		return ErrTooLong
	}
	if !d.To.IsValid() {
		return errAddress
	}
	b := d.Head
	if len(d.Body) > 0 {
		if b = d.Body; len(d.Head) > 0 {
			p.out = append(append(p.out[:0], d.Head...), d.Body...)
			b = p.out
		}
	}
	var err error
	for range 2 { // a harmless error is one of an earlier datagram, in whose stead this one was not sent
		p.count.sendCalls.Add(1)
		if _, err = p.conn.WriteToUDPAddrPort(b, d.To); err == nil || tooLong(err) || !harmless(err) {
			break
		}
	}
	if tooLong(err) {
		return ErrTooLong
	}
	return err
}
