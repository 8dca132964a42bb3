// Package cli is what the binaries share: exit codes, signals and output formats.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// The exit codes of every Slipway binary (docs/architecture.md, Binaries).
const (
	ExitDone    = 0 // the work was done, all checks passed
	ExitFailed  = 1 // the work or a check failed
	ExitUsage   = 2 // wrong usage or configuration
	ExitUnknown = 3 // could not tell: a check could not run
)

type codedError struct {
	error
	code int
}

func (e codedError) Unwrap() error { return e.error }

// UsageError marks err as wrong usage or configuration: exit code 2.
func UsageError(err error) error { return codedError{err, ExitUsage} }

// Usagef is UsageError(fmt.Errorf(…)).
func Usagef(format string, args ...any) error { return UsageError(fmt.Errorf(format, args...)) }

// UnknownError marks err as "could not tell": exit code 3.
func UnknownError(err error) error { return codedError{err, ExitUnknown} }

// ExitCode is the exit code that err asks for.
func ExitCode(err error) int {
	var coded codedError
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &coded):
		return coded.code
	default:
		return ExitFailed
	}
}

// Main runs root with a context that Ctrl-C and SIGTERM cancel, prints the
// error if there is one, and exits. A second signal ends the process at once.
func Main(root *cobra.Command) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	Configure(root)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", root.Name(), err)
	}
	os.Exit(ExitCode(err))
}

// Configure gives root what every Slipway command has: a version, errors
// printed once, and exit code 2 for wrong flags and arguments.
func Configure(root *cobra.Command) {
	root.SilenceErrors, root.SilenceUsage = true, true
	root.Version = Version()
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
			return Usagef("%w; see %s --help", err, c.CommandPath())
		})
		if check := c.Args; check != nil {
			c.Args = func(c *cobra.Command, args []string) error {
				if err := check(c, args); err != nil {
					return Usagef("%w; see %s --help", err, c.CommandPath())
				}
				return nil
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	root.AddCommand(newReferenceCommand(root))
}

// Version is the version of the module that this binary was built from.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// Format is an output format: text, json or yaml.
type Format string

// String is part of pflag.Value.
func (f *Format) String() string { return string(*f) }

// Type is part of pflag.Value.
func (f *Format) Type() string { return "format" }

// Set is part of pflag.Value.
func (f *Format) Set(s string) error {
	switch s {
	case "text", "json", "yaml":
		*f = Format(s)
		return nil
	}
	return fmt.Errorf("%q is not an output format: text, json or yaml", s)
}

// OutputFlag adds -o/--output to c (default text).
func OutputFlag(c *cobra.Command) *Format {
	f := Format("text")
	c.Flags().VarP(&f, "output", "o", "output format: text, json or yaml")
	return &f
}

// Print writes value as JSON or YAML, or lets text write it.
func Print(w io.Writer, f Format, value any, text func(io.Writer) error) error {
	switch f {
	case "json":
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(value)
	case "yaml":
		b, err := yaml.Marshal(value)
		if err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	default:
		return text(w)
	}
}
