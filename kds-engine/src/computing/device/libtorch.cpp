// libtorch's device memory and process-wide settings, which tch has no names for. Only libtorch's CPU part is needed to
// compile and link. A function returns 0, or 1 with the message of what was thrown: no exception crosses into Rust.
#include <ATen/Context.h>
#include <ATen/core/Tensor.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>

namespace {

template <typename Body>
int guarded(char *message, size_t length, Body body) noexcept {
    const char *text = "libtorch threw something that is no std::exception";
    try {
        body();
        return 0;
    } catch (const std::exception &error) {
        const size_t kept = std::min(std::strlen(error.what()), length - 1);
        std::memcpy(message, error.what(), kept);
        message[kept] = 0;
        return 1;
    } catch (...) {
        std::strncpy(message, text, length - 1);
        message[length - 1] = 0;
        return 1;
    }
}

c10::DeviceAllocator *allocator() {
    at::globalContext().lazyInitDevice(at::kCUDA);
    return c10::getDeviceAllocator(at::kCUDA);
}

} // namespace

extern "C" {

struct kds_device_memory {
    uint64_t total;
    uint64_t free;
    uint64_t allocated;
    uint64_t reserved;
    uint64_t peak;
};

int kds_libtorch_memory(int device, kds_device_memory *out, char *message, size_t length) {
    return guarded(message, length, [&] {
        auto *memory = allocator();
        const auto index = static_cast<c10::DeviceIndex>(device);
        const auto [free, total] = memory->getMemoryInfo(index);
        const auto stats = memory->getDeviceStats(index);
        const auto aggregate = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
        const auto &allocated = stats.allocated_bytes[aggregate];
        const auto reserved = stats.reserved_bytes[aggregate].current;
        *out = {total, free, static_cast<uint64_t>(allocated.current), static_cast<uint64_t>(reserved),
                static_cast<uint64_t>(allocated.peak)};
    });
}

int kds_libtorch_reset_peak(int device, char *message, size_t length) {
    return guarded(message, length, [&] { allocator()->resetPeakStats(static_cast<c10::DeviceIndex>(device)); });
}

int kds_libtorch_empty_cache(char *message, size_t length) {
    return guarded(message, length, [] { allocator()->emptyCache(); });
}

struct kds_answer {
    at::Tensor host;
    c10::Event event;
};

// Begins to copy a number of f64 from its device into pinned memory.
int kds_libtorch_ask(const at::Tensor *number, kds_answer **out, char *message, size_t length) {
    return guarded(message, length, [&] {
        const auto device = number->device();
        auto host = number->to(at::TensorOptions(at::kCPU).dtype(at::kDouble), /*non_blocking=*/true);
        auto answer = std::make_unique<kds_answer>(kds_answer{std::move(host), c10::Event(device.type())});
        answer->event.record(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
        *out = answer.release();
    });
}

// Waits for the copy, not for what was queued after it.
int kds_libtorch_answer(const kds_answer *answer, double *out, char *message, size_t length) {
    return guarded(message, length, [&] {
        answer->event.synchronize();
        *out = *answer->host.const_data_ptr<double>();
    });
}

void kds_libtorch_forget(kds_answer *answer) { delete answer; }

int kds_libtorch_set_policy(int tf32, int benchmark, char *message, size_t length) {
    return guarded(message, length, [&] {
        auto &context = at::globalContext();
        context.setAllowTF32CuDNN(tf32 != 0);
        context.setAllowTF32CuBLAS(tf32 != 0);
        context.setBenchmarkCuDNN(benchmark != 0);
    });
}

}
