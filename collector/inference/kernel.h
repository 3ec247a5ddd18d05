#include <stdint.h>

// Implementations of products, by instruction set.
enum { SLLMQ_PLAIN, SLLMQ_AVX2, SLLMQ_AVX512, SLLMQ_NEON };

// sllmq_best returns the best implementation for this processor.
int32_t sllmq_best(void);

// sllmq_rows computes out[i*stride + r] = w[r] · x[i] for rows begin to end
// (exclusive) of a matrix with cols columns, and for the n vectors of cols values
// in x. kind is an elementKind of weights.go; the processor must support the
// implementation kernel.
void sllmq_rows(const void *w, int32_t kind, int64_t cols, int64_t begin, int64_t end,
                const float *x, int64_t n, float *out, int64_t stride, int32_t kernel);
