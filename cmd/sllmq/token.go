package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
)

// tokenFlag on a command line would show the token to every user of the machine
// while the program runs, and store it in the warehouse, which keeps command lines.
const tokenFlag = "--hf-token"

// moveToken restarts the program with the token in its environment if it is on the
// command line, and returns otherwise.
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
		return fmt.Errorf("hide the token: find this program: %w", err)
	}
	// The first of two variables with the same name counts.
	environment = slices.DeleteFunc(slices.Clone(environment), func(v string) bool { return strings.HasPrefix(v, "HF_TOKEN=") })
	return fmt.Errorf("hide the token: restart: %w", syscall.Exec(self, rest, append(environment, "HF_TOKEN="+token)))
}

// cutToken removes the token from a command line.
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
