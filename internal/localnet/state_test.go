package localnet

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

func TestReadState(t *testing.T) {
	dir := t.TempDir()
	_, err := ReadState(dir)
	require.ErrorIs(t, err, ErrNoNetwork)
	require.ErrorContains(t, err, "`alto up SPEC` makes one")
	for name, c := range map[string]struct{ text, want string }{
		"damaged": {`{"format":`, "is damaged"},
		"newer":   {`{"format":2}`, "has format 2, this alto knows 1"},
		"outside": {`{"format":1,"nodes":[{"name":"../../etc","key":"` + testNode(t, "a", 1).Key.String() + `"}]}`, `bad node name "../../etc"`},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, stateFile), []byte(c.text), 0o600))
			_, err := ReadState(dir)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, dir)
		})
	}
}

func TestAddChain(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "genesis"), 0o700))
	require.NoError(t, (&State{Format: 1, Name: "test"}).write(dir))
	c := Chain{Name: "child", ID: types.ChainID{1, 2, 3}, Parent: "root", Spawned: true}
	for range 2 { // again is harmless
		require.NoError(t, AddChain(dir, c, []byte("the document")))
	}
	s, err := ReadState(dir)
	require.NoError(t, err)
	require.Len(t, s.Chains, 1)
	doc, err := s.Document(dir, s.Chains[0])
	require.NoError(t, err)
	require.Equal(t, "the document", string(doc))
	left, err := filepath.Glob(filepath.Join(dir, "*.tmp"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestPorts(t *testing.T) {
	first, err := freePorts("a", 3, nil)
	require.NoError(t, err)
	require.Len(t, first, 3)
	l, err := net.Listen("tcp", local(first[1]))
	require.NoError(t, err)
	defer l.Close()
	u, err := net.ListenPacket("udp", local(first[2]))
	require.NoError(t, err)
	defer u.Close()
	second, err := freePorts("a", 3, map[int]bool{first[0]: true})
	require.NoError(t, err)
	for _, p := range second {
		require.NotContains(t, first, p)
	}
	_, err = freePorts("a", lastPort, nil)
	require.ErrorContains(t, err, "free ports are needed between")

	other, err := freePorts("b", 3, nil)
	require.NoError(t, err)
	require.NotEqual(t, first, other, "another folder's begin elsewhere")

	// The ports of a network that is down stay its own.
	home := t.TempDir()
	require.NoError(t, os.MkdirAll(Dir(home, "sleeps"), 0o700))
	require.NoError(t, (&State{Format: 1, Name: "sleeps", Nodes: []NodeState{testNode(t, "a", 21_500)}}).write(Dir(home, "sleeps")))
	require.Equal(t, map[int]bool{21_500: true, 21_501: true}, takenPorts(home))
}

func TestMovePorts(t *testing.T) {
	home := t.TempDir()
	ports, err := freePorts(home, 4, nil)
	require.NoError(t, err)
	s := &State{Nodes: []NodeState{{Name: "a", Listen: local(ports[0]), API: local(ports[1])}, {Name: "b", Listen: local(ports[2]), API: local(ports[3])}}}
	var told []string
	p := Plan{Home: home, Tell: func(line string) { told = append(told, line) }}
	moved, err := p.movePorts(home, s)
	require.NoError(t, err)
	require.False(t, moved)

	// One that a node is just about to give back is waited for; one that stays taken is replaced.
	l, err := net.Listen("tcp", s.Nodes[0].API)
	require.NoError(t, err)
	time.AfterFunc(50*time.Millisecond, func() { _ = l.Close() })
	u, err := net.ListenPacket("udp", s.Nodes[1].Listen)
	require.NoError(t, err)
	defer u.Close()
	before := append([]NodeState(nil), s.Nodes...)
	moved, err = p.movePorts(home, s)
	require.NoError(t, err)
	require.True(t, moved)
	require.Len(t, told, 1)
	require.Contains(t, told[0], before[1].Listen+" is in use by another program; "+s.Nodes[1].Listen)
	require.NotEqual(t, before[1].Listen, s.Nodes[1].Listen)
	s.Nodes[1].Listen = before[1].Listen
	require.Equal(t, before, s.Nodes)
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	f, err := takeLock(path)
	require.NoError(t, err)
	_, err = takeLock(path)
	require.ErrorIs(t, err, ErrRunning)
	require.ErrorContains(t, err, "pid ")
	require.True(t, Running(filepath.Dir(path)))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorContains(t, waitUnlocked(ctx, path), "has not ended")
	require.NoError(t, f.Close())
	require.NoError(t, waitUnlocked(t.Context(), path))
	require.False(t, Running(filepath.Dir(path)))
}

func TestListenAdmin(t *testing.T) {
	home := t.TempDir()
	require.NoError(t, os.Chmod(home, 0o700))
	l, err := ListenAdmin(home)
	require.NoError(t, err)
	_, err = ListenAdmin(home)
	require.Error(t, err, "one node serves it")
	require.NoError(t, l.Close())
	l, err = ListenAdmin(home)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.NotEqual(t, AdminAddress(home), AdminAddress(home+"2"))
}
