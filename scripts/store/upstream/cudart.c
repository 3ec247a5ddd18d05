/* The part of CUDA's runtime that ServerlessLLM's store calls, without a GPU, for tests
 * and timings. Its one device has host memory, with the same kind of handles as the
 * driver in collector/nvidia/cudatest, so that either can be client and server.
 *
 * Differences from a GPU: page-locking fills the pages; a copy to the device is one memcpy
 * on the calling thread; device memory is filled when it is allocated, in large pages if
 * the kernel has them, so that it exists before it is written, as a GPU's does. Opening a
 * handle in the process that made it returns the original address, where NVIDIA's runtime
 * refuses.
 */
#define _GNU_SOURCE
#include "cuda_runtime.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct handle { char magic[8]; int pid, fd; uint64_t size; char *at; char rest[32]; };
struct memory { struct memory *next; char *at; uint64_t size; int fd, opened; };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct memory *memories;

static cudaError_t map(int fd, uint64_t size, int opened, void **at) {
  char *b = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (b == MAP_FAILED) return cudaErrorMemoryAllocation;
  madvise(b, size, MADV_HUGEPAGE); /* advisory */
  if (!opened) for (uint64_t i = 0; i < size; i += 4096) b[i] = 0;
  struct memory *m = malloc(sizeof *m);
  pthread_mutex_lock(&lock);
  *m = (struct memory){memories, b, size, fd, opened};
  memories = m;
  pthread_mutex_unlock(&lock);
  *at = b;
  return cudaSuccess;
}

static struct memory **find(void *at, int opened) {
  struct memory **p = &memories;
  while (*p && ((*p)->at != at || (*p)->opened != opened)) p = &(*p)->next;
  return p;
}

static cudaError_t forget(void *at, int opened, cudaError_t otherwise) {
  pthread_mutex_lock(&lock);
  struct memory **p = find(at, opened), *m = *p;
  if (m) *p = m->next;
  pthread_mutex_unlock(&lock);
  if (!m) return otherwise;
  munmap(m->at, m->size);
  close(m->fd);
  free(m);
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count) { *count = 1; return cudaSuccess; }
cudaError_t cudaSetDevice(int device) { return device ? cudaErrorInvalidDevice : cudaSuccess; }

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device) {
  for (int i = 0; i < 16; i++) p->uuid.bytes[i] = (char)(0xa0 + i);
  p->uuid.bytes[15] = (char)device;
  return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t *stream) { *stream = NULL; return cudaSuccess; }
const char *cudaGetErrorString(cudaError_t e) { return e ? "error of the stand-in" : "no error"; }
cudaError_t cudaGetLastError(void) { return cudaSuccess; }

cudaError_t cudaHostRegister(void *at, size_t size, unsigned flags) {
  for (size_t i = 0; i < size; i += 4096) ((volatile char *)at)[i] = 0;
  return cudaSuccess;
}

cudaError_t cudaHostUnregister(void *at) { return cudaSuccess; }

cudaError_t cudaMalloc(void **at, size_t size) {
  int fd = memfd_create("fake-device", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, size)) return cudaErrorMemoryAllocation;
  return map(fd, size, 0, at);
}

cudaError_t cudaFree(void *at) { return at ? forget(at, 0, cudaErrorInvalidValue) : cudaSuccess; }

cudaError_t cudaMemcpy(void *to, const void *from, size_t size, enum cudaMemcpyKind kind) {
  memcpy(to, from, size);
  return cudaSuccess;
}

cudaError_t cudaIpcGetMemHandle(cudaIpcMemHandle_t *handle, void *at) {
  pthread_mutex_lock(&lock);
  struct memory *m = *find(at, 0);
  struct handle h = m ? (struct handle){"fakeipc", getpid(), m->fd, m->size, m->at, {0}} : (struct handle){{0}};
  pthread_mutex_unlock(&lock);
  memcpy(handle, &h, sizeof h);
  return m ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaIpcOpenMemHandle(void **at, cudaIpcMemHandle_t handle, unsigned flags) {
  struct handle h;
  memcpy(&h, &handle, sizeof h);
  if (memcmp(h.magic, "fakeipc", 8)) return cudaErrorInvalidValue;
  if (h.pid == getpid()) {
    *at = h.at;
    return cudaSuccess;
  }
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/fd/%d", h.pid, h.fd);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  return fd < 0 ? cudaErrorInvalidValue : map(fd, h.size, 1, at);
}

/* Memory opened in the process that made it stays mapped. */
cudaError_t cudaIpcCloseMemHandle(void *at) { return forget(at, 1, cudaSuccess); }
