/* A fake driver, for tests without a GPU: its devices' memory is the host's.
 *
 * It is strict where a real one fails. A call needs a live context that is
 * current on its thread. Addresses must be within an allocation. A copy into a
 * stream happens when somebody waits for the stream, and no sooner, so that a
 * load that does not wait, or that reuses a buffer too soon, gets other bytes. A
 * module's code is the path of a library for the CPU, in which kernel NAME is the
 * struct kernel NAME_kernel.
 *
 * fake_control, or the variable FAKE_CUDA, is words separated by spaces:
 *   devices=N          number of devices (1)
 *   memory=BYTES       of each (64 GiB)
 *   fail=CALL:CODE:N   CALL fails with CODE after N successful calls
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, INVALID_DEVICE = 101,
       INVALID_CONTEXT = 201, INVALID_HANDLE = 400, NOT_FOUND = 500, NOT_READY = 600,
       ALREADY_REGISTERED = 712, NOT_REGISTERED = 713, UNKNOWN = 999 };
enum { MOST = 16 };

struct allocation {
  struct allocation *next;
  uint64_t at, size;
  int device, fd, opened;
};
struct pinned {
  struct pinned *next;
  char *at;
  uint64_t size;
};
struct kernel {
  void (*launch)(void **arguments, unsigned blocks);
  int arguments; /* of at most eight bytes each */
};
struct launch { /* recorded in a graph */
  struct launch *next;
  struct kernel *kernel;
  unsigned blocks;
  uint64_t values[32];
};
struct graph { struct launch *first, **last; };
struct copy {
  struct copy *next;
  void *to;
  const void *from;
  uint64_t size, sequence;
};
struct stream {
  struct stream *next;
  struct copy *first, **last;
  struct graph *recording;
  int device;
};
struct event {
  struct stream *stream;
  uint64_t sequence;
  double at;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int initialised, devices = 1, retained[MOST];
static uint64_t memory = 64ull << 30, used[MOST], sequence, live_streams, live_events, live_graphs, to_device;
static struct allocation *allocations;
static struct pinned *pins;
static struct stream *streams;
static struct { char call[64]; int code; long after; } failures[8];
static _Thread_local int current = -1;

static void control(const char *text) {
  char *copy = strdup(text ? text : ""), *state = NULL;
  memset(failures, 0, sizeof failures);
  devices = 1;
  memory = 64ull << 30;
  int n = 0;
  for (char *word = strtok_r(copy, " ", &state); word; word = strtok_r(NULL, " ", &state)) {
    long long v;
    if (sscanf(word, "devices=%lld", &v) == 1 && v >= 0 && v <= MOST) devices = v;
    else if (sscanf(word, "memory=%lld", &v) == 1) memory = v;
    else if (n < 8 && sscanf(word, "fail=%63[^:]:%d:%ld", failures[n].call, &failures[n].code, &failures[n].after) == 3) n++;
    else { fprintf(stderr, "fake driver: no control \"%s\"\n", word); abort(); }
  }
  free(copy);
}

void fake_control(const char *text) {
  pthread_mutex_lock(&lock);
  control(text);
  pthread_mutex_unlock(&lock);
}

/* Number of copies to a device put into streams so far. */
uint64_t fake_copies(void) {
  pthread_mutex_lock(&lock);
  uint64_t n = to_device;
  pthread_mutex_unlock(&lock);
  return n;
}

/* What was not freed, in bytes and objects. */
void fake_left(uint64_t *device_bytes, uint64_t *pinned, uint64_t *stream_count, uint64_t *event_count, uint64_t *graphs, uint64_t *contexts) {
  pthread_mutex_lock(&lock);
  *device_bytes = *pinned = *contexts = 0;
  for (int i = 0; i < MOST; i++) *device_bytes += used[i], *contexts += retained[i];
  for (struct pinned *p = pins; p; p = p->next) ++*pinned;
  *stream_count = live_streams;
  *event_count = live_events;
  *graphs = live_graphs;
  pthread_mutex_unlock(&lock);
}

static int failing(const char *call) {
  for (int i = 0; i < 8; i++)
    if (!strcmp(failures[i].call, call) && failures[i].after-- <= 0) return failures[i].code;
  return OK;
}

static int leave(int code) {
  pthread_mutex_unlock(&lock);
  return code;
}

/* Every call that needs the driver begins with one of these. */
#define ENTER(call)                          \
  pthread_mutex_lock(&lock);                 \
  if (!initialised) return leave(3);         \
  int failure = failing(#call);              \
  if (failure) return leave(failure)
#define IN_CONTEXT(call)                     \
  ENTER(call);                               \
  if (current < 0 || !retained[current]) return leave(INVALID_CONTEXT)

static struct allocation *holding(uint64_t at, uint64_t size) {
  for (struct allocation *a = allocations; a; a = a->next)
    if (at >= a->at && size <= a->size && at - a->at <= a->size - size) return a;
  return NULL;
}

static int is_pinned(const void *at, uint64_t size) {
  for (struct pinned *p = pins; p; p = p->next)
    if ((const char *)at >= p->at && (const char *)at + size <= p->at + p->size) return 1;
  return 0;
}

static void drain(struct stream *s, uint64_t until) {
  while (s->first && s->first->sequence <= until) {
    struct copy *c = s->first;
    memcpy(c->to, c->from, c->size);
    s->first = c->next;
    if (!s->first) s->last = &s->first;
    free(c);
  }
}

static struct stream *known(uintptr_t handle) {
  for (struct stream *s = streams; s; s = s->next)
    if ((uintptr_t)s == handle) return s;
  return NULL;
}

static void drain_all(int device) {
  for (struct stream *s = streams; s; s = s->next)
    if (s->device == device) drain(s, UINT64_MAX);
}

int cuInit(unsigned flags) {
  pthread_mutex_lock(&lock);
  if (!initialised && getenv("FAKE_CUDA")) control(getenv("FAKE_CUDA"));
  int failure = failing("cuInit");
  if (failure) return leave(failure);
  initialised = 1;
  return leave(devices ? OK : NO_DEVICE);
}

int cuDriverGetVersion(int *v) { *v = 13000; return OK; }

int cuGetErrorName(int code, const char **text) {
  *text = code == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : code == NO_DEVICE ? "CUDA_ERROR_NO_DEVICE"
        : code == INVALID_VALUE ? "CUDA_ERROR_INVALID_VALUE" : code == INVALID_CONTEXT ? "CUDA_ERROR_INVALID_CONTEXT"
        : "CUDA_ERROR_OF_THE_FAKE";
  return OK;
}

int cuGetErrorString(int code, const char **text) {
  *text = code == OUT_OF_MEMORY ? "out of memory" : code == NO_DEVICE ? "no CUDA-capable device is detected"
        : code == INVALID_VALUE ? "invalid argument" : code == INVALID_CONTEXT ? "invalid device context"
        : "a failure that was asked for";
  return OK;
}

int cuDeviceGetCount(int *n) { ENTER(cuDeviceGetCount); *n = devices; return leave(OK); }

int cuDeviceGet(int *device, int ordinal) {
  ENTER(cuDeviceGet);
  if (ordinal < 0 || ordinal >= devices) return leave(INVALID_DEVICE);
  *device = ordinal;
  return leave(OK);
}

int cuDeviceGetName(char *name, int size, int device) {
  ENTER(cuDeviceGetName);
  snprintf(name, size, "Fake GPU %d", device);
  return leave(OK);
}

int cuDeviceGetUuid_v2(unsigned char *uuid, int device) {
  ENTER(cuDeviceGetUuid);
  for (int i = 0; i < 16; i++) uuid[i] = 0xa0 + i;
  uuid[15] = device;
  return leave(OK);
}

int cuDeviceTotalMem_v2(size_t *bytes, int device) { ENTER(cuDeviceTotalMem); *bytes = memory; return leave(OK); }

int cuDeviceGetAttribute(int *value, int attribute, int device) {
  ENTER(cuDeviceGetAttribute);
  *value = attribute == 16 ? 132 : attribute == 40 ? 3 : attribute == 75 ? 9 : 0;
  return leave(OK);
}

int cuDevicePrimaryCtxRetain(uintptr_t *context, int device) {
  ENTER(cuDevicePrimaryCtxRetain);
  retained[device]++;
  *context = device + 1;
  return leave(OK);
}

int cuDevicePrimaryCtxRelease_v2(int device) {
  ENTER(cuDevicePrimaryCtxRelease);
  if (!retained[device]) return leave(INVALID_CONTEXT);
  if (!--retained[device]) drain_all(device);
  return leave(OK);
}

int cuCtxSetCurrent(uintptr_t context) {
  ENTER(cuCtxSetCurrent);
  if (context > MOST || (context && !retained[context - 1])) return leave(INVALID_CONTEXT);
  current = (int)context - 1;
  return leave(OK);
}

int cuCtxSynchronize(void) { IN_CONTEXT(cuCtxSynchronize); drain_all(current); return leave(OK); }

int cuMemGetInfo_v2(size_t *free, size_t *total) {
  IN_CONTEXT(cuMemGetInfo);
  *total = memory;
  *free = memory - used[current];
  return leave(OK);
}

static int map_shared(int fd, uint64_t size, int device, int opened, uint64_t *at) {
  void *b = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (b == MAP_FAILED) return OUT_OF_MEMORY;
  struct allocation *a = calloc(1, sizeof *a);
  *a = (struct allocation){allocations, (uint64_t)b, size, device, fd, opened};
  allocations = a;
  *at = a->at;
  return OK;
}

int cuMemAlloc_v2(uint64_t *at, size_t size) {
  IN_CONTEXT(cuMemAlloc);
  if (!size) return leave(INVALID_VALUE);
  if (size > memory - used[current]) return leave(OUT_OF_MEMORY);
  int fd = memfd_create("fake-device", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, size)) return leave(OUT_OF_MEMORY);
  int code = map_shared(fd, size, current, 0, at);
  if (code == OK) used[current] += size;
  return leave(code);
}

int cuMemGetAddressRange_v2(uint64_t *base, size_t *size, uint64_t at) {
  IN_CONTEXT(cuMemGetAddressRange);
  struct allocation *a = holding(at, 1);
  if (!a) return leave(INVALID_VALUE);
  *base = a->at;
  *size = a->size;
  return leave(OK);
}

static int unmap(uint64_t at, int opened) {
  for (struct allocation **p = &allocations; *p; p = &(*p)->next) {
    struct allocation *a = *p;
    if (a->at != at || a->opened != opened) continue;
    drain_all(a->device);
    munmap((void *)a->at, a->size);
    close(a->fd);
    if (!opened) used[a->device] -= a->size;
    *p = a->next;
    free(a);
    return OK;
  }
  return INVALID_VALUE;
}

int cuMemFree_v2(uint64_t at) { IN_CONTEXT(cuMemFree); return leave(unmap(at, 0)); }

static void pin(void *at, uint64_t size) {
  struct pinned *p = calloc(1, sizeof *p);
  *p = (struct pinned){pins, at, size};
  pins = p;
}

static int unpin(void *at) {
  for (struct pinned **p = &pins; *p; p = &(*p)->next) {
    struct pinned *x = *p;
    if (x->at != (char *)at) continue;
    for (int i = 0; i < MOST; i++) drain_all(i);
    *p = x->next;
    free(x);
    return OK;
  }
  return NOT_REGISTERED;
}

int cuMemHostRegister_v2(void *at, size_t size, unsigned flags) {
  IN_CONTEXT(cuMemHostRegister);
  if (!at || !size) return leave(INVALID_VALUE);
  if (is_pinned(at, 1)) return leave(ALREADY_REGISTERED);
  pin(at, size);
  return leave(OK);
}

int cuMemHostUnregister(void *at) { IN_CONTEXT(cuMemHostUnregister); return leave(unpin(at)); }

int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t size) {
  IN_CONTEXT(cuMemcpyHtoD);
  if (!holding(to, size)) return leave(INVALID_VALUE);
  pthread_mutex_unlock(&lock);
  memcpy((void *)to, from, size);
  return OK;
}

int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t size) {
  IN_CONTEXT(cuMemcpyDtoH);
  if (!holding(from, size)) return leave(INVALID_VALUE);
  pthread_mutex_unlock(&lock);
  memcpy(to, (const void *)from, size);
  return OK;
}

int cuMemcpyDtoD_v2(uint64_t to, uint64_t from, size_t size) {
  IN_CONTEXT(cuMemcpyDtoD);
  if (!holding(to, size) || !holding(from, size)) return leave(INVALID_VALUE);
  memmove((void *)to, (const void *)from, size);
  return leave(OK);
}

int cuMemsetD8_v2(uint64_t at, unsigned char value, size_t size) {
  IN_CONTEXT(cuMemsetD8);
  if (!holding(at, size)) return leave(INVALID_VALUE);
  memset((void *)at, value, size);
  return leave(OK);
}

/* Pageable memory is staged before the call returns; page-locked memory is
 * read when the stream reaches the copy. */
static int enqueue(uintptr_t handle, void *to, const void *from, uint64_t size, const void *host) {
  struct stream *s = known(handle);
  if (!s || s->device != current) return INVALID_HANDLE;
  if (!is_pinned(host, size)) {
    drain(s, UINT64_MAX);
    memcpy(to, from, size);
    return OK;
  }
  struct copy *c = calloc(1, sizeof *c);
  *c = (struct copy){NULL, to, from, size, ++sequence};
  *s->last = c;
  s->last = &c->next;
  return OK;
}

int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t size, uintptr_t stream) {
  IN_CONTEXT(cuMemcpyHtoDAsync);
  if (!holding(to, size)) return leave(INVALID_VALUE);
  to_device++;
  return leave(enqueue(stream, (void *)to, from, size, from));
}

int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t size, uintptr_t stream) {
  IN_CONTEXT(cuMemcpyDtoHAsync);
  if (!holding(from, size)) return leave(INVALID_VALUE);
  return leave(enqueue(stream, to, (const void *)from, size, to));
}

int cuStreamCreate(uintptr_t *handle, unsigned flags) {
  IN_CONTEXT(cuStreamCreate);
  struct stream *s = calloc(1, sizeof *s);
  s->last = &s->first;
  s->device = current;
  s->next = streams;
  streams = s;
  live_streams++;
  *handle = (uintptr_t)s;
  return leave(OK);
}

int cuStreamDestroy_v2(uintptr_t handle) {
  IN_CONTEXT(cuStreamDestroy);
  for (struct stream **p = &streams; *p; p = &(*p)->next) {
    struct stream *s = *p;
    if ((uintptr_t)s != handle) continue;
    drain(s, UINT64_MAX);
    *p = s->next;
    free(s);
    live_streams--;
    return leave(OK);
  }
  return leave(INVALID_HANDLE);
}

int cuStreamSynchronize(uintptr_t handle) {
  IN_CONTEXT(cuStreamSynchronize);
  struct stream *s = known(handle);
  if (!s) return leave(INVALID_HANDLE);
  drain(s, UINT64_MAX);
  return leave(OK);
}

int cuEventCreate(uintptr_t *handle, unsigned flags) {
  IN_CONTEXT(cuEventCreate);
  *handle = (uintptr_t)calloc(1, sizeof(struct event));
  live_events++;
  return leave(OK);
}

int cuEventDestroy_v2(uintptr_t handle) {
  IN_CONTEXT(cuEventDestroy);
  free((void *)handle);
  live_events--;
  return leave(OK);
}

int cuEventRecord(uintptr_t handle, uintptr_t stream) {
  IN_CONTEXT(cuEventRecord);
  struct event *e = (struct event *)handle;
  e->stream = known(stream);
  if (!e->stream) return leave(INVALID_HANDLE);
  e->sequence = ++sequence;
  return leave(OK);
}

int cuEventSynchronize(uintptr_t handle) {
  IN_CONTEXT(cuEventSynchronize);
  struct event *e = (struct event *)handle;
  if (e->stream && known((uintptr_t)e->stream)) drain(e->stream, e->sequence);
  return leave(OK);
}

/* A handle names a file descriptor of a process. */
struct handle { char magic[8]; int pid, fd; uint64_t size; char rest[40]; };

int cuIpcGetMemHandle(struct handle *handle, uint64_t at) {
  IN_CONTEXT(cuIpcGetMemHandle);
  struct allocation *a = holding(at, 1);
  if (!a || a->at != at || a->opened) return leave(INVALID_VALUE);
  *handle = (struct handle){"fakeipc", getpid(), a->fd, a->size, {0}};
  return leave(OK);
}

int cuIpcOpenMemHandle_v2(uint64_t *at, struct handle handle, unsigned flags) {
  IN_CONTEXT(cuIpcOpenMemHandle);
  if (memcmp(handle.magic, "fakeipc", 8)) return leave(INVALID_VALUE);
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/fd/%d", handle.pid, handle.fd);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return leave(INVALID_VALUE);
  return leave(map_shared(fd, handle.size, current, 1, at));
}

int cuIpcCloseMemHandle(uint64_t at) { IN_CONTEXT(cuIpcCloseMemHandle); return leave(unmap(at, 1)); }

int cuModuleLoadData(uintptr_t *module, const char *path) {
  IN_CONTEXT(cuModuleLoadData);
  *module = (uintptr_t)dlopen(path, RTLD_NOW | RTLD_LOCAL);
  return leave(*module ? OK : INVALID_VALUE);
}

int cuModuleUnload(uintptr_t module) {
  IN_CONTEXT(cuModuleUnload);
  return leave(dlclose((void *)module) ? INVALID_HANDLE : OK);
}

int cuModuleGetFunction(uintptr_t *function, uintptr_t module, const char *name) {
  IN_CONTEXT(cuModuleGetFunction);
  char symbol[256];
  snprintf(symbol, sizeof symbol, "%s_kernel", name);
  *function = (uintptr_t)dlsym((void *)module, symbol);
  return leave(*function ? OK : NOT_FOUND);
}

int cuLaunchKernel(uintptr_t function, unsigned x, unsigned y, unsigned z, unsigned bx, unsigned by, unsigned bz, unsigned bytes,
                   uintptr_t stream, void **arguments, void **extra) {
  IN_CONTEXT(cuLaunchKernel);
  struct stream *s = known(stream);
  struct kernel *k = (struct kernel *)function;
  if (!s || s->device != current) return leave(INVALID_HANDLE);
  if (!x || y != 1 || z != 1 || !bx || bx > 1024 || by != 1 || bz != 1 || k->arguments > 32) return leave(INVALID_VALUE);
  if (s->recording) {
    struct launch *l = calloc(1, sizeof *l);
    l->kernel = k;
    l->blocks = x;
    for (int i = 0; i < k->arguments; i++) memcpy(&l->values[i], arguments[i], 8);
    *s->recording->last = l;
    s->recording->last = &l->next;
    return leave(OK);
  }
  drain(s, UINT64_MAX);
  k->launch(arguments, x);
  return leave(OK);
}

int cuStreamBeginCapture_v2(uintptr_t stream, int mode) {
  IN_CONTEXT(cuStreamBeginCapture);
  struct stream *s = known(stream);
  if (!s || s->recording) return leave(INVALID_VALUE);
  s->recording = calloc(1, sizeof *s->recording);
  s->recording->last = &s->recording->first;
  return leave(OK);
}

int cuStreamEndCapture(uintptr_t stream, uintptr_t *graph) {
  IN_CONTEXT(cuStreamEndCapture);
  struct stream *s = known(stream);
  if (!s || !s->recording) return leave(INVALID_VALUE);
  *graph = (uintptr_t)s->recording;
  live_graphs++;
  s->recording = NULL;
  return leave(OK);
}

/* An instance takes over the recorded work. */
int cuGraphInstantiateWithFlags(uintptr_t *instance, uintptr_t graph, unsigned long long flags) {
  IN_CONTEXT(cuGraphInstantiate);
  struct graph *to = calloc(1, sizeof *to), *from = (struct graph *)graph;
  *to = *from;
  *from = (struct graph){NULL, NULL};
  *instance = (uintptr_t)to;
  live_graphs++;
  return leave(OK);
}

static int destroy(struct graph *g) {
  for (struct launch *l = g->first, *next; l; l = next) next = l->next, free(l);
  free(g);
  live_graphs--;
  return OK;
}

int cuGraphDestroy(uintptr_t graph) { IN_CONTEXT(cuGraphDestroy); return leave(destroy((struct graph *)graph)); }
int cuGraphExecDestroy(uintptr_t graph) { IN_CONTEXT(cuGraphExecDestroy); return leave(destroy((struct graph *)graph)); }

int cuGraphLaunch(uintptr_t graph, uintptr_t stream) {
  IN_CONTEXT(cuGraphLaunch);
  struct stream *s = known(stream);
  if (!s) return leave(INVALID_HANDLE);
  drain(s, UINT64_MAX);
  for (struct launch *l = ((struct graph *)graph)->first; l; l = l->next) {
    void *arguments[32];
    for (int i = 0; i < 32; i++) arguments[i] = &l->values[i];
    l->kernel->launch(arguments, l->blocks);
  }
  return leave(OK);
}
