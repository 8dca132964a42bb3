package publish

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/slipway-k8s/slipway/builder"
	"github.com/slipway-k8s/slipway/builder/files"
	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/images"
)

// layers are, from the bottom: the base, Debian packages, one layer for each
// binary (so that /go-runner is the same blob in every image that has it), the
// other files, and the licences of all that is compiled in.
func (p *publisher) layers(ctx context.Context, r *distro.Recipe, img distro.Image, platform distro.Platform) ([]*images.Layer, error) {
	layers, err := p.stack(ctx, r, img, platform)
	if err != nil {
		return nil, err
	}
	modules, err := p.modulesOf(r, img, platform)
	if err != nil {
		return nil, err
	}
	if len(modules) == 0 {
		return layers, nil
	}
	licences, err := p.store.CachedLayer(cacheKey("licences", modules), p.opts.Compression, func() ([]files.File, error) {
		return p.b.Licences(modules)
	})
	if err != nil {
		return nil, err
	}
	return append(layers, licences), nil
}

// stack is layers without the licences.
func (p *publisher) stack(ctx context.Context, r *distro.Recipe, img distro.Image, platform distro.Platform) ([]*images.Layer, error) {
	var layers []*images.Layer
	add := func(l *images.Layer, err error) error {
		if err == nil {
			layers = append(layers, l)
		}
		return err
	}
	switch img.Base {
	case "", "minimal":
		if err := add(p.baseLayer()); err != nil {
			return nil, err
		}
	case "none":
	default:
		owner, base, err := p.plan.Image(r, img.Base)
		if err != nil {
			return nil, err
		}
		if layers, err = p.stack(ctx, owner, base, platform); err != nil {
			return nil, err
		}
	}
	if img.Debian != "" {
		if err := add(p.debianLayer(ctx, img, platform)); err != nil {
			return nil, err
		}
	}
	for _, f := range img.Files {
		if f.Binary != "" {
			if err := add(p.binaryLayer(r, f, platform)); err != nil {
				return nil, err
			}
		}
	}
	if !hasOtherFiles(img) {
		return layers, nil
	}
	accounts, err := accountFiles(img)
	if err != nil {
		return nil, err
	}
	key, err := contentKey(accounts)
	if err != nil {
		return nil, err
	}
	err = add(p.store.CachedLayer(cacheKey("files", r.Name, img.Files, p.plan.Channel.Components[r.Unit()], key), p.opts.Compression, func() ([]files.File, error) {
		other, err := p.otherFiles(ctx, r, img)
		return append(other, accounts...), err
	}))
	return layers, err
}

func hasOtherFiles(img distro.Image) bool {
	if len(img.Passwd)+len(img.Group) > 0 {
		return true
	}
	for _, f := range img.Files {
		if f.Binary == "" {
			return true
		}
	}
	return false
}

// baseLayer is the minimal base, the same in every image.
func (p *publisher) baseLayer() (*images.Layer, error) {
	entries := append(images.BaseFiles(), images.BaseLicences()...)
	// The base is a few kilobytes: its content is its key.
	key, err := contentKey(entries)
	if err != nil {
		return nil, err
	}
	return p.store.CachedLayer(cacheKey("base", key), p.opts.Compression, func() ([]files.File, error) { return entries, nil })
}

func (p *publisher) debianLayer(ctx context.Context, img distro.Image, platform distro.Platform) (*images.Layer, error) {
	key, err := p.b.DebianKey(img.Debian, platform.Arch)
	if err != nil {
		return nil, err
	}
	return p.store.CachedLayer(cacheKey("debian", key), p.opts.Compression, func() ([]files.File, error) {
		return p.b.DebianRoot(ctx, img.Debian, platform.Arch)
	})
}

func (p *publisher) binaryLayer(r *distro.Recipe, f distro.ImageFile, platform distro.Platform) (*images.Layer, error) {
	bin, err := p.binary(r, f.Binary, platform)
	if err != nil {
		return nil, err
	}
	return p.store.CachedLayer(cacheKey("binary", bin.Sha256, f.Path, f.Capability), p.opts.Compression, func() ([]files.File, error) {
		entry := bin.File(strings.TrimPrefix(f.Path, "/"))
		switch f.Capability {
		case "":
		case "net_bind_service":
			entry.Xattrs = images.CapNetBindService()
		default:
			return nil, fmt.Errorf("%s: capability %q: only net_bind_service is known", f.Path, f.Capability)
		}
		return []files.File{entry}, nil
	})
}

// otherFiles are links, folders and files out of modules.
func (p *publisher) otherFiles(ctx context.Context, r *distro.Recipe, img distro.Image) ([]files.File, error) {
	var list []files.File
	for _, f := range img.Files {
		name := strings.TrimPrefix(f.Path, "/")
		switch {
		case len(f.Names) > 0:
			for _, n := range f.Names {
				list = append(list, files.Symlink(path.Join(name, n), f.Link))
			}
		case f.Link != "":
			list = append(list, files.Symlink(name, f.Link))
		case f.Directory:
			dir := files.Dir(name, 0o755)
			dir.UID, dir.GID = f.UID, f.UID
			list = append(list, dir)
		case f.Module != "":
			content, err := p.b.ModuleFile(ctx, r, f.Module, f.File)
			if err != nil {
				return nil, err
			}
			list = append(list, files.Bytes(name, 0o644, content))
		}
	}
	return list, nil
}

// modulesOf are the modules of every binary in an image, its base included.
func (p *publisher) modulesOf(r *distro.Recipe, img distro.Image, platform distro.Platform) ([]builder.Module, error) {
	var all []builder.Module
	for _, f := range img.Files {
		if f.Binary == "" {
			continue
		}
		bin, err := p.binary(r, f.Binary, platform)
		if err != nil {
			return nil, err
		}
		all = append(all, bin.Modules...)
	}
	if img.Base != "" && img.Base != "minimal" && img.Base != "none" {
		owner, base, err := p.plan.Image(r, img.Base)
		if err != nil {
			return nil, err
		}
		more, err := p.modulesOf(owner, base, platform)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return builder.SortModules(all), nil
}

// accountFiles are the base's /etc/passwd and /etc/group with an image's own
// lines, where it has any.
func accountFiles(img distro.Image) ([]files.File, error) {
	var list []files.File
	for name, lines := range map[string][]string{"etc/passwd": img.Passwd, "etc/group": img.Group} {
		for _, f := range images.BaseFiles() {
			if len(lines) == 0 || f.Path != name {
				continue
			}
			content, err := readAll(f)
			if err != nil {
				return nil, err
			}
			list = append(list, files.Bytes(name, f.Mode, append(content, strings.Join(lines, "\n")+"\n"...)))
		}
	}
	return list, nil
}

// format counts changes of this program that change what it writes for the same
// inputs: licence files, Debian roots, layouts of tars.
const format = 2

// cacheKey is a key of everything in parts, of this program's own way of
// packaging, and of the compressor.
func cacheKey(parts ...any) string {
	own := []any{format, images.CompressorVersion(), images.CompressorLevel(images.Zstd), images.CompressorLevel(images.Gzip)}
	b, err := json.Marshal(append(own, parts...))
	if err != nil {
		panic(err) // strings and plain structs
	}
	return string(b)
}

// contentKey is a key of small entries: all that they are, content included.
func contentKey(entries []files.File) (string, error) {
	h := sha256.New()
	if err := files.WriteTar(h, entries); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func readAll(f files.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}
