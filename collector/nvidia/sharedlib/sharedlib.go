// Package sharedlib opens C libraries at run time and binds their functions to Go
// ones, so that a program that can use a library builds and runs without it.
//
// Calling a function that an older library lacks does not crash: it returns
// Missing.
package sharedlib

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/ebitengine/purego"

	"github.com/sllmq/sllmq/internal/text"
)

// Missing is the result of a bound function that its library lacks.
const Missing int32 = math.MinInt32

// ErrNotFound means that no such library can be opened.
var ErrNotFound = errors.New("library not found")

// Library is an open library. It stays open until the process ends: drivers
// start threads of their own that do not survive unloading.
type Library struct {
	name   string
	handle uintptr
}

// Open opens the first of the names that it can: a path, or a file name that the
// dynamic linker searches for.
func Open(names ...string) (*Library, error) {
	var first error
	for _, name := range names {
		handle, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_LOCAL)
		if err == nil {
			return &Library{name, handle}, nil
		}
		// The linker's message for the first name is the one to report, unless a
		// later library exists and is broken.
		if first == nil || !strings.Contains(err.Error(), "No such file") {
			first = err
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrNotFound, text.OneLine(first.Error()))
}

// Name returns the name that opened the library.
func (l *Library) Name() string { return l.name }

// Handle returns the library's handle, for dlsym(3).
func (l *Library) Handle() uintptr { return l.handle }

// Has reports whether the library has a function.
func (l *Library) Has(symbol string) bool {
	_, err := purego.Dlsym(l.handle, symbol)
	return err == nil
}

// Bind fills a struct of functions. Each field's tag `c` names a C function,
// including its version in the library; the field's type must match that
// function, and return an integer or nothing.
func (l *Library) Bind(functions any) {
	v := reflect.ValueOf(functions).Elem()
	for i := range v.NumField() {
		field := v.Field(i)
		address, err := purego.Dlsym(l.handle, v.Type().Field(i).Tag.Get("c"))
		if err != nil {
			field.Set(reflect.MakeFunc(field.Type(), missing(field.Type())))
			continue
		}
		purego.RegisterFunc(field.Addr().Interface(), address)
	}
}

// missing replaces a function that the library lacks.
func missing(t reflect.Type) func([]reflect.Value) []reflect.Value {
	return func([]reflect.Value) []reflect.Value {
		if t.NumOut() == 0 {
			return nil
		}
		result := reflect.New(t.Out(0)).Elem()
		if result.CanInt() {
			result.SetInt(int64(Missing))
		}
		return []reflect.Value{result}
	}
}
