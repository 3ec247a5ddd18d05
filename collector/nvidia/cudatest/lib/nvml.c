/* A fake management library, for tests without a GPU. Like the real one it ends
 * the process if it is called before nvmlInit or after nvmlShutdown.
 *
 * FAKE_NVML is words separated by spaces:
 *   init=CODE     nvmlInit fails with it
 *   gpus=N        number of GPUs (1)
 *   used=BYTES    of the memory of each (1 GiB), which has 64 GiB
 *   pids=N        processes that compute on each (1, this one)
 *   lacks=CALL    is not supported
 *
 * Compiled with -DFUNCTION=lacking_FUNCTION it lacks a function, as an older
 * driver does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int initialised;

static long long setting(const char *name, long long otherwise) {
  const char *text = getenv("FAKE_NVML");
  size_t n = strlen(name);
  for (const char *p = text ? strstr(text, name) : NULL; p; p = strstr(p + 1, name))
    if ((p == text || p[-1] == ' ') && p[n] == '=') return atoll(p + n + 1);
  return otherwise;
}

static int lacks(const char *call) {
  char word[128];
  snprintf(word, sizeof word, "lacks=%s", call);
  const char *text = getenv("FAKE_NVML");
  return text && strstr(text, word);
}

#define ENTER(call)                                                          \
  if (!initialised) { fprintf(stderr, #call " before nvmlInit\n"); abort(); } \
  if (lacks(#call)) return 3

int nvmlInit_v2(void) {
  int code = setting("init", 0);
  if (!code) initialised++;
  return code;
}

int nvmlShutdown(void) { ENTER(nvmlShutdown); initialised--; return 0; }

const char *nvmlErrorString(int code) {
  return code == 2 ? "Invalid Argument" : code == 3 ? "Not Supported" : code == 6 ? "Not Found"
       : code == 9 ? "Driver Not Loaded" : "Unknown Error";
}

int nvmlSystemGetDriverVersion(char *text, unsigned size) {
  ENTER(nvmlSystemGetDriverVersion);
  snprintf(text, size, "580.00.fake");
  return 0;
}

int nvmlDeviceGetCount_v2(unsigned *n) { ENTER(nvmlDeviceGetCount); *n = setting("gpus", 1); return 0; }

int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **handle) {
  ENTER(nvmlDeviceGetHandleByIndex);
  if (i >= setting("gpus", 1)) return 2;
  *handle = (void *)(size_t)(i + 1);
  return 0;
}

static void uuid_of(unsigned i, char *text, unsigned size) {
  snprintf(text, size, "GPU-a0a1a2a3-a4a5-a6a7-a8a9-aaabacadae%02x", i);
}

int nvmlDeviceGetHandleByUUID(const char *uuid, void **handle) {
  ENTER(nvmlDeviceGetHandleByUUID);
  for (unsigned i = 0; i < setting("gpus", 1); i++) {
    char text[96];
    uuid_of(i, text, sizeof text);
    if (!strcmp(text, uuid)) { *handle = (void *)(size_t)(i + 1); return 0; }
  }
  return 6;
}

int nvmlDeviceGetName(void *gpu, char *text, unsigned size) {
  ENTER(nvmlDeviceGetName);
  snprintf(text, size, "Fake GPU %d", (int)(size_t)gpu - 1);
  return 0;
}

int nvmlDeviceGetUUID(void *gpu, char *text, unsigned size) {
  ENTER(nvmlDeviceGetUUID);
  uuid_of((size_t)gpu - 1, text, size);
  return 0;
}

int nvmlDeviceGetMemoryInfo(void *gpu, unsigned long long *m) {
  ENTER(nvmlDeviceGetMemoryInfo);
  m[0] = 64ull << 30;
  m[2] = setting("used", 1 << 30);
  m[1] = m[0] - m[2];
  return 0;
}

int nvmlDeviceGetCurrPcieLinkGeneration(void *gpu, unsigned *n) { ENTER(nvmlDeviceGetCurrPcieLinkGeneration); *n = 5; return 0; }
int nvmlDeviceGetCurrPcieLinkWidth(void *gpu, unsigned *n) { ENTER(nvmlDeviceGetCurrPcieLinkWidth); *n = 16; return 0; }
int nvmlDeviceGetClockInfo(void *gpu, int kind, unsigned *n) { ENTER(nvmlDeviceGetClockInfo); *n = kind == 1 ? 1980 : 2619; return 0; }
int nvmlDeviceGetTemperature(void *gpu, int sensor, unsigned *n) { ENTER(nvmlDeviceGetTemperature); *n = 41; return 0; }
int nvmlDeviceGetPowerUsage(void *gpu, unsigned *n) { ENTER(nvmlDeviceGetPowerUsage); *n = 123456; return 0; }
int nvmlDeviceGetUtilizationRates(void *gpu, unsigned *n) { ENTER(nvmlDeviceGetUtilizationRates); n[0] = 7; n[1] = 3; return 0; }

int nvmlDeviceGetCurrentClocksEventReasons(void *gpu, unsigned long long *bits) {
  ENTER(nvmlDeviceGetCurrentClocksEventReasons);
  *bits = 0x5;
  return 0;
}

/* The name of the same function before driver 535. */
int nvmlDeviceGetCurrentClocksThrottleReasons(void *gpu, unsigned long long *bits) {
  ENTER(nvmlDeviceGetCurrentClocksThrottleReasons);
  *bits = 0x9;
  return 0;
}

struct process { unsigned pid; unsigned long long used; unsigned gpu, compute; };

int nvmlDeviceGetComputeRunningProcesses_v3(void *gpu, unsigned *count, struct process *list) {
  ENTER(nvmlDeviceGetComputeRunningProcesses);
  unsigned n = setting("pids", 1);
  unsigned room = *count;
  *count = n;
  if (n > room) return 7;
  for (unsigned i = 0; i < n; i++) list[i] = (struct process){getpid() + i, i ? ~0ull : 1 << 20, 0, 0};
  return 0;
}
