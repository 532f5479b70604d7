/*
 * The smallest whole program: reads a binary PPM (P6, 8 bits), writes the restored picture as another.
 *
 *     cc restore.c -I include -L target/release -lkds -Wl,-rpath,target/release -o restore
 *     ./restore in.ppm out.ppm [key=value ...]
 */
#include "ppm.h"

/* Prints what went wrong, frees the error, and gives the status back. */
static int32_t say(int32_t status, kds_error *error)
{
    if (status != KDS_OK)
        fprintf(stderr, "restore: %s: %s\n", kds_status_name(status), kds_error_message(error));
    kds_error_free(error);
    return status;
}

/* One line of progress; returning other than 0 would cancel. */
static int32_t progress(void *user_data, const kds_progress_info *info)
{
    (void)user_data;
    fprintf(stderr, "\r%llu of %llu evaluations", (unsigned long long)info->done, (unsigned long long)info->total);
    return 0;
}

/* Sets "key=value". */
static int32_t set(kds_job *job, const char *assignment, kds_error **error)
{
    char key[64];
    const char *equals = strchr(assignment, '=');
    size_t length = equals ? (size_t)(equals - assignment) : strlen(assignment);
    if (length >= sizeof key)
        length = sizeof key - 1;
    memcpy(key, assignment, length);
    key[length] = '\0';
    return kds_job_set(job, key, equals ? equals + 1 : "", error);
}

int main(int argc, char **argv)
{
    kds_context *context = NULL;
    kds_model *model = NULL;
    kds_job *job = NULL;
    kds_error *error = NULL;
    unsigned char *in = NULL, *out = NULL;
    uint32_t width, height, out_width, out_height;
    int32_t status;
    int i, good = 0;

    if (argc < 3) {
        fprintf(stderr, "usage: restore IN.ppm OUT.ppm [KEY=VALUE ...]\n");
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
    for (i = 3; i < argc && status == KDS_OK; i++)
        status = set(job, argv[i], &error);
    if (status == KDS_OK)
        status = kds_job_output_size(job, width, height, &out_width, &out_height, &error);
    if (status == KDS_OK && (out = malloc((size_t)3 * out_width * out_height)) != NULL) {
        const kds_image from = rgb_image(in, width, height), to = rgb_image(out, out_width, out_height);
        status = kds_job_run(job, &from, NULL, &to, NULL, progress, NULL, &error);
        fputc('\n', stderr);
        good = status == KDS_OK && write_ppm(argv[2], out, out_width, out_height);
    }
    say(status, error);
    kds_job_free(job);
    kds_model_free(model);
    kds_context_free(context);
    free(in);
    free(out);
    return good ? 0 : 1;
}
