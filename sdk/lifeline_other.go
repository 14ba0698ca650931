//go:build !unix

package sdk

func prepare(int) {}
