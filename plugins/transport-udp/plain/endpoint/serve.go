package endpoint

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/plain"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// ResultName is the name of the file in which a measurement's results are sent.
const ResultName = "result.txt"

// Done is what [Serve] reports: a file that was received, or a test that has ended.
type Done struct {
	Name string // of the file
	Size int64
	Test *Tally
}

// Tally is what one end has received in a test.
type Tally struct {
	Messages uint64 // DATA, each once
	Bytes    uint64
	Repeated uint64 // copies of messages that had arrived
}

// text is the content of the result file.
func (t Tally) text() string {
	return fmt.Sprintf("messages %d\nbytes %d\nrepeated %d\n", t.Messages, t.Bytes, t.Repeated)
}

// parseTally reads a result file. What it does not know it passes over.
func parseTally(text string) (t Tally, ok bool) {
	n := 0
	for line := range strings.Lines(text) {
		var word string
		var v uint64
		if c, _ := fmt.Sscan(line, &word, &v); c != 2 {
			continue
		}
		switch word {
		case "messages":
			t.Messages = v
		case "bytes":
			t.Bytes = v
		case "repeated":
			t.Repeated = v
		default:
			continue
		}
		n++
	}
	return t, n == 3
}

// server is the paper's network measurement device: it receives files, and tests when it is told to.
type server struct {
	peer    *Peer
	intake  plain.Intake
	folder  Folder
	file    *writer
	done    func(Done)
	testing bool
	tally   Tally
	before  uint64 // copies that had come before the test
}

// Serve receives files, and takes part in tests, until the connection ends, and returns why: an [EndError], which is no
// failure if the peer reports DisConnect outside of a file. A file that cannot be taken ends the connection.
func Serve(ctx context.Context, p *Peer, folder Folder, done func(Done)) error {
	s := &server{peer: p, folder: folder, done: done, intake: plain.Intake{Limit: folder.Limit}}
	defer func() {
		if s.file != nil {
			s.file.abort()
		}
	}()
	for {
		m, err := p.Recv(ctx)
		if err == nil {
			if err = s.message(ctx, m); err == nil {
				continue
			}
			code := plain.CodeOf(err)
			if errors.Is(err, ErrExists) {
				code = wire.ConfigError
			}
			if hang := p.Hangup(ctx, code); hang != nil {
				return errors.Join(err, hang)
			}
		}
		if name, size, open := s.intake.Open(); open {
			return fmt.Errorf("%q is not whole, %d bytes had come, nothing is kept: %w", name, size, err)
		}
		return err
	}
}

func (s *server) message(ctx context.Context, m Message) error {
	_, _, open := s.intake.Open()
	switch {
	case m.ID == wire.Start:
		s.testing, s.tally, s.before = true, Tally{}, s.peer.Stats().Repeated
		return nil
	case m.ID == wire.Stop:
		if s.testing {
			s.testing = false
			t := s.tally
			s.done(Done{Test: &t})
		}
		return nil
	case m.ID == wire.Result:
		return s.result(ctx)
	case m.ID == wire.TestOver:
		return nil
	case s.testing && !open && m.ID == wire.Data:
		s.tally.Messages++
		s.tally.Bytes += uint64(len(m.Body))
		return nil
	case s.testing && !open && m.ID == wire.DataOver:
		s.tally.Repeated = s.peer.Stats().Repeated - s.before
		s.peer.AcceptOver()
		return s.peer.Send(ctx, wire.TestOver, nil)
	}
	part, err := s.intake.Message(m.ID, m.Body)
	if err != nil {
		return err
	}
	switch part.Kind {
	case plain.Begin:
		s.file, err = s.folder.create(part.Name)
	case plain.Piece:
		err = s.file.write(part.Data)
	case plain.End:
		if err = s.file.commit(); err == nil {
			s.file = nil
			s.peer.AcceptOver()
			s.done(Done{Name: part.Name, Size: part.Size})
		}
	}
	return err
}

// result sends the results as a file.
func (s *server) result(ctx context.Context) error {
	for _, m := range []Message{{wire.FileName, []byte(ResultName)}, {wire.Data, []byte(s.tally.text())}, {wire.DataOver, nil}} {
		if err := s.peer.Send(ctx, m.ID, m.Body); err != nil {
			return err
		}
	}
	return nil
}
