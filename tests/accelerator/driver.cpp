// The driver's part: the functions of libcuda.so.1 and libnvidia-ml.so.1 that describe devices, for those of
// SOFT_ACCELERATOR.
#include "settings.h"

#include <cstdio>
#include <cstring>

namespace {

constexpr int INVALID_VALUE = 1;
constexpr int NO_DEVICE = 100;
constexpr int CAPABILITY_MAJOR = 75;
constexpr int CAPABILITY_MINOR = 76;

bool known(int device) { return device >= 0 && device < static_cast<int>(soft::devices().size()); }

} // namespace

extern "C" {

struct nvmlMemory_t {
    unsigned long long total, free, used;
};

int cuGetErrorString(int, const char **text) {
    *text = "software accelerator";
    return 0;
}

int cuInit(unsigned) { return soft::devices().empty() ? NO_DEVICE : 0; }

int cuDeviceGetCount(int *count) {
    *count = static_cast<int>(soft::devices().size());
    return 0;
}

int cuDeviceGet(int *device, int ordinal) {
    *device = ordinal;
    return known(ordinal) ? 0 : INVALID_VALUE;
}

int cuDeviceGetName(char *name, int length, int device) {
    if (!known(device)) return INVALID_VALUE;
    std::snprintf(name, length, "%s", soft::devices()[device].name.c_str());
    return 0;
}

int cuDeviceGetAttribute(int *value, int attribute, int device) {
    if (!known(device)) return INVALID_VALUE;
    if (attribute == CAPABILITY_MAJOR) *value = soft::devices()[device].major;
    else if (attribute == CAPABILITY_MINOR) *value = soft::devices()[device].minor;
    else return INVALID_VALUE;
    return 0;
}

int cuDeviceTotalMem_v2(size_t *bytes, int device) {
    if (!known(device)) return INVALID_VALUE;
    *bytes = soft::devices()[device].bytes;
    return 0;
}

int cuDeviceGetPCIBusId(char *bus, int length, int device) {
    if (!known(device)) return INVALID_VALUE;
    std::snprintf(bus, length, "0000:%02x:00.0", device);
    return 0;
}

int nvmlInit_v2() { return 0; }

int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, const void **handle) {
    unsigned device = 0;
    if (std::sscanf(bus, "0000:%x:00.0", &device) != 1 || !known(static_cast<int>(device))) return INVALID_VALUE;
    *handle = &soft::devices()[device];
    return 0;
}

int nvmlDeviceGetMemoryInfo(const soft::Device *device, nvmlMemory_t *memory) {
    *memory = {device->bytes, device->bytes - device->busy, device->busy};
    return 0;
}

}
