package relock

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/internal/atomicfile"
	"go.yaml.in/yaml/v3"
)

// File is a channel's file open for editing: what is not touched, comments
// included, stays as it is.
type File struct {
	path string
	doc  yaml.Node
}

// Open reads <channels>/<channel>/channel.yaml.
func Open(channels, channel string) (*File, error) {
	f := &File{path: filepath.Join(channels, channel, "channel.yaml")}
	b, err := os.ReadFile(f.path)
	if err != nil {
		return nil, fmt.Errorf("%w: name the channels folder of a checkout with --channels", err)
	}
	if err := yaml.Unmarshal(b, &f.doc); err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	if len(f.doc.Content) != 1 || f.doc.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s: want one YAML mapping", f.path)
	}
	return f, nil
}

// Save writes the file back, whole or not at all.
func (f *File) Save() error {
	var buf bytes.Buffer
	e := yaml.NewEncoder(&buf)
	e.SetIndent(2)
	if err := e.Encode(&f.doc); err != nil {
		return err
	}
	return writeFile(f.path, buf.Bytes())
}

func (f *File) root() *yaml.Node { return f.doc.Content[0] }

// SetPin sets a component's version and commit; an empty commit removes it.
func (f *File) SetPin(component, version, commit string) error {
	pin := child(child(f.root(), "components"), component)
	if pin == nil {
		return fmt.Errorf("%s: components: has no %s", f.path, component)
	}
	set(pin, "version", version, 0)
	if commit == "" {
		unset(pin, "commit")
	} else {
		set(pin, "commit", commit, 0)
	}
	return nil
}

// SetFloor adds a floor, or raises the one for the same module and components.
func (f *File) SetFloor(fl distro.Floor) {
	floors := child(f.root(), "floors")
	if floors == nil {
		floors = &yaml.Node{Kind: yaml.SequenceNode}
		f.root().Content = append(f.root().Content, scalar("floors"), floors)
	}
	entry := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	set(entry, "module", fl.Module, 0)
	set(entry, "version", fl.Version, 0)
	set(entry, "reason", fl.Reason, 0)
	if len(fl.Components) > 0 {
		list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, c := range fl.Components {
			list.Content = append(list.Content, scalar(c))
		}
		entry.Content = append(entry.Content, scalar("components"), list)
	}
	for i, old := range floors.Content {
		if value(old, "module") == fl.Module && sameComponents(old, fl.Components) {
			floors.Content[i] = entry
			return
		}
	}
	floors.Content = append(floors.Content, entry)
}

// SetRelease sets the release's number and date.
func (f *File) SetRelease(number int, date string) error {
	rel := child(f.root(), "release")
	if rel == nil {
		return fmt.Errorf("%s: has no release", f.path)
	}
	set(rel, "number", fmt.Sprint(number), 0)
	set(rel, "date", date, yaml.DoubleQuotedStyle)
	return nil
}

// SaveLock writes a component's lock into the channels folder.
func SaveLock(channels, channel, component string, l distro.Lock) error {
	mod, sum := distro.LockFiles(channel, component)
	if err := writeFile(filepath.Join(channels, filepath.FromSlash(mod)), l.Mod); err != nil {
		return err
	}
	return writeFile(filepath.Join(channels, filepath.FromSlash(sum)), l.Sum)
}

func writeFile(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(path, b, 0o644)
}

func scalar(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func value(n *yaml.Node, key string) string {
	if c := child(n, key); c != nil {
		return c.Value
	}
	return ""
}

func set(n *yaml.Node, key, val string, style yaml.Style) {
	v := &yaml.Node{Kind: yaml.ScalarNode, Value: val, Style: style}
	if c := child(n, key); c != nil {
		v.LineComment, v.HeadComment = c.LineComment, c.HeadComment
		*c = *v
		return
	}
	n.Content = append(n.Content, scalar(key), v)
}

func unset(n *yaml.Node, key string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			n.Content = append(n.Content[:i], n.Content[i+2:]...)
			return
		}
	}
}

func sameComponents(n *yaml.Node, components []string) bool {
	list := child(n, "components")
	if list == nil {
		return len(components) == 0
	}
	if len(list.Content) != len(components) {
		return false
	}
	for i, c := range list.Content {
		if c.Value != components[i] {
			return false
		}
	}
	return true
}
