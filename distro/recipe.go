package distro

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
)

// Recipe says how a component is built and packaged, in every channel.
//
// Strings of the fields that say so may hold placeholders; see Vars.
type Recipe struct {
	// Name is the component's name in the Release, as EKS-D has it.
	Name string `json:"name"`
	// Description is one line for people.
	Description string `json:"description"`
	// Order is where the component stands in a build; lower comes first.
	Order int `json:"order"`
	// Group is empty for what is always built; a component with a group is
	// built only when the group is asked for, and Reason says why.
	Group  string `json:"group,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Cost is what compiling took for linux/amd64, in seconds on 2 cores with a
	// cold build cache, after the components before it: the first estimate.
	Cost float64 `json:"cost,omitempty"`
	// Internal components give binaries to others and are not in the Release.
	Internal bool `json:"internal,omitempty"`
	// Boot marks what a cluster needs to boot.
	Boot bool `json:"boot,omitempty"`
	// Folder is the component's folder under artifacts/.
	Folder string `json:"folder,omitempty"`
	// BuildWith names the component whose pin, lock and stamp this one shares;
	// both are compiled by one go command.
	BuildWith string `json:"buildWith,omitempty"`
	// Source is where the code comes from. Empty with BuildWith.
	Source Source `json:"source,omitempty"`
	// Go are the settings of go build.
	Go GoBuild `json:"go,omitempty"`
	// Binaries are what is compiled.
	Binaries []Binary `json:"binaries,omitempty"`
	// Images are the container images.
	Images []Image `json:"images,omitempty"`
	// Archives are the tarballs.
	Archives []Archive `json:"archives,omitempty"`
	// SourceArchive is the file name of a tarball of the component's own
	// source; empty for none.
	SourceArchive string `json:"sourceArchive,omitempty"`
}

// Source is where a component's code comes from; one field is set.
type Source struct {
	// Modules are Go modules, all at the pin's version. The first one's origin
	// gives the git commit.
	Modules []string `json:"modules,omitempty"`
	// Staging are prefixes of modules that upstream replaces with a folder of
	// its own tree and publishes as v0.<minor>.<patch> (k8s.io/kubernetes).
	Staging string `json:"staging,omitempty"`
	// Archive is the URL of a source archive with a vendor folder (tar.gz),
	// with placeholders; the pin holds its sha256.
	Archive string `json:"archive,omitempty"`
	// ArchiveModule is the module path of what is in the archive.
	ArchiveModule string `json:"archiveModule,omitempty"`
	// Programs: the source is Slipway's own, embedded in slipway-build.
	Programs bool `json:"programs,omitempty"`
	// Debian names a set of packages of the Debian lock.
	Debian string `json:"debian,omitempty"`
	// URL is the project's home, for annotations.
	URL string `json:"url,omitempty"`
}

func (s Source) pinned() bool { return len(s.Modules) > 0 || s.Archive != "" || s.Debian != "" }

// GoBuild are the settings of go build for a component.
type GoBuild struct {
	Tags []string `json:"tags,omitempty"`
	// Stamps are -X settings: variable to value, with placeholders.
	Stamps map[string]string `json:"stamps,omitempty"`
}

// Binary is a command that is compiled, or a file out of a Debian package.
type Binary struct {
	// Name is the file's name without .exe.
	Name string `json:"name"`
	// Package is the main package; with a Debian source, the path of the file
	// in the package.
	Package string `json:"package"`
	// Platforms that it exists for; default linux/amd64 and linux/arm64.
	Platforms []Platform `json:"platforms,omitempty"`
	// Path publishes the file: under artifacts/<folder>/<tag>/, or under the
	// output's root with a leading slash. Placeholders. Empty: not published.
	Path string `json:"path,omitempty"`
	// Unlisted files are published but not named in the Release, as kOps' own
	// are not in EKS-D's.
	Unlisted bool `json:"unlisted,omitempty"`
	// Version says how the binary tells its version. Nil: it cannot.
	Version *VersionCheck `json:"version,omitempty"`
	// Stamps are -X settings of this binary alone, LinkFlags further flags for
	// the linker. Either puts it into a go command of its own.
	Stamps    map[string]string `json:"stamps,omitempty"`
	LinkFlags []string          `json:"linkFlags,omitempty"`
}

// VersionCheck runs a binary and looks for a version in what it prints.
type VersionCheck struct {
	Args []string `json:"args"`
	Want string   `json:"want"` // placeholders
}

// Image is a container image of a component.
type Image struct {
	// Name is the asset's name without "-image".
	Name string `json:"name"`
	// Repository is the path under the registry prefix.
	Repository  string `json:"repository"`
	Description string `json:"description,omitempty"`
	// Base is "minimal" (default), "none", or component/image of an image whose
	// layers come first.
	Base string `json:"base,omitempty"`
	// Debian names a set of Debian packages that are unpacked into the image.
	Debian     string      `json:"debian,omitempty"`
	Files      []ImageFile `json:"files,omitempty"`
	Entrypoint []string    `json:"entrypoint,omitempty"`
	Cmd        []string    `json:"cmd,omitempty"`
	User       string      `json:"user"`
	Env        []string    `json:"env,omitempty"`
	Ports      []string    `json:"ports,omitempty"`
	// Passwd and Group are further lines of /etc/passwd and /etc/group.
	Passwd []string `json:"passwd,omitempty"`
	Group  []string `json:"group,omitempty"`
	// Aliases are further tags, with placeholders.
	Aliases []string `json:"aliases,omitempty"`
	// Tar publishes bin/<os>/<arch>/<name>.tar with .docker_tag and
	// .docker_image_name, as kOps reads them.
	Tar bool `json:"tar,omitempty"`
}

// ImageFile is one entry of an image's own layers; one of Binary, Module,
// Link and Directory is set.
type ImageFile struct {
	// Path in the image.
	Path string `json:"path"`
	// Binary is "name" of the same component or "component/name".
	Binary string `json:"binary,omitempty"`
	// Module and File are a file of a module of the lock.
	Module string `json:"module,omitempty"`
	File   string `json:"file,omitempty"`
	// Link is the target of a symbolic link. With Names, Path is a folder and
	// each name in it a link to the target.
	Link  string   `json:"link,omitempty"`
	Names []string `json:"names,omitempty"`
	// Directory makes an empty folder, owned by UID, mode 0755.
	Directory bool `json:"directory,omitempty"`
	UID       int  `json:"uid,omitempty"`
	// Capability is "net_bind_service": a file capability (PAX xattr).
	Capability string `json:"capability,omitempty"`
}

// Archive is a tarball of a component, one a platform.
type Archive struct {
	// Name with placeholders, such as "etcd-{os}-{arch}-{tag}.tar.gz"; under
	// artifacts/<folder>/<tag>/ or with a leading slash under the root.
	Name        string        `json:"name"`
	Description string        `json:"description,omitempty"`
	Platforms   []Platform    `json:"platforms,omitempty"`
	Files       []ArchiveFile `json:"files"`
	Unlisted    bool          `json:"unlisted,omitempty"`
}

// ArchiveFile is one file of a tarball: a binary or an image's tar.
type ArchiveFile struct {
	// Path in the tarball, with placeholders; for an image tar the path
	// without its endings (.tar, .docker_tag).
	Path string `json:"path"`
	// Binary is "name" of the same component or "component/name".
	Binary string `json:"binary,omitempty"`
	// Image is likewise; its tar and docker_tag are put in. Linux only.
	Image string `json:"image,omitempty"`
}

// DefaultPlatforms are those of a binary, image or archive that names none.
var DefaultPlatforms = []Platform{{"linux", "amd64"}, {"linux", "arm64"}}

// On says whether the binary exists for a platform.
func (b Binary) On(p Platform) bool { return on(b.Platforms, p) }

// On says whether the archive exists for a platform.
func (a Archive) On(p Platform) bool { return on(a.Platforms, p) }

func on(ps []Platform, p Platform) bool {
	if len(ps) == 0 {
		ps = DefaultPlatforms
	}
	for _, q := range ps {
		if p == q {
			return true
		}
	}
	return false
}

// Unit is the name of the component whose lock and stamp the recipe uses.
func (r *Recipe) Unit() string {
	if r.BuildWith != "" {
		return r.BuildWith
	}
	return r.Name
}

// Binary finds a binary of the recipe.
func (r *Recipe) Binary(name string) (Binary, bool) {
	for _, b := range r.Binaries {
		if b.Name == name {
			return b, true
		}
	}
	return Binary{}, false
}

// Image finds an image of the recipe.
func (r *Recipe) Image(name string) (Image, bool) {
	for _, i := range r.Images {
		if i.Name == name {
			return i, true
		}
	}
	return Image{}, false
}

// Ref splits "component/name"; without a slash it is the recipe's own.
func (r *Recipe) Ref(ref string) (component, name string) {
	if c, n, ok := strings.Cut(ref, "/"); ok {
		return c, n
	}
	return r.Name, ref
}

// Vars are the values of placeholders, without their braces:
//
//	tag       upstream's git tag, v1.36.2      version   the same without v
//	commit    the git commit, or empty         stamp     v1.36.2+slipway.3f9c2ab
//	stampTag  the stamp with _ for +           channel   1-36
//	minor     36                               pauseTag  3.10.2
//	os, arch  of the platform                  exe       ".exe" on windows
//	vendor    slipway
type Vars map[string]string

var placeholder = regexp.MustCompile(`\{[a-zA-Z]+\}`)

// Expand fills the placeholders in. One that has no value is an error.
func (v Vars) Expand(s string) (string, error) {
	var missing []string
	out := placeholder.ReplaceAllStringFunc(s, func(m string) string {
		value, ok := v[m[1:len(m)-1]]
		if !ok {
			missing = append(missing, m)
		}
		return value
	})
	if len(missing) > 0 {
		return "", fmt.Errorf("%q: unknown placeholder %s", s, strings.Join(missing, ", "))
	}
	return out, nil
}

// With is a copy with further values.
func (v Vars) With(more Vars) Vars {
	all := make(Vars, len(v)+len(more))
	for k, x := range v {
		all[k] = x
	}
	for k, x := range more {
		all[k] = x
	}
	return all
}

// PlatformVars are the placeholders of a platform.
func PlatformVars(p Platform) Vars {
	return Vars{"os": p.OS, "arch": p.Arch, "exe": p.Exe()}
}

func (c *Catalog) validate() error {
	var errs []error
	for _, r := range c.recipes {
		fail := func(field, format string, args ...any) {
			errs = append(errs, fmt.Errorf("%s.yaml: %s: %s", r.Name, field, fmt.Sprintf(format, args...)))
		}
		c.validateSource(r, fail)
		for i, img := range r.Images {
			c.validateImage(r, fmt.Sprintf("images[%d]", i), img, fail)
		}
		for i, a := range r.Archives {
			c.validateArchive(r, fmt.Sprintf("archives[%d]", i), a, fail)
		}
	}
	return errors.Join(errs...)
}

func (c *Catalog) validateSource(r *Recipe, fail func(string, string, ...any)) {
	kinds := 0
	for _, set := range []bool{len(r.Source.Modules) > 0, r.Source.Archive != "", r.Source.Programs, r.Source.Debian != "", r.BuildWith != ""} {
		if set {
			kinds++
		}
	}
	if kinds != 1 {
		fail("source", "sets %d of modules, archive, programs, debian and buildWith; want exactly one", kinds)
	}
	if r.BuildWith != "" {
		if lead, err := c.Recipe(r.BuildWith); err != nil {
			fail("buildWith", "%v", err)
		} else if lead.BuildWith != "" {
			fail("buildWith", "%s is itself built with %s", lead.Name, lead.BuildWith)
		}
	}
	if r.Folder == "" && !r.Internal {
		fail("folder", "is empty: it is the folder under artifacts/")
	}
	if r.Group != "" && r.Reason == "" {
		fail("reason", "is empty: say why group %s is built on request only", r.Group)
	}
	for i, b := range r.Binaries {
		if b.Name == "" || b.Package == "" || path.Base(b.Name) != b.Name {
			fail(fmt.Sprintf("binaries[%d]", i), "wants a name without slashes and a package")
		}
	}
}

func (c *Catalog) validateImage(r *Recipe, field string, img Image, fail func(string, string, ...any)) {
	if img.Name == "" || img.Repository == "" || img.User == "" {
		fail(field, "wants name, repository and user")
	}
	for j, f := range img.Files {
		at := fmt.Sprintf("%s.files[%d]", field, j)
		kinds := 0
		for _, set := range []bool{f.Binary != "", f.Module != "", f.Link != "", f.Directory} {
			if set {
				kinds++
			}
		}
		if kinds != 1 || !strings.HasPrefix(f.Path, "/") {
			fail(at, "wants an absolute path and one of binary, module, link and directory")
		}
		if len(f.Names) > 0 && f.Link == "" {
			fail(at+".names", "goes with link")
		}
		if f.Binary != "" && !c.hasBinary(r, f.Binary) {
			fail(at+".binary", "%q: no recipe builds it", f.Binary)
		}
	}
	if base := img.Base; base != "" && base != "minimal" && base != "none" {
		owner, name := r.Ref(base)
		if o, err := c.Recipe(owner); err != nil {
			fail(field+".base", "%v", err)
		} else if _, ok := o.Image(name); !ok {
			fail(field+".base", "%q: no recipe has that image", base)
		}
	}
}

func (c *Catalog) validateArchive(r *Recipe, field string, a Archive, fail func(string, string, ...any)) {
	for j, f := range a.Files {
		at := fmt.Sprintf("%s.files[%d]", field, j)
		switch {
		case (f.Binary == "") == (f.Image == ""):
			fail(at, "wants either a binary or an image")
		case f.Binary != "" && !c.hasBinary(r, f.Binary):
			fail(at+".binary", "%q: no recipe builds it", f.Binary)
		}
	}
}

func (c *Catalog) hasBinary(r *Recipe, ref string) bool {
	owner, name := r.Ref(ref)
	o, ok := c.byName[owner]
	if !ok {
		return false
	}
	_, ok = o.Binary(name)
	return ok
}
