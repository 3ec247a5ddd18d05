package shell

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxHistory is how many entries the file keeps. It is cut when it has twice as
// many.
const maxHistory = 5000

// maxEntry bounds a line of the file, in bytes.
const maxEntry = 1 << 20

// history is past entries, the oldest first. The file has one JSON string per
// line. Several shells may append to it.
type history struct {
	file    string
	entries []string
}

// openHistory reads the file, and creates its folder if necessary. Only the owner
// may read them, since statements may be private.
func openHistory(file string) (*history, error) {
	h := &history{file: file}
	if file == "" {
		return h, nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, fmt.Errorf("no history: %w", err)
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return nil, fmt.Errorf("no history: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxEntry)
	for lines.Scan() {
		var entry string
		if json.Unmarshal(lines.Bytes(), &entry) == nil && entry != "" {
			h.entries = append(h.entries, entry)
		}
	}
	if len(h.entries) > 2*maxHistory {
		return h, h.cut()
	}
	return h, nil
}

// cut leaves the newest entries in the file.
func (h *history) cut() error {
	h.entries = h.entries[len(h.entries)-maxHistory:]
	temporary, err := os.CreateTemp(filepath.Dir(h.file), ".history-*") // for its owner alone
	if err != nil {
		return fmt.Errorf("shorten the history: %w", err)
	}
	out := json.NewEncoder(temporary)
	for _, entry := range h.entries {
		err = errors.Join(err, out.Encode(entry))
	}
	if err = errors.Join(err, temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), h.file)
	}
	if err != nil {
		return fmt.Errorf("shorten the history: %w", errors.Join(err, os.Remove(temporary.Name())))
	}
	return nil
}

// Write keeps an entry, unless it repeats the one before it or begins with a
// space. It returns the number of entries, as the line editor expects.
func (h *history) Write(entry string) (int, error) {
	kept := strings.TrimSpace(entry)
	if kept == "" || strings.HasPrefix(entry, " ") || len(h.entries) > 0 && h.entries[len(h.entries)-1] == kept {
		return len(h.entries), nil
	}
	h.entries = append(h.entries, kept)
	if h.file == "" {
		return len(h.entries), nil
	}
	line, err := json.Marshal(kept)
	if err != nil || len(line) >= maxEntry {
		return len(h.entries), err
	}
	f, err := os.OpenFile(h.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return len(h.entries), fmt.Errorf("keep the history: %w", err)
	}
	_, err = f.Write(append(line, '\n'))
	return len(h.entries), errors.Join(err, f.Close())
}

// GetLine returns an entry by its number.
func (h *history) GetLine(i int) (string, error) {
	if i < 0 || i >= len(h.entries) {
		return "", fmt.Errorf("there is no entry %d", i)
	}
	return h.entries[i], nil
}

// Len returns the number of entries.
func (h *history) Len() int { return len(h.entries) }

// Dump returns all entries.
func (h *history) Dump() any { return h.entries }
