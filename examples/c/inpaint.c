/*
 * Fills the holes of a picture: reads a binary PPM (P6, 8 bits) and a mask of the same size, white where to fill, and
 * writes the filled picture. Everything under black keeps its value exactly.
 *
 *     cc inpaint.c -I include -L target/release -lkds -Wl,-rpath,target/release -o inpaint
 *     ./inpaint in.ppm mask.ppm out.ppm
 */
#include "ppm.h"

/* One byte per pixel from three, in place. */
static void first_of_three(unsigned char *pixels, size_t count)
{
    size_t i;
    for (i = 0; i < count; i++)
        pixels[i] = pixels[3 * i];
}

int main(int argc, char **argv)
{
    kds_context *context = NULL;
    kds_model *model = NULL;
    kds_job *job = NULL;
    kds_error *error = NULL;
    unsigned char *in = NULL, *mask = NULL, *out = NULL;
    uint32_t width, height, mask_width, mask_height;
    int32_t status;
    int good = 0;

    if (argc != 4) {
        fprintf(stderr, "usage: inpaint IN.ppm MASK.ppm OUT.ppm\n");
        return 2;
    }
    in = read_ppm(argv[1], &width, &height);
    if (in)
        mask = read_ppm(argv[2], &mask_width, &mask_height);
    if (mask)
        out = malloc((size_t)3 * width * height);
    if (out) {
        kds_image holes = rgb_image(mask, mask_width, mask_height);
        const kds_image from = rgb_image(in, width, height), to = rgb_image(out, width, height);
        first_of_three(mask, (size_t)mask_width * mask_height);
        holes.format = KDS_GRAY_U8;
        holes.stride = mask_width;
        holes.len = (size_t)mask_width * mask_height;

        status = kds_context_new(NULL, &context, &error);
        if (status == KDS_OK)
            status = kds_model_open(context, "kds-inpaint", NULL, NULL, &model, &error);
        if (status == KDS_OK)
            status = kds_job_new(model, &job, &error);
        if (status == KDS_OK)
            status = kds_job_run(job, &from, &holes, &to, NULL, NULL, NULL, &error);
        if (status != KDS_OK)
            fprintf(stderr, "inpaint: %s: %s\n", kds_status_name(status), kds_error_message(error));
        good = status == KDS_OK && write_ppm(argv[3], out, width, height);
    }
    kds_error_free(error);
    kds_job_free(job);
    kds_model_free(model);
    kds_context_free(context);
    free(in);
    free(mask);
    free(out);
    return good ? 0 : 1;
}
