// Several pictures at once with kds.hpp: one context, one model, a job per picture.
//
//     c++ -std=c++17 batch.cpp -I include -L target/release -lkds -Wl,-rpath,target/release -pthread -o batch
#include <kds.hpp>

#include <future>
#include <iostream>

// A gradient that begins with `first`, restored; the sum of its values.
static unsigned long restore(const kds::Model &model, unsigned first)
{
    std::vector<std::uint8_t> pixels(3 * 16 * 16);
    for (std::size_t index = 0; index < pixels.size(); ++index)
        pixels[index] = static_cast<std::uint8_t>(first + index / 3 % 16);
    kds::Job job = model.job();
    job.set("particles", "2").set("steps", "1");
    const kds::Size size = job.output_size(16, 16);
    std::vector<std::uint8_t> restored(std::size_t{3} * size.width * size.height);
    job.run(kds::Image::rgb8(16, 16, pixels.data()), kds::Image::rgb8(size.width, size.height, restored.data()));
    unsigned long sum = 0;
    for (const std::uint8_t value : restored)
        sum += value;
    return sum;
}

int main()
{
    try {
        const kds::Context context;
        const kds::Model model = context.open("kds-photo-x4");
        std::vector<std::future<unsigned long>> results;
        for (unsigned first : {40u, 80u, 120u})
            results.push_back(std::async(std::launch::async, [&model, first] { return restore(model, first); }));
        for (auto &result : results)
            std::cout << result.get() << "\n";
        return 0;
    } catch (const kds::Error &error) {
        std::cerr << "batch: " << error.what() << "\n";
        return 1;
    }
}
