// The matrix product of a tensor core: out (16, 8) += left (16, 16) · right (16, 8), with bf16 operands and f32 sums.
// With g = lane / 4 and t = lane % 4, a lane holds these elements (row, column):
// - of left, in four registers of two adjacent columns each: (g, 2 t …), (g + 8, 2 t …), (g, 2 t + 8 …), (g + 8, 2 t
//   + 8 …);
// - of right, in two registers of two adjacent rows each: (2 t …, g), (2 t + 8 …, g);
// - of out: (g, 2 t), (g, 2 t + 1), (g + 8, 2 t), (g + 8, 2 t + 1).
#pragma once

#include "common.cuh"

__device__ inline void mma(float (&out)[4], const unsigned (&left)[4], const unsigned (&right)[2]) {
#ifdef __CUDACC__
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(out[0]), "+f"(out[1]), "+f"(out[2]), "+f"(out[3])
        : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right[0]), "r"(right[1]));
#else
    host::mma(out, left, right);
#endif
}

// Two values as bf16, the first in the low half.
__device__ inline unsigned bf16_pair(float low, float high) {
#ifdef __CUDACC__
    unsigned bits;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
    return bits;
#else
    return to_bf16(low) | static_cast<unsigned>(to_bf16(high)) << 16;
#endif
}

// Sum and maximum over the four lanes that hold a row of a product.
__device__ inline float row_sum(float x) {
    x += __shfl_xor_sync(0xffffffffu, x, 1);
    return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

__device__ inline float row_max(float x) {
    x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
    return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}
