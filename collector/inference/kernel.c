// Products of weights and activations, which take most of a generation's time.
// Decoding reads every weight once per token, so memory bandwidth is the limit
// as long as widening keeps up with it.

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
      // Independent sums, so that additions do not wait for each other.
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

#define TARGET __attribute__((target("avx2,fma,f16c")))

TARGET static inline __m256 widen_avx2(const uint8_t *row, int32_t kind, int64_t c) {
  if (kind == 0) {
    return _mm256_loadu_ps((const float *)(row + 4 * c));
  }
  __m128i h = _mm_loadu_si128((const __m128i *)(row + 2 * c));
  if (kind == 1) {
    return _mm256_cvtph_ps(h);
  }
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}

TARGET static inline float sum_avx2(__m256 v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  s = _mm_add_ss(s, _mm_movehdup_ps(s));
  return _mm_cvtss_f32(s);
}

#define NAME(x) x##_avx2
#define VEC __m256
#define LANES 8
#define ZERO() _mm256_setzero_ps()
#define SUM(v) sum_avx2(v)
#define MULTIPLY_ADD(a, b, sum) _mm256_fmadd_ps(a, b, sum)
#define LOAD(p) _mm256_loadu_ps(p)
#define WIDEN(row, kind, c) widen_avx2(row, kind, c)
#include "kernel_rows.h"

#define TARGET __attribute__((target("avx512f")))

TARGET static inline __m512 widen_avx512(const uint8_t *row, int32_t kind, int64_t c) {
  if (kind == 0) {
    return _mm512_loadu_ps((const float *)(row + 4 * c));
  }
  __m256i h = _mm256_loadu_si256((const __m256i *)(row + 2 * c));
  if (kind == 1) {
    return _mm512_cvtph_ps(h);
  }
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}

#define NAME(x) x##_avx512
#define VEC __m512
#define LANES 16
#define ZERO() _mm512_setzero_ps()
#define SUM(v) _mm512_reduce_add_ps(v)
#define MULTIPLY_ADD(a, b, sum) _mm512_fmadd_ps(a, b, sum)
#define LOAD(p) _mm512_loadu_ps(p)
#define WIDEN(row, kind, c) widen_avx512(row, kind, c)
#include "kernel_rows.h"

#elif defined(__aarch64__)
#include <arm_neon.h>

// Every aarch64 processor has NEON, including conversion from float16.
static inline float32x4_t widen_neon(const uint8_t *row, int32_t kind, int64_t c) {
  if (kind == 0) {
    return vreinterpretq_f32_u8(vld1q_u8(row + 4 * c));
  }
  uint16x4_t h = vreinterpret_u16_u8(vld1_u8(row + 2 * c));
  if (kind == 1) {
    return vcvt_f32_f16(vreinterpret_f16_u16(h));
  }
  return vreinterpretq_f32_u32(vshll_n_u16(h, 16));
}

#define TARGET
#define NAME(x) x##_neon
#define VEC float32x4_t
#define LANES 4
#define ZERO() vdupq_n_f32(0)
#define SUM(v) vaddvq_f32(v)
#define MULTIPLY_ADD(a, b, sum) vfmaq_f32(sum, a, b)
#define LOAD(p) vld1q_f32(p)
#define WIDEN(row, kind, c) widen_neon(row, kind, c)
#include "kernel_rows.h"
#endif

int32_t sllmq_best(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) {
    return SLLMQ_AVX512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c")) {
    return SLLMQ_AVX2;
  }
#elif defined(__aarch64__)
  return SLLMQ_NEON;
#endif
  return SLLMQ_PLAIN;
}

void sllmq_rows(const void *w, int32_t kind, int64_t cols, int64_t begin, int64_t end,
                const float *x, int64_t n, float *out, int64_t stride, int32_t kernel) {
  switch (kernel) {
#if defined(__x86_64__)
  case SLLMQ_AVX512:
    rows_avx512(w, kind, cols, begin, end, x, n, out, stride);
    return;
  case SLLMQ_AVX2:
    rows_avx2(w, kind, cols, begin, end, x, n, out, stride);
    return;
#elif defined(__aarch64__)
  case SLLMQ_NEON:
    rows_neon(w, kind, cols, begin, end, x, n, out, stride);
    return;
#endif
  }
  rows_plain(w, kind, cols, begin, end, x, n, out, stride);
}
