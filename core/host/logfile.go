package host

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

const (
	tailLines    = 20      // of standard error that errors quote
	maxLine      = 8 << 10 // bytes; longer lines are cut
	logFilesKept = 3       // old ones
)

// logFile is the file that a plugin's standard error goes to, over all its processes. When it is full it becomes NAME.1,
// what was NAME.1 becomes NAME.2, and so on. A disk that is full or gone must not stop the plugin: such lines are dropped.
type logFile struct {
	mu    sync.Mutex
	path  string // empty: nowhere
	limit int64
	f     *os.File
	size  int64
}

func newLogFile(dir, name string, limit int64) *logFile {
	l := &logFile{limit: limit}
	if dir != "" {
		l.path = filepath.Join(dir, name+".log")
	}
	return l
}

func (l *logFile) writeLine(line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.path == "" {
		return
	}
	if l.f != nil && l.size+int64(len(line))+1 > l.limit {
		l.rotate()
	}
	if l.f == nil {
		f, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return
		}
		l.f, l.size = f, 0
		if st, err := f.Stat(); err == nil {
			l.size = st.Size()
		}
	}
	n, _ := l.f.Write(append(line, '\n'))
	l.size += int64(n)
}

func (l *logFile) rotate() {
	_ = l.f.Close()
	l.f = nil
	for i := logFilesKept; i > 1; i-- {
		_ = os.Rename(fmt.Sprintf("%s.%d", l.path, i-1), fmt.Sprintf("%s.%d", l.path, i))
	}
	_ = os.Rename(l.path, l.path+".1")
}

func (l *logFile) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f != nil {
		_ = l.f.Close()
		l.f = nil
	}
	l.path = ""
}

// tail keeps the last lines of one process.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, line)
	if len(t.lines) > tailLines {
		t.lines = append(t.lines[:0:0], t.lines[len(t.lines)-tailLines:]...)
	}
}

func (t *tail) last() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.lines...)
}

// lineWriter cuts what is written into lines and passes each to both places. Each writing goroutine has its own.
type lineWriter struct {
	tail *tail
	file *logFile
	mu   sync.Mutex
	part []byte
	cut  bool
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		chunk := p
		if i >= 0 {
			chunk = p[:i]
		}
		if room := maxLine - len(w.part); len(chunk) > room {
			chunk, w.cut = chunk[:room], true
		}
		w.part = append(w.part, chunk...)
		if i < 0 {
			return n, nil
		}
		w.emit()
		p = p[i+1:]
	}
}

func (w *lineWriter) emit() {
	if w.cut {
		w.part = append(w.part, " …"...)
	}
	line := bytes.ToValidUTF8(bytes.TrimRight(w.part, "\r"), []byte("?"))
	w.tail.add(string(line))
	w.file.writeLine(line)
	w.part, w.cut = w.part[:0], false
}
