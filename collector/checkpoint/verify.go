package checkpoint

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/cespare/xxhash/v2"
)

// verifyStep is how many bytes are read between checks of the context.
const verifyStep = 4 << 20

// Verify reads every tensor of the replica in dir and compares its Checksum
// with that of the source. A difference is an error that wraps ErrCorrupt.
func Verify(ctx context.Context, dir string) error {
	m, err := readManifest(dir)
	if err != nil {
		return err
	}
	c, err := Open(dir, m.Recipe.Format)
	if err != nil {
		return err
	}
	if len(c.Tensors) != len(m.Tensors) {
		return fmt.Errorf("verify %s: %w", dir, corrupt("it has %d tensors and its manifest %d: prepare the replica again", len(c.Tensors), len(m.Tensors)))
	}
	v := verifier{buf: make([]byte, verifyStep)}
	defer v.close()
	for _, t := range c.Tensors {
		want, ok := m.Tensors[t.Name]
		if !ok {
			return fmt.Errorf("verify %s: %w", dir, corrupt("tensor %q is not in its manifest: prepare the replica again", clip(t.Name)))
		}
		got, err := v.sum(ctx, c.Path(t.File), t)
		if err != nil {
			return err
		}
		if got != uint64(want) {
			return fmt.Errorf("verify %s: %w", c.Path(t.File), corrupt("tensor %q has checksum %016x instead of %016x: prepare the replica again", clip(t.Name), got, uint64(want)))
		}
	}
	return nil
}

// verifier reads tensors with one file open at a time.
type verifier struct {
	buf    []byte
	f      *os.File
	digest xxhash.Digest
}

// sum returns the checksum of a tensor in the file at path.
func (v *verifier) sum(ctx context.Context, path string, t Tensor) (uint64, error) {
	if v.f == nil || v.f.Name() != path {
		v.close()
		f, err := os.Open(path)
		if err != nil {
			return 0, fmt.Errorf("verify: %w", err)
		}
		v.f = f
	}
	v.digest.Reset()
	for at, end := t.Offset, t.Offset+t.Size; at < end; {
		if err := ctx.Err(); err != nil {
			return 0, fmt.Errorf("verify %s: %w", path, err)
		}
		part := v.buf[:min(verifyStep, end-at)]
		if _, err := io.ReadFull(io.NewSectionReader(v.f, at, int64(len(part))), part); err != nil {
			return 0, fmt.Errorf("verify %s: %w", path, readAtError(err, at))
		}
		dropPages(v.f, at, int64(len(part)))
		if _, err := v.digest.Write(part); err != nil {
			return 0, fmt.Errorf("verify %s: %w", path, err)
		}
		at += int64(len(part))
	}
	return v.digest.Sum64(), nil
}

func (v *verifier) close() {
	if v.f != nil {
		v.f.Close()
	}
}
