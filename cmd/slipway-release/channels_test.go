package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/internal/cli"
)

// channelsCopy is a copy of the channels folder that a test may write to.
func channelsCopy(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../distro/channels")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestListSaysPlainlyWhenSupportEnded(t *testing.T) {
	for day, standing := range map[string]string{
		"2026-07-29": "supported until 2026-07-29",
		"2026-07-30": "standard support ended 2026-07-29, extended until 2027-07-29",
		"2027-07-29": "standard support ended 2026-07-29, extended until 2027-07-29",
		"2027-07-30": "all support ended 2027-07-29: move to a newer channel",
	} {
		out, code, err := run(t, "list", "--on", day)
		if code != cli.ExitDone {
			t.Fatal(err)
		}
		want(t, out, "1-33 kubernetes-1-33-slipway-1 v1.33.13 go1.26.8 2026-07-29 2027-07-29 2026-06-28 "+standing+" 1-34 ")
	}
}

func TestListAsJSONHoldsTheStateOfTheDay(t *testing.T) {
	out, code, err := run(t, "list", "-o", "json", "--on", "2026-11-01")
	if code != cli.ExitDone {
		t.Fatal(err)
	}
	var list []listedChannel
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	states := map[string]string{}
	for _, c := range list {
		states[c.Channel] = c.State
	}
	if states["1-33"] != "extended" || states["1-36"] != "standard" || list[0].Day != "2026-11-01" {
		t.Errorf("got %v, day %s", states, list[0].Day)
	}
}

func TestListOfAChannelShowsComponentsAndStamps(t *testing.T) {
	cat, err := distro.Open(distro.Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	ch, err := cat.Channel("1-36")
	if err != nil {
		t.Fatal(err)
	}
	stamp, err := cat.Stamp(ch, "kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	out, code, err := run(t, "list", "1-36")
	if code != cli.ExitDone {
		t.Fatal(err)
	}
	pin := ch.Components["kubernetes"]
	want(t, out, "Channel: 1-36 (", "kubernetes "+pin.Version+" "+pin.Commit[:7]+" "+stamp, "kube-proxy "+pin.Version+" "+pin.Commit[:7]+" "+stamp, "csi-node")
	if strings.Contains(out, "programs") {
		t.Errorf("internal components are in no release, yet listed:\n%s", out)
	}
	out, _, _ = run(t, "list", "1-36", "-o", "json")
	var d channelDetail
	if err := json.Unmarshal([]byte(out), &d); err != nil || d.Floors != len(ch.Floors) || d.Channel != "1-36" || len(d.Platforms) != len(ch.Platforms) {
		t.Errorf("%v: %+v", err, d)
	}
}

func TestListOfAnUnknownChannelNamesThoseThereAre(t *testing.T) {
	_, code, err := run(t, "list", "1-99")
	if code != cli.ExitUsage || !strings.Contains(err.Error(), `channel "1-99": there is none; there are: 1-33, 1-34, 1-35, 1-36`) {
		t.Errorf("exit code %d, %v", code, err)
	}
	if _, code, err := run(t, "list", "--on", "tomorrow"); code != cli.ExitUsage {
		t.Errorf("a wrong day: exit code %d, %v", code, err)
	}
}

func TestCutChangesNumberAndDateAndNothingElse(t *testing.T) {
	dir := channelsCopy(t)
	file := filepath.Join(dir, "1-36", "channel.yaml")
	before := readFile(t, file)
	out, code, err := run(t, "cut", "--channels", dir, "--channel", "1-36", "--date", "2026-12-01T02:00:00+02:00")
	if code != cli.ExitDone {
		t.Fatal(err)
	}
	want(t, out, "release 1 (2026-11-22T00:00:00Z) -> 2 (2026-12-01T00:00:00Z)", "kubernetes-1-36-slipway-2")
	wanted := strings.Replace(before, `release: {number: 1, date: "2026-11-22T00:00:00Z"}`, `release: {number: 2, date: "2026-12-01T00:00:00Z"}`, 1)
	if got := readFile(t, file); got != wanted {
		t.Errorf("the channel file is now:\n%s", got)
	}
	if _, code, err := run(t, "cut", "--channels", dir, "--date", "2026-12-01T00:00:00Z", "--number", "7"); code != cli.ExitDone {
		t.Fatal(err)
	}
	out, _, _ = run(t, "list", "--channels", dir)
	want(t, out, "kubernetes-1-36-slipway-7", "kubernetes-1-35-slipway-1")
}

func TestCutRefusesWhatWouldGoBackAndWritesNothing(t *testing.T) {
	dir := channelsCopy(t)
	file := filepath.Join(dir, "1-36", "channel.yaml")
	before := readFile(t, file)
	for _, c := range []struct {
		args []string
		says string
	}{
		{nil, "--date is missing"},
		{[]string{"--date", "2026-12-01"}, "RFC 3339"},
		{[]string{"--date", "2026-11-21T23:59:59Z"}, "before that of release 1"},
		{[]string{"--date", "2026-12-01T00:00:00Z", "--number", "1"}, "--number 1: channel 1-36 is at release 1"},
		{[]string{"--date", "2026-12-01T00:00:00Z", "--number", "0"}, "--number 0"},
		{[]string{"--date", "2026-12-01T00:00:00Z", "--channel", "1-99"}, "there are: 1-33"},
	} {
		_, code, err := run(t, append([]string{"cut", "--channels", dir}, c.args...)...)
		if code != cli.ExitUsage || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: exit code %d, %v; want %q in it", c.args, code, err, c.says)
		}
	}
	if readFile(t, file) != before {
		t.Error("a refused cut changed the channel file")
	}
}
