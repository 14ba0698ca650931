package live

import (
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/paloalto-chain/paloalto/core/journal"
	"github.com/paloalto-chain/paloalto/internal/localnet"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Records of the engine in a journal, as far as they are read here: plugins/consensus-dpospbft/pbft/record.go.
const (
	engineRecord  = 3 // type of the journal's records that are the engine's
	recordVersion = 1
	recordOwn     = 2
	recordPrepare = 4
	recordCommit  = 5
)

// signedOnce reads the journals of nodes that do not run, which hold every signature's subject before the signature exists: in
// no slot may there be two that differ.
func (n *network) signedOnce(nodes ...int) {
	n.Helper()
	total := map[string]int{}
	for _, i := range nodes {
		dirs, err := journals(localnet.NodeDir(n.dir, n.name(i)))
		if err != nil || len(dirs) == 0 {
			n.Fatalf("journals of %s: %v %v", n.name(i), dirs, err)
		}
		for _, dir := range dirs {
			s := signatures{what: map[string]string{}, count: total}
			if err := s.read(dir); err != nil {
				n.Fatalf("%s: %v", n.name(i), err)
			}
			for _, d := range s.double {
				n.Errorf("%s has signed twice: %s", n.name(i), d)
			}
		}
	}
	n.Logf("the journals of %d nodes hold %v, none of them twice in a slot", len(nodes), total)
	if total["prepare"] == 0 || total["commit"] == 0 || total["propose"] == 0 {
		n.Error("the journals hold no signatures")
	}
}

func journals(home string) (dirs []string, err error) {
	err = filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "journal" {
			dirs = append(dirs, path)
		}
		return err
	})
	return dirs, err
}

type signatures struct {
	what   map[string]string // by purpose and slot
	count  map[string]int
	double []string
}

func (s *signatures) read(dir string) error {
	j, err := journal.Open(dir, journal.Options{MustExist: true})
	if err != nil {
		return err
	}
	defer j.Close()
	if j.Start() != 0 {
		return fmt.Errorf("journal %s was trimmed: the scenario is too long for it", dir)
	}
	return j.Replay(0, func(_ journal.Position, r journal.Record) error {
		if r.Type != engineRecord {
			return nil
		}
		return s.record(r.Data)
	})
}

func (s *signatures) record(b []byte) error {
	d := types.NewDecoder(b)
	if v := d.Byte(); v != recordVersion {
		return fmt.Errorf("the engine's records have version %d: this test knows %d", v, recordVersion)
	}
	switch d.Byte() {
	case recordOwn:
		raw := d.Blob(types.MaxHeaderBytes)
		if d.Err() != nil {
			return d.Err()
		}
		h, err := types.DecodeHeader(raw)
		if err != nil {
			return err
		}
		s.add("propose", h.Slot, h.ID().String())
	case recordPrepare:
		epoch, slot, height, src, id := d.Uint(), d.Uint(), d.Uint(), d.Uint(), d.Hash()
		s.add("prepare", slot, fmt.Sprintf("%s at height %d of epoch %d, source %d", id, height, epoch, src))
	case recordCommit:
		epoch, slot, height, _, id := d.Uint(), d.Uint(), d.Uint(), d.Uint(), d.Hash()
		s.add("commit", slot, fmt.Sprintf("%s at height %d of epoch %d", id, height, epoch))
	}
	return d.Err()
}

func (s *signatures) add(purpose string, slot uint64, what string) {
	key := fmt.Sprintf("%s in slot %d", purpose, slot)
	if before, ok := s.what[key]; ok && before != what {
		s.double = append(s.double, fmt.Sprintf("%s: %s, and %s", key, before, what))
	} else if !ok {
		s.count[purpose]++
	}
	s.what[key] = what
}
