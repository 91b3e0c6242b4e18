// Command log_checker checks a whole transparency log over HTTP with the Go project's own code for such logs:
// golang.org/x/mod/sumdb/tlog for the tree and its proofs, golang.org/x/mod/sumdb/note for the signed note.
// Of ours it knows nothing but the address and the verifier key.
//
// Exit code: 0 if everything fits, 1 if something does not, 2 if it cannot be checked.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// bundleSize is how many entries a full bundle holds, and how many hashes a full tile.
const bundleSize = 1 << tileHeight

func main() {
	url := flag.String("url", "", "address of the log, without a slash at its end")
	vkey := flag.String("vkey", "", "verifier key of the log")
	old := flag.String("old", "", "file with an older checkpoint, which the log must continue")
	save := flag.String("save", "", "file to write the checkpoint to, if all is well")
	var witnesses []note.Verifier
	flag.Func("witness", "key of a witness who must have cosigned; may be repeated", func(vkey string) error {
		witness, err := newCosigner(vkey)
		witnesses = append(witnesses, witness)
		return err
	})
	flag.Parse()
	verifier, err := note.NewVerifier(*vkey)
	if err != nil || *url == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*url, verifier, witnesses, *old, *save); err != nil {
		fmt.Fprintln(os.Stderr, err)
		if errors.Is(err, errUnreachable) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

func run(url string, verifier note.Verifier, witnesses []note.Verifier, oldFile, saveFile string) error {
	client := newClient(url)
	text, err := client.get("checkpoint")
	if err != nil {
		return err
	}
	tree, err := openCheckpoint(text, verifier, witnesses...)
	if err != nil {
		return err
	}
	hashes := tlog.TileHashReader(tree, client)
	if err := checkEntries(client, tree, hashes); err != nil {
		return err
	}
	if oldFile != "" {
		if err := checkContinues(oldFile, verifier, tree, hashes); err != nil {
			return err
		}
	}
	fmt.Printf("%d entries, root %s\n", tree.N, tree.Hash)
	if saveFile == "" {
		return nil
	}
	return os.WriteFile(saveFile, text, 0o600)
}

// checkEntries reads every bundle, and proves for each entry that it is in the tree at its place. The hash reader
// authenticates the tiles that it reads against the root, so that after this every tile has been checked.
func checkEntries(client *client, tree tlog.Tree, hashes tlog.HashReader) error {
	root, err := tlog.TreeHash(tree.N, hashes)
	if err != nil {
		return err
	}
	if root != tree.Hash {
		return fmt.Errorf("the tiles lead to root %s, signed was %s", root, tree.Hash)
	}
	for first := int64(0); first < tree.N; first += bundleSize {
		entries, err := client.readBundle(first, tree.N)
		if err != nil {
			return err
		}
		for place, entry := range entries {
			if err := checkEntry(entry, first+int64(place), tree, hashes); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkEntry(entry []byte, index int64, tree tlog.Tree, hashes tlog.HashReader) error {
	proof, err := tlog.ProveRecord(tree.N, index, hashes)
	if err != nil {
		return fmt.Errorf("entry %d: %w", index, err)
	}
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry)); err != nil {
		return fmt.Errorf("entry %d: %w", index, err)
	}
	return nil
}

func checkContinues(file string, verifier note.Verifier, tree tlog.Tree, hashes tlog.HashReader) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("%w: %v", errUnreachable, err)
	}
	old, err := openCheckpoint(text, verifier)
	if err != nil {
		return fmt.Errorf("older checkpoint: %w", err)
	}
	if old.N > tree.N {
		return fmt.Errorf("the log had %d entries and has %d", old.N, tree.N)
	}
	if old.N == 0 {
		return nil
	}
	proof, err := tlog.ProveTree(tree.N, old.N, hashes)
	if err != nil {
		return fmt.Errorf("older checkpoint: %w", err)
	}
	if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
		return fmt.Errorf("the log does not continue the older checkpoint: %w", err)
	}
	return nil
}
