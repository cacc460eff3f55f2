// Runs interactivenet/encoding/geodesic.cu as C++: blocks and threads are loops. Threads of a
// block take turns in any order between two barriers; at random, reads get what was there before:
// in a tile, at the last barrier, between tiles, at the start of the launch (the reader then took
// its key at that time, so that keys that came since stay).
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

using std::max;
using std::min;

static unsigned state;
static unsigned dice() {  // xorshift: fast, and the same everywhere
    state ^= state << 13, state ^= state >> 17, state ^= state << 5;
    return state;
}
static void shuffle(int *values, int count) {
    for (int n = count - 1; n > 0; --n) std::swap(values[n], values[dice() % (n + 1)]);
}
static bool shuffled, stale;
static std::vector<float> at_launch;     // distances at the start of a launch
static std::vector<int> since_launch;    // keys that came since
static bool behind;                      // whether this tile reads what was there at the launch
static float at_barrier[10 * 10 * 24];
static int order[1024];
struct Index { int x; } blockIdx, blockDim, gridDim, threadIdx;

static void next_turn(int count, const float *cache) {
    for (int n = 0; n < count; ++n) order[n] = n;
    if (shuffled) shuffle(order, count);
    if (stale && cache) std::memcpy(at_barrier, cache, sizeof at_barrier);
}
static const float *cache = nullptr;  // hidden by visit()'s own

static int BITS(float value) { int bits; std::memcpy(&bits, &value, 4); return bits; }
static float FLOAT(int bits) { float value; std::memcpy(&value, &bits, 4); return value; }
static float seen(const float *cached, int at) {
    return stale && dice() % 4 == 0 ? at_barrier[at] : cached[at];
}
static float seen_on_card(const float *distance, long long at) {
    return behind ? at_launch[at] : distance[at];
}
static void take_key(int *keys, int tile) {
    behind = stale && dice() % 2 == 0;
    keys[tile] = behind ? since_launch[tile] : 0x7f800000;
}
static int *all_keys;
static void atomicMin(int *at, int value) {
    *at = min(*at, value);
    if (at >= all_keys && at < all_keys + since_launch.size()) {
        int &since = since_launch[at - all_keys];
        since = min(since, value);
    }
}
static int atomicAdd(int *at, int value) { const int before = *at; *at += value; return before; }

#define __device__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(threads, blocks)
#define __shared__ static
#define __threadfence()
#define __fmaf_rn std::fma
#define __fadd_rn(a, b) ((a) + (b))
#define __fmul_rn(a, b) ((a) * (b))
#define __fdiv_rn(a, b) ((a) / (b))
#define __fsqrt_rn std::sqrt
#define EACH(t, count) { int or_all = 0; next_turn(count, cache); \
    for (int turn = 0; turn < count; ++turn) { const int t = order[turn];
#define END_EACH } (void)or_all; }
#define END_EACH_OR(any, own) or_all |= own; } any = or_all; }
#define OWN(type, name, count) static type name[count]
#define AT(name, t) name[t]
#define OWN_LIST(type, name, length, count) static type name[count][length]
#define SEEN(cached, at) seen(cached, at)
#define SEEN_ON_CARD(distance, at) seen_on_card(distance, at)
#define TAKE_KEY(keys, tile) take_key(keys, tile)

#include KERNEL

extern "C" int size_of_setup() { return sizeof(Setup); }
extern "C" int size_of_progress() { return sizeof(Progress); }

// mode: 1 for any order of tiles and threads, 3 for stale reads, too.
extern "C" void start(int mode, int seed) {
    state = 2 * seed + 1;
    shuffled = mode & 1;
    stale = mode & 2;
}

extern "C" void launch_begin(int grid, int block, const Setup *setup, const unsigned char *seeds,
                             const float *width, float *distance, int *keys, Progress *progress) {
    blockDim.x = block;
    for (blockIdx.x = 0; blockIdx.x < grid; ++blockIdx.x)
        for (threadIdx.x = 0; threadIdx.x < block; ++threadIdx.x)
            begin(*setup, seeds, width, distance, keys, progress);
}

extern "C" void launch_choose(int, int, const Setup *setup, const int *keys, int *list,
                              Progress *progress) {
    choose(*setup, keys, list, progress);
    if (shuffled) shuffle(list, progress->count);
}

extern "C" void launch_visit(int grid, int, const Setup *setup, const float *image,
                             float *distance, int *keys, const int *list, Progress *progress) {
    const int tiles = setup->tiles[0] * setup->tiles[1] * setup->tiles[2];
    const long long voxels = (long long)setup->shape[0] * setup->shape[1] * setup->shape[2];
    all_keys = keys;
    since_launch.assign(tiles, NONE);
    if (stale) at_launch.assign(distance, distance + voxels);
    gridDim.x = grid;
    for (blockIdx.x = 0; blockIdx.x < grid; ++blockIdx.x)
        visit(*setup, image, distance, keys, list, progress);
}

// What a driver has, for the real launcher: a kernel's handle is its name; arguments are pointers
// to the values, as cuLaunchKernel takes them.
static const char *const names[] = {"begin", "choose", "visit"};
extern "C" int cuModuleLoadData(void **module, const char *code) {
    *module = (void *)names;
    return std::strcmp(code, "code") ? 200 : 0;
}
extern "C" int cuModuleGetFunction(void **kernel, void *module, const char *name) {
    for (const char *const &known : names)
        if (module == (void *)names && !std::strcmp(known, name)) {
            *kernel = (void *)&known;
            return 0;
        }
    return 500;
}
extern "C" int cuGetErrorString(int error, const char **text) {
    *text = error == 200 ? "device kernel image is invalid" : "invalid argument";
    return 0;
}
template <class T> static T taken(void **arguments, int n) { return *(T *)arguments[n]; }
extern "C" int cuLaunchKernel(void *kernel, unsigned grid, unsigned y, unsigned z, unsigned block,
                              unsigned v, unsigned w, unsigned shared, void *stream,
                              void **arguments, void **extra) {
    if (y * z * v * w != 1 || shared || stream != (void *)7 || extra) return 1;
    const Setup setup = taken<Setup>(arguments, 0);
    const int which = (const char *const *)kernel - names;
    if (which == 0 && block == 256)
        launch_begin(grid, block, &setup, taken<unsigned char *>(arguments, 1),
                     taken<float *>(arguments, 2), taken<float *>(arguments, 3),
                     taken<int *>(arguments, 4), taken<Progress *>(arguments, 5));
    else if (which == 1 && grid == 1 && block == CHOOSERS)
        launch_choose(grid, block, &setup, taken<int *>(arguments, 1), taken<int *>(arguments, 2),
                      taken<Progress *>(arguments, 3));
    else if (which == 2 && block == THREADS)
        launch_visit(grid, block, &setup, taken<float *>(arguments, 1),
                     taken<float *>(arguments, 2), taken<int *>(arguments, 3),
                     taken<int *>(arguments, 4), taken<Progress *>(arguments, 5));
    else
        return 1;
    return 0;
}
