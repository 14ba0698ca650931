package storagetest

import "testing"

func TestMemory(t *testing.T)       { Run(t, MemoryFactory()) }
func TestMemoryRemote(t *testing.T) { Run(t, Remote(MemoryFactory())) }
