/* A fake compiler, for tests.
 *   FAKE_NVRTC=CODE           the code it returns; for the fake driver, the path
 *                             of a library (default: the options it got)
 *   FAKE_NVRTC_ARCHS=A,B,...  the architectures it supports (75,80,90)
 *   FAKE_NVRTC_FAILS=LOG      compiling fails with this log
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct program { char options[256]; int failed; };

static const char *variable(const char *name, const char *otherwise) {
  const char *text = getenv(name);
  return text ? text : otherwise;
}

static int archs(int *to) {
  int n = 0, arch, read;
  for (const char *at = variable("FAKE_NVRTC_ARCHS", "75,80,90"); sscanf(at, "%d%n", &arch, &read) == 1; at += read + (at[read] == ',')) {
    if (to) to[n] = arch;
    n++;
  }
  return n;
}

int nvrtcGetNumSupportedArchs(int *n) { *n = archs(NULL); return 0; }
int nvrtcGetSupportedArchs(int *to) { archs(to); return 0; }

int nvrtcCreateProgram(struct program **p, const char *source, const char *name, int headers, const char **texts, const char **names) {
  *p = calloc(1, sizeof **p);
  return source && *source ? 0 : 3;
}

int nvrtcDestroyProgram(struct program **p) { free(*p); *p = NULL; return 0; }

int nvrtcCompileProgram(struct program *p, int n, const char **options) {
  for (int i = 0; i < n; i++) strncat(p->options, options[i], sizeof p->options - strlen(p->options) - 2), strcat(p->options, " ");
  p->failed = getenv("FAKE_NVRTC_FAILS") != NULL;
  return p->failed ? 6 : 0;
}

static int give(const char *text, char *to, size_t *size) {
  if (size) *size = strlen(text) + 1;
  if (to) strcpy(to, text);
  return 0;
}

static const char *code(struct program *p) { return variable("FAKE_NVRTC", p->options); }

int nvrtcGetProgramLogSize(struct program *p, size_t *size) { return give(variable("FAKE_NVRTC_FAILS", ""), NULL, size); }
int nvrtcGetProgramLog(struct program *p, char *to) { return give(variable("FAKE_NVRTC_FAILS", ""), to, NULL); }
int nvrtcGetPTXSize(struct program *p, size_t *size) { return p->failed ? 5 : give(code(p), NULL, size); }
int nvrtcGetPTX(struct program *p, char *to) { return give(code(p), to, NULL); }
int nvrtcGetCUBINSize(struct program *p, size_t *size) { return p->failed ? 5 : give(code(p), NULL, size); }
int nvrtcGetCUBIN(struct program *p, char *to) { return give(code(p), to, NULL); }
