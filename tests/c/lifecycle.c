/*
 * Everything made, used, cancelled and freed, a number of times: for tools that look for leaks and wild accesses.
 * `lifecycle TURNS leak` forgets a job each time, to see that the tool would tell.
 */
#include "check.h"
#include <stdlib.h>

#define WIDTH 8
#define HEIGHT 8

static int32_t stop_at_first_step(void *user_data, const kds_progress_info *info)
{
    ++*(int *)user_data;
    return info->stage == KDS_STAGE_SAMPLE;
}

static void count_lines(void *user_data, int32_t level, const char *message)
{
    CHECK(level >= KDS_LOG_ERROR && level <= KDS_LOG_DEBUG && one_line(message));
    ++*(int *)user_data;
}

static void ask_everything(const kds_context *context, const kds_model *model, const kds_job *job)
{
    size_t count = 0, index;
    const char *text = NULL, *more = NULL;
    kds_estimate estimate;
    uint32_t width = 0, height = 0;

    OK(kds_context_model_count(context, &count, E));
    CHECK(count > 0);
    for (index = 0; index < count; ++index) {
        kds_model_info info;
        info.struct_size = sizeof info;
        OK(kds_context_model_get(context, index, &info, E));
        CHECK(strlen(info.id) > 0 && strlen(info.title) > 0 && info.scale >= 1);
    }
    OK(kds_context_device_count(context, &count, E));
    for (index = 0; index < count; ++index) {
        kds_device_info info;
        info.struct_size = sizeof info;
        OK(kds_context_device_get(context, index, &info, E));
        CHECK(index > 0 || strcmp(info.name, "cpu") == 0);
    }
    OK(kds_context_describe(context, &text, E));
    CHECK(strstr(text, "libtorch: ") != NULL);
    OK(kds_model_device(model, &text, &more, E));
    CHECK(strcmp(text, "cpu") == 0);
    for (index = 0; index < kds_param_count(); ++index) {
        kds_param param;
        param.struct_size = sizeof param;
        OK(kds_param_get(index, &param, E));
        if (param.scope == KDS_SCOPE_JOB)
            OK(kds_job_get(job, param.name, &text, E));
    }
    estimate.struct_size = sizeof estimate;
    OK(kds_job_estimate(job, 300, 200, &estimate, E));
    CHECK(estimate.tiles >= 1 && estimate.memory > 0 && estimate.evaluations == estimate.tiles);
    OK(kds_job_output_size(job, WIDTH, HEIGHT, &width, &height, E));
    CHECK(width == 4 * WIDTH && height == 4 * HEIGHT);
}

static void once(int leak)
{
    kds_context *context = NULL;
    kds_model *model = NULL;
    kds_job *job = NULL;
    kds_error *error = NULL;
    kds_context_params params;
    unsigned char *input = malloc(WIDTH * HEIGHT * 3), *output = malloc(16 * WIDTH * HEIGHT * 3);
    unsigned char *map = malloc(16 * WIDTH * HEIGHT);
    kds_image source, target, confidence;
    int calls = 0, lines = 0;

    CHECK(input && output && map);
    if (!input || !output || !map)
        exit(1);
    paint(input, WIDTH * HEIGHT * 3);
    kds_context_params_init(&params);
    params.threads = 1;
    params.log = count_lines;
    params.log_user_data = &lines;
    params.log_level = KDS_LOG_DEBUG;
    OK(kds_context_new(&params, &context, E));
    model = open_model(context);
    job = short_job(model);
    OK(kds_job_set(job, "steps", "1", E));
    ask_everything(context, model, job);

    source = rgb(input, WIDTH, HEIGHT);
    target = rgb(output, 4 * WIDTH, 4 * HEIGHT);
    confidence = target;
    confidence.format = KDS_GRAY_U8;
    confidence.data = map;
    confidence.stride = 4 * WIDTH;
    confidence.len = 16 * WIDTH * HEIGHT;
    OK(kds_job_run(job, &source, NULL, &target, &confidence, NULL, NULL, E));
    CHECK(lines >= 4);
    CHECK(kds_job_run(job, &source, NULL, &target, NULL, stop_at_first_step, &calls, &error) == KDS_CANCELLED);
    CHECK(calls >= 2);
    kds_error_free(error);
    error = NULL;
    CHECK(kds_job_set(job, "steps", "many", &error) == KDS_INVALID_ARGUMENT);
    kds_error_free(error);
    kds_job_cancel(job);
    CHECK(kds_job_run(job, &source, NULL, &target, NULL, NULL, NULL, NULL) == KDS_CANCELLED);
    if (!leak)
        kds_job_free(job);
    kds_model_free(model);
    kds_context_free(context);
    free(input);
    free(output);
    free(map);
}

int main(int count, char **arguments)
{
    int turn, turns = count > 1 ? atoi(arguments[1]) : 3;
    for (turn = 0; turn < turns; ++turn)
        once(count > 2);
    return result("lifecycle");
}
