package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/builder/debian"
	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/internal/atomicfile"
	"github.com/slipway-k8s/slipway/internal/cli"
)

// channelsFolder is where a checkout has the channels.
const channelsFolder = "distro/channels"

type debianFlags struct {
	suite, channels, components string
	mirrors                     []string
	refresh                     bool
}

func newDebianCommand() *cobra.Command {
	var f debianFlags
	c := &cobra.Command{
		Use:   "debian",
		Short: "Show the Debian packages that images are made of, or pin the newest ones",
		Long: `Show the lock of Debian packages: which are pinned, at which version, for which
architectures, and which set of them an image is made of.

With --refresh the lock is made anew from the signed indexes of the suite, its
updates and its security updates, and written to a checkout's channels folder.
Mirrors drop a version when the next one appears, so a build may ask for this.`,
		Example: `  slipway-release debian
  slipway-release debian --refresh
  slipway-release debian --refresh --debian-mirror https://mirror.example`,
		Args: cobra.NoArgs,
	}
	format := cli.OutputFlag(c)
	c.Flags().BoolVar(&f.refresh, "refresh", false, "make the lock anew and write it")
	c.Flags().StringVar(&f.suite, "suite", "", "Debian release, such as bookworm (default: that of the newest channel)")
	c.Flags().StringVar(&f.channels, "channels", "", "channels folder (default: the built-in channels; with --refresh "+channelsFolder+")")
	c.Flags().StringVar(&f.components, "recipes", "", "recipes folder (default: the built-in recipes)")
	c.Flags().StringSliceVar(&f.mirrors, "debian-mirror", nil, "Debian mirrors, as debian=URL, debian-security=URL or a URL that has both below it (default: the host's apt configuration, then Debian's permanent archive)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return runDebian(c.Context(), c.OutOrStdout(), f, *format, nil)
	}
	return c
}

// runDebian shows or refreshes a lock. Keys are those that sign the indexes;
// nil for Debian's own.
func runDebian(ctx context.Context, out io.Writer, f debianFlags, format cli.Format, keys openpgp.KeyRing) error {
	if f.refresh && f.channels == "" {
		f.channels = channelsFolder
	}
	lock, file, err := f.read()
	if err != nil {
		return err
	}
	if !f.refresh {
		list := listPackages(lock)
		return cli.Print(out, format, list, func(w io.Writer) error { return packagesText(w, lock, list) })
	}
	// The permanent archive, the last resort, is asked for what it has now.
	mirrors, err := debian.FindMirrors(f.mirrors, debian.AptFolder, time.Now().UTC().Format(debian.SnapshotForm))
	if err != nil {
		return cli.UsageError(err)
	}
	refresher := &debian.Refresher{Mirrors: mirrors, Keys: keys}
	fresh, err := refresher.Refresh(ctx, lock.Spec())
	if err != nil {
		return err
	}
	changes := comparePackages(lock, fresh)
	place := filepath.Join(f.channels, file)
	if len(changes) > 0 { // a lock of the same packages is left as it is
		if err := writeLock(place, fresh); err != nil {
			return err
		}
	}
	return cli.Print(out, format, changes, func(w io.Writer) error { return changesText(w, place, changes) })
}

// read reads the suite's lock; file is its name in the channels folder.
func (f debianFlags) read() (lock *debian.Lock, file string, err error) {
	cat, ch, err := openChannel(distro.Overrides{Channels: f.channels, Components: f.components}, "")
	if err != nil {
		return nil, "", err
	}
	if f.suite != "" {
		ch.Debian = f.suite
	}
	raw, file, err := cat.DebianLock(ch)
	if err != nil {
		return nil, "", cli.UsageError(err)
	}
	lock, err = debian.ReadLock(bytes.NewReader(raw), file)
	return lock, file, err
}

func writeLock(place string, lock *debian.Lock) error {
	var b bytes.Buffer
	if err := lock.Write(&b); err != nil {
		return err
	}
	if err := atomicfile.Write(place, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("%w: name the channels folder of a checkout with --channels", err)
	}
	return nil
}
