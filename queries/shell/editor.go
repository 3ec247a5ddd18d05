package shell

import (
	"fmt"
	"os"
	"strings"

	"github.com/reeflective/readline"
	"github.com/rivo/uniseg"
	"golang.org/x/term"
)

// The prompts have one width, so that an entry's lines align.
const firstPrompt, nextPrompt = "sllmq> ", "  ...> "

// editor is the line editor with our prompts, completion and history. It reads
// the user's inputrc, which overrides what is set here only for key bindings.
//
// Before each drawing the editor would ask the terminal where the cursor is, and
// it drops keys that arrive with the answer. It need not know while there is room
// on the screen for what it draws, so this type makes room and turns the question
// off.
type editor struct {
	*readline.Shell
	asks   bool // may ask for the cursor's position
	row    int  // of the cursor, counted from the entry's first
	listed int  // candidates in the last menu
}

// probe is the editor's option to ask for the cursor's position.
const probe = "cursor-position-probe"

func (s *shell) editor(past *history) *editor {
	e := &editor{Shell: readline.NewShell()}
	e.Prompt.Primary(func() string { return firstPrompt })
	e.Prompt.Secondary(func() string { return nextPrompt })
	e.AcceptMultiline = func(line []rune) bool { return complete(string(line)) }
	e.Completer = func(line []rune, cursor int) (menu readline.Completions) {
		menu, e.listed = s.completions(line, cursor)
		return menu
	}
	e.asks = e.Config.GetBool(probe)
	// The provider runs before each drawing, with what will be drawn.
	e.Hint.SetProvider(func(line []rune, cursor int) []rune {
		e.makeRoom(line, cursor)
		return nil // there is no hint
	})
	for option, value := range map[string]any{
		"menu-complete-display-prefix": true, // list before choosing
		"completion-ignore-case":       true,
		probe:                          false,
	} {
		e.set(option, value)
	}
	if past != nil {
		e.History.Delete()
		e.History.Add("history", past)
	}
	return e
}

// set sets an option. It fails only for unknown options.
func (e *editor) set(option string, value any) { _ = e.Config.Set(option, value) }

// Readline reads an entry. Its prompt starts at the cursor.
func (e *editor) Readline() (string, error) {
	e.row = 0
	return e.Shell.Readline()
}

// makeRoom scrolls the screen until an entry fits on it, with one row below it,
// which the editor uses. The cursor is still where the last drawing left it.
func (e *editor) makeRoom(line []rune, cursor int) {
	width, height := screen()
	e.set(probe, e.asks && e.lists(height))
	if below := min(rowsBelow(string(line), width)+1-e.row, height-1); below > 0 {
		fmt.Printf("%s\x1b[%dA", strings.Repeat("\x1bD", below), below) // index, then up
	}
	e.row = rowsBelow(string(line[:min(cursor, len(line))]), width)
}

// lists reports whether the editor shows a list that may not fit on the screen,
// so that it needs the cursor's position.
func (e *editor) lists(height int) bool {
	switch e.Keymap.Local() {
	case "isearch": // past entries
		return true
	case "menu-select":
		return e.listed > height-5
	}
	return false
}

// rowsBelow returns how many rows of a screen an entry takes below its first. It
// measures text as the editor does.
func rowsBelow(entry string, width int) int {
	rows := strings.Count(entry, "\n")
	for line := range strings.SplitSeq(strings.ReplaceAll(entry, "\t", "     "), "\n") {
		rows += (len(firstPrompt) + uniseg.StringWidth(line)) / width
	}
	return rows
}

// screen returns the terminal's size, as the editor sees it.
func screen() (width, height int) {
	width, height, err := term.GetSize(int(os.Stderr.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		return 80, 80
	}
	return width, height
}

// complete reports whether an entry is complete: nothing, a command, or SQL that
// ends with a semicolon.
func complete(entry string) bool {
	line := strings.TrimSpace(entry)
	if line == "" || strings.HasPrefix(line, ".") {
		return true
	}
	statements, rest := Split(entry)
	return len(statements) > 0 && Blank(rest)
}
