package distro

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"sort"
	"strings"

	"sigs.k8s.io/yaml"
)

//go:embed channels components
var embedded embed.FS

// Catalog is a set of component recipes and channels that fit together.
type Catalog struct {
	channels fs.FS
	recipes  []*Recipe
	byName   map[string]*Recipe
}

// Overrides replaces what is embedded by folders of the user's own.
// An empty string keeps the embedded data.
type Overrides struct {
	Channels   string // a folder with one sub-folder a channel
	Components string // a folder with one recipe file a component
}

// Open reads and validates the recipes. Channels are read on demand.
// An error names the file and the field.
func Open(o Overrides) (*Catalog, error) {
	channels, err := source(o.Channels, "channels")
	if err != nil {
		return nil, err
	}
	components, err := source(o.Components, "components")
	if err != nil {
		return nil, err
	}
	return open(channels, components)
}

func source(folder, name string) (fs.FS, error) {
	if folder == "" {
		return fs.Sub(embedded, name)
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s folder %q: not a folder that can be read", name, folder)
	}
	return os.DirFS(folder), nil
}

func open(channels, components fs.FS) (*Catalog, error) {
	c := &Catalog{channels: channels, byName: map[string]*Recipe{}}
	files, err := fs.Glob(components, "*.yaml")
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, errors.New("components folder: holds no recipe (*.yaml)")
	}
	for _, file := range files {
		r := &Recipe{}
		if err := readYAML(components, file, r); err != nil {
			return nil, err
		}
		if want := strings.TrimSuffix(file, ".yaml"); r.Name != want {
			return nil, fmt.Errorf("%s: name: is %q, want %q as the file is called", file, r.Name, want)
		}
		c.recipes = append(c.recipes, r)
		c.byName[r.Name] = r
	}
	sort.SliceStable(c.recipes, func(i, j int) bool {
		a, b := c.recipes[i], c.recipes[j]
		if a.Order != b.Order {
			return a.Order < b.Order
		}
		return a.Name < b.Name
	})
	return c, c.validate()
}

// readYAML reads a YAML file strictly: a field that the type lacks is an error.
func readYAML(fsys fs.FS, file string, into any) error {
	b, err := fs.ReadFile(fsys, file)
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict(b, into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// Recipes are all recipes in the order in which they are built: first what a
// cluster needs to boot.
func (c *Catalog) Recipes() []*Recipe { return c.recipes }

// Recipe finds a recipe by name. The error lists what there is.
func (c *Catalog) Recipe(name string) (*Recipe, error) {
	if r, ok := c.byName[name]; ok {
		return r, nil
	}
	var names []string
	for _, r := range c.recipes {
		if !r.Internal {
			names = append(names, r.Name)
		}
	}
	return nil, &UnknownError{Kind: "component", Name: name, Known: names}
}

// ChannelNames are the channels there are, oldest first.
func (c *Catalog) ChannelNames() ([]string, error) {
	files, err := fs.Glob(c.channels, "*/channel.yaml")
	if err != nil {
		return nil, err
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = path.Dir(f)
	}
	sort.Slice(names, func(i, j int) bool { return minorOf(names[i]) < minorOf(names[j]) })
	if len(names) == 0 {
		return nil, errors.New("channels folder: holds no channel (NAME/channel.yaml)")
	}
	return names, nil
}

// Channel reads the channel of that name with its locks; the empty name means
// the newest. Errors: *UnknownError with the channels there are, or one that
// names file and field.
func (c *Catalog) Channel(name string) (*Channel, error) {
	names, err := c.ChannelNames()
	if err != nil {
		return nil, err
	}
	if name == "" {
		name = names[len(names)-1]
	}
	known := false
	for _, n := range names {
		known = known || n == name
	}
	if !known {
		return nil, &UnknownError{Kind: "channel", Name: name, Known: names}
	}
	ch := &Channel{}
	if err := readYAML(c.channels, name+"/channel.yaml", ch); err != nil {
		return nil, err
	}
	if err := ch.readLocks(c.channels, name); err != nil {
		return nil, err
	}
	return ch, c.validateChannel(ch, name)
}

// DebianLock is the lock of Debian packages that the channel names, as text,
// and its file name for error messages.
func (c *Catalog) DebianLock(ch *Channel) ([]byte, string, error) {
	file := "debian-" + ch.Debian + ".yaml"
	b, err := fs.ReadFile(c.channels, file)
	if err != nil {
		return nil, file, fmt.Errorf("channel %s: debian: %q has no lock: %w", ch.Name, ch.Debian, err)
	}
	return b, file, nil
}

// UnknownError says that there is no channel, component or platform of a name.
type UnknownError struct {
	Kind  string // "channel", "component", "platform", "group"
	Name  string
	Known []string
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("%s %q: there is none; there are: %s", e.Kind, e.Name, strings.Join(e.Known, ", "))
}

func minorOf(channel string) int {
	var major, minor int
	fmt.Sscanf(channel, "%d-%d", &major, &minor)
	return major*1000 + minor
}
