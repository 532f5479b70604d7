/*
 * Without linking: opens libkds.so when it is first needed, and goes on without it where it is missing. Lists the models.
 *
 *     cc dlopen.c -I include -ldl -o dlopen
 *     ./dlopen /usr/local/lib/libkds.so
 */
#include <dlfcn.h>
#include <kds.h>
#include <stdio.h>

/* The functions that this program uses, typed by their declarations in kds.h. */
static uint32_t (*abi_version)(void);
static const char *(*version_string)(void);
static int32_t (*context_new)(const kds_context_params *, kds_context **, kds_error **);
static void (*context_free)(kds_context *);
static int32_t (*model_count)(const kds_context *, size_t *, kds_error **);
static int32_t (*model_get)(const kds_context *, size_t, kds_model_info *, kds_error **);
static const char *(*error_message)(const kds_error *);
static void (*error_free)(kds_error *);

/* POSIX lets a pointer to an object hold a function; ISO C has no way to say so but this one. */
static int find(void *library, const char *name, void *function)
{
    *(void **)function = dlsym(library, name);
    if (*(void **)function == NULL)
        fprintf(stderr, "dlopen: %s\n", dlerror());
    return *(void **)function != NULL;
}

/* 1 on success. The library stays open: it must not be unloaded while the program lives. */
static int load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fprintf(stderr, "dlopen: %s\n", dlerror());
        return 0;
    }
    /* The version is asked for before anything else is looked up. */
    if (!find(library, "kds_abi_version", &abi_version))
        return 0;
    if (abi_version() != KDS_ABI_VERSION) {
        fprintf(stderr, "dlopen: interface %u, this program needs %u\n", abi_version(), KDS_ABI_VERSION);
        return 0;
    }
    return find(library, "kds_version_string", &version_string) && find(library, "kds_context_new", &context_new)
           && find(library, "kds_context_free", &context_free)
           && find(library, "kds_context_model_count", &model_count)
           && find(library, "kds_context_model_get", &model_get) && find(library, "kds_error_message", &error_message)
           && find(library, "kds_error_free", &error_free);
}

int main(int argc, char **argv)
{
    kds_context *context = NULL;
    kds_error *error = NULL;
    kds_model_info info = {0};
    size_t count = 0, index;
    int32_t status;

    if (argc != 2) {
        fprintf(stderr, "usage: dlopen LIBKDS.SO\n");
        return 2;
    }
    if (!load(argv[1]))
        return 1;
    printf("libkds %s\n", version_string());
    info.struct_size = sizeof info;
    status = context_new(NULL, &context, &error);
    if (status == KDS_OK)
        status = model_count(context, &count, &error);
    for (index = 0; index < count && status == KDS_OK; ++index) {
        status = model_get(context, index, &info, &error);
        if (status == KDS_OK)
            printf("%s: %s\n", info.id, info.title);
    }
    if (status != KDS_OK)
        fprintf(stderr, "dlopen: %s\n", error_message(error));
    error_free(error);
    context_free(context);
    return status == KDS_OK ? 0 : 1;
}
