// Definitions that the attention kernels share.
#pragma once

#include "common.cuh"

constexpr int WARP = 32;
constexpr int WARPS = 4;
// Rows of a tile.
constexpr int TILE = 16;

// Queries, keys and values without bias: pointers to their first columns, and the distance between rows in elements.
// `biases` are those of all three, (3 H), or null.
struct Qkv {
    const float* queries;
    const float* keys;
    const float* values;
    const float* biases;
    int query_stride;
    int key_stride;
};

// The biases of a projection: `number` is 0 for queries, 1 for keys, 2 for values.
__device__ inline const float* biases_of(Qkv qkv, int number, int hidden) {
    return qkv.biases ? qkv.biases + number * hidden : nullptr;
}

// The sizes of a layer's attention.
struct Heads {
    // Number of heads.
    int count;
    // Head size.
    int size;
    // Philox blocks of the dropout mask of a query: an eighth of the maximum sequence length, rounded up.
    int row_blocks;
    // Whether each example has one query, its first token. The row of the query is then the number of the example.
    int is_first_only;
    // Largest distance between a query and its keys.
    unsigned window;
    // Factor of the products of queries and keys.
    float scale;
};

// The rows of an example.
struct Tile {
    // The example's tokens: first and past the last.
    unsigned first, end;
    // Its queries: row of the first, token of the first, and count.
    unsigned query_row, query_token, queries;
};

__device__ inline Tile example_tile(const unsigned* offsets, unsigned example, Heads heads) {
    Tile tile{offsets[example], offsets[example + 1], 0, 0, 0};
    tile.query_token = tile.first;
    tile.query_row = heads.is_first_only ? example : tile.first;
    tile.queries = heads.is_first_only ? 1 : tile.end - tile.first;
    return tile;
}

// The dropout mask of eight adjacent probabilities, those of keys 8 n to 8 n + 7 of a query: bit i is set if key 8 n
// + i is kept.
__device__ inline unsigned keep_bits(const StepParams& step, DropoutSite dropout, Heads heads, unsigned query_token,
                                     int head, unsigned n) {
    const unsigned long long row = static_cast<unsigned long long>(step.first_token + query_token) * heads.count + head;
    const PhiloxBlock words = philox(step, dropout.id, row * heads.row_blocks + n);
    unsigned bits = 0;
#pragma unroll
    for (int half = 0; half < 2; half++)
#pragma unroll
        for (int word = 0; word < 4; word++)
            bits |= static_cast<unsigned>(is_kept(words.word[word], half, dropout.threshold)) << (4 * half + word);
    return bits;
}
