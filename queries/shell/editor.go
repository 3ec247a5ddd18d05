package shell

import (
	"strings"

	"github.com/reeflective/readline"
)

// editor is the line editor with our prompts, completion and history. People's
// own inputrc is read, and goes before what is set here only where it binds
// keys.
func (s *shell) editor(past *history) *readline.Shell {
	e := readline.NewShell()
	e.Prompt.Primary(func() string { return "sllmq> " })
	e.Prompt.Secondary(func() string { return "  ...> " })
	e.AcceptMultiline = func(line []rune) bool { return complete(string(line)) }
	e.Completer = s.completions
	for option, value := range map[string]any{
		"menu-complete-display-prefix": true, // list before choosing
		"completion-ignore-case":       true,
	} {
		// It fails only for an option that is not there.
		_ = e.Config.Set(option, value)
	}
	if past != nil {
		e.History.Delete()
		e.History.Add("history", past)
	}
	return e
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
