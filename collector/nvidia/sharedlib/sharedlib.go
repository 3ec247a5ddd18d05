// Package sharedlib opens C libraries at run time and binds their functions to
// Go ones, so that a program that may use a library builds and runs without it.
//
// A function that an older library lacks is no crash: calling it returns
// Missing.
package sharedlib

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/ebitengine/purego"
)

// Missing is what a bound function returns that its library does not have.
const Missing int32 = math.MinInt32

// ErrNotFound says that no such library can be opened.
var ErrNotFound = errors.New("library is not there")

// Library is an open library. It stays open until the process ends: drivers
// keep threads of their own that do not outlive being unloaded.
type Library struct {
	name   string
	handle uintptr
}

// Open opens the first of the names that can be: a path, or a file's name that
// the dynamic linker looks for.
func Open(names ...string) (*Library, error) {
	var first error
	for _, name := range names {
		handle, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_LOCAL)
		if err == nil {
			return &Library{name, handle}, nil
		}
		// What the linker says of the first is what is wrong, unless a later
		// one is there and broken.
		if first == nil || !strings.Contains(err.Error(), "No such file") {
			first = err
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrNotFound, strings.ReplaceAll(strings.TrimSpace(first.Error()), "\n", ": "))
}

// Name is the name that it was opened by.
func (l *Library) Name() string { return l.name }

// Has says whether the library has a function.
func (l *Library) Has(symbol string) bool {
	_, err := purego.Dlsym(l.handle, symbol)
	return err == nil
}

// Bind fills a struct of functions. Each field's tag `c` is the name of a C
// function, with the version that it has in the library; its Go type must be
// that function's, and return an int32 or nothing at all.
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

// missing stands for a function that the library does not have.
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
