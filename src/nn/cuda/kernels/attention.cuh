// What the kernels of attention share.
#pragma once

#include "common.cuh"

constexpr int WARP = 32;
constexpr int WARPS = 4;
// Rows of a tile.
constexpr int TILE = 16;

// Projections without bias, their rows some numbers apart, and the biases of all three: (3 heads size).
struct Projected {
    const float* queries;
    const float* keys;
    const float* values;
    const float* biases;
    int query_stride;
    int key_stride;
};

// What all rows of a layer have in common.
struct Heads {
    int count;
    int size;
    // Blocks of random words that number the masks of a query: an eighth of the longest input.
    int row_blocks;
    // Whether each example's first token is its only query. Its row then is that of the example.
    int is_first_only;
};

// The rows that a tile works on.
struct Tile {
    // The example's tokens.
    unsigned first, end;
    // Its queries: their rows, the token of the first, and how many.
    unsigned query_row, query_token, queries;
};

__device__ inline Tile example_tile(const unsigned* offsets, unsigned example, Heads heads) {
    Tile tile{offsets[example], offsets[example + 1], 0, 0, 0};
    tile.query_token = tile.first;
    tile.query_row = heads.is_first_only ? example : tile.first;
    tile.queries = heads.is_first_only ? 1 : tile.end - tile.first;
    return tile;
}

// Which of eight neighbouring probabilities are kept, the first in the lowest bit: those of keys 8 n … of a query.
__device__ inline unsigned kept_bits(const Step& step, Site site, Heads heads, unsigned query_token, int head,
                                     unsigned n) {
    const unsigned long long row = static_cast<unsigned long long>(step.first_token + query_token) * heads.count + head;
    const Words words = draw(step, site.number, row * heads.row_blocks + n);
    unsigned bits = 0;
#pragma unroll
    for (int half = 0; half < 2; half++)
#pragma unroll
        for (int word = 0; word < 4; word++)
            bits |= static_cast<unsigned>(is_kept(words.word[word], half, site.threshold)) << (4 * half + word);
    return bits;
}
