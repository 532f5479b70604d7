/* A defect inside the library: a status, an object that answers nothing else from then on, everything else unharmed. */
#include "check.h"

/* Only the library made for this test has it. */
int32_t kds_test_panic(kds_job *job, kds_error **error);

int main(void)
{
    static unsigned char input[8 * 8 * 3], output[32 * 32 * 3];
    const kds_image source = rgb(input, 8, 8), target = rgb(output, 32, 32);
    kds_context *context = NULL;
    kds_model *model;
    kds_job *job, *other;

    OK(kds_context_new(NULL, &context, E));
    model = open_model(context);
    job = short_job(model);
    EXPECT(KDS_INVALID_ARGUMENT, "job is NULL", kds_test_panic(NULL, E));
    OK(kds_job_run(job, &source, NULL, &target, NULL, NULL, NULL, E));
    {
        kds_error *error = NULL;
        CHECK(kds_test_panic(job, &error) == KDS_PANIC);
        CHECK(one_line(kds_error_message(error)) && strstr(kds_error_message(error), "a defect, met on purpose"));
        kds_error_free(error);
    }
    EXPECT(KDS_PANIC, "free it and make a new one", kds_job_run(job, &source, NULL, &target, NULL, NULL, NULL, E));
    EXPECT(KDS_PANIC, "free it and make a new one", kds_job_set(job, "steps", "2", E));

    other = short_job(model);
    OK(kds_job_run(other, &source, NULL, &target, NULL, NULL, NULL, E));
    kds_job_cancel(job);
    kds_job_free(job);
    kds_job_free(other);
    kds_model_free(model);
    kds_context_free(context);
    return result("panic");
}
