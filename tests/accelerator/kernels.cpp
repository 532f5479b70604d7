// libtorch's CUDA part in software: stands in for libtorch_cuda.so of an unchanged libtorch. Hooks, guard, allocator and
// copies are its own; every other operation falls back to the kernel of the CPU on a copy.
#include "memory.h"

#include <ATen/EmptyTensor.h>
#include <ATen/core/Tensor.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/native/Copy.h>
#include <ATen/native/DispatchStub.h>
#include <ATen/native/Resize.h>
#include <ATen/native/TensorIterator.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/view_native.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

#include <cstring>

using at::Tensor;

namespace {

using soft::state;

// Copies of a fall-back stand for a kernel on the device, which waits for nothing.
thread_local int in_kernel = 0;

void count_wait() {
    if (in_kernel) return;
    std::lock_guard lock(state().mutex);
    state().counts.waits++;
}

// Everything that the device is asked to do passes here, so that a lost device answers nothing.
void operation() {
    std::lock_guard lock(state().mutex);
    const auto number = ++state().counts.operations;
    const auto lose = state().lose;
    TORCH_CHECK(!lose || static_cast<long>(number) < lose,
                "CUDA error: an illegal memory access was encountered (software accelerator)");
}

// The memory of a tensor on the device, readable while this lives.
struct Opened {
    void *memory = nullptr;
    explicit Opened(const Tensor &tensor) {
        if (!tensor.is_cuda() || !tensor.storage().data_ptr().get()) return;
        memory = tensor.storage().mutable_data();
        soft::Memory::open(memory, true);
    }
    ~Opened() {
        if (memory) soft::Memory::open(memory, false);
    }
    Opened(const Opened &) = delete;
};

Tensor on_host(const Tensor &tensor) {
    if (!tensor.is_cuda()) return tensor;
    return at::from_blob(tensor.data_ptr(), tensor.sizes(), tensor.strides(), tensor.options().device(at::kCPU));
}

void copy(at::TensorIterator &iterator, bool non_blocking) {
    const Tensor to = iterator.tensor(0), from = iterator.tensor(1);
    const bool across = to.is_cuda() != from.is_cuda();
    if (!in_kernel) operation();
    // libtorch pins the memory that a copy without blocking goes to, and the driver buffers what comes from the host.
    if (across && !non_blocking) count_wait();
    const Opened first(to), second(from);
    at::NoGradGuard guard;
    on_host(to).copy_(on_host(from));
}

struct Hooks : at::CUDAHooksInterface {
    explicit Hooks(at::CUDAHooksArgs) {}
    void init() const override {}
    bool hasCUDA() const override { return true; }
    bool isBuilt() const override { return true; }
    bool isAvailable() const override { return !soft::devices().empty(); }
    at::DeviceIndex deviceCount() const override { return static_cast<at::DeviceIndex>(soft::devices().size()); }
    int getNumGPUs() const override { return deviceCount(); }
    at::DeviceIndex current_device() const override { return soft::current_device(); }
    at::DeviceIndex getCurrentDevice() const override { return soft::current_device(); }
    void setCurrentDevice(at::DeviceIndex device) const override { soft::current_device() = device; }
    at::DeviceIndex exchangeDevice(at::DeviceIndex device) const override {
        return std::exchange(soft::current_device(), device);
    }
    at::DeviceIndex maybeExchangeDevice(at::DeviceIndex device) const override { return exchangeDevice(device); }
    bool hasPrimaryContext(at::DeviceIndex) const override { return true; }
    at::Allocator *getPinnedMemoryAllocator() const override { return c10::GetCPUAllocator(); }
    void deviceSynchronize(at::DeviceIndex) const override { count_wait(); }
};

struct Guard final : c10::impl::DeviceGuardImplInterface {
    at::DeviceType type() const override { return at::kCUDA; }
    at::Device exchangeDevice(at::Device device) const override {
        return {at::kCUDA, std::exchange(soft::current_device(), device.index())};
    }
    at::Device getDevice() const override { return {at::kCUDA, soft::current_device()}; }
    void setDevice(at::Device device) const override { soft::current_device() = device.index(); }
    void uncheckedSetDevice(at::Device device) const noexcept override { soft::current_device() = device.index(); }
    c10::Stream getStream(at::Device device) const override { return c10::Stream(c10::Stream::DEFAULT, device); }
    c10::Stream exchangeStream(c10::Stream stream) const override { return stream; }
    at::DeviceIndex deviceCount() const noexcept override { return static_cast<at::DeviceIndex>(soft::devices().size()); }
    // Everything is done at once, so an event has always happened.
    void record(void **, const c10::Stream &, const at::DeviceIndex, const c10::EventFlag) const override {}
    void block(void *, const c10::Stream &) const override {}
    bool queryEvent(void *) const override { return true; }
    void synchronizeEvent(void *) const override {}
    void destroyEvent(void *, const at::DeviceIndex) const noexcept override {}
    bool queryStream(const c10::Stream &) const override { return true; }
    void synchronizeStream(const c10::Stream &) const override { count_wait(); }
    void synchronizeDevice(const at::DeviceIndex) const override { count_wait(); }
};

// Operations whose result has a size that the host must learn.
bool answers_the_host(const std::string &name) {
    for (const char *known : {"aten::nonzero", "aten::masked_select", "aten::equal", "aten::_unique2", "aten::unique_dim",
                              "aten::repeat_interleave", "aten::bincount"})
        if (name == known) return true;
    return false;
}

void check_devices(const c10::OperatorHandle &operation, const torch::jit::Stack &stack) {
    // An index may lie on the host.
    if (operation.schema().name().rfind("aten::index", 0) == 0 && operation.schema().name() != "aten::index_select") return;
    const auto arguments = operation.schema().arguments().size();
    std::optional<at::Device> device;
    const auto check = [&](const Tensor &tensor) {
        // A number may come from the host.
        if (!tensor.defined() || (tensor.is_cpu() && tensor.dim() == 0)) return;
        if (!device) device = tensor.device();
        TORCH_CHECK(*device == tensor.device(), "Expected all tensors to be on the same device, but found at least two "
                    "devices, ", *device, " and ", tensor.device(), "! (", operation.schema().name(), ")");
    };
    for (size_t index = stack.size() - arguments; index < stack.size(); index++) {
        const auto &value = stack[index];
        if (value.isTensor()) check(value.toTensor());
        else if (value.isTensorList()) for (const Tensor &tensor : value.toTensorList()) check(tensor);
        else if (value.isOptionalTensorList())
            for (const std::optional<Tensor> &tensor : value.toOptionalTensorList()) if (tensor) check(*tensor);
    }
}

void fall_back(const c10::OperatorHandle &handle, torch::jit::Stack *stack) {
    check_devices(handle, *stack);
    operation();
    if (answers_the_host(handle.schema().name())) count_wait();
    struct InKernel {
        InKernel() { in_kernel++; }
        ~InKernel() { in_kernel--; }
    } inside;
    at::native::cpu_fallback(handle, stack);
}

int8_t index_of(std::optional<at::Device> device) {
    return device && device->has_index() ? device->index() : soft::current_device();
}

struct Place final : at::Allocator {
    int8_t device;
    explicit Place(int8_t device) : device(device) {}
    at::DataPtr allocate(size_t bytes) override { return soft::memory().allocate_on(bytes, device); }
    at::DeleterFnPtr raw_deleter() const override { return &soft::Memory::release; }
    void copy_data(void *, const void *, size_t) const override { TORCH_CHECK(false, "a raw copy of device memory"); }
};

at::Allocator *place(int8_t device) {
    static auto *places = [] {
        auto *all = new std::vector<Place>;
        for (size_t index = 0; index < soft::devices().size(); index++) all->emplace_back(static_cast<int8_t>(index));
        return all;
    }();
    TORCH_CHECK(device >= 0 && device < static_cast<int>(places->size()), "CUDA error: invalid device ordinal");
    return &(*places)[device];
}

const c10::DispatchKeySet KEYS(c10::DispatchKey::CUDA);

Tensor empty(c10::SymIntArrayRef size, std::optional<at::ScalarType> type, std::optional<at::Layout>,
             std::optional<at::Device> device, std::optional<bool>, std::optional<at::MemoryFormat> format) {
    return at::detail::empty_generic(C10_AS_INTARRAYREF_SLOW(size), place(index_of(device)), KEYS,
                                     c10::dtype_or_default(type), format);
}
Tensor empty_strided(c10::SymIntArrayRef size, c10::SymIntArrayRef strides, std::optional<at::ScalarType> type,
                     std::optional<at::Layout>, std::optional<at::Device> device, std::optional<bool>) {
    return at::detail::empty_strided_generic(C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(strides),
                                             place(index_of(device)), KEYS, c10::dtype_or_default(type));
}
Tensor view(const Tensor &tensor, c10::SymIntArrayRef size) {
    return at::native::view(tensor, C10_AS_INTARRAYREF_SLOW(size));
}
Tensor reshape_alias(const Tensor &tensor, c10::SymIntArrayRef size, c10::SymIntArrayRef strides) {
    return at::native::_reshape_alias(tensor, C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(strides));
}
Tensor as_strided(const Tensor &tensor, c10::SymIntArrayRef size, c10::SymIntArrayRef strides,
                  std::optional<c10::SymInt> offset) {
    const auto number = offset ? std::optional<int64_t>(offset->expect_int()) : std::nullopt;
    return at::native::as_strided_tensorimpl(tensor, C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(strides),
                                             number);
}
const Tensor &resize_(const Tensor &tensor, c10::SymIntArrayRef size, std::optional<at::MemoryFormat> format) {
    const auto sizes = C10_AS_INTARRAYREF_SLOW(size);
    const size_t needed = c10::multiply_integers(sizes) * tensor.element_size();
    if (needed > tensor.storage().nbytes()) {
        tensor.storage().set_data_ptr_noswap(soft::memory().allocate_on(needed, tensor.device().index()));
        tensor.storage().set_nbytes(needed);
    }
    auto *impl = tensor.unsafeGetTensorImpl();
    impl->set_sizes_contiguous(sizes);
    if (format) impl->empty_tensor_restride(*format);
    return tensor;
}
Tensor copy_from_and_resize(const Tensor &from, const Tensor &to) {
    to.resize_(from.sizes());
    to.copy_(from);
    return to;
}
Tensor copy_from(const Tensor &from, const Tensor &to, bool non_blocking) {
    to.copy_(from, non_blocking);
    return to;
}
at::Scalar local_scalar_dense(const Tensor &tensor) {
    operation();
    count_wait();
    const Opened opened(tensor);
    return on_host(tensor).item();
}

} // namespace

namespace at {
namespace {
struct CUDAHooks : Hooks {
    using Hooks::Hooks;
};
} // namespace
REGISTER_CUDA_HOOKS(CUDAHooks);
} // namespace at

C10_REGISTER_GUARD_IMPL(CUDA, Guard);
TORCH_LIBRARY_IMPL(_, CUDA, library) {
    library.fallback(torch::CppFunction::makeFromBoxedFunction<&fall_back>());
}
TORCH_LIBRARY_IMPL(aten, CUDA, library) {
    library.impl("empty.memory_format", &empty);
    library.impl("empty_strided", &empty_strided);
    library.impl("view", &view);
    library.impl("_reshape_alias", &reshape_alias);
    library.impl("as_strided", &as_strided);
    library.impl("resize_", &resize_);
    library.impl("_local_scalar_dense", &local_scalar_dense);
    library.impl("_copy_from_and_resize", &copy_from_and_resize);
    library.impl("_copy_from", &copy_from);
}
TORCH_LIBRARY_IMPL(aten, CPU, library) { library.impl("_copy_from_and_resize", &copy_from_and_resize); }

static const bool registered = [] {
    c10::SetAllocator(at::kCUDA, &soft::memory());
    at::native::copy_stub.set_cuda_dispatch_ptr(&copy);
    return true;
}();

extern "C" {
void soft_accelerator_counts(soft::Counts *out) {
    std::lock_guard lock(state().mutex);
    *out = state().counts;
}
// The allocation of this number after this call fails, once; 0 takes it back.
void soft_accelerator_fail_allocation(long number) {
    std::lock_guard lock(state().mutex);
    state().fail_allocation = number ? static_cast<long>(state().counts.allocations) + number : 0;
}
// From the operation of this number after this call on everything fails; 0 takes it back.
void soft_accelerator_lose(long number) {
    std::lock_guard lock(state().mutex);
    state().lose = number ? static_cast<long>(state().counts.operations) + number : 0;
}
}
