/* Everything that a caller may do wrong: the right status, a useful message, nothing written, the process alive. */
#include "check.h"
#include <stdlib.h>

#define WIDTH 12
#define HEIGHT 8
#define OUTPUT (4 * WIDTH * 4 * HEIGHT * 3)

static unsigned char input[WIDTH * HEIGHT * 3], output[OUTPUT], expected[OUTPUT];

static void contexts(const char *not_a_registry)
{
    kds_context_params params;
    kds_context *const untouched = (kds_context *)input;
    kds_context *context = untouched;
    struct {
        kds_context_params params;
        unsigned char more[8];
    } newer;

    EXPECT(KDS_INVALID_ARGUMENT, "out is NULL", kds_context_new(NULL, NULL, E));
    kds_context_params_init(NULL);

    kds_context_params_init(&params);
    CHECK(params.struct_size == sizeof params && params.log_level == KDS_LOG_INFO);
    params.struct_size = 0;
    EXPECT(KDS_INVALID_ARGUMENT, "kds_context_params has struct_size 0", kds_context_new(&params, &context, E));
    params.struct_size = 7;
    EXPECT(KDS_INVALID_ARGUMENT, "struct_size 7", kds_context_new(&params, &context, E));
    params.struct_size = 0xffffffffu;
    EXPECT(KDS_INVALID_ARGUMENT, "struct_size", kds_context_new(&params, &context, E));

    kds_context_params_init(&params);
    params.threads = -1;
    EXPECT(KDS_INVALID_ARGUMENT, "threads is -1", kds_context_new(&params, &context, E));
    params.threads = 1 << 30;
    EXPECT(KDS_INVALID_ARGUMENT, "0 to 1024", kds_context_new(&params, &context, E));
    kds_context_params_init(&params);
    params.log_level = 9;
    EXPECT(KDS_INVALID_ARGUMENT, "log_level", kds_context_new(&params, &context, E));
    kds_context_params_init(&params);
    params.registry = "/nowhere/registry.toml";
    EXPECT(KDS_INVALID_REGISTRY, "/nowhere/registry.toml", kds_context_new(&params, &context, E));
    params.registry = not_a_registry;
    EXPECT(KDS_INVALID_REGISTRY, "line 1", kds_context_new(&params, &context, E));
    params.registry = "\xff\xfe.toml";
    EXPECT(KDS_INVALID_ARGUMENT, "registry is not UTF-8", kds_context_new(&params, &context, E));
    CHECK(context == untouched);

    /* A newer header's longer struct: fine while its new fields are 0, refused when they ask for something. */
    memset(&newer, 0, sizeof newer);
    kds_context_params_init(&newer.params);
    newer.params.struct_size = sizeof newer;
    newer.more[3] = 1;
    EXPECT(KDS_INVALID_ARGUMENT, "older than the header", kds_context_new(&newer.params, &context, E));
    CHECK(context == untouched);
    newer.more[3] = 0;
    OK(kds_context_new(&newer.params, &context, E));
    kds_context_free(context);

    /* The struct of the first header, which ended before `log`. */
    kds_context_params_init(&params);
    params.struct_size = offsetof(kds_context_params, log);
    memset((char *)&params + params.struct_size, 0xee, sizeof params - params.struct_size);
    OK(kds_context_new(&params, &context, E));
    kds_context_free(context);
    kds_context_free(NULL);
}

static void recognition(const kds_context *context)
{
    kds_recognised *const untouched = (kds_recognised *)input;
    kds_recognised *found = untouched;
    const char *entry = NULL, *files = NULL;

    EXPECT(KDS_INVALID_ARGUMENT, "context is NULL", kds_model_recognise(NULL, "/", NULL, "x", &found, E));
    EXPECT(KDS_INVALID_ARGUMENT, "folder is NULL", kds_model_recognise(context, NULL, NULL, "x", &found, E));
    EXPECT(KDS_INVALID_ARGUMENT, "id is NULL", kds_model_recognise(context, "/", NULL, NULL, &found, E));
    EXPECT(KDS_INVALID_ARGUMENT, "out is NULL", kds_model_recognise(context, "/", NULL, "x", NULL, E));
    EXPECT(KDS_INVALID_ARGUMENT, "names is not UTF-8", kds_model_recognise(context, "/", "\xc3(", "x", &found, E));
    EXPECT(KDS_INVALID_MODEL, "no model that is known", kds_model_recognise(context, "/nowhere", NULL, "x", &found, E));
    EXPECT(KDS_INVALID_MODEL, "model_index.json", kds_model_recognise(context, "/nowhere", "model_index.json", "x", &found, E));
    CHECK(found == untouched);

    OK(kds_model_recognise(context, "/models", "v2.pth\nv2-1_512-ema-pruned.ckpt\nBSRNet.pth\ntokenizer/tokenizer.json",
                           "x", &found, E));
    OK(kds_recognised_get(found, &entry, &files, E));
    CHECK(strstr(entry, "backbone = \"diffbir\"") != NULL && strstr(files, "BSRNet.pth") != NULL);
    OK(kds_recognised_get(found, NULL, NULL, E));
    EXPECT(KDS_INVALID_ARGUMENT, "recognised is NULL", kds_recognised_get(NULL, &entry, &files, E));
    kds_recognised_free(found);
    kds_recognised_free(NULL);
}

static void queries(kds_context *context, const char *not_a_registry)
{
    kds_model_info info, kept;
    kds_device_info device;
    kds_param param;
    const char *text = NULL;
    const char *const bad_path = "/nowhere/r.toml";
    size_t count = 77;

    EXPECT(KDS_INVALID_ARGUMENT, "context is NULL", kds_context_model_count(NULL, &count, E));
    EXPECT(KDS_INVALID_ARGUMENT, "out is NULL", kds_context_model_count(context, NULL, E));
    EXPECT(KDS_INVALID_ARGUMENT, "context is NULL", kds_context_device_count(NULL, &count, E));
    EXPECT(KDS_INVALID_ARGUMENT, "out is NULL", kds_context_device_count(context, NULL, E));
    EXPECT(KDS_INVALID_ARGUMENT, "context is NULL", kds_context_describe(NULL, &text, E));
    EXPECT(KDS_INVALID_ARGUMENT, "out is NULL", kds_context_describe(context, NULL, E));
    CHECK(count == 77 && text == NULL);

    memset(&info, 0xab, sizeof info);
    info.struct_size = sizeof info;
    kept = info;
    EXPECT(KDS_INVALID_ARGUMENT, "context is NULL", kds_context_model_get(NULL, 0, &info, E));
    EXPECT(KDS_INVALID_ARGUMENT, "kds_model_info is NULL", kds_context_model_get(context, 0, NULL, E));
    EXPECT(KDS_NOT_FOUND, "no model 9999", kds_context_model_get(context, 9999, &info, E));
    EXPECT(KDS_NOT_FOUND, "no model", kds_context_model_get(context, (size_t)-1, &info, E));
    CHECK(memcmp(&info, &kept, sizeof info) == 0);
    info.struct_size = 3;
    EXPECT(KDS_INVALID_ARGUMENT, "kds_model_info has struct_size 3", kds_context_model_get(context, 0, &info, E));

    device.struct_size = sizeof device;
    EXPECT(KDS_INVALID_ARGUMENT, "context is NULL", kds_context_device_get(NULL, 0, &device, E));
    EXPECT(KDS_INVALID_ARGUMENT, "kds_device_info is NULL", kds_context_device_get(context, 0, NULL, E));
    EXPECT(KDS_NOT_FOUND, "no device 9999", kds_context_device_get(context, 9999, &device, E));
    device.struct_size = 0;
    EXPECT(KDS_INVALID_ARGUMENT, "kds_device_info", kds_context_device_get(context, 0, &device, E));

    param.struct_size = sizeof param;
    EXPECT(KDS_INVALID_ARGUMENT, "kds_param is NULL", kds_param_get(0, NULL, E));
    EXPECT(KDS_NOT_FOUND, "parameter", kds_param_get(kds_param_count(), &param, E));
    param.struct_size = 4;
    EXPECT(KDS_INVALID_ARGUMENT, "kds_param has struct_size 4", kds_param_get(0, &param, E));

    EXPECT(KDS_INVALID_ARGUMENT, "context is NULL", kds_context_add_registry(NULL, "x", E));
    EXPECT(KDS_INVALID_ARGUMENT, "path is NULL", kds_context_add_registry(context, NULL, E));
    EXPECT(KDS_INVALID_ARGUMENT, "path is not UTF-8", kds_context_add_registry(context, "\xc3(", E));
    EXPECT(KDS_INVALID_REGISTRY, bad_path, kds_context_add_registry(context, bad_path, E));
    EXPECT(KDS_INVALID_REGISTRY, "line 1", kds_context_add_registry(context, not_a_registry, E));

    recognition(context);

    CHECK(kds_error_status(NULL) == KDS_OK && strcmp(kds_error_message(NULL), "") == 0);
    kds_error_free(NULL);
    CHECK(strcmp(kds_status_name(KDS_BUSY), "KDS_BUSY") == 0 && strcmp(kds_status_name(-5), "KDS_UNKNOWN") == 0);
    CHECK(kds_abi_version() == KDS_ABI_VERSION && kds_abi_minor() == KDS_ABI_MINOR);
    CHECK(strlen(kds_version_string()) > 0);
}

static void models(const kds_context *context)
{
    kds_model *const untouched = (kds_model *)input;
    kds_model *model = untouched;
    kds_model_info info;
    const char *name = "kept";

    EXPECT(KDS_INVALID_ARGUMENT, "context is NULL", kds_model_open(NULL, "kds-photo-x4", NULL, NULL, &model, E));
    EXPECT(KDS_INVALID_ARGUMENT, "id is NULL", kds_model_open(context, NULL, NULL, NULL, &model, E));
    EXPECT(KDS_INVALID_ARGUMENT, "out is NULL", kds_model_open(context, "kds-photo-x4", NULL, NULL, NULL, E));
    EXPECT(KDS_NOT_FOUND, "no model 'nobody'", kds_model_open(context, "nobody", NULL, NULL, &model, E));
    EXPECT(KDS_NOT_FOUND, "kds-photo-x4", kds_model_open(context, "", NULL, NULL, &model, E));
    EXPECT(KDS_INVALID_ARGUMENT, "id is not UTF-8", kds_model_open(context, "\xff", NULL, NULL, &model, E));
    EXPECT(KDS_INVALID_ARGUMENT, "toaster", kds_model_open(context, "kds-photo-x4", "toaster", NULL, &model, E));
    EXPECT(KDS_DEVICE_UNAVAILABLE, "cuda:99", kds_model_open(context, "kds-photo-x4", "cuda:99", NULL, &model, E));
    EXPECT(KDS_INVALID_ARGUMENT, "int3", kds_model_open(context, "kds-photo-x4", "cpu", "int3", &model, E));
    EXPECT(KDS_DEVICE_UNAVAILABLE, "f16", kds_model_open(context, "kds-photo-x4", "cpu", "f16", &model, E));
    CHECK(model == untouched);

    info.struct_size = sizeof info;
    EXPECT(KDS_INVALID_ARGUMENT, "model is NULL", kds_model_info_get(NULL, &info, E));
    EXPECT(KDS_INVALID_ARGUMENT, "model is NULL", kds_model_device(NULL, &name, &name, E));
    CHECK(strcmp(name, "kept") == 0);
    kds_model_free(NULL);
}

static void jobs(const kds_model *model)
{
    kds_job *const untouched = (kds_job *)input;
    kds_job *job = untouched;
    kds_model_info info;
    kds_estimate estimate, kept;
    const char *value = "kept", *other, *again;
    uint32_t width = 5, height = 6;

    EXPECT(KDS_INVALID_ARGUMENT, "model is NULL", kds_job_new(NULL, &job, E));
    CHECK(job == untouched);
    EXPECT(KDS_INVALID_ARGUMENT, "out is NULL", kds_job_new(model, NULL, E));
    EXPECT(KDS_INVALID_ARGUMENT, "kds_model_info is NULL", kds_model_info_get(model, NULL, E));
    info.struct_size = 1;
    EXPECT(KDS_INVALID_ARGUMENT, "struct_size 1", kds_model_info_get(model, &info, E));
    EXPECT(KDS_INVALID_ARGUMENT, "device is NULL", kds_model_device(model, NULL, &value, E));
    EXPECT(KDS_INVALID_ARGUMENT, "dtype is NULL", kds_model_device(model, &value, NULL, E));
    CHECK(strcmp(value, "kept") == 0);

    job = short_job(model);
    EXPECT(KDS_INVALID_ARGUMENT, "job is NULL", kds_job_set(NULL, "steps", "3", E));
    EXPECT(KDS_INVALID_ARGUMENT, "key is NULL", kds_job_set(job, NULL, "3", E));
    EXPECT(KDS_INVALID_ARGUMENT, "value is NULL", kds_job_set(job, "steps", NULL, E));
    EXPECT(KDS_INVALID_ARGUMENT, "'stepz'", kds_job_set(job, "stepz", "3", E));
    EXPECT(KDS_INVALID_ARGUMENT, "'steps' cannot be '0'", kds_job_set(job, "steps", "0", E));
    EXPECT(KDS_INVALID_ARGUMENT, "'steps'", kds_job_set(job, "steps", "nan", E));
    EXPECT(KDS_INVALID_ARGUMENT, "'strength'", kds_job_set(job, "strength", "inf", E));
    EXPECT(KDS_INVALID_ARGUMENT, "'strength'", kds_job_set(job, "strength", "NaN", E));
    EXPECT(KDS_INVALID_ARGUMENT, "not UTF-8", kds_job_set(job, "sampler", "\xf0\x28", E));
    EXPECT(KDS_INVALID_ARGUMENT, "'device' is fixed", kds_job_set(job, "device", "cpu", E));
    EXPECT(KDS_INVALID_ARGUMENT, "job is NULL", kds_job_get(NULL, "steps", &value, E));
    EXPECT(KDS_INVALID_ARGUMENT, "key is NULL", kds_job_get(job, NULL, &value, E));
    EXPECT(KDS_INVALID_ARGUMENT, "value is NULL", kds_job_get(job, "steps", NULL, E));
    EXPECT(KDS_INVALID_ARGUMENT, "'stepz'", kds_job_get(job, "stepz", &value, E));
    CHECK(strcmp(value, "kept") == 0);
    OK(kds_job_get(job, "steps", &value, E));
    OK(kds_job_get(job, "seed", &other, E));
    OK(kds_job_get(job, "steps", &again, E));
    CHECK(strcmp(value, "2") == 0 && strcmp(other, "7") == 0 && value == again);
    OK(kds_job_set(job, "steps", "3", E));
    OK(kds_job_get(job, "steps", &value, E));
    CHECK(strcmp(value, "3") == 0 && strcmp(other, "7") == 0);

    EXPECT(KDS_INVALID_ARGUMENT, "job is NULL", kds_job_output_size(NULL, 1, 1, &width, &height, E));
    EXPECT(KDS_INVALID_ARGUMENT, "out_width is NULL", kds_job_output_size(job, 1, 1, NULL, &height, E));
    EXPECT(KDS_INVALID_ARGUMENT, "out_height is NULL", kds_job_output_size(job, 1, 1, &width, NULL, E));
    EXPECT(KDS_INVALID_ARGUMENT, "0 x 1", kds_job_output_size(job, 0, 1, &width, &height, E));
    EXPECT(KDS_INVALID_ARGUMENT, "4294967295", kds_job_output_size(job, 1, 0xffffffffu, &width, &height, E));
    CHECK(width == 5 && height == 6);

    memset(&estimate, 0xab, sizeof estimate);
    estimate.struct_size = sizeof estimate;
    kept = estimate;
    EXPECT(KDS_INVALID_ARGUMENT, "job is NULL", kds_job_estimate(NULL, 8, 8, &estimate, E));
    EXPECT(KDS_INVALID_ARGUMENT, "kds_estimate is NULL", kds_job_estimate(job, 8, 8, NULL, E));
    EXPECT(KDS_INVALID_IMAGE, "0 x 8", kds_job_estimate(job, 0, 8, &estimate, E));
    EXPECT(KDS_INVALID_IMAGE, "4294967295", kds_job_estimate(job, 0xffffffffu, 8, &estimate, E));
    OK(kds_job_set(job, "memory", "1MiB", E));
    EXPECT(KDS_OUT_OF_MEMORY, "memory", kds_job_estimate(job, 512, 512, &estimate, E));
    CHECK(memcmp(&estimate, &kept, sizeof estimate) == 0);
    OK(kds_job_set(job, "memory", "auto", E));
    estimate.struct_size = 8;
    EXPECT(KDS_INVALID_ARGUMENT, "kds_estimate has struct_size 8", kds_job_estimate(job, 8, 8, &estimate, E));

    kds_job_cancel(NULL);
    kds_job_free(NULL);
    kds_job_free(job);
}

/* One wrong thing about an image per line. */
static void images(const kds_model *model)
{
    static const struct {
        const char *what;
        int32_t status;
        size_t offset, size;
        uint64_t value;
    } rows[] = {
#define ROW(what, status, field, value) {what, status, offsetof(kds_image, field), sizeof(((kds_image *)0)->field), value}
        ROW("struct_size 0", KDS_INVALID_ARGUMENT, struct_size, 0),
        ROW("struct_size 20", KDS_INVALID_ARGUMENT, struct_size, 20),
        ROW("struct_size", KDS_INVALID_ARGUMENT, struct_size, 0xffffffffu),
        ROW("format 0", KDS_INVALID_IMAGE, format, 0),
        ROW("format 5", KDS_INVALID_IMAGE, format, 5),
        ROW("format 65", KDS_INVALID_IMAGE, format, 65),
        ROW("format -1", KDS_INVALID_IMAGE, format, 0xffffffffu),
        ROW("0 x 8", KDS_INVALID_IMAGE, width, 0),
        ROW("12 x 0", KDS_INVALID_IMAGE, height, 0),
        ROW("4294967295 x 8 pixels", KDS_INVALID_IMAGE, width, 0xffffffffu),
        ROW("12 x 4294967295 pixels", KDS_INVALID_IMAGE, height, 0xffffffffu),
        ROW("stride is 0 bytes", KDS_INVALID_IMAGE, stride, 0),
        ROW("stride is 35 bytes, a row has 36", KDS_INVALID_IMAGE, stride, 3 * WIDTH - 1),
        ROW("len is", KDS_INVALID_IMAGE, stride, 3 * WIDTH + 1),
        ROW("len is", KDS_INVALID_IMAGE, stride, (uint64_t)-1),
        ROW("data is NULL", KDS_INVALID_IMAGE, data, 0),
        ROW("len is 287 bytes, the image has 288", KDS_INVALID_IMAGE, len, WIDTH * HEIGHT * 3 - 1),
        ROW("len is 0", KDS_INVALID_IMAGE, len, 0),
        ROW("alpha", KDS_INVALID_IMAGE, alpha, 2),
        ROW("reserved", KDS_INVALID_IMAGE, reserved, 1),
        ROW("rows is 2", KDS_INVALID_IMAGE, rows, 2),
        ROW("rows is -1", KDS_INVALID_IMAGE, rows, 0xffffffffu),
        ROW("light is 2", KDS_INVALID_IMAGE, light, 2),
        ROW("data must be NULL where planes are given", KDS_INVALID_IMAGE, planes, 1),
#undef ROW
    };
    const kds_image good = rgb(input, WIDTH, HEIGHT), target = rgb(output, 4 * WIDTH, 4 * HEIGHT);
    kds_job *job = short_job(model);
    kds_image wrong;
    size_t row;

    memset(output, 0x5a, sizeof output);
    memset(expected, 0x5a, sizeof expected);
    for (row = 0; row < sizeof rows / sizeof rows[0]; ++row) {
        wrong = good;
        /* Little-endian, as the machines that this library is built for. */
        memcpy((char *)&wrong + rows[row].offset, &rows[row].value, rows[row].size);
        EXPECT(rows[row].status, rows[row].what, kds_job_run(job, &wrong, NULL, &target, NULL, NULL, NULL, E));
    }
    EXPECT(KDS_INVALID_ARGUMENT, "job is NULL", kds_job_run(NULL, &good, NULL, &target, NULL, NULL, NULL, E));
    EXPECT(KDS_INVALID_ARGUMENT, "input is NULL", kds_job_run(job, NULL, NULL, &target, NULL, NULL, NULL, E));
    EXPECT(KDS_INVALID_ARGUMENT, "output is NULL", kds_job_run(job, &good, NULL, NULL, NULL, NULL, NULL, E));
    EXPECT(KDS_INVALID_ARGUMENT, "no mask", kds_job_run(job, &good, &good, &target, NULL, NULL, NULL, E));
    EXPECT(KDS_INVALID_IMAGE, "output is 12 x 8 pixels, the result is 48 x 32",
           kds_job_run(job, &good, NULL, &good, NULL, NULL, NULL, E));
    EXPECT(KDS_INVALID_IMAGE, "confidence is 12 x 8", kds_job_run(job, &good, NULL, &target, &good, NULL, NULL, E));
    wrong = target;
    wrong.len -= 1;
    EXPECT(KDS_INVALID_IMAGE, "output: ", kds_job_run(job, &good, NULL, &wrong, NULL, NULL, NULL, E));
    OK(kds_job_set(job, "scale", "9", E));
    EXPECT(KDS_INVALID_ARGUMENT, "scale 9", kds_job_run(job, &good, NULL, &target, NULL, NULL, NULL, E));
    CHECK(memcmp(output, expected, sizeof output) == 0);
    kds_job_free(job);
}

static void numbers_that_are_none(const kds_model *model)
{
    static float floats[WIDTH * HEIGHT];
    kds_job *job = short_job(model);
    const kds_image target = rgb(output, 4 * WIDTH, 4 * HEIGHT);
    kds_image source = target;
    size_t index = WIDTH * HEIGHT / 2;

    source.format = KDS_GRAY_F32;
    source.width = WIDTH;
    source.height = HEIGHT;
    source.data = floats;
    source.stride = WIDTH * sizeof(float);
    source.len = sizeof floats;
    floats[index] = strtof("nan", NULL);
    EXPECT(KDS_INVALID_IMAGE, "not finite", kds_job_run(job, &source, NULL, &target, NULL, NULL, NULL, E));
    floats[index] = strtof("-inf", NULL);
    EXPECT(KDS_INVALID_IMAGE, "not finite", kds_job_run(job, &source, NULL, &target, NULL, NULL, NULL, E));
    floats[index] = 3e38f;
    kds_job_run(job, &source, NULL, &target, NULL, NULL, NULL, NULL);
    kds_job_free(job);
}

/* Rows far apart, rows in a buffer that the result is written over, and a result that is the same each time. */
static void memory(const kds_model *model)
{
    enum { FAR = 4096 };
    static unsigned char apart[FAR * HEIGHT], shared[OUTPUT];
    kds_job *job = short_job(model);
    const kds_image source = rgb(input, WIDTH, HEIGHT), target = rgb(output, 4 * WIDTH, 4 * HEIGHT);
    kds_image other;
    size_t y;

    OK(kds_job_run(job, &source, NULL, &target, NULL, NULL, NULL, E));
    memcpy(expected, output, sizeof output);

    other = source;
    for (y = 0; y < HEIGHT; ++y)
        memcpy(apart + y * FAR, input + y * WIDTH * 3, WIDTH * 3);
    other.data = apart;
    other.stride = FAR;
    other.len = (HEIGHT - 1) * FAR + WIDTH * 3;
    memset(output, 0, sizeof output);
    OK(kds_job_run(job, &other, NULL, &target, NULL, NULL, NULL, E));
    CHECK(memcmp(output, expected, sizeof output) == 0);

    memcpy(shared, input, sizeof input);
    {
        const kds_image from = rgb(shared, WIDTH, HEIGHT), to = rgb(shared, 4 * WIDTH, 4 * HEIGHT);
        OK(kds_job_run(job, &from, NULL, &to, NULL, NULL, NULL, E));
    }
    CHECK(memcmp(shared, expected, sizeof shared) == 0);
    kds_job_free(job);
}

/* Context, model and job freed in every order; what is left goes on working. */
static void freed_in_any_order(void)
{
    static const char orders[][4] = {"cmj", "cjm", "mcj", "mjc", "jcm", "jmc"};
    const kds_image source = rgb(input, WIDTH, HEIGHT), target = rgb(output, 4 * WIDTH, 4 * HEIGHT);
    size_t order, turn;

    for (order = 0; order < sizeof orders / sizeof orders[0]; ++order) {
        kds_context *context = NULL;
        kds_model *model;
        kds_job *job, *further;
        OK(kds_context_new(NULL, &context, E));
        model = open_model(context);
        job = short_job(model);
        for (turn = 0; turn < 3; ++turn) {
            switch (orders[order][turn]) {
            case 'c':
                kds_context_free(context);
                context = NULL;
                break;
            case 'm':
                kds_model_free(model);
                model = NULL;
                break;
            default:
                kds_job_free(job);
                job = NULL;
            }
            if (model) {
                further = short_job(model);
                kds_job_free(further);
            }
        }
    }
    /* The last one standing. */
    {
        kds_context *context = NULL;
        kds_model *model;
        kds_job *job;
        OK(kds_context_new(NULL, &context, E));
        model = open_model(context);
        job = short_job(model);
        kds_context_free(context);
        kds_model_free(model);
        memset(output, 0, sizeof output);
        OK(kds_job_run(job, &source, NULL, &target, NULL, NULL, NULL, E));
        CHECK(memcmp(output, expected, sizeof output) == 0);
        kds_job_free(job);
    }
}

struct nested {
    kds_job *job;
    int calls, busy;
};

static int32_t run_again(void *user_data, const kds_progress_info *info)
{
    struct nested *nested = user_data;
    const kds_image source = rgb(input, WIDTH, HEIGHT), target = rgb(output, 4 * WIDTH, 4 * HEIGHT);
    kds_error *error = NULL;
    int32_t status = kds_job_run(nested->job, &source, NULL, &target, NULL, NULL, NULL, &error);
    CHECK(info->struct_size == sizeof *info && info->done <= info->total);
    nested->busy += status == KDS_BUSY && one_line(kds_error_message(error));
    nested->calls += 1;
    kds_error_free(error);
    return 0;
}

static int32_t stop(void *user_data, const kds_progress_info *info)
{
    (void)info;
    ++*(int *)user_data;
    return 1;
}

static int32_t cancel(void *user_data, const kds_progress_info *info)
{
    (void)info;
    kds_job_cancel(user_data);
    return 0;
}

static void busy_and_cancelled(const kds_model *model)
{
    const kds_image source = rgb(input, WIDTH, HEIGHT), target = rgb(output, 4 * WIDTH, 4 * HEIGHT);
    struct nested nested = {NULL, 0, 0};
    int calls = 0;
    kds_job *job = short_job(model);

    nested.job = job;
    memset(output, 0, sizeof output);
    OK(kds_job_run(job, &source, NULL, &target, NULL, run_again, &nested, E));
    CHECK(nested.calls >= 4 && nested.busy == nested.calls);
    CHECK(memcmp(output, expected, sizeof output) == 0);

    /* A callback that stops: this run only, at the first tick. */
    memset(output, 0x5a, sizeof output);
    EXPECT(KDS_CANCELLED, "cancel", kds_job_run(job, &source, NULL, &target, NULL, stop, &calls, E));
    CHECK(calls == 2 && output[0] == 0x5a && output[OUTPUT - 1] == 0x5a);
    OK(kds_job_run(job, &source, NULL, &target, NULL, NULL, NULL, E));
    CHECK(memcmp(output, expected, sizeof output) == 0);

    /* kds_job_cancel: during the run, and from then on. */
    memset(output, 0x5a, sizeof output);
    EXPECT(KDS_CANCELLED, "cancel", kds_job_run(job, &source, NULL, &target, NULL, cancel, job, E));
    EXPECT(KDS_CANCELLED, "cancel", kds_job_run(job, &source, NULL, &target, NULL, NULL, NULL, E));
    CHECK(output[0] == 0x5a && output[OUTPUT - 1] == 0x5a);
    kds_job_free(job);

    /* Before the first run, and after a run that ended. */
    job = short_job(model);
    kds_job_cancel(job);
    EXPECT(KDS_CANCELLED, "cancel", kds_job_run(job, &source, NULL, &target, NULL, NULL, NULL, E));
    kds_job_free(job);
    job = short_job(model);
    OK(kds_job_run(job, &source, NULL, &target, NULL, NULL, NULL, E));
    kds_job_cancel(job);
    EXPECT(KDS_CANCELLED, "cancel", kds_job_run(job, &source, NULL, &target, NULL, NULL, NULL, E));
    kds_job_free(job);
}

int main(int count, char **arguments)
{
    kds_context *context = NULL;
    kds_model *model;
    if (count != 2) {
        fprintf(stderr, "usage: misuse FILE-THAT-IS-NO-REGISTRY\n");
        return 2;
    }
    paint(input, sizeof input);
    contexts(arguments[1]);
    OK(kds_context_new(NULL, &context, E));
    queries(context, arguments[1]);
    models(context);
    model = open_model(context);
    jobs(model);
    images(model);
    numbers_that_are_none(model);
    memory(model);
    freed_in_any_order();
    busy_and_cancelled(model);
    kds_model_free(model);
    kds_context_free(context);
    return result("misuse");
}
