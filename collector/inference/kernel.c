// The products of weights and activations, in which a generation spends its
// time. Decoding reads every weight once a token, so that it is bound by the
// memory; what counts is that widening keeps up with it.

#include "kernel.h"

#include <string.h>

static float half_to_float(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31, fraction = h & 0x3ff, bits;
  if (exponent == 0) {
    float f = (float)fraction * 0x1p-24f;
    memcpy(&bits, &f, 4);
    bits |= sign;
  } else if (exponent == 31) {
    bits = sign | 0x7f800000 | fraction << 13;
  } else {
    bits = sign | (exponent + 112) << 23 | fraction << 13;
  }
  float out;
  memcpy(&out, &bits, 4);
  return out;
}

static float element(const uint8_t *w, int32_t kind, int64_t i) {
  uint32_t bits;
  uint16_t h;
  float f;
  switch (kind) {
  case 0:
    memcpy(&f, w + 4 * i, 4);
    return f;
  case 1:
    memcpy(&h, w + 2 * i, 2);
    return half_to_float(h);
  }
  memcpy(&h, w + 2 * i, 2);
  bits = (uint32_t)h << 16;
  memcpy(&f, &bits, 4);
  return f;
}

static void rows_plain(const uint8_t *w, int32_t kind, int64_t cols, int64_t begin, int64_t end,
                       const float *x, int64_t n, float *out, int64_t stride) {
  int64_t size = kind == 0 ? 4 : 2;
  for (int64_t r = begin; r < end; r++) {
    const uint8_t *row = w + r * cols * size;
    for (int64_t i = 0; i < n; i++) {
      // Several sums, so that the additions need not wait for one another.
      float sum[4] = {0, 0, 0, 0};
      for (int64_t c = 0; c < cols; c++) {
        sum[c & 3] += element(row, kind, c) * x[i * cols + c];
      }
      out[i * stride + r] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    }
  }
}

#if defined(__x86_64__)
#include <immintrin.h>

#define WIDE __attribute__((target("avx2,fma,f16c"), always_inline)) static inline

WIDE __m256 load8(const uint8_t *row, int32_t kind, int64_t c) {
  if (kind == 0) {
    return _mm256_loadu_ps((const float *)(row + 4 * c));
  }
  __m128i h = _mm_loadu_si128((const __m128i *)(row + 2 * c));
  if (kind == 1) {
    return _mm256_cvtph_ps(h);
  }
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}

WIDE float total(__m256 v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  s = _mm_add_ss(s, _mm_movehdup_ps(s));
  return _mm_cvtss_f32(s);
}

// One row by one vector: four sums in flight hide the multiplier's latency.
WIDE float dot1(const uint8_t *row, int32_t kind, int64_t cols, const float *x) {
  __m256 a = _mm256_setzero_ps(), b = a, d = a, e = a;
  int64_t c = 0;
  for (; c + 32 <= cols; c += 32) {
    _mm_prefetch((const char *)row + (kind == 0 ? 4 : 2) * c + 1024, _MM_HINT_T0);
    a = _mm256_fmadd_ps(load8(row, kind, c), _mm256_loadu_ps(x + c), a);
    b = _mm256_fmadd_ps(load8(row, kind, c + 8), _mm256_loadu_ps(x + c + 8), b);
    d = _mm256_fmadd_ps(load8(row, kind, c + 16), _mm256_loadu_ps(x + c + 16), d);
    e = _mm256_fmadd_ps(load8(row, kind, c + 24), _mm256_loadu_ps(x + c + 24), e);
  }
  for (; c + 8 <= cols; c += 8) {
    a = _mm256_fmadd_ps(load8(row, kind, c), _mm256_loadu_ps(x + c), a);
  }
  float sum = total(_mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(d, e)));
  for (; c < cols; c++) {
    sum += element(row, kind, c) * x[c];
  }
  return sum;
}

// One row by four vectors: each weight is widened once for all of them.
WIDE void dot4(const uint8_t *row, int32_t kind, int64_t cols, const float *x, float *out, int64_t stride) {
  __m256 s[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
  int64_t c = 0;
  for (; c + 8 <= cols; c += 8) {
    __m256 w = load8(row, kind, c);
    for (int i = 0; i < 4; i++) {
      s[i] = _mm256_fmadd_ps(w, _mm256_loadu_ps(x + i * cols + c), s[i]);
    }
  }
  for (int i = 0; i < 4; i++) {
    float sum = total(s[i]);
    for (int64_t k = c; k < cols; k++) {
      sum += element(row, kind, k) * x[i * cols + k];
    }
    out[i * stride] = sum;
  }
}

WIDE void rows_of(const uint8_t *w, int32_t kind, int64_t cols, int64_t begin, int64_t end,
                  const float *x, int64_t n, float *out, int64_t stride) {
  int64_t size = kind == 0 ? 4 : 2;
  for (int64_t r = begin; r < end; r++) {
    const uint8_t *row = w + r * cols * size;
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
      dot4(row, kind, cols, x + i * cols, out + i * stride + r, stride);
    }
    for (; i < n; i++) {
      out[i * stride + r] = dot1(row, kind, cols, x + i * cols);
    }
  }
}

// The kind is a constant in each, so that no loop asks for it.
__attribute__((target("avx2,fma,f16c"))) static void rows_avx2(const uint8_t *w, int32_t kind, int64_t cols, int64_t begin, int64_t end,
                                                               const float *x, int64_t n, float *out, int64_t stride) {
  switch (kind) {
  case 0:
    rows_of(w, 0, cols, begin, end, x, n, out, stride);
    return;
  case 1:
    rows_of(w, 1, cols, begin, end, x, n, out, stride);
    return;
  }
  rows_of(w, 2, cols, begin, end, x, n, out, stride);
}
#endif

void sllmq_rows(const void *w, int32_t kind, int64_t cols, int64_t begin, int64_t end,
                const float *x, int64_t n, float *out, int64_t stride, int32_t plain) {
#if defined(__x86_64__)
  if (!plain && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c")) {
    rows_avx2(w, kind, cols, begin, end, x, n, out, stride);
    return;
  }
#endif
  rows_plain(w, kind, cols, begin, end, x, n, out, stride);
}
