// Package distro says what a distribution is made of: component recipes (how
// something is built and packaged, the same for every channel), channels (what
// is pinned: versions, commits, toolchain, module locks) and platforms.
//
// Recipes and channels are data. They are embedded, and either can be replaced
// by a folder of the user's own; see Open.
//
// The package imports none of Slipway's own and stays light: no cloud SDK, no
// registry client, no kOps.
package distro
