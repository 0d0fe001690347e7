// CUDA C read as C++: the words of the language, the built-in variables of one thread at a time, and atomics.
#include <math.h>
#include <string.h>

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(threads)

struct Place { unsigned int x; };
static Place threadIdx, blockIdx, blockDim;

static inline double __longlong_as_double(long long bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline unsigned long long atomicAdd(unsigned long long *place, unsigned long long more)
{
    const unsigned long long before = *place;
    *place = before + more;
    return before;
}

static inline unsigned long long atomicMin(unsigned long long *place, unsigned long long other)
{
    const unsigned long long before = *place;
    *place = other < before ? other : before;
    return before;
}
