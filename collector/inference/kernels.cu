// The steps of a program (program.go) on a GPU, compiled at run time by NVRTC.
// Values are float32; sums that cpu.go computes in float64 are float64 here too.
//
// Each kernel works with any grid and any block, even one of a single thread.
// Tests therefore compile the same source for the CPU, where blocks run one
// after another (SLLMQ_ON_CPU).
#ifndef SLLMQ_ON_CPU
typedef unsigned char uint8;
typedef unsigned short uint16;
typedef unsigned int uint32;
typedef unsigned long long uint64;
typedef long long int64;
#define LANES 32
#define KERNEL extern "C" __global__ void
#endif

// Kinds of elements and activations, numbered as in weights.go and program.go.
enum { FLOAT32, FLOAT16, BFLOAT16 };
enum { SILU, GELU_TANH };

__device__ inline float half_to_float(uint16 bits) {
#ifdef SLLMQ_ON_CPU
	return sllmq_half(bits);
#else
	float f;
	asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(bits));
	return f;
#endif
}

__device__ inline float bits_to_float(uint32 bits) {
	union { uint32 u; float f; } v;
	v.u = bits;
	return v.f;
}

__device__ inline float widen(uint16 bits, int kind) {
	return kind == FLOAT16 ? half_to_float(bits) : bits_to_float((uint32)bits << 16);
}

// element returns element i of a weight, which may be unaligned.
__device__ inline float element(const void *w, int kind, int64 i) {
	if (kind == FLOAT32) {
		const float *f = (const float *)w + i;
		if (((uint64)f & 3) == 0) return *f;
		const uint8 *b = (const uint8 *)f;
		return bits_to_float(b[0] | b[1] << 8 | b[2] << 16 | (uint32)b[3] << 24);
	}
	const uint16 *h = (const uint16 *)w + i;
	if (((uint64)h & 1) == 0) return widen(*h, kind);
	const uint8 *b = (const uint8 *)h;
	return widen((uint16)(b[0] | b[1] << 8), kind);
}

__device__ inline float lanes_sum(float v) {
#ifndef SLLMQ_ON_CPU
	for (int i = LANES / 2; i > 0; i /= 2) v += __shfl_xor_sync(0xffffffff, v, i);
#endif
	return v;
}

// block_sum and block_max return the sum or the maximum of a block's values to
// all of its threads.
template <bool SUM> __device__ inline double block_fold(double v) {
#ifndef SLLMQ_ON_CPU
	__shared__ double folded[32];
	for (int i = LANES / 2; i > 0; i /= 2) {
		double other = __shfl_xor_sync(0xffffffff, v, i);
		v = SUM ? v + other : (other > v ? other : v);
	}
	__syncthreads(); // until all have read the values of the last fold
	if (threadIdx.x % LANES == 0) folded[threadIdx.x / LANES] = v;
	__syncthreads();
	v = folded[0];
	for (int i = 1; i < blockDim.x / LANES; i++) v = SUM ? v + folded[i] : (folded[i] > v ? folded[i] : v);
#endif
	return v;
}

__device__ inline double block_sum(double v) { return block_fold<true>(v); }
__device__ inline double block_max(double v) { return block_fold<false>(v); }

#define EACH(i, n) (int64 i = (int64)blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += (int64)gridDim.x * blockDim.x)

// embed looks up n tokens.
KERNEL embed(float *dst, const void *table, int kind, int cols, const int *tokens, int n) {
	for EACH(i, (int64)n * cols) dst[i] = element(table, kind, (int64)tokens[i / cols] * cols + i % cols);
}

// add_position adds the rows of a table from *at + offset on. It reads the
// position of the batch's first token from memory, so that a recorded launch
// works for any position.
KERNEL add_position(float *dst, const void *table, int kind, int cols, const int64 *at, int offset, int n) {
	for EACH(i, (int64)n * cols) dst[i] += element(table, kind, (*at + offset) * cols + i);
}

// copy_row copies a row.
KERNEL copy_row(float *dst, const float *x, int row, int64 width) {
	for EACH(i, width) dst[i] = x[row * width + i];
}

// dot adds one lane's part of a row times N vectors to sums.
template <int N> __device__ inline void dot(float *sums, const void *w, int kind, int64 row, int cols, const float *x, int lane) {
	const int64 start = row * cols;
	if (kind != FLOAT32 && ((uint64)((const uint16 *)w + start) & 7) == 0 && cols % 4 == 0) {
		const uint64 *four = (const uint64 *)((const uint16 *)w + start);
#pragma unroll 4
		for (int c = lane; c < cols / 4; c += LANES) {
			const uint64 bits = four[c];
			const float w0 = widen((uint16)bits, kind), w1 = widen((uint16)(bits >> 16), kind);
			const float w2 = widen((uint16)(bits >> 32), kind), w3 = widen((uint16)(bits >> 48), kind);
#pragma unroll
			for (int v = 0; v < N; v++) {
				const float4 y = *(const float4 *)(x + (int64)v * cols + 4 * c);
				sums[v] += w0 * y.x + w1 * y.y + w2 * y.z + w3 * y.w;
			}
		}
		return;
	}
	for (int c = lane; c < cols; c += LANES) {
		const float e = element(w, kind, start + c);
#pragma unroll
		for (int v = 0; v < N; v++) sums[v] += e * x[(int64)v * cols + c];
	}
}

// multiply_rows computes dst = m · x + bias for N vectors, with one warp per row.
template <int N> __device__ inline void multiply_rows(float *dst, const void *m, int kind, int rows, int cols, const float *x, const void *bias, int bias_kind) {
	const int warps = blockDim.x / LANES, lane = threadIdx.x % LANES;
	for (int64 row = (int64)blockIdx.x * warps + threadIdx.x / LANES; row < rows; row += (int64)gridDim.x * warps) {
		float sums[N];
#pragma unroll
		for (int v = 0; v < N; v++) sums[v] = 0;
		dot<N>(sums, m, kind, row, cols, x, lane);
		const float shift = bias ? element(bias, bias_kind, row) : 0;
#pragma unroll
		for (int v = 0; v < N; v++) {
			const float sum = lanes_sum(sums[v]);
			if (lane == 0) dst[(int64)v * rows + row] = sum + shift;
		}
	}
}

KERNEL multiply(float *dst, const void *m, int kind, int rows, int cols, const float *x, int n, const void *bias, int bias_kind) {
	int v = 0;
	for (; v + 4 <= n; v += 4) multiply_rows<4>(dst + (int64)v * rows, m, kind, rows, cols, x + (int64)v * cols, bias, bias_kind);
	for (; v < n; v++) multiply_rows<1>(dst + (int64)v * rows, m, kind, rows, cols, x + (int64)v * cols, bias, bias_kind);
}

KERNEL add(float *dst, const float *x, int64 n) {
	for EACH(i, n) dst[i] += x[i];
}

KERNEL scale(float *dst, float factor, int64 n) {
	for EACH(i, n) dst[i] *= factor;
}

KERNEL relu(float *dst, int64 n) {
	for EACH(i, n) dst[i] = dst[i] > 0 ? dst[i] : 0;
}

KERNEL soft_cap(float *dst, double limit, int64 n) {
	for EACH(i, n) dst[i] = (float)(tanh(dst[i] / limit) * limit);
}

KERNEL gate(float *dst, const float *x, int activation, int64 n) {
	for EACH(i, n) {
		const double v = x[i];
		const double a = activation == GELU_TANH ? 0.5 * v * (1 + tanh(0.79788456080286535588 * (v + 0.044715 * v * v * v))) : v / (1 + exp(-v));
		dst[i] *= (float)a;
	}
}

// rms_norm normalizes vectors of width values, with one block per vector.
KERNEL rms_norm(float *dst, const float *x, const void *weight, int kind, int width, double eps, float shift, int vectors) {
	for (int64 v = blockIdx.x; v < vectors; v += gridDim.x) {
		const float *from = x + v * width;
		double squares = 0;
		for (int i = threadIdx.x; i < width; i += blockDim.x) squares += (double)from[i] * from[i];
		const float by = (float)(1 / sqrt(block_sum(squares) / width + eps));
		for (int i = threadIdx.x; i < width; i += blockDim.x) dst[v * width + i] = from[i] * by * (element(weight, kind, i) + shift);
	}
}

KERNEL layer_norm(float *dst, const float *x, const void *weight, int kind, const void *bias, int bias_kind, int width, double eps, int vectors) {
	for (int64 v = blockIdx.x; v < vectors; v += gridDim.x) {
		const float *from = x + v * width;
		double sum = 0, variance = 0;
		for (int i = threadIdx.x; i < width; i += blockDim.x) sum += from[i];
		const double mean = block_sum(sum) / width;
		for (int i = threadIdx.x; i < width; i += blockDim.x) variance += (from[i] - mean) * (from[i] - mean);
		const double by = 1 / sqrt(block_sum(variance) / width + eps);
		for (int i = threadIdx.x; i < width; i += blockDim.x)
			dst[v * width + i] = (float)((from[i] - mean) * by) * element(weight, kind, i) + element(bias, bias_kind, i);
	}
}

// rotate rotates the heads of n tokens, of which the first has position *at.
KERNEL rotate(float *x, const float *frequencies, int half, int heads, const int64 *at, int n) {
	for EACH(i, (int64)n * heads * half) {
		const int pair = i % half;
		const int64 head = i / half; // counted over all tokens
		// transformers computes the angle in float32.
		const double angle = (float)(*at + head / heads) * frequencies[pair];
		const float s = (float)sin(angle), c = (float)cos(angle);
		float *h = x + head * 2 * half;
		const float a = h[pair], b = h[pair + half];
		h[pair] = a * c - b * s;
		h[pair + half] = b * c + a * s;
	}
}

// append_cache appends n values, width per token, to a layer's cache.
KERNEL append_cache(float *keys, float *values, const float *k, const float *v, const int64 *at, int64 width, int64 n) {
	for EACH(i, n) {
		keys[*at * width + i] = k[i];
		values[*at * width + i] = v[i];
	}
}

// attend uses one block for each pair of a token and a head. scores has capacity
// values for each.
KERNEL attend(float *dst, const float *q, const float *keys, const float *values, float *scores, int64 capacity, const int64 *at, int n, int heads,
                                  int kv_heads, int size, double scale, double limit, int64 window) {
	for (int64 task = blockIdx.x; task < (int64)n * heads; task += gridDim.x) {
		const int64 last = *at + task / heads, first = window > 0 && last - window + 1 > 0 ? last - window + 1 : 0;
		const int kv = (int)(task % heads) / (heads / kv_heads);
		const float *query = q + task * size;
		float *row = scores + task * capacity;
		const int warps = blockDim.x / LANES, lane = threadIdx.x % LANES;
		for (int64 i = first + threadIdx.x / LANES; i <= last; i += warps) {
			const float *key = keys + (i * kv_heads + kv) * size;
			float sum = 0;
			for (int d = lane; d < size; d += LANES) sum += query[d] * key[d];
			sum = lanes_sum(sum);
			double score = sum * scale;
			if (limit > 0) score = tanh(score / limit) * limit;
			if (lane == 0) row[i] = (float)score;
		}
		__syncthreads();
		double top = -1e300;
		for (int64 i = first + threadIdx.x; i <= last; i += blockDim.x) top = row[i] > top ? row[i] : top;
		top = block_max(top);
		double total = 0;
		for (int64 i = first + threadIdx.x; i <= last; i += blockDim.x) {
			const double e = exp(row[i] - top);
			row[i] = (float)e;
			total += e;
		}
		const float whole = (float)block_sum(total);
		for (int d = threadIdx.x; d < size; d += blockDim.x) {
			float sum = 0;
#pragma unroll 8
			for (int64 i = first; i <= last; i++) sum += row[i] / whole * values[(i * kv_heads + kv) * size + d];
			dst[task * size + d] = sum;
		}
		__syncthreads();
	}
}
