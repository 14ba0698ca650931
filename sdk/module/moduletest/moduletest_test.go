package moduletest

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTally(t *testing.T)       { Run(t, TallyFactory()) }
func TestTallyRemote(t *testing.T) { Run(t, Remote(TallyFactory())) }
