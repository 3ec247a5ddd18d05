#include <stdint.h>

// sllmq_rows computes out[i*stride + r] = w[r] · x[i] for the rows begin to end
// (exclusive) of a matrix and for n vectors of cols values that follow one
// another in x. kind is elementKind of weights.go. plain is not 0 to leave out
// what only some processors have.
void sllmq_rows(const void *w, int32_t kind, int64_t cols, int64_t begin, int64_t end,
                const float *x, int64_t n, float *out, int64_t stride, int32_t plain);
