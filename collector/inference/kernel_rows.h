// Products for one instruction set. kernel.c includes this file once for each,
// with these macros:
//   NAME(x)                   x with a suffix for the instruction set
//   TARGET                    the attribute that enables the instruction set
//   VEC, LANES                a vector of floats, and their number
//   ZERO(), SUM(v)            a vector of zeros; the sum of a vector
//   MULTIPLY_ADD(a, b, sum)   sum + a · b
//   LOAD(p)                   floats from unaligned memory
//   WIDEN(row, kind, c)       weights from column c on, converted to floats

#define INLINE TARGET __attribute__((always_inline)) static inline

// One row times one vector. Four independent sums hide the latency.
INLINE float NAME(dot1)(const uint8_t *row, int32_t kind, int64_t cols, const float *x) {
  VEC s[4] = {ZERO(), ZERO(), ZERO(), ZERO()};
  int64_t c = 0;
  for (; c + 4 * LANES <= cols; c += 4 * LANES) {
    __builtin_prefetch(row + (kind == 0 ? 4 : 2) * c + 1024);
    for (int i = 0; i < 4; i++) {
      s[i] = MULTIPLY_ADD(WIDEN(row, kind, c + i * LANES), LOAD(x + c + i * LANES), s[i]);
    }
  }
  for (; c + LANES <= cols; c += LANES) {
    s[0] = MULTIPLY_ADD(WIDEN(row, kind, c), LOAD(x + c), s[0]);
  }
  float sum = (SUM(s[0]) + SUM(s[1])) + (SUM(s[2]) + SUM(s[3]));
  for (; c < cols; c++) {
    sum += element(row, kind, c) * x[c];
  }
  return sum;
}

// One row times four vectors, which widens each weight once.
INLINE void NAME(dot4)(const uint8_t *row, int32_t kind, int64_t cols, const float *x, float *out, int64_t stride) {
  VEC s[4] = {ZERO(), ZERO(), ZERO(), ZERO()};
  int64_t c = 0;
  for (; c + LANES <= cols; c += LANES) {
    VEC w = WIDEN(row, kind, c);
    for (int i = 0; i < 4; i++) {
      s[i] = MULTIPLY_ADD(w, LOAD(x + i * cols + c), s[i]);
    }
  }
  for (int i = 0; i < 4; i++) {
    float sum = SUM(s[i]);
    for (int64_t k = c; k < cols; k++) {
      sum += element(row, kind, k) * x[i * cols + k];
    }
    out[i * stride] = sum;
  }
}

INLINE void NAME(rows_of)(const uint8_t *w, int32_t kind, int64_t cols, int64_t begin, int64_t end,
                          const float *x, int64_t n, float *out, int64_t stride) {
  int64_t size = kind == 0 ? 4 : 2;
  for (int64_t r = begin; r < end; r++) {
    const uint8_t *row = w + r * cols * size;
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
      NAME(dot4)(row, kind, cols, x + i * cols, out + i * stride + r, stride);
    }
    for (; i < n; i++) {
      out[i * stride + r] = NAME(dot1)(row, kind, cols, x + i * cols);
    }
  }
}

// The kind is a constant in each call, so that no loop tests it.
TARGET static void NAME(rows)(const uint8_t *w, int32_t kind, int64_t cols, int64_t begin, int64_t end,
                              const float *x, int64_t n, float *out, int64_t stride) {
  switch (kind) {
  case 0:
    NAME(rows_of)(w, 0, cols, begin, end, x, n, out, stride);
    return;
  case 1:
    NAME(rows_of)(w, 1, cols, begin, end, x, n, out, stride);
    return;
  }
  NAME(rows_of)(w, 2, cols, begin, end, x, n, out, stride);
}

#undef INLINE
#undef NAME
#undef TARGET
#undef VEC
#undef LANES
#undef ZERO
#undef SUM
#undef MULTIPLY_ADD
#undef LOAD
#undef WIDEN
