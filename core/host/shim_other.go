//go:build !unix

package host

import "errors"

func (o *shimOrder) become() error { return errors.ErrUnsupported }
