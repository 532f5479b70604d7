/*
 * A process that has used the library, and its copy by fork: the copy is answered, not left waiting.
 */
#include "check.h"
#include <sys/wait.h>
#include <unistd.h>

#define SIDE 8

static int32_t restore(kds_job *job, kds_error **error)
{
    static unsigned char from[SIDE * SIDE * 3], to[4 * SIDE * 4 * SIDE * 3];
    kds_image source = rgb(from, SIDE, SIDE), target = rgb(to, 4 * SIDE, 4 * SIDE);
    return kds_job_run(job, &source, NULL, &target, NULL, NULL, NULL, error);
}

static int in_the_copy(const kds_context *context, kds_job *job)
{
    kds_context *another = NULL;
    kds_model *second = NULL;
    kds_estimate estimate;
    const char *value = NULL;

    memset(&estimate, 0, sizeof estimate);
    estimate.struct_size = sizeof estimate;
    EXPECT(KDS_INTERNAL, "copy by fork", kds_context_new(NULL, &another, E));
    EXPECT(KDS_INTERNAL, "copy by fork", kds_model_open(context, "kds-photo-x4", NULL, NULL, &second, E));
    EXPECT(KDS_INTERNAL, "copy by fork", kds_job_estimate(job, SIDE, SIDE, &estimate, E));
    EXPECT(KDS_INTERNAL, "copy by fork", restore(job, E));
    CHECK(another == NULL && second == NULL);
    /* What computes nothing goes on. */
    OK(kds_job_get(job, "steps", &value, E));
    CHECK(value && strcmp(value, "2") == 0);
    return failures != 0;
}

int main(void)
{
    kds_context *context = NULL;
    kds_model *model;
    kds_job *job;
    int status = -1;
    pid_t child;

    OK(kds_context_new(NULL, &context, E));
    model = open_model(context);
    job = short_job(model);
    OK(restore(job, E));
    child = fork();
    if (child == 0) _exit(in_the_copy(context, job));
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    OK(restore(job, E));
    kds_job_free(job);
    kds_model_free(model);
    kds_context_free(context);
    return result("fork");
}
