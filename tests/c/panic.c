/* A defect inside the library: a status, an object that answers nothing else from then on, everything else unharmed. */
#include "check.h"

/* Only the library made for tests has it: a model whose network meets a defect at the second step. */
kds_model *kds_test_failing_model(void);
/* And one whose network meets a defect when it is freed. */
kds_model *kds_test_model_that_cannot_end(void);

int main(void)
{
    static unsigned char input[8 * 8 * 3], output[32 * 32 * 3];
    const kds_image source = rgb(input, 8, 8), target = rgb(output, 32, 32);
    kds_context *context = NULL;
    kds_model *model, *failing = kds_test_failing_model();
    kds_job *job, *other;
    kds_error *error = NULL;
    kds_estimate estimate;
    const char *value;
    uint32_t width, height;

    OK(kds_context_new(NULL, &context, E));
    model = open_model(context);
    job = short_job(failing);
    CHECK(kds_job_run(job, &source, NULL, &target, NULL, NULL, NULL, &error) == KDS_PANIC);
    CHECK(one_line(kds_error_message(error)) && strstr(kds_error_message(error), "the network fell over"));
    kds_error_free(error);
    CHECK(output[0] == 0 && memcmp(output, output + 1, sizeof output - 1) == 0);

    /* The job answers nothing else from then on. */
    estimate.struct_size = sizeof estimate;
    EXPECT(KDS_PANIC, "free it and make a new one", kds_job_run(job, &source, NULL, &target, NULL, NULL, NULL, E));
    EXPECT(KDS_PANIC, "free it and make a new one", kds_job_set(job, "steps", "2", E));
    EXPECT(KDS_PANIC, "free it and make a new one", kds_job_get(job, "steps", &value, E));
    EXPECT(KDS_PANIC, "free it and make a new one", kds_job_output_size(job, 8, 8, &width, &height, E));
    EXPECT(KDS_PANIC, "free it and make a new one", kds_job_estimate(job, 8, 8, &estimate, E));
    kds_job_cancel(job);

    /* Others are unharmed. */
    other = short_job(model);
    OK(kds_job_run(other, &source, NULL, &target, NULL, NULL, NULL, E));
    kds_job_free(job);
    kds_job_free(other);
    kds_model_free(failing);
    kds_model_free(model);
    kds_context_free(context);

    /* By whoever frees it last. */
    kds_model_free(kds_test_model_that_cannot_end());
    failing = kds_test_model_that_cannot_end();
    job = short_job(failing);
    kds_model_free(failing);
    kds_job_free(job);
    return result("panic");
}
