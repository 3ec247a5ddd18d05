#include <stdint.h>

/* Points every function at its namesake in the library. */
void sllmq_nvml_bind(uintptr_t handle);
