// kernels.cu for the CPU: blocks of one thread, one after another. The fake
// driver (collector/nvidia/cudatest) looks up a kernel by its name followed by
// _kernel.
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
template <class... A> static constexpr int count(void (*)(A...)) { return sizeof...(A); }

struct kernel {
	void (*launch)(void **arguments, unsigned blocks);
	int arguments;
};

#define FIND(name) extern "C" const kernel name##_kernel = {[](void **arguments, unsigned grid) { launch(::name, arguments, grid); }, count(::name)};
FIND(embed) FIND(add_position) FIND(multiply) FIND(add) FIND(scale) FIND(relu) FIND(soft_cap) FIND(gate) FIND(copy_row)
FIND(rms_norm) FIND(layer_norm) FIND(rotate) FIND(append_cache) FIND(attend)
