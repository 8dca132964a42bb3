// Command slipway-build builds a channel from pinned source and publishes it.
package main

import "github.com/slipway-k8s/slipway/internal/cli"

func main() { cli.Main(newRoot()) }
