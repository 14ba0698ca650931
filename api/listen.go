package api

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// DefaultAddress is where a node serves its API: loopback, on a port that is free.
const DefaultAddress = "127.0.0.1:0"

// UnixPrefix marks an address that is the path of a unix socket.
const UnixPrefix = "unix:"

// Listen listens on "host:port" or "unix:PATH".
func Listen(address string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(address, UnixPrefix); ok {
		return listenUnix(path)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("api: listen on %s: %w; choose another address or port", address, err)
	}
	return l, nil
}

// maxSocketPath is what the smallest sockaddr_un of our platforms has room for.
const maxSocketPath = 103

// listenUnix makes a socket in a folder that only its owner can enter. A socket that a dead process left is replaced, one that
// is served is not.
func listenUnix(path string) (net.Listener, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("api: listen on %s: the path has %d bytes, a socket's may have %d; use a shorter folder", path, len(path), maxSocketPath)
	}
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("api: listen on %s: %w", path, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("api: listen on %s: others can enter the folder (mode %#o); chmod 700 %s", path, info.Mode().Perm(), dir)
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode().Type() != fs.ModeSocket {
			return nil, fmt.Errorf("api: listen on %s: there is something else than a socket", path)
		}
		c, err := net.Dial("unix", path)
		if err == nil {
			_ = c.Close()
			return nil, fmt.Errorf("api: listen on %s: another process serves it", path)
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return nil, fmt.Errorf("api: listen on %s: %w", path, err)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("api: listen on %s: remove the old socket: %w", path, err)
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("api: listen on %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("api: listen on %s: %w", path, err)
	}
	return l, nil
}

// bounded is a listener that accepts a connection only while fewer than n are open. Further ones wait in the system's queue.
type bounded struct {
	net.Listener
	room chan struct{}
	once sync.Once
	done chan struct{}
}

func bound(l net.Listener, n int) net.Listener {
	return &bounded{Listener: l, room: make(chan struct{}, n), done: make(chan struct{})}
}

// Accept implements net.Listener.
func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.room <- struct{}{}:
	case <-b.done:
		return nil, net.ErrClosed
	}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.room
		return nil, err
	}
	return &boundedConn{Conn: c, release: sync.OnceFunc(func() { <-b.room })}, nil
}

// Close implements net.Listener.
func (b *bounded) Close() error {
	b.once.Do(func() { close(b.done) })
	return b.Listener.Close()
}

type boundedConn struct {
	net.Conn
	release func()
}

// Close implements net.Conn.
func (c *boundedConn) Close() error {
	err := c.Conn.Close()
	c.release()
	return err
}
