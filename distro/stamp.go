package distro

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
)

// BuildFlags are the flags that every go build gets, in order. They are part
// of every stamp: changing them changes every binary.
var BuildFlags = []string{"-trimpath", "-buildvcs=false", "-mod=readonly"}

// LinkFlags are what the linker always gets. The empty build id keeps the
// compiler's cache keys out of the binary.
var LinkFlags = []string{"-s", "-w", "-buildid="}

// BuildEnv fixes what the go command would take from the user's environment
// and what changes the compiled code.
var BuildEnv = map[string]string{
	"CGO_ENABLED": "0", "GO111MODULE": "on", "GOAMD64": "v1", "GOARM64": "v8.0",
	"GODEBUG": "", "GOEXPERIMENT": "", "GOFIPS140": "off", "GOFLAGS": "", "GOWORK": "off",
}

// Stamp is what the binaries of a unit say of themselves:
// "<upstream tag>+<vendor>.<7 hex>". The hex is a hash of everything that can
// change a binary: the lock, what the recipes of the unit say about compiling,
// the flags and the toolchain. No release number is in it, so an unchanged
// component is byte-identical from release to release.
func (c *Catalog) Stamp(ch *Channel, unit string) (string, error) {
	pin, ok := ch.Components[unit]
	if !ok {
		return "", fmt.Errorf("channel %s: component %s: is not pinned", ch.Name, unit)
	}
	sum, err := c.InputHash(ch, unit)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s+%s.%s", pin.Version, ch.Vendor, sum[:7]), nil
}

// InputHash is the hash behind the stamp, in full: 64 hex digits.
func (c *Catalog) InputHash(ch *Channel, unit string) (string, error) {
	type compiled struct {
		Name     string
		Source   Source
		Go       GoBuild
		Binaries []Binary
	}
	in := struct {
		Unit      string
		Pin       Pin
		Mod, Sum  string
		Debian    string
		Toolchain string
		Build     []string
		Link      []string
		Env       map[string]string
		Recipes   []compiled
	}{Unit: unit, Pin: ch.Components[unit], Toolchain: ch.Go, Build: BuildFlags, Link: LinkFlags, Env: BuildEnv}
	if l, ok := ch.locks[unit]; ok {
		in.Mod, in.Sum = string(l.Mod), string(l.Sum)
	}
	for _, r := range c.recipes {
		if r.Unit() != unit {
			continue
		}
		if r.Source.Debian != "" {
			raw, _, err := c.DebianLock(ch)
			if err != nil {
				return "", err
			}
			in.Debian = string(raw)
		}
		// Where a binary is published, and where a project lives, change no byte.
		bs := make([]Binary, len(r.Binaries))
		for i, b := range r.Binaries {
			b.Path, b.Unlisted, b.Version, b.Platforms = "", false, nil, nil
			bs[i] = b
		}
		src := r.Source
		src.URL = ""
		in.Recipes = append(in.Recipes, compiled{r.Name, src, r.Go, bs})
	}
	// Nor does the order in which components are built.
	sort.Slice(in.Recipes, func(i, j int) bool { return in.Recipes[i].Name < in.Recipes[j].Name })
	b, err := json.Marshal(in)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// Vars are the placeholders of a recipe in a channel, without a platform's.
func (c *Catalog) Vars(ch *Channel, r *Recipe) (Vars, error) {
	pin := ch.Components[r.Unit()]
	v := Vars{
		"tag": pin.Version, "version": strings.TrimPrefix(pin.Version, "v"), "commit": pin.Commit,
		"channel": ch.Name, "minor": strings.TrimPrefix(ch.Name, "1-"), "pauseTag": ch.PauseTag,
		"vendor": ch.Vendor,
	}
	if r.Internal && r.Source.Programs {
		return v, nil
	}
	stamp, err := c.Stamp(ch, r.Unit())
	if err != nil {
		return nil, err
	}
	v["stamp"], v["stampTag"] = stamp, strings.ReplaceAll(stamp, "+", "_")
	return v, nil
}

// ReleaseTag is the tag under which the Release names an image:
// "v1.36.2-slipway-1-36-1", with the suffix of a partial release.
func (ch *Channel) ReleaseTag(upstreamTag, suffix string) string {
	tag := fmt.Sprintf("%s-%s-%s-%d", upstreamTag, ch.Vendor, ch.Name, ch.Release.Number)
	return tag + suffix
}
