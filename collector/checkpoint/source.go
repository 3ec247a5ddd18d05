package checkpoint

import "context"

// source provides the tensors of a model. Several goroutines call fill at once.
type source interface {
	// tensors returns the model's tensors in the best order to write and read
	// them.
	tensors() []spec
	// fill fills dst with bytes of a tensor, an index into tensors, from byte off.
	fill(dst []byte, tensor int, off int64) error
	// check is called after the last fill. It returns an error if the model
	// changed in the meantime.
	check(ctx context.Context) error
	close() error
}

// spec is a tensor without a position on disk.
type spec struct {
	name          string
	dtype         DType
	shape, stride []int64
	size          int64 // bytes
	tiedTo        int   // the tensor with the same bytes, or -1
}
