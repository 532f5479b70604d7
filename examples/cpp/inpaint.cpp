// Fills a hole in a gradient of 48 x 32 pixels with kds.hpp; what lies outside the hole stays as it is.
//
//     c++ -std=c++17 inpaint.cpp -I include -L target/release -lkds -Wl,-rpath,target/release -o inpaint
#include <kds.hpp>

#include <iostream>

int main()
{
    try {
        kds::Job job = kds::Context().open("kds-inpaint").job();
        job.set("particles", "2").set("steps", "2");

        std::vector<std::uint8_t> pixels(3 * 48 * 32), filled(pixels.size()), hole(48 * 32);
        for (std::size_t index = 0; index < hole.size(); ++index) {
            const std::size_t x = index % 48, y = index / 48;
            const bool inside = x >= 20 && x < 30 && y >= 10 && y < 20;
            hole[index] = inside ? 255 : 0;
            for (std::size_t channel = 0; channel < 3; ++channel)
                pixels[3 * index + channel] = static_cast<std::uint8_t>(inside ? 0 : 40 + 4 * x);
        }
        const auto mask = kds::Image::gray8(48, 32, hole.data());
        job.run(kds::Image::rgb8(48, 32, pixels.data()), kds::Image::rgb8(48, 32, filled.data()), {}, &mask);

        std::size_t changed_outside = 0;
        for (std::size_t index = 0; index < pixels.size(); ++index)
            changed_outside += hole[index / 3] == 0 && pixels[index] != filled[index];
        std::cout << changed_outside << " values changed outside the hole; its middle is "
                  << int(filled[3 * (15 * 48 + 25)]) << " between " << int(pixels[3 * (15 * 48 + 19)]) << " and "
                  << int(pixels[3 * (15 * 48 + 30)]) << "\n";
        return 0;
    } catch (const kds::Error &error) {
        std::cerr << "inpaint: " << error.what() << "\n";
        return 1;
    }
}
