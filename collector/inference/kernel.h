#include <stdint.h>

// Forms of the product, for what processors have.
enum { SLLMQ_PLAIN, SLLMQ_AVX2, SLLMQ_AVX512, SLLMQ_NEON };

// sllmq_best is the form for this processor.
int32_t sllmq_best(void);

// sllmq_rows computes out[i*stride + r] = w[r] · x[i] for the rows begin to end
// (exclusive) of a matrix and for n vectors of cols values that follow one
// another in x. kind is elementKind of weights.go; the processor has to have
// what kernel asks for.
void sllmq_rows(const void *w, int32_t kind, int64_t cols, int64_t begin, int64_t end,
                const float *x, int64_t n, float *out, int64_t stride, int32_t kernel);
