// Restores a gradient of 32 x 24 pixels with kds.hpp, and shows progress, an error and cancelling on the way.
//
//     c++ -std=c++17 restore.cpp -I include -L target/release -lkds -Wl,-rpath,target/release -o restore
#include <kds.hpp>

#include <iostream>

int main()
{
    try {
        const kds::Log log = [](std::int32_t, const char *line) { std::cout << "libkds: " << line << "\n"; };
        const kds::Context context(0, {}, &log);
        const kds::Model model = context.open("kds-photo-x4");
        std::cout << context.models().size() << " models, " << context.devices().size() << " devices, "
                  << kds::parameters().size() << " parameters\n";
        kds::Job job = model.job();
        job.set("particles", "2").set("steps", "2");

        std::vector<std::uint8_t> pixels(3 * 32 * 24);
        for (std::size_t index = 0; index < pixels.size(); ++index)
            pixels[index] = static_cast<std::uint8_t>(40 + 2 * (index / 3 % 32));
        const kds::Size size = job.output_size(32, 24);
        std::vector<std::uint8_t> restored(std::size_t{3} * size.width * size.height);
        const auto input = kds::Image::rgb8(32, 24, pixels.data());
        const auto output = kds::Image::rgb8(size.width, size.height, restored.data());

        job.run(input, output, [](const kds_progress_info &info) {
            std::cout << info.done << " of " << info.total << " evaluations\n";
            return true;
        });
        std::cout << size.width << " x " << size.height << " pixels, the middle one has red "
                  << int(restored[3 * (size.height / 2 * size.width + size.width / 2)]) << "\n";

        try {
            job.set("particles", "many");
        } catch (const kds::Error &error) {
            std::cout << kds_status_name(error.status()) << ": " << error.what() << "\n";
        }
        job.cancel();
        try {
            job.run(input, output);
        } catch (const kds::Error &error) {
            std::cout << kds_status_name(error.status()) << "\n";
        }
        return 0;
    } catch (const kds::Error &error) {
        std::cerr << "restore: " << error.what() << "\n";
        return 1;
    }
}
