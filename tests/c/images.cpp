// Images of kds.hpp in planes, with the lowest row first and in linear light, against the plain form.
#include <kds.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>

namespace {

constexpr std::uint32_t WIDTH = 9, HEIGHT = 7;

double light(double value)
{
    return value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
}

// Float RGB, the highest row first.
using Pixels = std::vector<float>;

// The picture in planes, the lowest row first, `gap` samples after each row.
class Planes {
public:
    Planes(kds::Size size, std::size_t gap) : size_(size), stride_(size.width + gap), samples_(3 * stride_ * size.height)
    {
        for (std::size_t channel = 0; channel < 3; ++channel)
            first_[channel] = &samples_[channel * stride_ * size_.height];
    }

    float &at(std::uint32_t x, std::uint32_t y, std::size_t channel)
    {
        return samples_[(channel * size_.height + size_.height - 1 - y) * stride_ + x];
    }

    kds::Image image() const
    {
        kds::Image image = kds::Image::planar(KDS_RGB_F32, sizeof(float), size_.width, size_.height, first_.data(),
                                              stride_ * sizeof(float));
        return image.rows(KDS_ROWS_UP);
    }

private:
    kds::Size size_;
    std::size_t stride_;
    Pixels samples_;
    std::array<void *, 3> first_;
};

kds::Image plain(kds::Size size, Pixels &pixels)
{
    pixels.resize(std::size_t{3} * size.width * size.height);
    return kds::Image(KDS_RGB_F32, 3 * sizeof(float), size.width, size.height, pixels.data());
}

} // namespace

int main()
{
    try {
        const kds::Context context;
        const kds::Model model = context.open("kds-photo-x4", "cpu", "f32");
        kds::Job job = model.job();
        job.set("particles", "1").set("steps", "1");
        const kds::Size size{WIDTH, HEIGHT}, larger = job.output_size(WIDTH, HEIGHT);

        Pixels encoded, linear, truth, found;
        const kds::Image input = plain(size, encoded), output = plain(larger, truth);
        kds::Image in_light = plain(size, linear), out_light = plain(larger, found);
        Planes planes(size, 2), result(larger, 5);
        for (std::uint32_t y = 0; y < HEIGHT; ++y)
            for (std::uint32_t x = 0; x < WIDTH; ++x)
                for (std::size_t channel = 0; channel < 3; ++channel) {
                    const double value = double(x + y + channel) / (WIDTH + HEIGHT);
                    const std::size_t index = (std::size_t{y} * WIDTH + x) * 3 + channel;
                    encoded[index] = planes.at(x, y, channel) = float(value);
                    linear[index] = float(light(value));
                }
        job.run(input, output);
        job.run(planes.image(), result.image());
        job.run(in_light.light(KDS_LIGHT_LINEAR), out_light.light(KDS_LIGHT_LINEAR));

        double of_planes = 0, of_light = 0;
        for (std::uint32_t y = 0; y < larger.height; ++y)
            for (std::uint32_t x = 0; x < larger.width; ++x)
                for (std::size_t channel = 0; channel < 3; ++channel) {
                    const std::size_t index = (std::size_t{y} * larger.width + x) * 3 + channel;
                    of_planes = std::max(of_planes, std::fabs(double(truth[index]) - result.at(x, y, channel)));
                    of_light = std::max(of_light, std::fabs(light(truth[index]) - found[index]));
                }
        if (of_planes != 0 || of_light > 1e-4) {
            std::cerr << "off by " << of_planes << " in planes, " << of_light << " in linear light\n";
            return 1;
        }
        std::cout << "images: all as expected\n";
        return 0;
    } catch (const kds::Error &error) {
        std::cerr << "images: " << error.what() << "\n";
        return 1;
    }
}
