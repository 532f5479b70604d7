/*
 * A batch over threads: one context and one model, a job per thread, pictures taken from a common queue.
 *
 *     cc threads.c -I include -L target/release -lkds -Wl,-rpath,target/release -pthread -o threads
 *     ./threads 2 folder one.ppm two.ppm ...
 *
 * Restoring uses all cores by itself, so this is for hosts that have threads anyway. Reading and writing overlap with
 * computing here.
 */
#include "ppm.h"
#include <pthread.h>

static const kds_model *model;
static const char *folder;
static char **inputs;
static int input_count, next_input, failures;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The next picture, or NULL. */
static const char *take(void)
{
    const char *input = NULL;
    pthread_mutex_lock(&lock);
    if (next_input < input_count)
        input = inputs[next_input++];
    pthread_mutex_unlock(&lock);
    return input;
}

static void report(const char *input, int good, const kds_error *error)
{
    pthread_mutex_lock(&lock);
    if (error)
        fprintf(stderr, "%s: %s\n", input, kds_error_message(error));
    else if (good)
        printf("%s: done\n", input);
    failures += !good;
    pthread_mutex_unlock(&lock);
}

/* Restores one picture into the folder. */
static int restore(kds_job *job, const char *input, kds_error **error)
{
    const char *slash = strrchr(input, '/');
    unsigned char *in, *out = NULL;
    uint32_t width, height, out_width, out_height;
    char path[4096];
    int good = 0;

    in = read_ppm(input, &width, &height);
    if (in && kds_job_output_size(job, width, height, &out_width, &out_height, error) == KDS_OK
        && (out = malloc((size_t)3 * out_width * out_height)) != NULL) {
        const kds_image from = rgb_image(in, width, height), to = rgb_image(out, out_width, out_height);
        good = snprintf(path, sizeof path, "%s/%s", folder, slash ? slash + 1 : input) < (int)sizeof path
               && kds_job_run(job, &from, NULL, &to, NULL, NULL, NULL, error) == KDS_OK
               && write_ppm(path, out, out_width, out_height);
    }
    free(in);
    free(out);
    return good;
}

static void *work(void *unused)
{
    kds_job *job = NULL;
    kds_error *error = NULL;
    const char *input;
    (void)unused;
    if (kds_job_new(model, &job, &error) != KDS_OK)
        report("a thread", 0, error);
    while (job && (input = take()) != NULL) {
        int good = restore(job, input, &error);
        report(input, good, error);
        kds_error_free(error);
        error = NULL;
    }
    kds_error_free(error);
    kds_job_free(job);
    return NULL;
}

int main(int argc, char **argv)
{
    enum { MOST = 64 };
    pthread_t threads[MOST];
    kds_context *context = NULL;
    kds_model *opened = NULL;
    kds_error *error = NULL;
    int count = argc > 3 ? atoi(argv[1]) : 0, started = 0;

    if (count < 1 || count > MOST) {
        fprintf(stderr, "usage: threads COUNT FOLDER IN.ppm ...\n");
        return 2;
    }
    folder = argv[2];
    inputs = argv + 3;
    input_count = argc - 3;
    if (kds_context_new(NULL, &context, &error) != KDS_OK
        || kds_model_open(context, "kds-photo-x4", NULL, NULL, &opened, &error) != KDS_OK) {
        fprintf(stderr, "threads: %s\n", kds_error_message(error));
        kds_error_free(error);
        kds_context_free(context);
        return 1;
    }
    model = opened;
    while (started < count && pthread_create(&threads[started], NULL, work, NULL) == 0)
        ++started;
    if (started == 0)
        work(NULL);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    kds_model_free(opened);
    kds_context_free(context);
    return failures == 0 ? 0 : 1;
}
