package builder

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/slipway-k8s/slipway/builder/files"
	"github.com/slipway-k8s/slipway/internal/atomicfile"
)

// Tree is the output folder, laid out as kOps and EKS-D have it. It remembers
// what it wrote: a file whose inputs and whose stat are unchanged is neither
// read nor written again.
type Tree struct {
	// BeforeReplace is called with the name of a file that is there, before it
	// gets other content.
	BeforeReplace func(name string) error

	root string
	memo string

	mu    sync.Mutex
	known map[string]treeEntry // by slash-separated path under root
	added map[string]Sums      // of this run
}

type treeEntry struct {
	Key  string `json:"key"` // of the inputs
	Stat string `json:"stat"`
	Sums
}

// OpenTree opens or makes an output folder. What is known of it is kept in the
// cache folder.
func OpenTree(root string, cache *Cache) (*Tree, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return nil, fmt.Errorf("output folder: %w: name a folder that can be written with --out", err)
	}
	key, err := keyOf(abs)
	if err != nil {
		return nil, err
	}
	t := &Tree{root: abs, memo: cache.path("memo", "tree-"+key+".json"), known: map[string]treeEntry{}, added: map[string]Sums{}}
	t.recall()
	return t, nil
}

func (t *Tree) recall() {
	if b, err := os.ReadFile(t.memo); err == nil {
		_ = json.Unmarshal(b, &t.known) // without it, everything is written again
	}
}

// lockFile lies in the output folder rather than in the cache folder: two
// builds with caches of their own can share an output folder.
const lockFile = ".lock"

// Lock makes this the only build that writes to the folder until unlock, and
// removes what killed builds left half-written in it. While another one has the
// folder it calls waiting, once, and waits.
func (t *Tree) Lock(ctx context.Context, waiting func()) (unlock func(), err error) {
	l := flock.New(filepath.Join(t.root, lockFile))
	alone, err := l.TryLock()
	if err == nil && !alone {
		waiting()
		_, err = l.TryLockContext(ctx, 200*time.Millisecond)
	}
	if err != nil {
		return nil, fmt.Errorf("output folder: %w", err)
	}
	t.recall() // the other build may have written since OpenTree
	removeLeftovers(t.root)
	return func() { _ = l.Unlock() }, nil
}

// removeLeftovers removes unfinished files; failing to is no reason to stop.
func removeLeftovers(root string) {
	_ = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
		case d.IsDir() && p == filepath.Join(root, "registry"):
			return fs.SkipDir // minds its own
		case d.Type().IsRegular() && strings.HasPrefix(d.Name(), atomicfile.TempPrefix):
			_ = os.Remove(p)
		}
		return nil
	})
}

// Root is the output folder, absolute.
func (t *Tree) Root() string { return t.root }

// Put makes sure that the file name (slash-separated, under the root) holds
// what write writes for inputs of that key, with .sha256 and .sha512 beside it.
func (t *Tree) Put(name, key string, write func(io.Writer) error) (Sums, error) {
	if err := checkName(name); err != nil {
		return Sums{}, err
	}
	place := filepath.Join(t.root, filepath.FromSlash(name))
	t.mu.Lock()
	e, ok := t.known[name]
	t.mu.Unlock()
	if !ok || e.Key != key || !t.unchanged(place, e.Stat) {
		if _, err := os.Lstat(place); err == nil && t.BeforeReplace != nil {
			if err := t.BeforeReplace(name); err != nil {
				return Sums{}, err
			}
		}
		sums, err := writeHashed(place, write)
		if err != nil {
			return Sums{}, err
		}
		info, err := os.Lstat(place)
		if err != nil {
			return Sums{}, err
		}
		e = treeEntry{Key: key, Stat: statKey(info), Sums: sums}
		if err := t.sidecars(place, sums); err != nil {
			return Sums{}, err
		}
	} else if err := t.keepSidecars(place, e.Sums); err != nil {
		return Sums{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known[name], t.added[name] = e, e.Sums
	return e.Sums, nil
}

// checkName refuses names that recipes must not publish under: outside the
// folder, hidden, or in the registry's storage.
func checkName(name string) error {
	bad := !filepath.IsLocal(filepath.FromSlash(name)) || name != path.Clean(name)
	for i, part := range strings.Split(name, "/") {
		bad = bad || strings.HasPrefix(part, ".") || (i == 0 && part == "registry")
	}
	if bad {
		return fmt.Errorf("published file %q: not a path in the output folder outside its registry: correct the recipe", name)
	}
	return nil
}

// PutBytes is Put for content in memory.
func (t *Tree) PutBytes(name string, content []byte) (Sums, error) {
	key, err := keyOf(content)
	if err != nil {
		return Sums{}, err
	}
	return t.Put(name, "bytes "+key, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// PutBinary is Put for a binary of the cache.
func (t *Tree) PutBinary(name string, b *Binary) (Sums, error) {
	sums, err := t.Put(name, "binary "+b.Sha256, func(w io.Writer) error {
		r, err := b.Open()
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = io.Copy(w, r)
		return err
	})
	if err == nil && sums.Sha256 != b.Sha256 {
		err = fmt.Errorf("%s: has sha256 %s, the binary that was built %s", name, sums.Sha256, b.Sha256)
	}
	return sums, err
}

func (t *Tree) unchanged(place, stat string) bool {
	info, err := os.Lstat(place)
	return err == nil && info.Mode().IsRegular() && statKey(info) == stat
}

// sidecars are written as sha256sum does, so that "sha256sum -c" reads them
// and kOps takes the first field (pkg/assets/builder.go).
func (t *Tree) sidecars(place string, s Sums) error {
	base := filepath.Base(place)
	if err := atomicfile.Write(place+".sha256", []byte(s.Sha256+"  "+base+"\n"), 0o644); err != nil {
		return err
	}
	return atomicfile.Write(place+".sha512", []byte(s.Sha512+"  "+base+"\n"), 0o644)
}

func (t *Tree) keepSidecars(place string, s Sums) error {
	for ending, sum := range map[string]string{".sha256": s.Sha256, ".sha512": s.Sha512} {
		if b, err := os.ReadFile(place + ending); err != nil || !strings.HasPrefix(string(b), sum+" ") {
			return t.sidecars(place, s)
		}
	}
	return nil
}

// Close writes SHA256SUM and SHA512SUM into every folder that this run put
// files in, and remembers what was written.
func (t *Tree) Close() error {
	byDir := map[string][]string{}
	for name := range t.known {
		if _, err := os.Lstat(filepath.Join(t.root, filepath.FromSlash(name))); err != nil {
			delete(t.known, name)
			continue
		}
		byDir[path.Dir(name)] = append(byDir[path.Dir(name)], name)
	}
	touched := map[string]bool{}
	for name := range t.added {
		touched[path.Dir(name)] = true
	}
	for dir := range touched {
		names := byDir[dir]
		sort.Strings(names)
		var s256, s512 strings.Builder
		for _, n := range names {
			fmt.Fprintf(&s256, "%s  %s\n", t.known[n].Sha256, path.Base(n))
			fmt.Fprintf(&s512, "%s  %s\n", t.known[n].Sha512, path.Base(n))
		}
		place := filepath.Join(t.root, filepath.FromSlash(dir))
		if err := writeIfNew(filepath.Join(place, "SHA256SUM"), s256.String()); err != nil {
			return err
		}
		if err := writeIfNew(filepath.Join(place, "SHA512SUM"), s512.String()); err != nil {
			return err
		}
	}
	return writeJSON(t.memo, t.known)
}

func writeIfNew(place, content string) error {
	if b, err := os.ReadFile(place); err == nil && string(b) == content {
		return nil
	}
	return atomicfile.Write(place, []byte(content), 0o644)
}

// File is a published file as an entry of an archive, read from the tree and
// checked on the way.
func (t *Tree) File(name string) (files.File, Sums, error) {
	t.mu.Lock()
	sums, ok := t.added[name]
	t.mu.Unlock()
	if !ok {
		return files.File{}, Sums{}, fmt.Errorf("%s: was not published by this build", name)
	}
	b := &Binary{Size: sums.Size, Sha256: sums.Sha256, path: filepath.Join(t.root, filepath.FromSlash(name))}
	f := b.File(name)
	f.Mode = 0o644
	return f, sums, nil
}
