// kernels.cu for a processor without a GPU: blocks of one thread, one after
// another. The fake driver (collector/cuda/cudatest) finds a kernel's _launch.
#include <cmath>
#include <cstdint>
#include <utility>

#define SLLMQ_ON_CPU
#define LANES 1
#define __device__
#define KERNEL static void
#define __syncthreads()
using namespace std;
typedef uint8_t uint8;
typedef uint16_t uint16;
typedef uint32_t uint32;
typedef unsigned long long uint64;
typedef long long int64;

struct float4 { float x, y, z, w; };
static struct { unsigned x; } blockIdx, gridDim;
static const struct { int x; } threadIdx = {0}, blockDim = {1};

static float sllmq_half(uint16_t bits) {
	const int exponent = bits >> 10 & 31, fraction = bits & 1023;
	const float size = exponent == 0 ? ldexpf(fraction, -24) : exponent == 31 ? (fraction ? NAN : INFINITY) : ldexpf(fraction | 1024, exponent - 25);
	return bits >> 15 ? -size : size;
}

#include "kernels.cu"

template <class... A, size_t... I> static void run(void (*kernel)(A...), void **arguments, unsigned grid, index_sequence<I...>) {
	gridDim.x = grid;
	for (blockIdx.x = 0; blockIdx.x < grid; blockIdx.x++) kernel(*(A *)arguments[I]...);
}

template <class... A> static void launch(void (*kernel)(A...), void **arguments, unsigned grid) { run(kernel, arguments, grid, index_sequence_for<A...>{}); }

#define LAUNCH(name) extern "C" void name##_launch(void **arguments, unsigned grid) { launch(::name, arguments, grid); }
LAUNCH(embed) LAUNCH(place) LAUNCH(multiply) LAUNCH(add) LAUNCH(scale) LAUNCH(relu) LAUNCH(soft_cap) LAUNCH(gate)
LAUNCH(rms_norm) LAUNCH(layer_norm) LAUNCH(rotate) LAUNCH(remember) LAUNCH(attend)
