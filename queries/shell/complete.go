package shell

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reeflective/readline"

	"github.com/sllmq/sllmq/queries"
)

// candidate is a word that may complete the one at the cursor.
type candidate struct{ word, about string }

// keywords are those that begin clauses, and common functions.
func keywords() []string {
	return []string{
		"select", "from", "where", "group by", "group by all", "order by", "order by all", "having", "qualify", "limit", "join", "left join",
		"using", "on", "with", "as", "distinct", "filter", "over", "partition by", "window", "union all", "case", "when", "then", "else", "end",
		"and", "or", "not", "is null", "is not null", "like", "ilike", "between", "exists", "asc", "desc", "nulls last", "describe", "summarize",
		"show tables", "explain", "explain analyze", "pivot", "unpivot", "exclude", "replace",
		"count", "sum", "avg", "median", "min", "max", "stddev", "quantile_cont", "any_value", "round", "date_trunc", "coalesce",
	}
}

// completions returns the line editor's completions of the word before the
// cursor, and their number.
func (s *shell) completions(line []rune, cursor int) (readline.Completions, int) {
	before := string(line[:min(cursor, len(line))])
	candidates, word := s.candidates(before)
	var values []string
	for _, c := range candidates {
		values = append(values, c.word, c.about)
	}
	completions := readline.CompleteValuesDescribed(values...)
	// Without a word to complete, the editor would replace all back to a space.
	if completions.PREFIX = word; word == "" && before != "" && !strings.HasSuffix(before, " ") {
		last := before[len(before)-1:]
		completions = completions.Prefix(last)
		completions.PREFIX = last
	}
	return completions, len(candidates)
}

// candidates returns what may complete a text, and the part of it that is there.
func (s *shell) candidates(before string) (list []candidate, word string) {
	if line := strings.TrimLeft(before, " "); strings.HasPrefix(line, ".") {
		return s.commandCandidates(line)
	}
	_, rest := Split(before)
	word = lastName(rest)
	list = s.sqlCandidates(rest, strings.HasSuffix(strings.TrimSuffix(rest, word), "."))
	return startingWith(list, word), word
}

// startingWith keeps the candidates that begin with a word, ignoring case.
func startingWith(list []candidate, word string) []candidate {
	return slices.DeleteFunc(list, func(c candidate) bool {
		return len(c.word) < len(word) || !strings.EqualFold(c.word[:len(word)], word)
	})
}

// lastName returns the name at the end of a text.
func lastName(text string) string {
	i := len(text)
	for i > 0 && inName(text[i-1]) {
		i--
	}
	return text[i:]
}

func (s *shell) commandCandidates(line string) (list []candidate, word string) {
	name, argument, argued := strings.Cut(line, " ")
	if !argued {
		for _, c := range commands() {
			list = append(list, candidate{"." + c.name, c.does})
		}
		return startingWith(list, name), name
	}
	word = argument[strings.LastIndex(argument, " ")+1:]
	for _, c := range commands() {
		switch {
		case "."+c.name != name:
		case c.arguments == "FILE":
			list = files(word)
		case c.complete != nil && word == argument:
			for _, v := range c.complete(s) {
				list = append(list, candidate{word: v})
			}
		}
	}
	return startingWith(list, word), word
}

// files returns the files whose paths begin with a word.
func files(word string) (list []candidate) {
	folder, _ := filepath.Split(word)
	entries, err := os.ReadDir(filepath.Clean("./" + folder))
	if filepath.IsAbs(word) {
		entries, err = os.ReadDir(folder)
	}
	if err != nil {
		return nil
	}
	for _, e := range entries {
		path := folder + e.Name()
		if e.IsDir() {
			path += "/"
		}
		list = append(list, candidate{word: path})
	}
	return list
}

// sqlCandidates returns the columns of the tables that a statement names, or of
// all if it names none, then tables and keywords; after a dot, columns only.
func (s *shell) sqlCandidates(statement string, dotted bool) []candidate {
	named := slices.DeleteFunc(slices.Clone(s.tables), func(t queries.Table) bool { return !mentions(statement, t.Name) })
	if len(named) == 0 {
		named = s.tables
	}
	var list []candidate
	seen := map[string]bool{}
	for _, t := range named {
		for _, c := range t.Columns {
			if !seen[c.Name] {
				seen[c.Name] = true
				list = append(list, candidate{word: c.Name})
			}
		}
	}
	if dotted {
		return list
	}
	for _, t := range s.tables {
		list = append(list, candidate{word: t.Name})
	}
	for _, k := range keywords() {
		list = append(list, candidate{word: k})
	}
	return list
}

// mentions reports whether a text has a name as a whole word.
func mentions(text, name string) bool {
	for rest := text; ; {
		at := strings.Index(rest, name)
		if at < 0 {
			return false
		}
		before, after := rest[:at], rest[at+len(name):]
		if (before == "" || !inName(before[len(before)-1])) && (after == "" || !inName(after[0])) {
			return true
		}
		rest = after
	}
}
