package shell

import (
	"fmt"
	"os"
	"strings"

	"github.com/reeflective/readline"
	"github.com/rivo/uniseg"
	"golang.org/x/term"
)

// The prompts are of one width: that of what stands left of an entry's lines.
const firstPrompt, nextPrompt = "sllmq> ", "  ...> "

// editor is the line editor with our prompts, completion and history. People's
// own inputrc is read, and goes before what is set here only where it binds
// keys.
//
// The editor would ask the terminal before each drawing where the cursor is, and
// drops keys that come with the answer. It is kept from that: it has no need to
// know while there is room on the screen for what it draws, which is made here.
type editor struct {
	*readline.Shell
	asks   bool // may ask where the cursor is
	row    int  // of the cursor, counted from the entry's first
	listed int  // candidates in the last menu
}

// probe is the editor's option to ask where the cursor is.
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
	// It is called before each drawing, with what will be drawn.
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

// set sets an option, which fails only for one that is not there.
func (e *editor) set(option string, value any) { _ = e.Config.Set(option, value) }

// Readline is an entry. Its prompt begins where the cursor is.
func (e *editor) Readline() (string, error) {
	e.row = 0
	return e.Shell.Readline()
}

// makeRoom scrolls the screen until an entry fits on it, with the row below it
// that the editor steps on. Nothing moves against the cursor, which is still
// where the last drawing left it.
func (e *editor) makeRoom(line []rune, cursor int) {
	width, height := screen()
	e.set(probe, e.asks && e.lists(height))
	if below := min(rowsBelow(string(line), width)+1-e.row, height-1); below > 0 {
		fmt.Printf("%s\x1b[%dA", strings.Repeat("\x1bD", below), below) // index, then up
	}
	e.row = rowsBelow(string(line[:min(cursor, len(line))]), width)
}

// lists says that the editor shows what may not fit on the screen: then it has to
// know how many rows there are.
func (e *editor) lists(height int) bool {
	switch e.Keymap.Local() {
	case "isearch": // past entries
		return true
	case "menu-select":
		return e.listed > height-5
	}
	return false
}

// rowsBelow is how many rows of a screen an entry takes below its first.
func rowsBelow(entry string, width int) int {
	rows := strings.Count(entry, "\n")
	for line := range strings.SplitSeq(strings.ReplaceAll(entry, "\t", "     "), "\n") {
		rows += (len(firstPrompt) + uniseg.StringWidth(line)) / width
	}
	return rows
}

// screen is the terminal's size, as the editor takes it.
func screen() (width, height int) {
	width, height, err := term.GetSize(int(os.Stderr.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		return 80, 80
	}
	return width, height
}

// complete says that an entry is whole: nothing, a command, or SQL that ends
// with a semicolon.
func complete(entry string) bool {
	line := strings.TrimSpace(entry)
	if line == "" || strings.HasPrefix(line, ".") {
		return true
	}
	statements, rest := Split(entry)
	return len(statements) > 0 && Blank(rest)
}
