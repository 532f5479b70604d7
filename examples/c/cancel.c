/*
 * Progress and cancel: a bar on the terminal, and Ctrl-C stops within one step of the sampler and leaves no file.
 *
 *     cc cancel.c -I include -L target/release -lkds -Wl,-rpath,target/release -o cancel
 *     ./cancel in.ppm out.ppm
 */
#include "ppm.h"
#include <signal.h>

/* The job that runs. A cancel holds for good, so it does not matter whether the signal comes before or during the run. */
static kds_job *job;

static void interrupted(int signal_number)
{
    (void)signal_number;
    kds_job_cancel(job); /* may be called from signal handlers */
}

static int32_t show(void *user_data, const kds_progress_info *info)
{
    static const char *const stages[] = {"preparing", "sampling", "decoding", "finishing"};
    const int width = 30, filled = info->total ? (int)(width * info->done / info->total) : 0;
    (void)user_data;
    fprintf(stderr, "\r[%.*s%*s] %-9s %llu/%llu", filled, "##############################", width - filled, "",
            stages[info->stage], (unsigned long long)info->done, (unsigned long long)info->total);
    return 0;
}

int main(int argc, char **argv)
{
    kds_context *context = NULL;
    kds_model *model = NULL;
    kds_error *error = NULL;
    unsigned char *in, *out = NULL;
    uint32_t width, height, out_width, out_height;
    int32_t status;
    int good = 0;

    if (argc != 3) {
        fprintf(stderr, "usage: cancel IN.ppm OUT.ppm\n");
        return 2;
    }
    in = read_ppm(argv[1], &width, &height);
    if (!in)
        return 1;
    status = kds_context_new(NULL, &context, &error);
    if (status == KDS_OK)
        status = kds_model_open(context, "kds-photo-x4", NULL, NULL, &model, &error);
    if (status == KDS_OK)
        status = kds_job_new(model, &job, &error);
    if (status == KDS_OK)
        status = kds_job_output_size(job, width, height, &out_width, &out_height, &error);
    if (status == KDS_OK && (out = malloc((size_t)3 * out_width * out_height)) != NULL) {
        const kds_image from = rgb_image(in, width, height), to = rgb_image(out, out_width, out_height);
        signal(SIGINT, interrupted);
        status = kds_job_run(job, &from, NULL, &to, NULL, show, NULL, &error);
        signal(SIGINT, SIG_DFL);
        fputc('\n', stderr);
        good = status == KDS_OK && write_ppm(argv[2], out, out_width, out_height);
    }
    if (status == KDS_CANCELLED)
        fprintf(stderr, "cancelled\n");
    else if (status != KDS_OK)
        fprintf(stderr, "cancel: %s: %s\n", kds_status_name(status), kds_error_message(error));
    kds_error_free(error);
    kds_job_free(job);
    kds_model_free(model);
    kds_context_free(context);
    free(in);
    free(out);
    return status == KDS_CANCELLED ? 130 : good ? 0 : 1;
}
