package registry

import (
	"errors"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// StorageFolder is where an output tree keeps the registry's storage.
const StorageFolder = "registry"

// Site is the registry and the files of an output tree under one address.
type Site struct {
	*Registry
	files http.Handler
	root  *os.Root
}

// FilesAndRegistry serves an output tree: /v2/ is the registry in its folder
// "registry" (opened with opts), everything else its files, read-only. See
// Files for what is not served.
func FilesAndRegistry(outDir string, opts ...Option) (*Site, error) {
	root, err := os.OpenRoot(outDir)
	if err != nil {
		return nil, fmt.Errorf("serve %s: %w; name the folder that slipway-build wrote", outDir, err)
	}
	r, err := Open(filepath.Join(outDir, StorageFolder), opts...)
	if err != nil {
		root.Close()
		return nil, err
	}
	return &Site{Registry: r, files: Files(root), root: root}, nil
}

// ServeHTTP answers every path.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v2" || strings.HasPrefix(r.URL.Path, "/v2/") {
		s.Registry.ServeHTTP(w, r)
		return
	}
	s.files.ServeHTTP(w, r)
}

// Close releases the folders.
func (s *Site) Close() error { return errors.Join(s.Registry.Close(), s.root.Close()) }

// Files serves the regular files under root to GET and HEAD, with ranges, and
// lists its folders. It serves nothing whose path has a symbolic link in it, a
// name that begins with a dot, or the folder StorageFolder at its top.
func Files(root *os.Root) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "files are read-only", http.StatusMethodNotAllowed)
			return
		}
		name, ok := servable(root, r.URL.Path)
		if !ok {
			http.NotFound(w, r)
			return
		}
		f, err := root.Open(name)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		defer f.Close()
		info, err := f.Stat()
		switch {
		case err != nil:
			http.NotFound(w, r)
		case info.IsDir() && !strings.HasSuffix(r.URL.Path, "/"):
			http.Redirect(w, r, (&url.URL{Path: "/" + name + "/"}).EscapedPath(), http.StatusMovedPermanently)
		case info.IsDir():
			list(w, f, name == ".")
		case info.Mode().IsRegular() && !strings.HasSuffix(r.URL.Path, "/"):
			w.Header().Set("Content-Type", contentType(name))
			w.Header().Set("X-Content-Type-Options", "nosniff")
			http.ServeContent(w, r, "", info.ModTime(), f)
		default:
			http.NotFound(w, r)
		}
	})
}

// servable turns the path of a request into a name under root, part by part.
func servable(root *os.Root, requested string) (string, bool) {
	if strings.ContainsAny(requested, "\\\x00") {
		return "", false
	}
	name := strings.TrimPrefix(path.Clean("/"+requested), "/")
	if name == "" {
		return ".", true
	}
	parts := strings.Split(name, "/")
	// EqualFold: some file systems do not tell Registry from registry.
	if strings.EqualFold(parts[0], StorageFolder) {
		return "", false
	}
	for i, part := range parts {
		if strings.HasPrefix(part, ".") {
			return "", false
		}
		info, err := root.Lstat(path.Join(parts[:i+1]...))
		if err != nil || info.Mode()&fs.ModeSymlink != 0 {
			return "", false
		}
	}
	return name, true
}

// contentTypes by ending. The host's own table is not asked: it differs from
// machine to machine, and a .tar.gz that is called gzip-encoded tar is unpacked
// by some clients before its checksum is compared.
var contentTypes = []struct{ ending, mime string }{
	{".yaml", "application/yaml"},
	{".json", "application/json"},
	{".sha256", "text/plain; charset=utf-8"},
	{".sha512", "text/plain; charset=utf-8"},
	{".docker_tag", "text/plain; charset=utf-8"},
	{".docker_image_name", "text/plain; charset=utf-8"},
	{"SHA256SUM", "text/plain; charset=utf-8"},
	{"SHA512SUM", "text/plain; charset=utf-8"},
	{".txt", "text/plain; charset=utf-8"},
	{".tar.gz", "application/gzip"},
	{".tgz", "application/gzip"},
	{".tar", "application/x-tar"},
	{".zst", "application/zstd"},
}

func contentType(name string) string {
	for _, t := range contentTypes {
		if strings.HasSuffix(name, t.ending) {
			return t.mime
		}
	}
	return "application/octet-stream"
}

// list writes a folder as a page of links.
func list(w http.ResponseWriter, dir *os.File, top bool) {
	entries, err := dir.ReadDir(-1)
	if err != nil {
		http.Error(w, "the folder cannot be read", http.StatusInternalServerError)
		return
	}
	var names []string
	for _, e := range entries {
		hidden := strings.HasPrefix(e.Name(), ".") || top && strings.EqualFold(e.Name(), StorageFolder)
		switch {
		case hidden:
		case e.IsDir():
			names = append(names, e.Name()+"/")
		case e.Type().IsRegular():
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, "<!doctype html>\n<pre>\n")
	for _, n := range names {
		href := (&url.URL{Path: "./" + n}).EscapedPath()
		fmt.Fprintf(w, "<a href=\"%s\">%s</a>\n", html.EscapeString(href), html.EscapeString(n))
	}
	fmt.Fprint(w, "</pre>\n")
}
