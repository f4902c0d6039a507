#include <gnu/libc-version.h>
#include <stdio.h>

int main(void) {
  printf("hello from gcc %s and glibc %s\n", __VERSION__,
         gnu_get_libc_version());
  return 0;
}
