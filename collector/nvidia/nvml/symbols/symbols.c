/* The functions of names.h, each of which jumps through a slot. A jump leaves
 * arguments and stack as they are, so that nobody here need know the functions'
 * types. */
#include "symbols.h"

#include <dlfcn.h>
#include <stddef.h>

#define HIDDEN __attribute__((visibility("hidden")))

/* What slots point to for a function that the library lacks. nvml.h:
 * NVML_ERROR_FUNCTION_NOT_FOUND is 13. */
static int not_found(void) { return 13; }
static const char *no_text(void) { return "unknown error"; }

#if defined(__x86_64__)
#define JUMP(slot) "jmp *" slot "(%rip)\n"
#elif defined(__aarch64__)
#define JUMP(slot) "adrp x16, " slot "\n ldr x16, [x16, :lo12:" slot "]\n br x16\n"
#else
#error "write the jump through a slot for this architecture"
#endif

#define DEFINE(name, missing)                      \
  HIDDEN void *sllmq_slot_##name = (void *)missing; \
  __asm__(".text\n"                                \
          ".globl " #name "\n"                     \
          ".hidden " #name "\n"                    \
          ".type " #name ", %function\n"           \
          #name ":\n"                              \
          JUMP("sllmq_slot_" #name)                \
          ".size " #name ", .-" #name "\n");


#define NVML(name) DEFINE(name, not_found)
#include "names.h"
DEFINE(nvmlErrorString, no_text)
#undef NVML

static const struct {
  const char *name;
  void **slot;
  void *missing;
} functions[] = {
#define NVML(name) {#name, &sllmq_slot_##name, (void *)not_found},
#include "names.h"
#undef NVML
    {"nvmlErrorString", &sllmq_slot_nvmlErrorString, (void *)no_text},
};

void sllmq_nvml_bind(uintptr_t handle) {
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    void *f = dlsym((void *)handle, functions[i].name);
    *functions[i].slot = f ? f : functions[i].missing;
  }
}
