package main

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// screen is what a terminal shows of what is printed on it, as far as the shell
// goes.
type screen struct {
	rows     [][]rune
	row, col int
	width    int
	gone     []string // what scrolled off the top
	asked    int      // how often it was asked where the cursor is
	unknown  []string
	rest     string // of a command that is not whole yet
}

func newScreen(rows, width int) *screen {
	s := &screen{width: width}
	for range rows {
		s.rows = append(s.rows, s.blank())
	}
	return s
}

func (s *screen) blank() []rune { return []rune(strings.Repeat(" ", s.width)) }

// control is a terminal's command: its parameters and its letter, or one letter
// behind Escape.
var control = regexp.MustCompile(`^\x1b(?:\[([0-9;?]*)[ -/]*([@-~])|([^\[]))`)

// Write shows text.
func (s *screen) Write(text []byte) (int, error) {
	rest := s.rest + string(text)
	for s.rest = ""; rest != ""; {
		if rest[0] == '\x1b' {
			found := control.FindStringSubmatch(rest)
			if found == nil {
				s.rest = rest
				break
			}
			s.command(found[1], found[2]+found[3])
			rest = rest[len(found[0]):]
			continue
		}
		letter, size := rune(rest[0]), 1
		for _, r := range rest {
			letter, size = r, len(string(r))
			break
		}
		s.letter(letter)
		rest = rest[size:]
	}
	return len(text), nil
}

func (s *screen) letter(r rune) {
	switch r {
	case '\r':
		s.col = 0
	case '\n':
		s.index()
	case '\a':
	default:
		if s.col == s.width { // a row that is full goes on in the next with the next letter
			s.col = 0
			s.index()
		}
		s.rows[s.row][s.col] = r
		s.col++
	}
}

// index goes a row down, and scrolls at the last.
func (s *screen) index() {
	if s.row++; s.row == len(s.rows) {
		s.row--
		s.gone = append(s.gone, strings.TrimRight(string(s.rows[0]), " "))
		s.rows = append(s.rows[1:], s.blank())
	}
}

func (s *screen) command(parameters, letter string) {
	n, err := strconv.Atoi(parameters)
	if err != nil {
		n = 0
	}
	by := max(n, 1)
	switch letter {
	case "A":
		s.row = max(0, s.row-by)
	case "B":
		s.row = min(len(s.rows)-1, s.row+by)
	case "C":
		s.col = min(s.width-1, s.col+by)
	case "D":
		if parameters == "" {
			s.index() // ESC D; the editor always says how far left it goes
			return
		}
		s.col = max(0, s.col-by)
	case "J":
		for row := s.row + 1; row < len(s.rows); row++ {
			s.rows[row] = s.blank()
		}
		s.clear(s.col, s.width)
	case "K":
		if n == 1 {
			s.clear(0, s.col+1)
		} else {
			s.clear(s.col, s.width)
		}
	case "n":
		s.asked++
	case "m", "h", "l", "q", "=", ">":
	default:
		s.unknown = append(s.unknown, parameters+letter)
	}
}

func (s *screen) clear(from, to int) {
	for col := from; col < min(to, s.width); col++ {
		s.rows[s.row][col] = ' '
	}
}

// lines are all that was ever shown, and stands.
func (s *screen) lines() []string {
	all := append([]string{}, s.gone...)
	for _, row := range s.rows {
		all = append(all, strings.TrimRight(string(row), " "))
	}
	return all
}

// Keys are typed while the terminal is slow to say where its cursor is, at the
// bottom of a low screen. Nothing of either is lost, with menus and searches
// between.
func TestShellKeepsKeysAndOutput(t *testing.T) {
	b := shellHome(t)
	b.write("inputrc", "")
	s := b.shellOn(12, 60, 50*time.Millisecond)
	slowly := func(keys string) {
		for _, key := range keys {
			s.press(string(key))
			time.Sleep(30 * time.Millisecond)
		}
	}
	s.enter("select 'row ' || range as r from range(14);", "row 13")
	slowly("select 'who' || 'le' as typed_on_a_line_that_is_longer_than_it;\r")
	s.expect("whole")
	s.expect(prompt)
	slowly("select 'sec'\r|| 'ond' -- on\r as lines\r;\r")
	s.expect("second")
	s.expect(prompt)
	s.press("select " + tab)
	s.expect("more completion rows")
	s.cancel()
	s.press(ctrlR + "row")
	s.expect("inc-search): row_")
	s.press(ctrlC)
	s.enter("select 'th' || 'ird' as x;", "third")
	slowly(ctrlP + ctrlP + "\x1b[D\x1b[D_of_text\r") // into the line before the last
	s.expect("second")
	s.expect(prompt)
	s.leave()
	if got := strings.TrimSpace(strings.Join(s.shown.lines(), "\n")); got != wholeScreen {
		t.Errorf("the terminal shows\n%s\nwant\n%s", got, wholeScreen)
	}
	if len(s.shown.unknown) > 0 {
		t.Errorf("commands of terminals that the test does not know: %q", s.shown.unknown)
	}
}

const wholeScreen = `sllmq.duckdb (read-only). Type .help
sllmq> select 'row ' || range as r from range(14);
r
------
row 0
row 1
row 2
row 3
row 4
row 5
row 6
row 7
row 8
row 9
row 10
row 11
row 12
row 13
sllmq> select 'who' || 'le' as typed_on_a_line_that_is_longe
r_than_it;
typed_on_a_line_that_is_longer_than_it
--------------------------------------
whole
sllmq> select 'sec'
       || 'ond' -- on
        as lines
       ;
lines
------
second
sllmq> select ^C
sllmq> select 'th' || 'ird' as x;
x
-----
third
sllmq> select 'sec'
       || 'ond' -- on
        as lines_of_text
       ;
lines_of_text
-------------
second
sllmq>`
