// Definitions that all kernels share. The sources are compiled by nvcc for a GPU and, for tests, by a C++ compiler
// with host.h, which emulates the threads of a block.
//
// Shapes are those of the engine: T tokens, E examples, R rows, H hidden size, I intermediate size. Kernels that work
// on rows are launched for the padded row count of a bucket. They write zeros to the rows from `*count` on, so that
// these contribute nothing to matrix products over all rows.
#pragma once

#ifndef __CUDACC__
#include "host.h"
#endif

// Threads per block of all kernels except attention.
constexpr int THREADS = 256;

// Columns per thread in kernels where a block computes a whole row, which is at most THREADS * COLUMNS wide.
constexpr int COLUMNS = 8;

// The values that differ between steps. They are in device memory, so that a captured graph can read them.
struct StepParams {
    unsigned tokens;
    unsigned examples;
    // Number of distinct rows of the word and position embeddings.
    unsigned embedding_rows;
    // Number of tiles of attention.
    unsigned tiles;
    // Numbers of the first token and example in the whole batch, of which this input may be a micro-batch.
    unsigned first_token;
    unsigned first_example;
    // Philox key and step of the dropout masks.
    unsigned dropout_key[2];
    unsigned step;
    // Marks the rows of the embeddings' gradient that this step writes.
    unsigned stamp;
    // 1 / number of examples of the whole batch.
    float loss_scale;
    // AdamW: 1 - learning rate * weight decay; learning rate / (1 - beta1^n); sqrt(1 - beta2^n).
    float decay;
    float step_size;
    float bias_correction2_sqrt;
};

// Loss and gradient norm, which the host reads after one or more steps.
struct Report {
    // Sum of the losses of the steps since the host last reset it.
    double loss;
    // Norm of the last gradient, and the factor that clips it.
    float norm;
    float scale;
};

// A dropout site of the model. A threshold of 0 disables dropout.
struct DropoutSite {
    unsigned id;
    // A value is dropped if its 16 random bits, shifted to the high half of a word, are below the threshold.
    unsigned threshold;
    // Factor of the values that are not dropped, 1 / (1 - rate).
    float scale;
};

// The bits of a bf16.
typedef unsigned short bf16;

__device__ inline float to_float(bf16 x) {
#ifdef __CUDACC__
    return __uint_as_float(static_cast<unsigned>(x) << 16);
#else
    return host::as_float(static_cast<unsigned>(x) << 16);
#endif
}

// Rounds to nearest, ties to even.
__device__ inline bf16 to_bf16(float x) {
#ifdef __CUDACC__
    bf16 bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    return bits;
#else
    return host::to_bf16(x);
#endif
}

// Stores x in f32 and bf16; either pointer may be null.
__device__ inline void store(float* out, bf16* out_bf16, long long at, float x) {
    if (out) out[at] = x;
    if (out_bf16) out_bf16[at] = to_bf16(x);
}

__device__ inline float warp_sum(float x) {
    for (int other = 16; other > 0; other /= 2) x += __shfl_xor_sync(0xffffffffu, x, other);
    return x;
}

__device__ inline float warp_max(float x) {
    for (int other = 16; other > 0; other /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, other));
    return x;
}

// Returns the sum over the block to every thread. `scratch` has one element per warp.
__device__ inline float block_sum(float x, float* scratch) {
    x = warp_sum(x);
    // Other threads may still read the result of the previous call.
    __syncthreads();
    if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = x;
    __syncthreads();
    float sum = 0.0f;
    for (int warp = 0; warp < static_cast<int>(blockDim.x / 32); warp++) sum += scratch[warp];
    return sum;
}

// Philox4x32 with 7 rounds, as in src/rng.rs.
struct PhiloxBlock {
    unsigned word[4];
};

__device__ inline PhiloxBlock philox(const StepParams& step, unsigned site, unsigned long long block) {
    unsigned c0 = static_cast<unsigned>(block), c1 = static_cast<unsigned>(block >> 32), c2 = site, c3 = step.step;
    unsigned k0 = step.dropout_key[0], k1 = step.dropout_key[1];
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
    return PhiloxBlock{{c0, c1, c2, c3}};
}

// Whether the low (half 0) or high (half 1) 16 bits of a random word keep a value.
__device__ inline bool is_kept(unsigned word, int half, unsigned threshold) {
    return (half ? word : word << 16) >= threshold;
}

// The dropout factor of element `at` of the hidden states. src/nn/dropout.rs documents the numbering.
__device__ inline float dropout_factor(const StepParams& step, DropoutSite dropout, unsigned long long at) {
    if (!dropout.threshold) return 1.0f;
    const int within = static_cast<int>(at % 128);
    const PhiloxBlock words = philox(step, dropout.id, at / 128 * 16 + within % 16);
    const int word = within % 64 / 16;
    const unsigned low = word & 1 ? words.word[1] : words.word[0], high = word & 1 ? words.word[3] : words.word[2];
    return is_kept(word & 2 ? high : low, within / 64, dropout.threshold) ? dropout.scale : 0.0f;
}

// The number of a row's token in the whole batch. `tokens` has the token of each row, or is null if row i is token i.
__device__ inline unsigned long long dropout_row(const StepParams& step, const unsigned* tokens, int row) {
    return step.first_token + (tokens ? tokens[row] : static_cast<unsigned>(row));
}
