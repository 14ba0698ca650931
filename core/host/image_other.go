//go:build !linux

package host

import (
	"io"
	"os"
)

const imagesHaveNames = true

func privateCopy(scratch string, src io.Reader) (*os.File, error) { return fileCopy(scratch, src) }
