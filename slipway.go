// Package slipway is the root of the module; see its folders: distro, builder,
// images. It holds the licence, so that what Slipway puts into images can carry it.
package slipway

import _ "embed"

// Licence is the text of Slipway's own licence.
//
//go:embed LICENSE
var Licence []byte
