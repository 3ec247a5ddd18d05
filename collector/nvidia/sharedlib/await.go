package sharedlib

import "context"

// Await calls f and returns its result, or the error of ctx as soon as that is
// done. C code can't be interrupted: f then runs on, and its result is lost. It is
// for calls that may take seconds, such as starting a driver, in a program that is
// about to end.
func Await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var zero T
		return zero, ctx.Err()
	}
}
