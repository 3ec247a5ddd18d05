package checkpoint

import "context"

// source is where the bytes of a model come from. It is read by several
// goroutines at once.
type source interface {
	// tensors lists the model's tensors in the order in which they are best
	// written and read.
	tensors() []spec
	// fill writes into dst the bytes of the numbered tensor from off on.
	fill(dst []byte, tensor int, off int64) error
	// check is asked once all has been read, and refuses what changed meanwhile.
	check(ctx context.Context) error
	close() error
}

// spec is a tensor that has no place on disk yet.
type spec struct {
	name          string
	dtype         DType
	shape, stride []int64
	size          int64 // bytes
	tiedTo        int   // the earlier tensor whose bytes these are, or -1
}

// sidecar is a small file that goes along with the tensors, such as
// config.json.
type sidecar struct {
	name string
	size int64
	path string // what to copy, or
	data []byte // what to write
}
