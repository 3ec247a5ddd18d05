/* A fake of GPUDirect Storage, for tests: it reads into the fake driver's memory,
 * which is the host's. FAKE_CUFILE is words separated by spaces:
 *   nvfs      the storage reaches the GPU; else only compatibility mode works
 *   short=N   a read returns at most N bytes
 *   fail=N    reads fail after N successful ones
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct result { int code, cuda; };

static int compat = 1, opened;
static long reads;

static long setting(const char *name, long otherwise) {
  const char *text = getenv("FAKE_CUFILE"), *p = text ? strstr(text, name) : NULL;
  return p && p[strlen(name)] == '=' ? atol(p + strlen(name) + 1) : otherwise;
}

static int nvfs(void) { return getenv("FAKE_CUFILE") && strstr(getenv("FAKE_CUFILE"), "nvfs"); }

struct result cuFileSetParameterBool(int parameter, _Bool value) {
  if (parameter == 1) compat = value;
  return (struct result){0, 0};
}

struct result cuFileDriverOpen(void) {
  if (!compat && !nvfs()) return (struct result){5001, 0};
  opened++;
  return (struct result){0, 0};
}

struct result cuFileDriverClose_v2(void) { opened--; return (struct result){0, 0}; }

struct descriptor { int kind, unused, fd; void *ops; };

struct result cuFileHandleRegister(void **handle, struct descriptor *d) {
  if (!opened) return (struct result){5001, 0};
  if (d->kind != 1) return (struct result){5018, 0};
  *handle = (void *)(intptr_t)(d->fd + 1);
  return (struct result){0, 0};
}

void cuFileHandleDeregister(void *handle) {}

struct result cuFileBufRegister(const void *at, size_t bytes, int flags) { return (struct result){nvfs() ? 0 : 5036, 0}; }
struct result cuFileBufDeregister(const void *at) { return (struct result){0, 0}; }

ssize_t cuFileRead(void *handle, char *base, size_t bytes, off_t file, off_t memory) {
  long fail = setting("fail", -1), most = setting("short", 0);
  if (fail >= 0 && __atomic_fetch_add(&reads, 1, __ATOMIC_SEQ_CST) >= fail) return -5030;
  if (most > 0 && bytes > (size_t)most) bytes = most;
  return pread((int)(intptr_t)handle - 1, base + memory, bytes, file);
}
