// How much memory libtorch's allocators give to one thread. They report every tensor and every workspace to the observer
// that the thread has named, which is what libtorch's own profiler uses.
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <atomic>
#include <cstdint>
#include <memory>

namespace {

class Observer : public c10::MemoryReportingInfoBase {
  public:
    explicit Observer(bool cpu) : cpu_(cpu) {}

    void reportMemoryUsage(void *, int64_t size, size_t, size_t, c10::Device device) override {
        if (device.is_cpu() != cpu_) {
            return;
        }
        const int64_t now = now_.fetch_add(size) + size;
        int64_t peak = peak_.load();
        while (now > peak && !peak_.compare_exchange_weak(peak, now)) {
        }
    }

    void reportOutOfMemory(int64_t, size_t, size_t, c10::Device) override {}

    bool memoryProfilingEnabled() const override { return true; }

    int64_t now() const { return now_.load(); }
    int64_t peak() const { return peak_.load(); }

  private:
    const bool cpu_;
    std::atomic<int64_t> now_{0};
    std::atomic<int64_t> peak_{0};
};

struct Watch {
    explicit Watch(bool cpu)
        : observer(std::make_shared<Observer>(cpu)), guard(c10::DebugInfoKind::PROFILER_STATE, observer) {}

    std::shared_ptr<Observer> observer;
    c10::DebugInfoGuard guard;
};

} // namespace

extern "C" {

// NULL where there is no memory for it.
Watch *kds_allocations_watch(bool cpu) noexcept {
    try {
        return new Watch(cpu);
    } catch (...) {
        return nullptr;
    }
}

void kds_allocations_read(const Watch *watch, int64_t *now, int64_t *peak) noexcept {
    *now = watch->observer->now();
    *peak = watch->observer->peak();
}

// On the thread that watches, the latest watch first.
void kds_allocations_end(Watch *watch) noexcept { delete watch; }

}
