/* Reading and writing binary PPM pictures (P6, 8 bits), which take no library. */
#ifndef PPM_H
#define PPM_H

#include <kds.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The pixels of a file, to be freed, or NULL after a message. */
static inline unsigned char *read_ppm(const char *path, uint32_t *width, uint32_t *height)
{
    unsigned most = 0;
    unsigned char *pixels = NULL;
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return NULL;
    }
    if (fscanf(file, "P6 %u %u %u", width, height, &most) == 3 && most == 255 && fgetc(file) != EOF && *width > 0
        && *height > 0 && *width <= 65536 && *height <= 65536) {
        size_t size = (size_t)3 * *width * *height;
        pixels = malloc(size);
        if (pixels && fread(pixels, 1, size, file) != size) {
            free(pixels);
            pixels = NULL;
        }
    }
    if (!pixels)
        fprintf(stderr, "%s: not a complete PPM picture of 8 bits (P6)\n", path);
    fclose(file);
    return pixels;
}

/* 1 on success, else 0 after a message. The file gets its name when it is complete. */
static inline int write_ppm(const char *path, const unsigned char *pixels, uint32_t width, uint32_t height)
{
    char partial[4096];
    FILE *file = NULL;
    int good = snprintf(partial, sizeof partial, "%s.partial", path) < (int)sizeof partial
               && (file = fopen(partial, "wb")) != NULL && fprintf(file, "P6\n%u %u\n255\n", width, height) > 0
               && fwrite(pixels, (size_t)3 * width, height, file) == height;
    if (file && fclose(file) != 0)
        good = 0;
    good = good && rename(partial, path) == 0;
    if (!good) {
        perror(path);
        if (file)
            remove(partial);
    }
    return good;
}

/* A view of tight 8-bit RGB pixels. */
static inline kds_image rgb_image(unsigned char *pixels, uint32_t width, uint32_t height)
{
    kds_image image;
    memset(&image, 0, sizeof image);
    image.struct_size = sizeof image;
    image.format = KDS_RGB_U8;
    image.width = width;
    image.height = height;
    image.stride = (size_t)3 * width;
    image.data = pixels;
    image.len = image.stride * height;
    return image;
}

#endif
