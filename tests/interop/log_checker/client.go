package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight    = 8
	largestAnswer = bundleSize * (2 + 0xffff)
)

var errUnreachable = errors.New("cannot be checked")

// client reads a log by C2SP tlog-tiles; it keeps what it read, since every proof asks for the same tiles again.
type client struct {
	url   string
	http  *http.Client
	tiles map[tlog.Tile][]byte
}

func newClient(url string) *client {
	return &client{url, &http.Client{Timeout: 20 * time.Second}, map[tlog.Tile][]byte{}}
}

func (c *client) get(path string) ([]byte, error) {
	answer, err := c.http.Get(c.url + "/" + path)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errUnreachable, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: the answer is %s", path, answer.Status)
	}
	return io.ReadAll(io.LimitReader(answer.Body, largestAnswer))
}

// tilePath differs from tlog.Tile.Path, which puts the height first.
// Source: C2SP tlog-tiles, "Merkle Tree".
func tilePath(level string, index int64, width int) string {
	digits := fmt.Sprintf("%03d", index%1000)
	for rest := index / 1000; rest > 0; rest /= 1000 {
		digits = fmt.Sprintf("x%03d/%s", rest%1000, digits)
	}
	path := "tile/" + level + "/" + digits
	if width < bundleSize {
		path += fmt.Sprintf(".p/%d", width)
	}
	return path
}

// Height implements tlog.TileReader.
func (c *client) Height() int { return tileHeight }

// ReadTiles implements tlog.TileReader.
func (c *client) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range tiles {
		data, known := c.tiles[tile]
		if !known {
			var err error
			if data, err = c.get(tilePath(fmt.Sprint(tile.L), tile.N, tile.W)); err != nil {
				return nil, err
			}
		}
		found = append(found, data)
	}
	return found, nil
}

// SaveTiles implements tlog.TileReader; only tiles that were authenticated come here.
func (c *client) SaveTiles(tiles []tlog.Tile, data [][]byte) {
	for i, tile := range tiles {
		c.tiles[tile] = data[i]
	}
}

// readBundle returns the entries from a full bundle's first on, as many as a tree of that size has there.
// Source: C2SP tlog-tiles, "Log entries".
func (c *client) readBundle(first, size int64) ([][]byte, error) {
	width := bundleSize
	if size-first < bundleSize {
		width = int(size - first)
	}
	path := tilePath("entries", first/bundleSize, width)
	data, err := c.get(path)
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for len(data) >= 2 {
		end := 2 + int(binary.BigEndian.Uint16(data))
		if end > len(data) {
			break
		}
		entries = append(entries, data[2:end])
		data = data[end:]
	}
	if len(data) > 0 || len(entries) != width {
		return nil, fmt.Errorf("%s: not %d whole entries", strings.TrimPrefix(path, "tile/"), width)
	}
	return entries, nil
}
