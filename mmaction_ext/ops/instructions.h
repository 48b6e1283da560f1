/* A source once for each instruction set, and which of them this processor has.

   A source defines SELF, its name from this folder, and includes this file where what is alike for
   all of them ends; for each, it is then included with TARGET, the attribute of functions, SUFFIX,
   of their names, and LANES, the floats of a vector. */

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define NAME(name) JOIN(name, SUFFIX)

#define TARGET
#define SUFFIX portable
#define LANES 4
#include SELF
#undef TARGET
#undef SUFFIX
#undef LANES

#if defined(__x86_64__)
#define TARGET __attribute__((target("avx2,fma")))
#define SUFFIX avx2
#define LANES 8
#include SELF
#undef TARGET
#undef SUFFIX
#undef LANES

#define TARGET __attribute__((target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw")))
#define SUFFIX avx512
#define LANES 16
#include SELF
#undef TARGET
#undef SUFFIX
#undef LANES
#endif

/* Instruction sets by number: 0 whatever there is, 1 AVX2 with FMA, 2 AVX-512. */
Int best_instructions(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
        return 2;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 1;
#endif
    return 0;
}
