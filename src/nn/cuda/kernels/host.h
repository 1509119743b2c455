// Runs kernels without a GPU: what CUDA adds to C++, for an ordinary compiler. Tests alone use it.
//
// Blocks are run one after the other, and the threads of a block in turn: each has a stack of its own, and gives
// way where it has to wait for others. A kernel that some threads wait in and others do not is found out.
#pragma once

#include <math.h>
#include <setjmp.h>
#include <stddef.h>
#include <string.h>
#include <ucontext.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#define __global__
#define __device__
// The next block finds what this one left, as on a GPU.
#define __shared__ static thread_local

struct uint3 {
    unsigned x, y, z;
};

static thread_local uint3 threadIdx, blockIdx, blockDim, gridDim;

namespace host {

inline float as_float(unsigned bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

inline unsigned short narrow(float x) {
    unsigned bits;
    memcpy(&bits, &x, sizeof bits);
    if (x != x) return static_cast<unsigned short>(bits >> 16 | 0x40);
    return static_cast<unsigned short>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

constexpr size_t STACK = 64 * 1024;

// Threads that wait for each other: a block, or a warp.
struct Group {
    unsigned members = 0, arrived = 0, round = 0;
};

struct Thread {
    ucontext_t start;
    jmp_buf at;
    std::vector<char> stack;
    // What it waits for, and the round in which it came.
    Group* waits = nullptr;
    unsigned round = 0;
    // Exchanges that it took part in.
    unsigned exchanges = 0;
    bool is_begun = false, is_over = false;
};

// The block that runs.
struct Block {
    std::vector<Thread> threads;
    std::vector<Group> warps;
    Group all;
    // What lanes show each other: of two neighbouring exchanges, since one may be a step ahead.
    std::vector<std::array<unsigned, 6>> shown[2];
    jmp_buf back;
    unsigned current = 0;
    void (*body)(void*) = nullptr;
    void* arguments = nullptr;
};

inline Block& block() {
    static thread_local Block block;
    return block;
}

inline void leave(Group& group) {
    group.members--;
    if (group.members > 0 && group.arrived == group.members) {
        group.arrived = 0;
        group.round++;
    }
}

// Where each thread begins; it is used again for the blocks that follow.
inline void entry() {
    for (;;) {
        Block& b = block();
        b.body(b.arguments);
        Thread& thread = b.threads[b.current];
        thread.is_over = true;
        leave(b.all);
        if (!_setjmp(thread.at)) _longjmp(b.back, 1);
    }
}

inline void wait(Group& group) {
    Block& b = block();
    if (++group.arrived == group.members) {
        group.arrived = 0;
        group.round++;
        return;
    }
    Thread& thread = b.threads[b.current];
    thread.waits = &group;
    thread.round = group.round;
    if (!_setjmp(thread.at)) _longjmp(b.back, 1);
}

// What lane `source` of the warp shows.
inline unsigned exchange(unsigned mine, unsigned source) {
    Block& b = block();
    const unsigned self = b.current, side = b.threads[self].exchanges++ % 2;
    b.shown[side][self][0] = mine;
    wait(b.warps[self / 32]);
    return b.shown[side][self / 32 * 32 + source][0];
}

// The product of mma.cuh, each lane its four numbers.
inline void mma(float (&out)[4], const unsigned (&left)[4], const unsigned (&right)[2]) {
    Block& b = block();
    const unsigned self = b.current, side = b.threads[self].exchanges++ % 2;
    auto& shown = b.shown[side];
    shown[self] = {left[0], left[1], left[2], left[3], right[0], right[1]};
    wait(b.warps[self / 32]);
    const unsigned first = self / 32 * 32, g = self % 32 / 4, t = self % 4;
    const auto half = [](unsigned two, unsigned i) { return as_float(i % 2 ? two & 0xffff0000u : two << 16); };
    for (unsigned i = 0; i < 4; i++)
        for (unsigned k = 0; k < 16; k++) {
            const unsigned pair = k % 8 / 2;
            const float a = half(shown[first + 4 * g + pair][i / 2 + 2 * (k / 8)], k);
            const float c = half(shown[first + 4 * (2 * t + i % 2) + pair][4 + k / 8], k);
            out[i] += a * c;
        }
}

// Goes on with a thread until it waits or ends.
inline void resume(unsigned number) {
    Block& b = block();
    b.current = number;
    threadIdx = uint3{number, 0, 0};
    Thread& thread = b.threads[number];
    if (_setjmp(b.back)) return;
    if (thread.is_begun) _longjmp(thread.at, 1);
    thread.is_begun = true;
    getcontext(&thread.start);
    thread.stack.resize(STACK);
    thread.start.uc_stack.ss_sp = thread.stack.data();
    thread.start.uc_stack.ss_size = thread.stack.size();
    thread.start.uc_link = nullptr;
    makecontext(&thread.start, reinterpret_cast<void (*)()>(entry), 0);
    setcontext(&thread.start);
}

// Whether all threads of the block came to the end.
inline bool run_block(unsigned threads) {
    Block& b = block();
    if (b.threads.size() < threads) b.threads.resize(threads);
    b.warps.assign(threads / 32, Group{32, 0, 0});
    b.all = Group{threads, 0, 0};
    for (auto& shown : b.shown) shown.resize(threads);
    for (unsigned number = 0; number < threads; number++) {
        Thread& thread = b.threads[number];
        // One that waits for ever, in a kernel that failed, is begun anew.
        if (!thread.is_over) thread.is_begun = false;
        thread.is_over = false;
        thread.waits = nullptr;
        thread.exchanges = 0;
    }
    for (bool moved = true; moved;) {
        moved = false;
        for (unsigned number = 0; number < threads; number++) {
            Thread& thread = b.threads[number];
            if (thread.is_over || (thread.waits && thread.waits->round == thread.round)) continue;
            thread.waits = nullptr;
            resume(number);
            moved = true;
        }
    }
    return std::all_of(b.threads.begin(), b.threads.begin() + threads,
                       [](const Thread& thread) { return thread.is_over; });
}

template <typename... A, size_t... I>
void call(void (*kernel)(A...), void** arguments, std::index_sequence<I...>) {
    kernel(*static_cast<A*>(arguments[I])...);
}

// A kernel with its arguments behind pointers, as the driver of a GPU takes them.
template <auto kernel>
struct Caller;

template <typename... A, void (*kernel)(A...)>
struct Caller<kernel> {
    static void body(void* arguments) {
        call(kernel, static_cast<void**>(arguments), std::index_sequence_for<A...>{});
    }
};

struct Entry {
    const char* name;
    void (*body)(void*);
};

}  // namespace host

inline void __syncthreads() { host::wait(host::block().all); }

inline void __syncwarp() { host::wait(host::block().warps[host::block().current / 32]); }

inline float __shfl_xor_sync(unsigned, float x, int other) {
    unsigned bits;
    memcpy(&bits, &x, sizeof bits);
    return host::as_float(host::exchange(bits, host::block().current % 32 ^ other));
}

inline unsigned __shfl_sync(unsigned, unsigned x, int source) { return host::exchange(x, source); }
