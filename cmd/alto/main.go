// Command alto spawns chains: it checks specs, runs local networks, and speaks to them. It holds the built-in plugins too, which
// it starts as processes of their own by executing itself.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if servePlugin(os.Args) {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait for an orderly end
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
