// Memory of the devices: mapped without rights, and readable only while a copy runs, so that whatever else touches it ends
// the process with a segmentation fault.
#pragma once
#include "settings.h"

#include <c10/core/CachingDeviceAllocator.h>
#include <sys/mman.h>

#include <atomic>
#include <map>
#include <mutex>

namespace soft {

// What tests ask for (see accelerator.rs).
struct Counts {
    uint64_t operations = 0;   // kernels that ran
    uint64_t waits = 0;        // copies and questions for which the host waits
    uint64_t allocations = 0;
    uint64_t allocated = 0;    // bytes, over all devices
    uint64_t peak = 0;         // the most that they were
};

struct State {
    std::mutex mutex;
    Counts counts;
    long fail_allocation = number("SOFT_ACCELERATOR_FAIL_ALLOCATION");
    long lose = number("SOFT_ACCELERATOR_LOSE");
};

inline State &state() {
    static auto *state = new State;
    return *state;
}

inline int8_t &current_device() {
    thread_local int8_t current = 0;
    return current;
}

struct Block {
    size_t bytes;
    int8_t device;
    int opened = 0;
};

class Memory final : public c10::DeviceAllocator {
  public:
    at::DataPtr allocate(size_t bytes) override { return allocate_on(bytes, current_device()); }

    at::DataPtr allocate_on(size_t bytes, int8_t device) {
        const at::Device place(at::kCUDA, device);
        if (bytes == 0) return {nullptr, nullptr, &release, place};
        const size_t size = (bytes + 4095) / 4096 * 4096;
        std::lock_guard lock(state().mutex);
        auto &counts = state().counts;
        counts.allocations++;
        const auto &limits = devices().at(device);
        const bool failing = static_cast<long>(counts.allocations) == state().fail_allocation;
        if (failing || used[device] + size > limits.bytes - limits.busy)
            TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory. Tried to allocate ", bytes, " bytes. GPU ",
                             int(device), " has a total capacity of ", limits.bytes, " bytes (software accelerator)");
        void *memory = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        TORCH_CHECK(memory != MAP_FAILED, "the software accelerator cannot map ", size, " bytes");
        blocks[static_cast<char *>(memory)] = {size, device};
        used[device] += size;
        most[device] = std::max(most[device], used[device]);
        counts.allocated += size;
        counts.peak = std::max(counts.peak, counts.allocated);
        report(memory, static_cast<int64_t>(size), device);
        return {memory, memory, &release, place};
    }

    at::DeleterFnPtr raw_deleter() const override { return &release; }
    void copy_data(void *, const void *, size_t) const override { TORCH_CHECK(false, "a raw copy of device memory"); }
    bool initialized() override { return true; }
    void emptyCache(c10::MempoolId_t) override {}
    void recordStream(const at::DataPtr &, c10::Stream) override {}

    c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex device) override {
        std::lock_guard lock(state().mutex);
        c10::CachingDeviceAllocator::DeviceStats stats;
        auto &allocated = stats.allocated_bytes[0];
        allocated.current = static_cast<int64_t>(used[device]);
        allocated.peak = static_cast<int64_t>(most[device]);
        stats.reserved_bytes[0] = allocated;
        return stats;
    }
    void resetAccumulatedStats(c10::DeviceIndex) override {}
    void resetPeakStats(c10::DeviceIndex device) override {
        std::lock_guard lock(state().mutex);
        most[device] = used[device];
    }
    std::pair<size_t, size_t> getMemoryInfo(c10::DeviceIndex device) override {
        std::lock_guard lock(state().mutex);
        const auto &limits = devices().at(device);
        return {limits.bytes - limits.busy - used[device], limits.bytes};
    }

    static void release(void *memory) {
        if (!memory) return;
        std::lock_guard lock(state().mutex);
        const auto block = blocks.find(static_cast<char *>(memory));
        used[block->second.device] -= block->second.bytes;
        report(memory, -static_cast<int64_t>(block->second.bytes), block->second.device);
        state().counts.allocated -= block->second.bytes;
        munmap(memory, block->second.bytes);
        blocks.erase(block);
    }

    // Makes the block that begins here readable and writable, or shuts it again; nested openings count.
    static void open(void *memory, bool opening) {
        std::lock_guard lock(state().mutex);
        auto &block = blocks.at(static_cast<char *>(memory));
        block.opened += opening ? 1 : -1;
        if (block.opened == (opening ? 1 : 0)) mprotect(memory, block.bytes, opening ? PROT_READ | PROT_WRITE : PROT_NONE);
    }

  private:
    // As CUDA's allocator does, to whoever measures.
    static void report(void *memory, int64_t bytes, int8_t device) {
        c10::reportMemoryUsageToProfiler(memory, bytes, used[device], used[device], {at::kCUDA, device});
    }

    static inline std::map<char *, Block> blocks;
    static inline uint64_t used[64], most[64];
};

inline Memory &memory() {
    static auto *memory = new Memory;
    return *memory;
}

} // namespace soft
