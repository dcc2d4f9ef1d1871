/* A library whose initialiser misbehaves before anything can be asked: CASE says how. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <unistd.h>

#include "glucopipe.h"

#define SEGFAULT 1
#define EXIT 2
#define PRINT 3
#define FORK 4

__attribute__((constructor)) static void begin(void) {
#if CASE == SEGFAULT
  *(volatile int*)8 = 1;
#elif CASE == EXIT
  _exit(0);
#elif CASE == PRINT
  static const char text[] = "hello\n";
  if (write(1, text, sizeof text - 1) < 0) abort();
#elif CASE == FORK
  if (fork() < 0) abort();
#endif
}

GP_EXPORT const gp_plugin* GP_CALL gp_plugin_v1(void) { return NULL; }
