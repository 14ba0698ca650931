package chains

// Judged returns how many documents are remembered.
func (m *Module) Judged() int { return len(m.judged) }
