package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
)

// tokenFlag would show the token to every user of the machine for as long as
// the program runs, and to the warehouse, which keeps command lines.
const tokenFlag = "--hf-token"

// moveToken starts the program anew with the token in its environment if it
// stands on the command line, and returns if it does not.
func moveToken(args, environment []string) error {
	rest, token, found := cutToken(args)
	if !found {
		return nil
	}
	if token == "" {
		return errors.New(tokenFlag + " has no value")
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program, to hide the token: %w", err)
	}
	// Of two variables of a name the first counts.
	environment = slices.DeleteFunc(slices.Clone(environment), func(v string) bool { return strings.HasPrefix(v, "HF_TOKEN=") })
	return fmt.Errorf("start anew, to hide the token: %w", syscall.Exec(self, rest, append(environment, "HF_TOKEN="+token)))
}

// cutToken takes the token out of a command line.
func cutToken(args []string) (rest []string, token string, found bool) {
	for i := 0; i < len(args); i++ {
		if value, ok := strings.CutPrefix(args[i], tokenFlag+"="); ok {
			token, found = value, true
			continue
		}
		if args[i] == "--" {
			return append(rest, args[i:]...), token, found
		}
		if args[i] != tokenFlag {
			rest = append(rest, args[i])
			continue
		}
		found = true
		if i+1 < len(args) {
			i++
			token = args[i]
		}
	}
	return rest, token, found
}
