// Command slipway-build builds a channel from pinned source and publishes it.
package main

import (
	"runtime/debug"

	"github.com/slipway-k8s/slipway/internal/cli"
)

// memoryLimit in bytes makes the collector work harder before the heap grows:
// compilers and linkers need the memory more. All content is streamed, so that
// the limit holds however large the binaries are.
const memoryLimit = 112 << 20

func main() {
	debug.SetMemoryLimit(memoryLimit)
	cli.Main(newRoot())
}
