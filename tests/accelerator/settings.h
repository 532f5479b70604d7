// The accelerator's environment.
//
// SOFT_ACCELERATOR                  its devices, separated by commas: name|capability|bytes|bytes that others hold
// SOFT_ACCELERATOR_FAIL_ALLOCATION  number of the allocation, from 1, that fails, once
// SOFT_ACCELERATOR_LOSE             number of the operation, from 1, from which on everything fails
#pragma once
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

namespace soft {

struct Device {
    std::string name;
    int major = 8, minor = 0;
    uint64_t bytes = 0, busy = 0;
};

inline const std::vector<Device> &devices() {
    static const std::vector<Device> all = [] {
        std::vector<Device> devices;
        const char *text = std::getenv("SOFT_ACCELERATOR");
        std::istringstream list(text ? text : "");
        for (std::string item; std::getline(list, item, ',');) {
            Device device;
            std::string capability, bytes, busy;
            std::istringstream fields(item);
            std::getline(fields, device.name, '|');
            std::getline(fields, capability, '|');
            std::getline(fields, bytes, '|');
            std::getline(fields, busy, '|');
            device.major = std::atoi(capability.c_str());
            const auto dot = capability.find('.');
            device.minor = dot == std::string::npos ? 0 : std::atoi(capability.c_str() + dot + 1);
            device.bytes = std::strtoull(bytes.c_str(), nullptr, 10);
            device.busy = std::strtoull(busy.c_str(), nullptr, 10);
            devices.push_back(device);
        }
        return devices;
    }();
    return all;
}

inline long number(const char *name) {
    const char *text = std::getenv(name);
    return text ? std::atol(text) : 0;
}

} // namespace soft
