// All kernels in one library for the tests.

#include "attention.cu"
#include "attention_bf16.cu"
#include "columns.cu"
#include "head.cu"
#include "norm.cu"
#include "optimizer.cu"

#define ENTRY(kernel) {#kernel, host::Caller<kernel>::body}
#define BF16_ENTRIES(width)                                                              \
    ENTRY(attend_bf16_##width), ENTRY(attend_backward_queries_bf16_##width),             \
        ENTRY(attend_backward_keys_bf16_##width)

static const host::Entry KERNELS[] = {
    ENTRY(embed),           ENTRY(add_norm),          ENTRY(norm_backward),
    ENTRY(activate),        ENTRY(columns),           ENTRY(segment_columns),
    ENTRY(finish),          ENTRY(pick),              ENTRY(unpick),
    ENTRY(scatter_words),   ENTRY(scatter_positions), ENTRY(attend),
    ENTRY(attend_backward_queries), ENTRY(attend_backward_keys),
    ENTRY(add_bias),        ENTRY(pool),              ENTRY(pool_backward),
    ENTRY(cross_entropy),   ENTRY(squares),           ENTRY(clip),
    ENTRY(adamw),           ENTRY(round_weights),     ENTRY(squared_error),
    BF16_ENTRIES(32),       BF16_ENTRIES(64),         BF16_ENTRIES(96),
};

// Runs a kernel; 1 if there is none of that name, 2 if its threads wait for others that do not come.
extern "C" int launch(const char* name, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned threads,
                      void** arguments) {
    for (const host::Entry& entry : KERNELS) {
        if (strcmp(entry.name, name)) continue;
        host::block().body = entry.body;
        host::block().arguments = arguments;
        gridDim = uint3{grid_x, grid_y, grid_z};
        blockDim = uint3{threads, 1, 1};
        for (unsigned z = 0; z < grid_z; z++)
            for (unsigned y = 0; y < grid_y; y++)
                for (unsigned x = 0; x < grid_x; x++) {
                    blockIdx = uint3{x, y, z};
                    if (!host::run_block(threads)) return 2;
                }
        return 0;
    }
    return 1;
}
