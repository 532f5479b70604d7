/* A handful of macros for the programs of this folder: a failed check is printed with its place, and the exit code is 1. */
#ifndef CHECK_H
#define CHECK_H

#include <kds.h>
#include <stdio.h>
#include <string.h>

static int failures;

/* What CALL writes its error to: &error, then NULL. */
static kds_error **E;

#define CHECK(condition)                                                             \
    do {                                                                             \
        if (!(condition)) {                                                          \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);  \
            ++failures;                                                              \
        }                                                                            \
    } while (0)

/* Whether a message is one line of readable text. */
static inline int one_line(const char *text)
{
    return text[0] != '\0' && strchr(text, '\n') == NULL && strlen(text) < 2000;
}

static inline void expect(int32_t expected, const char *part, int32_t status, kds_error *error, const char *file,
                          int line, const char *call)
{
    const char *message = kds_error_message(error);
    if (status != expected || (E && (error != NULL) != (status != KDS_OK))
        || (error && (kds_error_status(error) != status || !one_line(message) || !strstr(message, part)))) {
        fprintf(stderr, "%s:%d: %s\n    expected %s with '%s', found %s with '%s'\n", file, line, call,
                kds_status_name(expected), part, kds_status_name(status), message);
        ++failures;
    }
}

/* CALL takes E as its last argument. It is made twice: with an error object, whose message must contain PART, and
 * with NULL for it. */
#define EXPECT(STATUS, PART, CALL)                                                   \
    do {                                                                             \
        kds_error *error_ = NULL;                                                    \
        int32_t status_;                                                             \
        E = &error_;                                                                 \
        status_ = (CALL);                                                            \
        expect((STATUS), (PART), status_, error_, __FILE__, __LINE__, #CALL);        \
        kds_error_free(error_);                                                      \
        E = NULL;                                                                    \
        status_ = (CALL);                                                            \
        expect((STATUS), "", status_, NULL, __FILE__, __LINE__, #CALL);              \
    } while (0)

/* CALL, made once, must succeed. */
#define OK(CALL)                                                                     \
    do {                                                                             \
        kds_error *error_ = NULL;                                                    \
        int32_t status_;                                                             \
        E = &error_;                                                                 \
        status_ = (CALL);                                                            \
        expect(KDS_OK, "", status_, error_, __FILE__, __LINE__, #CALL);              \
        kds_error_free(error_);                                                      \
    } while (0)

/* A tight 8-bit RGB image. */
static inline kds_image rgb(void *data, uint32_t width, uint32_t height)
{
    kds_image image;
    memset(&image, 0, sizeof image);
    image.struct_size = sizeof image;
    image.format = KDS_RGB_U8;
    image.width = width;
    image.height = height;
    image.stride = (size_t)3 * width;
    image.data = data;
    image.len = image.stride * height;
    return image;
}

/* A model on the CPU, and a job so short that a run takes a fraction of a second. */
static inline kds_model *open_model(const kds_context *context)
{
    kds_model *model = NULL;
    OK(kds_model_open(context, "kds-photo-x4", "cpu", NULL, &model, E));
    return model;
}

static inline kds_job *short_job(const kds_model *model)
{
    kds_job *job = NULL;
    OK(kds_job_new(model, &job, E));
    OK(kds_job_set(job, "particles", "2", E));
    OK(kds_job_set(job, "steps", "2", E));
    OK(kds_job_set(job, "seed", "7", E));
    return job;
}

/* A picture with some content. */
static inline void paint(unsigned char *pixels, size_t count)
{
    size_t i;
    for (i = 0; i < count; ++i)
        pixels[i] = (unsigned char)(i * 37 + i / 13);
}

static inline int result(const char *name)
{
    if (failures == 0)
        printf("%s: all as expected\n", name);
    return failures == 0 ? 0 : 1;
}

#endif
