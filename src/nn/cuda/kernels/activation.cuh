// Activation functions and their derivatives.
#pragma once

#include "common.cuh"

enum Activation { GELU = 0, GELU_TANH = 1, RELU = 2, TANH = 3 };

// Returns f(x); *derivative = f'(x).
__device__ inline float activation(int function, float x, float* derivative) {
    if (function == RELU) {
        *derivative = x > 0.0f ? 1.0f : 0.0f;
        return x > 0.0f ? x : 0.0f;
    }
    if (function == TANH) {
        const float t = tanhf(x);
        *derivative = 1.0f - t * t;
        return t;
    }
    if (function == GELU_TANH) {
        const float square = x * x;
        const float t = tanhf(0.7978846f * x * fmaf(0.044715f, square, 1.0f));
        const float inner = 0.7978846f * fmaf(3.0f * 0.044715f, square, 1.0f);
        *derivative = fmaf(0.5f * x * (1.0f - t * t), inner, 0.5f * (1.0f + t));
        return 0.5f * x * (1.0f + t);
    }
    const float phi = 0.5f * (1.0f + erff(x * 0.70710678f));
    *derivative = fmaf(x * 0.3989423f, expf(-0.5f * x * x), phi);
    return x * phi;
}
