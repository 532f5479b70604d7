/*
 * A program that is older or newer than libkds.so: compiled with today's header, with one whose structs are shorter, and
 * with one whose structs have two more fields (KDS_MADE_UP). Every struct lies in memory of its own, surrounded by bytes
 * that neither the library nor this program may touch.
 */
#include "check.h"
#include <sanitizer/asan_interface.h>
#include <stdlib.h>

#define GUARD 64

/* Zeroed if `fill` is 0. */
static void *block(size_t size, int fill)
{
    unsigned char *memory = malloc(size + GUARD);
    if (!memory)
        exit(1);
    memset(memory, fill, size);
    memset(memory + size, 0xcd, GUARD);
    ASAN_POISON_MEMORY_REGION(memory + size, GUARD);
    return memory;
}

/* What lies behind a struct is as it was. */
static void release(void *memory, size_t size)
{
    const unsigned char *bytes = memory;
    size_t index;
    ASAN_UNPOISON_MEMORY_REGION(bytes + size, GUARD);
    for (index = 0; index < GUARD; ++index)
        CHECK(bytes[size + index] == 0xcd);
    free(memory);
}

/* A struct full of garbage but for its size, as a variable that was never set. */
#define NEW(type, name) type *name = block(sizeof(type), 0xab); (name)->struct_size = sizeof(type)
#define RELEASE(name) release((name), sizeof *(name))
#ifdef KDS_MADE_UP
#define CHECK_LATER(name) CHECK((name)->made_up_number == 0 && (name)->made_up_text == NULL)
#else
#define CHECK_LATER(name) (void)0
#endif

static kds_context *contexts(void)
{
    kds_context *context = NULL;
    kds_context_params *params = block(sizeof *params, 0xab);
    unsigned char *old = block(40, 0xab);

    kds_context_params_init(params);
    CHECK(params->struct_size == sizeof *params && params->threads == 0 && params->registry == NULL);
    CHECK_LATER(params);
    OK(kds_context_new(params, &context, E));
#ifdef KDS_MADE_UP
    kds_context_free(context);
    params->made_up_number = 1;
    EXPECT(KDS_INVALID_ARGUMENT, "older than the header", kds_context_new(params, &context, E));
    params->made_up_number = 0;
    params->made_up_text = "";
    EXPECT(KDS_INVALID_ARGUMENT, "older than the header", kds_context_new(params, &context, E));
    params->made_up_text = NULL;
    OK(kds_context_new(params, &context, E));
#endif
    RELEASE(params);

    /* What a program calls that was compiled with interface 1.0, whose struct had 40 bytes. */
    (kds_context_params_init)((kds_context_params *)old);
    CHECK(*(uint32_t *)old == 40);
    release(old, 40);
    /* Sizes of no header. */
    old = block(3, 0xab);
    kds_context_params_init_sized((kds_context_params *)old, 3);
    CHECK(old[0] == 0xab && old[2] == 0xab);
    release(old, 3);
    return context;
}

static void answers(const kds_context *context, const kds_model *model, const kds_job *job)
{
    NEW(kds_model_info, listed);
    NEW(kds_model_info, opened);
    NEW(kds_device_info, device);
    NEW(kds_estimate, estimate);
    NEW(kds_param, param);

    OK(kds_context_model_get(context, 0, listed, E));
    CHECK(listed->struct_size == sizeof *listed && strlen(listed->id) > 0 && listed->needs_mask <= 1);
    CHECK_LATER(listed);
    OK(kds_model_info_get(model, opened, E));
    CHECK(strcmp(opened->id, "kds-photo-x4") == 0 && opened->scale == 4 && opened->needs_mask == 0);
    CHECK_LATER(opened);
    OK(kds_context_device_get(context, 0, device, E));
    CHECK(strcmp(device->name, "cpu") == 0 && device->memory_total > 0);
    CHECK_LATER(device);
    OK(kds_job_estimate(job, 16, 8, estimate, E));
    CHECK(estimate->tiles == 1 && estimate->memory > 0 && estimate->evaluations > 0);
    CHECK_LATER(estimate);
    OK(kds_param_get(0, param, E));
    CHECK(strlen(param->name) > 0 && param->scope <= KDS_SCOPE_JOB);
    CHECK_LATER(param);
    RELEASE(listed);
    RELEASE(opened);
    RELEASE(device);
    RELEASE(estimate);
    RELEASE(param);
}

/* The struct is the library's: a field that came later is only there where struct_size says so. */
static int32_t watch(void *user_data, const kds_progress_info *info)
{
    CHECK(info->struct_size >= 24 && info->done <= info->total);
    ++*(int *)user_data;
    return 0;
}

static void pictures(kds_job *job)
{
    static unsigned char input[8 * 8 * 3], output[32 * 32 * 3];
    const kds_image source = rgb(input, 8, 8), target = rgb(output, 32, 32);
    kds_image *from = block(sizeof *from, 0), *to = block(sizeof *to, 0);
    int calls = 0;

    memcpy(from, &source, sizeof source);
    memcpy(to, &target, sizeof target);
    OK(kds_job_run(job, from, NULL, to, NULL, watch, &calls, E));
    CHECK(calls > 0);
#ifdef KDS_MADE_UP
    from->made_up_number = 1;
    EXPECT(KDS_INVALID_ARGUMENT, "older than the header", kds_job_run(job, from, NULL, to, NULL, NULL, NULL, E));
#endif
    RELEASE(from);
    RELEASE(to);
}

int main(void)
{
    kds_context *context = contexts();
    kds_model *model = open_model(context);
    kds_job *job = short_job(model);
    answers(context, model, job);
    pictures(job);
    kds_job_free(job);
    kds_model_free(model);
    kds_context_free(context);
    printf("%zu bytes of parameters\n", sizeof(kds_context_params));
    return result("growth");
}
