package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/sllmq/sllmq/collector"
)

// Every flag in the table is collect's, every field a request's, and no field
// with choices or limits is missing.
func TestFieldsOfARequestHaveFlags(t *testing.T) {
	flags := newCollectCommand(&environment{getenv: func(string) string { return "" }}).Flags()
	request := reflect.TypeFor[collector.Request]()
	for field, flag := range flagOf {
		if _, ok := request.FieldByName(field); !ok {
			t.Errorf("a request has no %s", field)
		}
		if flags.Lookup(flag) == nil {
			t.Errorf("collect has no --%s", flag)
		}
	}
	for field := range collector.Choices() {
		if flagOf[field] == "" {
			t.Errorf("%s has choices and no flag", field)
		}
	}
	q := collector.DefaultRequest()
	q.Replicas = 0
	if got := nameFlag(q.Validate()).Error(); !strings.HasPrefix(got, "--num-replicas: 0 is not between") {
		t.Error(got)
	}
}
