// The geodesic distance on a graphics card: cheapest paths over the 26 neighbours, to the end.
//
// A block-based form of the fast iterative method (Jeong and Whitaker, SIAM J. Sci. Comput. 2008;
// block-based: Weber et al., ACM Trans. Graph. 2008), on the graph of the voxels: the volume is
// divided into tiles of 8 x 8 x 8 voxels. A tile waits for a visit while its key, a lower bound of
// the distances that a visit may lower, is finite. A round is two launches: `choose` lists the
// tiles whose key lies below a threshold, which rises when none is left; `visit` lowers the
// distances inside each of them until they stay, then gives keys to the tiles beside.
//
// Why the result is the processor's (kernels.py: settle) to the bit. A distance is always the sum
// of the costs along some path, added in float32 in the order from the seed, and the end is where
// no step lowers any. Costs are not negative and rounding keeps an order, so fl(d + c) grows with
// d and is at least d. By induction along a best path, every end has the least such sum over all
// paths, in whatever order the steps were taken. The costs are the same to the bit, as the
// operations are written out: fused where numba's are, rounded to nearest, subnormals kept.
//
// Why races cannot change it. A voxel's distance is written by the one thread that owns it, 32
// aligned bits at once, and only ever lowered. Whoever reads beside a write gets the value before
// or after: both are sums along paths, the older one is only higher. So a stale value costs further
// work, if the reader comes again: inside a tile every thread goes on until a full turn, between
// two barriers, has lowered nothing. Between tiles that are visited at the same time, it is the key:
//   the writer:  distances; __syncthreads; __threadfence; atomicMin(key)
//   the reader:  atomicExch(key, none); __threadfence; __syncthreads; distances (past the L1 cache)
// Either the exchange comes after the writer's minimum, then the reader sees its distances, or
// before, then the key stays, and the tile is visited again. Launches follow one another.
//
// No block waits for another one, so that any number of blocks makes progress. The tests compile
// this file as C++, with threads and blocks as loops, in any order and with stale reads.

#define TILE 8
#define HALO 10           // a tile with the voxels around it
#define ROW 24            // floats from row to row in shared memory: a warp's four meet other banks
#define CACHED (HALO * HALO * ROW)
#define THREADS (TILE * TILE * TILE)
#define CHOOSERS 1024     // threads of `choose`
#define NEIGHBOURS 26
#define NONE 0x7f800000   // the bits of inf; floats that are not negative are ordered as their bits

#ifdef __CUDACC__
// one thread runs what follows; END_EACH waits for the others
#define EACH(t, count) { const int t = threadIdx.x;
#define END_EACH __syncthreads(); }
#define END_EACH_OR(any, own) any = __syncthreads_or(own); }
#define OWN(type, name, count) type name
#define AT(name, t) name
#define OWN_LIST(type, name, length, count) type name[length]
#define BITS(value) __float_as_int(value)
#define FLOAT(bits) __int_as_float(bits)
#define SEEN(shared, at) (*(volatile float *)&shared[at])
#define SEEN_ON_CARD(distance, at) __ldcg(&distance[at])
#define TAKE_KEY(keys, tile) atomicExch(&keys[tile], NONE)
#endif

// What does not change in a run; encoding/on_card.py has the same fields.
struct Setup {
    int shape[3];       // voxels
    int tiles[3];
    int channels;
    int linear;         // whether StepCost.linear gave the steps, else StepCost.of_length
    int full;           // tiles that keep the card busy
    float bound;        // distances from it on are not stored
    float general[4];   // StepCost.coefficients
    float steps[81];    // (3, 3, 3, 3)
};

// What changes from round to round.
struct Progress {
    int count;          // tiles that are listed
    int threshold;      // bits
    float width;
    int rounds;         // those that had tiles
    int visits;
    int turns;          // of all visits together
};

// The cost of a step from |dI|^2, or from |dI| in the linear form: pull() of kernels.py.
__device__ __forceinline__ float step_cost(const Setup &setup, int step, float change) {
    const float *row = &setup.steps[3 * step];
    if (setup.linear) return __fmaf_rn(row[0], change, row[1]);
    const float *c = setup.general;
    const float difference = __fadd_rn(__fsqrt_rn(__fmaf_rn(c[0], change, row[2])), c[1]);
    return __fdiv_rn(__fmul_rn(row[0], difference), __fmaf_rn(c[2], difference, c[3]));
}

__device__ __forceinline__ int step_of(int n) { return n < 13 ? n : n + 1; }  // 13: no step

__device__ __forceinline__ int offset_of(int step) {
    return (step / 9 - 1) * HALO * ROW + (step / 3 % 3 - 1) * ROW + step % 3 - 1;
}

// Start: inf but at the seeds; what is beside one waits. keys: NONE.
// width: rise of the threshold.
extern "C" __global__ void begin(Setup setup, const unsigned char *seeds, const float *width,
                                 float *distance, int *keys, Progress *progress) {
    const long long total = (long long)setup.shape[0] * setup.shape[1] * setup.shape[2];
    const long long voxel = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (voxel == 0) {
        progress->count = progress->rounds = progress->visits = progress->turns = 0;
        progress->threshold = 0;
        progress->width = *width;
    }
    if (voxel >= total) return;
    distance[voxel] = seeds[voxel] ? 0.0f : FLOAT(NONE);
    if (!seeds[voxel]) return;
    const int z = voxel % setup.shape[2], y = voxel / setup.shape[2] % setup.shape[1];
    const int x = voxel / setup.shape[2] / setup.shape[1];
    for (int step = 0; step < 27; ++step) {
        const int a = x + step / 9 - 1, b = y + step / 3 % 3 - 1, c = z + step % 3 - 1;
        if (a < 0 || b < 0 || c < 0 || a >= setup.shape[0] || b >= setup.shape[1] ||
            c >= setup.shape[2]) continue;
        keys[(a / TILE * setup.tiles[1] + b / TILE) * setup.tiles[2] + c / TILE] = 0;
    }
}

// List the tiles to be visited in this round. One block of CHOOSERS threads.
extern "C" __global__ void choose(Setup setup, const int *keys, int *list, Progress *progress) {
    __shared__ int least, count, threshold;
    const int tiles = setup.tiles[0] * setup.tiles[1] * setup.tiles[2];
    EACH(t, CHOOSERS)
        if (t == 0) { least = NONE; count = 0; }
    END_EACH
    EACH(t, CHOOSERS)
        int own = NONE;
        #pragma unroll 4
        for (int tile = t; tile < tiles; tile += CHOOSERS) own = min(own, keys[tile]);
        if (own != NONE) atomicMin(&least, own);
    END_EACH
    EACH(t, CHOOSERS)
        if (t == 0) {
            threshold = progress->threshold;
            if (least != NONE && least >= threshold) {
                // of few tiles, most of the card would have nothing to do
                if (progress->rounds && progress->count < setup.full) progress->width *= 2;
                const float low = FLOAT(least);
                // relative to the key too, or rounding could keep the threshold where it is
                threshold = BITS(fmaxf(low + progress->width, low * 1.001f));
                progress->threshold = threshold = max(threshold, least + 1);
            }
        }
    END_EACH
    EACH(t, CHOOSERS)
        #pragma unroll 4
        for (int tile = t; tile < tiles; tile += CHOOSERS)
            if (keys[tile] < threshold) list[atomicAdd(&count, 1)] = tile;
    END_EACH
    EACH(t, CHOOSERS)
        if (t == 0) {
            progress->count = count;
            progress->rounds += count > 0;
            progress->visits += count;
        }
    END_EACH
}

// Lower the distances in the listed tiles until they stay. Blocks of THREADS threads.
extern "C" __global__ void __launch_bounds__(THREADS, 2)
visit(Setup setup, const float *image, float *distance, int *keys, const int *list,
      Progress *progress) {
    __shared__ float cache[CACHED];
    OWN_LIST(float, cost, NEIGHBOURS, THREADS);
    OWN(float, mine, THREADS);
    OWN(long long, voxel, THREADS);  // -1: outside the volume
    const long long stride_x = (long long)setup.shape[1] * setup.shape[2];
    const int stride_y = setup.shape[2];
    for (int n = blockIdx.x; n < progress->count; n += gridDim.x) {
        const int tile = list[n];
        const int x0 = tile / setup.tiles[2] / setup.tiles[1] * TILE;
        const int y0 = tile / setup.tiles[2] % setup.tiles[1] * TILE;
        const int z0 = tile % setup.tiles[2] * TILE;
        for (int channel = 0; channel < setup.channels; ++channel) {
            const float *values = image + channel * stride_x * setup.shape[0];
            EACH(t, THREADS)
                for (int v = t; v < HALO * HALO * HALO; v += THREADS) {
                    const int a = v / (HALO * HALO), b = v / HALO % HALO, c = v % HALO;
                    const int x = min(max(x0 + a - 1, 0), setup.shape[0] - 1);
                    const int y = min(max(y0 + b - 1, 0), setup.shape[1] - 1);
                    const int z = min(max(z0 + c - 1, 0), setup.shape[2] - 1);
                    cache[(a * HALO + b) * ROW + c] = values[x * stride_x + y * stride_y + z];
                }
            END_EACH
            EACH(t, THREADS)
                const int at = ((t / 64 + 1) * HALO + t / 8 % 8 + 1) * ROW + t % 8 + 1;
                #pragma unroll
                for (int k = 0; k < NEIGHBOURS; ++k) {
                    const float change = cache[at + offset_of(step_of(k))] - cache[at];
                    const float before = channel ? AT(cost, t)[k] : 0.0f;
                    AT(cost, t)[k] =
                        setup.linear ? fabsf(change) : __fmaf_rn(change, change, before);
                }
            END_EACH
        }
        EACH(t, THREADS)
            if (t == 0) { TAKE_KEY(keys, tile); __threadfence(); }
        END_EACH
        EACH(t, THREADS)
            for (int v = t; v < HALO * HALO * HALO; v += THREADS) {
                const int a = v / (HALO * HALO), b = v / HALO % HALO, c = v % HALO;
                const int x = x0 + a - 1, y = y0 + b - 1, z = z0 + c - 1;
                const bool inside = x >= 0 && y >= 0 && z >= 0 && x < setup.shape[0] &&
                                    y < setup.shape[1] && z < setup.shape[2];
                const long long from = x * stride_x + y * stride_y + z;
                cache[(a * HALO + b) * ROW + c] =
                    inside ? SEEN_ON_CARD(distance, from) : FLOAT(NONE);
            }
            #pragma unroll
            for (int k = 0; k < NEIGHBOURS; ++k)
                AT(cost, t)[k] = step_cost(setup, step_of(k), AT(cost, t)[k]);
        END_EACH
        EACH(t, THREADS)
            const int a = t / 64, b = t / 8 % 8, c = t % 8;
            const int x = x0 + a, y = y0 + b, z = z0 + c;
            const bool inside = x < setup.shape[0] && y < setup.shape[1] && z < setup.shape[2];
            AT(voxel, t) = inside ? x * stride_x + y * stride_y + z : -1;
            AT(mine, t) = cache[((a + 1) * HALO + b + 1) * ROW + c + 1];
        END_EACH
        int changed = 1, turns = 0;
        while (changed) {
            ++turns;
            EACH(t, THREADS)
                const int at = ((t / 64 + 1) * HALO + t / 8 % 8 + 1) * ROW + t % 8 + 1;
                float best = AT(mine, t);
                #pragma unroll
                for (int k = 0; k < NEIGHBOURS; ++k)
                    best = fminf(best, __fadd_rn(SEEN(cache, at + offset_of(step_of(k))),
                                                 AT(cost, t)[k]));
                const int lower = AT(voxel, t) >= 0 && best < AT(mine, t) && best < setup.bound;
                if (lower) *(volatile float *)&cache[at] = AT(mine, t) = best;
            END_EACH_OR(changed, lower)
        }
        EACH(t, THREADS)
            if (AT(voxel, t) >= 0 && AT(mine, t) < SEEN_ON_CARD(distance, AT(voxel, t)))
                *(volatile float *)&distance[AT(voxel, t)] = AT(mine, t);
            else
                AT(voxel, t) = -1;  // has not changed
            if (t == 0) atomicAdd(&progress->turns, turns);
        END_EACH
        EACH(t, THREADS)
            const int a = t / 64, b = t / 8 % 8, c = t % 8;
            const int at = ((a + 1) * HALO + b + 1) * ROW + c + 1;
            if (AT(voxel, t) >= 0) {
                __threadfence();
                #pragma unroll
                for (int k = 0; k < NEIGHBOURS; ++k) {
                    const int step = step_of(k);
                    const int x = a + step / 9 - 1, y = b + step / 3 % 3 - 1, z = c + step % 3 - 1;
                    const int dx = (x >= TILE) - (x < 0), dy = (y >= TILE) - (y < 0);
                    const int dz = (z >= TILE) - (z < 0);
                    if (!(dx || dy || dz)) continue;
                    const float reached = __fadd_rn(AT(mine, t), AT(cost, t)[k]);
                    // inside the volume: outside, what was read is inf, too
                    if (x0 + x < 0 || y0 + y < 0 || z0 + z < 0 || x0 + x >= setup.shape[0] ||
                        y0 + y >= setup.shape[1] || z0 + z >= setup.shape[2]) continue;
                    if (!(reached < cache[at + offset_of(step)] && reached < setup.bound)) continue;
                    atomicMin(&keys[tile + (dx * setup.tiles[1] + dy) * setup.tiles[2] + dz],
                              BITS(reached));
                }
            }
        END_EACH
    }
}
