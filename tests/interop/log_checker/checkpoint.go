package main

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// openCheckpoint verifies a signed note and reads the head of the log that it carries. The log and every one of the
// witnesses must have signed.
// Source: C2SP tlog-checkpoint, "Note text".
func openCheckpoint(text []byte, verifier note.Verifier, witnesses ...note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(text, note.VerifierList(append(witnesses, verifier)...))
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %w", err)
	}
	if len(opened.Sigs) != len(witnesses)+1 {
		return tlog.Tree{}, fmt.Errorf("checkpoint: signed by %d of %d keys", len(opened.Sigs), len(witnesses)+1)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("checkpoint: not one of %s", verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %q is no size", lines[1])
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %q is no hash", lines[2])
	}
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return tree, nil
}
