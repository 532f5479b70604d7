/* Every pixel format, in and out, with gaps between rows, also as planes with the lowest row first, and in linear light: all say the
 * same as 32-bit floats do. */
#include "check.h"
#include <math.h>
#include <stdlib.h>

#define WIDTH 9
#define HEIGHT 7
#define GAP 5
#define GUARD 0xd7

static const int32_t depths[] = {0, 16, 32, 48}; /* u8, u16, f32, f16 */
static const int32_t layouts[] = {KDS_GRAY_U8, KDS_RGB_U8, KDS_RGBA_U8, KDS_GRAYA_U8};

static size_t channels(int32_t format)
{
    static const size_t counts[] = {0, 1, 3, 4, 2};
    return counts[format & 15];
}

static size_t bytes(int32_t format)
{
    static const size_t sizes[] = {1, 2, 4, 2};
    return sizes[format >> 4];
}

/* IEEE binary16 to a number, by its definition. */
static double half(uint16_t bits)
{
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const double value = exponent ? ldexp(1 + fraction / 1024.0, exponent - 15) : ldexp(fraction / 1024.0, -14);
    return bits >> 15 ? -value : value;
}

/* Its counterpart for 0..1: the nearest of all. */
static uint16_t to_half(double value)
{
    uint16_t low = 0, high = 0x3c00;
    while (high - low > 1) {
        const uint16_t middle = (uint16_t)((low + high) / 2);
        if (half(middle) <= value)
            low = middle;
        else
            high = middle;
    }
    return value - half(low) < half(high) - value ? low : high;
}

static double get(int32_t format, const unsigned char *at)
{
    uint16_t word;
    float real;
    switch (format >> 4) {
    case 0:
        return *at / 255.0;
    case 1:
        memcpy(&word, at, sizeof word);
        return word / 65535.0;
    case 2:
        memcpy(&real, at, sizeof real);
        return real;
    default:
        memcpy(&word, at, sizeof word);
        return half(word);
    }
}

static void put(int32_t format, unsigned char *at, double value)
{
    uint16_t word = format >> 4 == 3 ? to_half(value) : (uint16_t)lround(value * 65535.0);
    float real = (float)value;
    switch (format >> 4) {
    case 0:
        *at = (unsigned char)lround(value * 255.0);
        break;
    case 2:
        memcpy(at, &real, sizeof real);
        break;
    default:
        memcpy(at, &word, sizeof word);
    }
}

/* Half a step of the format, and a little for the arithmetic. */
static double rounding(int32_t format)
{
    static const double steps[] = {0.5 / 255, 0.5 / 65535, 0, 0.5 / 1024};
    return steps[format >> 4] + 1e-6;
}

static kds_image make(int32_t format, uint32_t width, uint32_t height)
{
    kds_image image;
    memset(&image, 0, sizeof image);
    image.struct_size = sizeof image;
    image.format = format;
    image.width = width;
    image.height = height;
    image.stride = width * channels(format) * bytes(format) + GAP;
    image.len = image.stride * height;
    image.data = malloc(image.len);
    if (!image.data)
        exit(1);
    memset(image.data, GUARD, image.len);
    return image;
}

/* What came with interface 1.1. This program is compiled with the header of 1.0 too. */
#ifdef KDS_ROWS_UP

/* The first sample of a plane in memory; NULL for images without planes. */
static unsigned char *plane(const kds_image *image, size_t channel)
{
    return image->planes ? image->planes[channel] : NULL;
}

/* An image in planes, the lowest row first. */
static kds_image make_planes(int32_t format, uint32_t width, uint32_t height)
{
    kds_image image = make(format, width, height);
    const size_t count = channels(format);
    size_t channel;
    void **planes = malloc(count * sizeof *planes);
    free(image.data);
    if (!planes)
        exit(1);
    image.data = NULL;
    image.stride = width * bytes(format) + GAP;
    image.len = image.stride * height;
    image.rows = KDS_ROWS_UP;
    for (channel = 0; channel < count; ++channel) {
        planes[channel] = malloc(image.len);
        if (!planes[channel])
            exit(1);
        memset(planes[channel], GUARD, image.len);
    }
    image.planes = planes;
    return image;
}

static void free_planes(kds_image *image)
{
    size_t channel;
    for (channel = 0; channel < channels(image->format); ++channel)
        free(image->planes[channel]);
    free((void *)image->planes);
}

#else

static unsigned char *plane(const kds_image *image, size_t channel)
{
    (void)image;
    (void)channel;
    return NULL;
}

#endif

static unsigned char *at(const kds_image *image, uint32_t x, uint32_t y, size_t channel)
{
    const size_t index = x * channels(image->format) + channel;
    if (plane(image, 0))
        return plane(image, channel) + (image->height - 1 - y) * image->stride + x * bytes(image->format);
    return (unsigned char *)image->data + y * image->stride + index * bytes(image->format);
}

/* A gray picture, opaque, whose values every format holds exactly: 0 and 1. */
static kds_image fill(kds_image image)
{
    const int32_t format = image.format;
    uint32_t x, y;
    size_t channel;
    for (y = 0; y < HEIGHT; ++y)
        for (x = 0; x < WIDTH; ++x)
            for (channel = 0; channel < channels(format); ++channel) {
                const int is_alpha = channels(format) % 2 == 0 && channel == channels(format) - 1;
                put(format, at(&image, x, y, channel), is_alpha ? 1.0 : (double)((x / 2 + y / 3) % 2));
            }
    return image;
}

static kds_image source(int32_t format)
{
    return fill(make(format, WIDTH, HEIGHT));
}

static int same_gaps(const kds_image *image)
{
    const size_t row = image->stride - GAP, buffers = plane(image, 0) ? channels(image->format) : 1;
    uint32_t y;
    size_t index, buffer;
    for (buffer = 0; buffer < buffers; ++buffer)
        for (y = 0; y < image->height; ++y)
            for (index = row; index < image->stride; ++index) {
                const unsigned char *first = plane(image, 0) ? plane(image, buffer) : image->data;
                if (first[y * image->stride + index] != GUARD)
                    return 0;
            }
    return 1;
}

static double value(const kds_image *image, uint32_t x, uint32_t y, size_t channel)
{
    return get(image->format, at(image, x, y, channel));
}

/* `truth` is RGB floats of the same picture. */
static void compare(const kds_image *found, const kds_image *truth)
{
    const int32_t format = found->format;
    const size_t count = channels(format);
    uint32_t x, y;
    size_t channel;
    double worst = 0;
    for (y = 0; y < found->height; ++y)
        for (x = 0; x < found->width; ++x) {
            const double red = value(truth, x, y, 0), green = value(truth, x, y, 1), blue = value(truth, x, y, 2);
            if (count % 2 == 0)
                CHECK(value(found, x, y, count - 1) == 1.0);
            if (count < 3)
                worst = fmax(worst, fabs(value(found, x, y, 0) - (0.299 * red + 0.587 * green + 0.114 * blue)));
            for (channel = 0; count >= 3 && channel < 3; ++channel)
                worst = fmax(worst, fabs(value(found, x, y, channel) - value(truth, x, y, channel)));
        }
    if (!(worst <= rounding(format))) {
        fprintf(stderr, "format %d is off by %g\n", format, worst);
        ++failures;
    }
    CHECK(same_gaps(found));
}

#ifdef KDS_ROWS_UP

/* Light of a value that sRGB encodes, by its definition. */
static double light(double value)
{
    return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4);
}

/* A picture of many greys in linear light becomes, in linear light, what it becomes encoded. */
static void linear_light(kds_job *job)
{
    kds_image encoded = source(KDS_RGB_F32), linear = source(KDS_RGB_F32);
    kds_image truth = make(KDS_RGB_F32, 4 * WIDTH, 4 * HEIGHT), found = make(KDS_RGB_F32, 4 * WIDTH, 4 * HEIGHT);
    uint32_t x, y;
    size_t channel;
    double worst = 0;
    for (y = 0; y < HEIGHT; ++y)
        for (x = 0; x < WIDTH; ++x)
            for (channel = 0; channel < 3; ++channel) {
                const double value = (double)(x + y + channel) / (WIDTH + HEIGHT);
                put(KDS_RGB_F32, at(&encoded, x, y, channel), value);
                put(KDS_RGB_F32, at(&linear, x, y, channel), light(value));
            }
    linear.light = found.light = KDS_LIGHT_LINEAR;
    OK(kds_job_run(job, &encoded, NULL, &truth, NULL, NULL, NULL, E));
    OK(kds_job_run(job, &linear, NULL, &found, NULL, NULL, NULL, E));
    for (y = 0; y < truth.height; ++y)
        for (x = 0; x < truth.width; ++x)
            for (channel = 0; channel < 3; ++channel)
                worst = fmax(worst, fabs(value(&found, x, y, channel) - light(value(&truth, x, y, channel))));
    if (!(worst < 1e-4)) {
        fprintf(stderr, "linear light is off by %g\n", worst);
        ++failures;
    }
    free(encoded.data);
    free(linear.data);
    free(truth.data);
    free(found.data);
}

#endif

int main(void)
{
    kds_context *context = NULL;
    kds_model *model;
    kds_job *job;
    kds_image truth, input;
    size_t depth, layout;

    OK(kds_context_new(NULL, &context, E));
    OK(kds_model_open(context, "kds-photo-x4", "cpu", "f32", &model, E));
    job = short_job(model);
    OK(kds_job_set(job, "particles", "1", E));
    OK(kds_job_set(job, "steps", "1", E));
    truth = make(KDS_RGB_F32, 4 * WIDTH, 4 * HEIGHT);
    input = source(KDS_RGB_F32);
    OK(kds_job_run(job, &input, NULL, &truth, NULL, NULL, NULL, E));
    for (depth = 0; depth < 4; ++depth)
        for (layout = 0; layout < 4; ++layout) {
            const int32_t format = layouts[layout] + depths[depth];
            kds_image from = source(format), to = make(format, 4 * WIDTH, 4 * HEIGHT);
            /* Into this format, from floats; and out of it, into floats. */
            kds_image floats = make(KDS_RGB_F32, 4 * WIDTH, 4 * HEIGHT);
            OK(kds_job_run(job, &input, NULL, &to, NULL, NULL, NULL, E));
            compare(&to, &truth);
            OK(kds_job_run(job, &from, NULL, &floats, NULL, NULL, NULL, E));
            compare(&floats, &truth);
            /* Opaque pixels are the same multiplied by alpha. */
            from.alpha = to.alpha = KDS_ALPHA_PREMULTIPLIED;
            memset(to.data, GUARD, to.len);
            OK(kds_job_run(job, &from, NULL, &to, NULL, NULL, NULL, E));
            compare(&to, &truth);
            free(from.data);
            free(to.data);
#ifdef KDS_ROWS_UP
            from = fill(make_planes(format, WIDTH, HEIGHT));
            to = make_planes(format, 4 * WIDTH, 4 * HEIGHT);
            OK(kds_job_run(job, &from, NULL, &to, NULL, NULL, NULL, E));
            compare(&to, &truth);
            CHECK(same_gaps(&from));
            free_planes(&from);
            free_planes(&to);
#endif
            free(floats.data);
        }
#ifdef KDS_ROWS_UP
    linear_light(job);
#endif
    free(input.data);
    free(truth.data);
    kds_job_free(job);
    kds_model_free(model);
    kds_context_free(context);
    return result("images");
}
