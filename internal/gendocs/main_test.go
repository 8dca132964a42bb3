package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestTheReferenceSaysWhatTheTypesSay(t *testing.T) {
	content, err := generate(filepath.FromSlash("../../distro"))
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range content {
		got, err := os.ReadFile(filepath.Join("..", "..", "docs", "reference", file))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("docs/reference/%s is out of date: run make docs", file)
		}
		if bytes.Contains(want, []byte("| ? |")) {
			t.Errorf("docs/reference/%s: a field has a type that gendocs does not know", file)
		}
	}
}
