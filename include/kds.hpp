// kds.hpp: kds.h for C++17. Handles free themselves, failures are exceptions, and there is no logic of its own.
//
// Everything that kds.h says of threads, units and ranges holds here. Objects may be moved, not copied; an object that
// has been moved from may only be destroyed or assigned to.
#ifndef KDS_HPP
#define KDS_HPP

#include "kds.h"

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace kds {

// What a failing call throws: `status()` is one of KDS_INVALID_ARGUMENT ..., `what()` the message.
class Error : public std::runtime_error {
public:
    Error(std::int32_t status, const std::string &message) : std::runtime_error(message), status_(status) {}
    std::int32_t status() const noexcept { return status_; }

private:
    std::int32_t status_;
};

namespace detail {

// Calls f(arguments..., &error) and throws what it reports.
template <typename Function, typename... Arguments> void check(Function function, Arguments... arguments)
{
    kds_error *error = nullptr;
    const std::int32_t status = function(arguments..., &error);
    if (status != KDS_OK) {
        const std::unique_ptr<kds_error, decltype(&kds_error_free)> owned(error, &kds_error_free);
        throw Error(status, kds_error_message(error));
    }
}

template <typename T, void (*free)(T *)> struct Free {
    void operator()(T *handle) const noexcept { free(handle); }
};

template <typename T, void (*free)(T *)> using Handle = std::unique_ptr<T, Free<T, free>>;

} // namespace detail

// An image in memory that somebody else owns.
class Image {
public:
    // `stride` 0 means rows without gaps. `bytes_per_pixel` is that of `format`.
    Image(std::int32_t format, std::size_t bytes_per_pixel, std::uint32_t width, std::uint32_t height, void *data,
          std::size_t stride = 0, std::int32_t alpha = KDS_ALPHA_STRAIGHT)
    {
        stride = stride == 0 ? bytes_per_pixel * width : stride;
        const std::size_t length = height == 0 ? 0 : stride * (height - 1) + bytes_per_pixel * width;
        image_.struct_size = sizeof image_;
        image_.format = format;
        image_.width = width;
        image_.height = height;
        image_.stride = stride;
        image_.data = data;
        image_.len = length;
        image_.alpha = alpha;
    }

    // An image in separate planes: the first sample of each channel of `format`, in its order. The array is the caller's too, and
    // has to be there as long as the image. `bytes_per_sample` is that of `format`; `stride` is that of each plane, 0 without gaps.
    static Image planar(std::int32_t format, std::size_t bytes_per_sample, std::uint32_t width, std::uint32_t height,
                        void *const *planes, std::size_t stride = 0, std::int32_t alpha = KDS_ALPHA_STRAIGHT)
    {
        Image image(format, bytes_per_sample, width, height, nullptr, stride, alpha);
        image.image_.planes = planes;
        return image;
    }

    static Image rgb8(std::uint32_t width, std::uint32_t height, std::uint8_t *data)
    {
        return Image(KDS_RGB_U8, 3, width, height, data);
    }
    static Image gray8(std::uint32_t width, std::uint32_t height, std::uint8_t *data)
    {
        return Image(KDS_GRAY_U8, 1, width, height, data);
    }

    // One of KDS_ROWS_*: whether the first row in memory is the highest of the picture or the lowest.
    Image &rows(std::int32_t rows) noexcept
    {
        image_.rows = rows;
        return *this;
    }

    // One of KDS_LIGHT_*: whether values are encoded as in sRGB or grow as the light does.
    Image &light(std::int32_t light) noexcept
    {
        image_.light = light;
        return *this;
    }

    const kds_image *get() const noexcept { return &image_; }

private:
    kds_image image_{};
};

struct Size {
    std::uint32_t width, height;
};

// Is told where a run is; false cancels it. An exception cancels it too, and comes out of `Job::run`.
using Progress = std::function<bool(const kds_progress_info &)>;

class Job {
public:
    explicit Job(const kds_model *model)
    {
        kds_job *job = nullptr;
        detail::check(kds_job_new, model, &job);
        job_.reset(job);
    }

    Job &set(const std::string &key, const std::string &value)
    {
        detail::check(kds_job_set, job_.get(), key.c_str(), value.c_str());
        return *this;
    }

    std::string get(const std::string &key) const
    {
        const char *value = nullptr;
        detail::check(kds_job_get, job_.get(), key.c_str(), &value);
        return value;
    }

    Size output_size(std::uint32_t width, std::uint32_t height) const
    {
        Size size{};
        detail::check(kds_job_output_size, job_.get(), width, height, &size.width, &size.height);
        return size;
    }

    kds_estimate estimate(std::uint32_t width, std::uint32_t height) const
    {
        kds_estimate estimate{};
        estimate.struct_size = sizeof estimate;
        detail::check(kds_job_estimate, job_.get(), width, height, &estimate);
        return estimate;
    }

    void run(const Image &input, const Image &output, const Progress &progress = {}, const Image *mask = nullptr,
             const Image *confidence = nullptr)
    {
        Watch watch{progress, nullptr};
        try {
            detail::check(kds_job_run, job_.get(), input.get(), mask ? mask->get() : nullptr, output.get(),
                          confidence ? confidence->get() : nullptr, progress ? &Watch::tell : nullptr,
                          static_cast<void *>(&watch));
        } catch (const Error &) {
            if (watch.thrown)
                std::rethrow_exception(watch.thrown);
            throw;
        }
    }

    // From any thread, at any time while the job lives.
    void cancel() const noexcept { kds_job_cancel(job_.get()); }

private:
    struct Watch {
        const Progress &progress;
        std::exception_ptr thrown;

        static std::int32_t tell(void *user_data, const kds_progress_info *info) noexcept
        {
            auto *watch = static_cast<Watch *>(user_data);
            try {
                return watch->progress(*info) ? 0 : 1;
            } catch (...) {
                watch->thrown = std::current_exception();
                return 1;
            }
        }
    };

    detail::Handle<kds_job, kds_job_free> job_;
};

class Model {
public:
    Model(const kds_context *context, const std::string &id, const std::string &device, const std::string &dtype)
    {
        kds_model *model = nullptr;
        detail::check(kds_model_open, context, id.c_str(), device.c_str(), dtype.c_str(), &model);
        model_.reset(model);
    }

    Job job() const { return Job(model_.get()); }

    // The strings live as long as the model.
    kds_model_info info() const
    {
        kds_model_info info{};
        info.struct_size = sizeof info;
        detail::check(kds_model_info_get, model_.get(), &info);
        return info;
    }

private:
    detail::Handle<kds_model, kds_model_free> model_;
};

// Is told what happens: one of KDS_LOG_*, and a line. Several threads may be told at once. What it throws is lost.
using Log = std::function<void(std::int32_t level, const char *message)>;

class Context {
public:
    // `threads` 0 is one per core; `registry` is the path of a further registry file, or empty. `log` must outlive the
    // context and all that is made of it; it is told everything up to `log_level`.
    explicit Context(std::int32_t threads = 0, const std::string &registry = {}, const Log *log = nullptr,
                     std::int32_t log_level = KDS_LOG_INFO)
    {
        kds_context_params params;
        kds_context_params_init(&params);
        params.threads = threads;
        params.registry = registry.empty() ? nullptr : registry.c_str();
        params.log = log ? &tell : nullptr;
        params.log_user_data = const_cast<Log *>(log);
        params.log_level = log_level;
        kds_context *context = nullptr;
        detail::check(kds_context_new, &params, &context);
        context_.reset(context);
    }

    void add_registry(const std::string &path)
    {
        detail::check(kds_context_add_registry, context_.get(), path.c_str());
    }

    Model open(const std::string &id, const std::string &device = "auto", const std::string &dtype = "auto") const
    {
        return Model(context_.get(), id, device, dtype);
    }

    // The strings live as long as the context.
    std::vector<kds_model_info> models() const
    {
        return list<kds_model_info>(kds_context_model_count, kds_context_model_get);
    }

    // The strings live as long as the context.
    std::vector<kds_device_info> devices() const
    {
        return list<kds_device_info>(kds_context_device_count, kds_context_device_get);
    }

private:
    template <typename T, typename Count, typename Get> std::vector<T> list(Count count, Get get) const
    {
        std::size_t size = 0;
        detail::check(count, context_.get(), &size);
        std::vector<T> items(size);
        for (std::size_t index = 0; index < size; ++index) {
            items[index].struct_size = sizeof items[index];
            detail::check(get, context_.get(), index, &items[index]);
        }
        return items;
    }

    static void tell(void *log, std::int32_t level, const char *message) noexcept
    {
        try {
            (*static_cast<const Log *>(log))(level, message);
        } catch (...) {
        }
    }

    detail::Handle<kds_context, kds_context_free> context_;
};

// The table of parameters: what `Job::set` takes. The strings are static.
inline std::vector<kds_param> parameters()
{
    std::vector<kds_param> parameters(kds_param_count());
    for (std::size_t index = 0; index < parameters.size(); ++index) {
        parameters[index].struct_size = sizeof parameters[index];
        detail::check(kds_param_get, index, &parameters[index]);
    }
    return parameters;
}

} // namespace kds

#endif
