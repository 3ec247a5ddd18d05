package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// measure imports a run of made-up loading times, as raw results of the
// reference benchmark: measure MACHINE MODEL FORMAT AT TAG SESSION... where TAG
// is KEY=VALUE, AT is when it was measured, either of them may be -, and SESSION
// is its loading times in seconds, as in 1.0,1.01.
func measure(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 6 {
		ts.Fatalf("usage: measure MACHINE MODEL FORMAT AT TAG SESSION...")
	}
	machine, model, format, at, tag := args[0], args[1], args[2], args[3], args[4]
	command := []string{"import", "--machine", machine}
	if at != "-" {
		command = append(command, "--at", at)
	}
	if tag != "-" {
		command = append(command, "--tag", tag)
	}
	dir, err := os.MkdirTemp(ts.MkAbs("."), "measured")
	ts.Check(err)
	for i, session := range args[5:] {
		type result struct {
			Model   string  `json:"model_name"`
			Seconds float64 `json:"loading_time"`
		}
		var results []result
		for replica, text := range strings.Split(session, ",") {
			seconds, err := strconv.ParseFloat(text, 64)
			ts.Check(err)
			results = append(results, result{fmt.Sprintf("%s_%d", model, replica), seconds})
		}
		content, err := json.Marshal(results)
		ts.Check(err)
		name := fmt.Sprintf("%s_%s_%d_random.json", strings.ReplaceAll(model, "/", "_"), format, len(results))
		file := filepath.Join(dir, strconv.Itoa(i), name)
		ts.Check(os.MkdirAll(filepath.Dir(file), 0o755))
		ts.Check(os.WriteFile(file, content, 0o644))
		command = append(command, file)
	}
	ts.Check(ts.Exec("sllmq", command...))
}
