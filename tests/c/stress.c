/* Eight threads on one context: they open, run, cancel each other's jobs, and free, all at once; and ask one job. */
#include "check.h"
#include <pthread.h>
#include <stdlib.h>

#define THREADS 8
#define TURNS 4
#define WIDTH 8
#define HEIGHT 8
#define OUTPUT (16 * WIDTH * HEIGHT * 3)

static kds_context *context;
static kds_model *shared_model;
static kds_job *asked;
static unsigned char input[WIDTH * HEIGHT * 3], expected[OUTPUT];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct worker {
    pthread_t thread;
    unsigned index;
    /* The job that another thread may cancel; guarded by `lock`. */
    kds_job *job;
    unsigned finished, cancelled;
};

static struct worker workers[THREADS];

static void offer(struct worker *self, kds_job *job)
{
    pthread_mutex_lock(&lock);
    self->job = job;
    pthread_mutex_unlock(&lock);
}

static void cancel(struct worker *other)
{
    pthread_mutex_lock(&lock);
    kds_job_cancel(other->job);
    pthread_mutex_unlock(&lock);
}

/* Cancels the neighbour in the middle of this thread's own run. */
static int32_t meddle(void *user_data, const kds_progress_info *info)
{
    struct worker *self = user_data;
    if (info->stage == KDS_STAGE_SAMPLE && info->done >= 1)
        cancel(&workers[(self->index + 1) % THREADS]);
    return 0;
}

static void turn(struct worker *self, unsigned number)
{
    unsigned char *output = calloc(1, OUTPUT);
    const kds_image source = rgb(input, WIDTH, HEIGHT), target = rgb(output, 4 * WIDTH, 4 * HEIGHT);
    kds_model *own = NULL;
    kds_job *job = NULL;
    kds_error *error = NULL;
    int32_t status;

    if (!output)
        exit(1);
    /* Every other turn with a model of its own, which is freed before the job runs. */
    if (number % 2 == 1 && kds_model_open(context, "kds-photo-x4", "cpu", "f32", &own, NULL) != KDS_OK)
        exit(1);
    if (kds_job_new(own ? own : shared_model, &job, NULL) != KDS_OK || kds_job_set(job, "steps", "2", NULL) != KDS_OK
        || kds_job_set(job, "particles", "2", NULL) != KDS_OK || kds_job_set(job, "seed", "7", NULL) != KDS_OK)
        exit(1);
    kds_model_free(own);
    offer(self, job);
    status = kds_job_run(job, &source, NULL, &target, NULL, self->index % 2 ? meddle : NULL, self, &error);
    offer(self, NULL);
    kds_job_free(job);

    pthread_mutex_lock(&lock);
    CHECK(status == KDS_OK || status == KDS_CANCELLED);
    CHECK((error != NULL) == (status != KDS_OK));
    if (status == KDS_OK)
        CHECK(memcmp(output, expected, OUTPUT) == 0);
    else
        CHECK(output[0] == 0 && memcmp(output, output + 1, OUTPUT - 1) == 0);
    self->finished += status == KDS_OK;
    self->cancelled += status == KDS_CANCELLED;
    pthread_mutex_unlock(&lock);
    kds_error_free(error);
    free(output);
}

/* What takes a pointer to const may run beside itself: what it gave to others stays. */
static void ask(void)
{
    static const char *const keys[] = {"steps", "particles", "seed"}, *const values[] = {"2", "2", "7"};
    const char *given[3] = {NULL, NULL, NULL};
    unsigned turns, key, wrong = 0;
    for (turns = 0; turns < 500; ++turns) {
        for (key = 0; key < 3; ++key)
            wrong += kds_job_get(asked, keys[key], &given[key], NULL) != KDS_OK;
        for (key = 0; key < 3; ++key)
            wrong += given[key] == NULL || strcmp(given[key], values[key]) != 0;
    }
    pthread_mutex_lock(&lock);
    CHECK(wrong == 0);
    pthread_mutex_unlock(&lock);
}

static void *work(void *argument)
{
    struct worker *self = argument;
    unsigned number;
    ask();
    for (number = 0; number < TURNS; ++number)
        turn(self, number);
    return NULL;
}

int main(void)
{
    kds_context_params params;
    kds_image source, target;
    kds_job *job;
    unsigned index, finished = 0, cancelled = 0;

    paint(input, sizeof input);
    kds_context_params_init(&params);
    params.threads = 2;
    OK(kds_context_new(&params, &context, E));
    OK(kds_model_open(context, "kds-photo-x4", "cpu", "f32", &shared_model, E));
    job = short_job(shared_model);
    source = rgb(input, WIDTH, HEIGHT);
    target = rgb(expected, 4 * WIDTH, 4 * HEIGHT);
    OK(kds_job_run(job, &source, NULL, &target, NULL, NULL, NULL, E));
    kds_job_free(job);
    asked = short_job(shared_model);

    for (index = 0; index < THREADS; ++index) {
        workers[index].index = index;
        if (pthread_create(&workers[index].thread, NULL, work, &workers[index]) != 0)
            return 1;
    }
    for (index = 0; index < THREADS; ++index) {
        pthread_join(workers[index].thread, NULL);
        finished += workers[index].finished;
        cancelled += workers[index].cancelled;
    }
    printf("%u finished, %u cancelled\n", finished, cancelled);
    CHECK(finished + cancelled == THREADS * TURNS && finished > 0);
    kds_job_free(asked);
    kds_model_free(shared_model);
    kds_context_free(context);
    return result("stress");
}
