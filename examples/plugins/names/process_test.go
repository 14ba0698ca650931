package main

import (
	"os"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/plugintest"
)

// TestMain lets the test binary be the plugin.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestProcess runs the suite against the plugin as a process, as it is on a node, and what is the same for all kinds of plugins.
func TestProcess(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	plugintest.Run(t, plugintest.Binary{Path: self, Args: []string{"serve"}})
	moduletest.Run(t, plugintest.Module(plugintest.Start(t, self, "serve"), plugin.OpenRequest{Config: []byte(`{"deposit":50}`)}, factory()))
}
