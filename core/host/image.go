package host

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// image is a private copy of an external plugin's file, made while hashing it, so that what was checked is what runs, at
// every restart too, whatever happens to the file. One copy serves all processes of the same bytes, so that they share
// pages.
type image struct {
	file   *os.File // sealed, read only
	digest string   // hexadecimal
	script bool     // begins with #!: the interpreter must be able to open it again
	refs   int
}

// images holds the copies of one host, by digest.
type images struct {
	mu sync.Mutex
	by map[string]*image
}

// load copies and checks the file at path. want is empty for an unpinned one.
func (im *images) load(path, want, scratch string) (*image, error) {
	want = strings.ToLower(want)
	im.mu.Lock()
	defer im.mu.Unlock()
	if i := im.by[want]; i != nil {
		i.refs++
		return i, nil
	}
	src, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	st, err := src.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if st.Mode()&0o111 == 0 {
		return nil, fmt.Errorf("%s is not executable; `chmod +x` mends that", path)
	}
	hash := sha256.New()
	head := make([]byte, 2)
	if n, err := io.ReadFull(src, head); err != nil {
		return nil, fmt.Errorf("read %s: %d bytes and then %w", path, n, err)
	}
	f, err := privateCopy(scratch, io.TeeReader(io.MultiReader(strings.NewReader(string(head)), src), hash))
	if err != nil {
		return nil, fmt.Errorf("copy %s: %w", path, err)
	}
	got := hex.EncodeToString(hash.Sum(nil))
	if want != "" && got != want {
		_ = f.Close()
		return nil, fmt.Errorf("%w: sha256 is %s, locked is %s; if the change is meant, run `alto plugin lock`", ErrDigest, got, want)
	}
	if i := im.by[got]; i != nil {
		_ = f.Close()
		i.refs++
		return i, nil
	}
	i := &image{file: f, digest: got, script: string(head) == "#!", refs: 1}
	im.by[got] = i
	return i, nil
}

func (im *images) release(i *image) {
	im.mu.Lock()
	defer im.mu.Unlock()
	if i.refs--; i.refs == 0 {
		delete(im.by, i.digest)
		_ = i.file.Close()
		if imagesHaveNames {
			_ = os.Remove(i.file.Name()) // or Close of the host does
		}
	}
}

// fileCopy is the way where there is no memory file: a file that has no name any more, opened for reading only. Where a
// program can't be executed by its descriptor, it keeps its name in the folder that only this user can enter.
func fileCopy(scratch string, src io.Reader) (*os.File, error) {
	f, err := os.CreateTemp(scratch, "image")
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(f, src)
	err = errors.Join(err, f.Chmod(0o500), f.Close())
	var ro *os.File
	if err == nil {
		ro, err = os.Open(f.Name())
	}
	if err == nil && imagesHaveNames {
		return ro, nil
	}
	return ro, errors.Join(err, os.Remove(f.Name()))
}
