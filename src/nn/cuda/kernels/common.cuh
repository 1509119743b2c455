// What all kernels share. The same sources are compiled by nvcc for a GPU and, for the tests, by a C++
// compiler with host.h, which runs the threads of a block one after the other.
//
// Names of sizes are those of the engine: T tokens, R rows, H hidden, I intermediate. A kernel that works on
// rows is launched for as many as a bucket has; those beyond `*count` are no real ones, and it writes zeros
// there, so that a matrix product over all rows adds nothing for them.
#pragma once

#ifndef __CUDACC__
#include "host.h"
#endif

// Threads of a block, but for attention.
constexpr int THREADS = 256;

// Columns of a thread where a block takes a whole row: rows are at most THREADS * COLUMNS wide.
constexpr int COLUMNS = 8;

// What is another in each step. It lies in device memory, so that a recorded step reads it anew.
struct Step {
    unsigned tokens;
    unsigned examples;
    // Different words.
    unsigned words;
    // Tiles of attention.
    unsigned tiles;
    // Numbers of the first token and example in the batch that this one may be a part of.
    unsigned first_token;
    unsigned first_example;
    // Key of the dropout masks, and the step that they are of.
    unsigned key[2];
    unsigned number;
    // Marks the rows of the word embedding that this step has a gradient for.
    unsigned stamp;
    // 1 / examples of the whole batch.
    float share;
    // AdamW: 1 - learning rate * weight decay; learning rate / (1 - beta1^n); sqrt(1 - beta2^n).
    float decay;
    float rate;
    float root;
};

// What steps say of themselves.
struct Report {
    // Sum of the losses of all steps so far.
    double loss;
    // Norm of the last gradient, and what it was multiplied by.
    float norm;
    float scale;
};

// Dropout of one place in the model; nothing is dropped when the threshold is 0.
struct Site {
    unsigned number;
    // A word is dropped below it; in the high half.
    unsigned threshold;
    // What a kept value is multiplied by.
    float kept;
};

// bf16 as its bits.
typedef unsigned short bf16;

__device__ inline float wide(bf16 x) {
#ifdef __CUDACC__
    return __uint_as_float(static_cast<unsigned>(x) << 16);
#else
    return host::as_float(static_cast<unsigned>(x) << 16);
#endif
}

// To the nearest, ties to even.
__device__ inline bf16 narrow(float x) {
#ifdef __CUDACC__
    bf16 bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    return bits;
#else
    return host::narrow(x);
#endif
}

// A number, and the same as an operand of a bf16 product where there is a place for it.
__device__ inline void put(float* out, bf16* operand, long long at, float x) {
    if (out) out[at] = x;
    if (operand) operand[at] = narrow(x);
}

__device__ inline float warp_sum(float x) {
    for (int other = 16; other > 0; other /= 2) x += __shfl_xor_sync(0xffffffffu, x, other);
    return x;
}

__device__ inline float warp_max(float x) {
    for (int other = 16; other > 0; other /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, other));
    return x;
}

// The sum over a block, for each of its threads; `scratch` has a number for each warp.
__device__ inline float block_sum(float x, float* scratch) {
    x = warp_sum(x);
    // Others may still read what the last sum left.
    __syncthreads();
    if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = x;
    __syncthreads();
    float sum = 0.0f;
    for (int warp = 0; warp < static_cast<int>(blockDim.x / 32); warp++) sum += scratch[warp];
    return sum;
}

// Philox4x32 in seven rounds, as src/rng.rs draws blocks.
struct Words {
    unsigned word[4];
};

__device__ inline Words draw(const Step& step, unsigned site, unsigned long long block) {
    unsigned c0 = static_cast<unsigned>(block), c1 = static_cast<unsigned>(block >> 32), c2 = site, c3 = step.number;
    unsigned k0 = step.key[0], k1 = step.key[1];
#pragma unroll
    for (int round = 0; round < 7; round++) {
        const unsigned long long left = 0xD2511F53ull * c0, right = 0xCD9E8D57ull * c2;
        c0 = static_cast<unsigned>(right >> 32) ^ c1 ^ k0;
        c1 = static_cast<unsigned>(right);
        c2 = static_cast<unsigned>(left >> 32) ^ c3 ^ k1;
        c3 = static_cast<unsigned>(left);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return Words{{c0, c1, c2, c3}};
}

// Whether a half of a word keeps its value: half 0 is the low one.
__device__ inline bool is_kept(unsigned word, int half, unsigned threshold) {
    return (half ? word : word << 16) >= threshold;
}

// What number `at` of states is multiplied by; src/nn/dropout.rs says how they are numbered.
__device__ inline float state_factor(const Step& step, Site site, unsigned long long at) {
    if (!site.threshold) return 1.0f;
    const int within = static_cast<int>(at % 128);
    const Words words = draw(step, site.number, at / 128 * 16 + within % 16);
    const int word = within % 64 / 16;
    const unsigned low = word & 1 ? words.word[1] : words.word[0], high = word & 1 ? words.word[3] : words.word[2];
    return is_kept(word & 2 ? high : low, within / 64, site.threshold) ? site.kept : 0.0f;
}

// The number of a row in the whole batch: that of its token, which `tokens` names unless all have a row.
__device__ inline unsigned long long row_number(const Step& step, const unsigned* tokens, int row) {
    return step.first_token + (tokens ? tokens[row] : static_cast<unsigned>(row));
}
