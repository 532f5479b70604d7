/*
 * libkds: restoring photographs by Kernel Density Steering.
 *
 * Conventions
 * - A function that can fail returns a status, KDS_OK or what went wrong. Its last argument may be NULL; otherwise it
 *   receives, on failure only, an error object with a message, to be freed with kds_error_free.
 * - Other out-parameters are written on success only.
 * - Every struct begins with struct_size, which the caller sets to sizeof the struct. The library touches no more than
 *   that, so a program that was compiled with an older header keeps working; fields that are newer than the library
 *   become 0. Set fields by name: structs grow at the end.
 * - What came after interface 1.0 says since when it is there; kds_abi_minor tells what the library has.
 * - Strings are UTF-8 and end with NUL. Those that the library returns stay its own.
 * - Calls that take an object as pointer to const may run at the same time in several threads; other calls on one
 *   object may not. kds_job_cancel may be called from any thread at any time.
 * - A defect inside the library ends in KDS_PANIC, not in the end of the process.
 * - Once loaded the library stays: dlclose does not unload it. A process that fork makes after the first kds_context_new
 *   is answered with an error (KDS_INTERNAL) by every call that computes; fork before, or exec afterwards.
 * - A process has one libtorch, the one that was loaded first. If that is of another version than this library was built
 *   with, kds_context_new says so (KDS_INTERNAL).
 */

#ifndef KDS_H
#define KDS_H

/* Generated from the sources of kds-plugin-ffi by `cargo xtask header`. Do not edit. */

#include <stddef.h>
#include <stdint.h>

/// Major version of this interface: within it, functions and struct fields are only ever added.
#define KDS_ABI_VERSION 1

/// Minor version of this interface: raised whenever something is added.
#define KDS_ABI_MINOR 1

/// Done.
#define KDS_OK 0

/// An argument or a parameter is wrong: NULL, out of range, not UTF-8, a struct of unknown size.
#define KDS_INVALID_ARGUMENT 1

/// There is no model of that id, or no such index.
#define KDS_NOT_FOUND 2

/// The image's format, size or values cannot be used.
#define KDS_INVALID_IMAGE 3

/// The model's files are broken or belong to another architecture.
#define KDS_INVALID_MODEL 4

/// A registry file cannot be read.
#define KDS_INVALID_REGISTRY 5

/// The device that was asked for cannot be used.
#define KDS_DEVICE_UNAVAILABLE 6

/// The memory budget is too small, or memory ran out.
#define KDS_OUT_OF_MEMORY 7

/// The run was cancelled.
#define KDS_CANCELLED 8

/// The job is running already.
#define KDS_BUSY 9

/// libtorch failed, or the model computed something that is no number.
#define KDS_INTERNAL 10

/// A defect of this library was caught; the handle cannot be used any more, only freed.
#define KDS_PANIC 11

/// `format`: one channel, 8 bits.
#define KDS_GRAY_U8 1

/// `format`: red, green, blue, 8 bits each.
#define KDS_RGB_U8 2

/// `format`: red, green, blue, alpha, 8 bits each.
#define KDS_RGBA_U8 3

/// `format`: gray, alpha, 8 bits each.
#define KDS_GRAYA_U8 4

/// `format`: as `KDS_GRAY_U8`, 16 bits in the machine's byte order.
#define KDS_GRAY_U16 17

/// `format`: as `KDS_RGB_U8`, 16 bits in the machine's byte order.
#define KDS_RGB_U16 18

/// `format`: as `KDS_RGBA_U8`, 16 bits in the machine's byte order.
#define KDS_RGBA_U16 19

/// `format`: as `KDS_GRAYA_U8`, 16 bits in the machine's byte order.
#define KDS_GRAYA_U16 20

/// `format`: as `KDS_GRAY_U8`, 32-bit floats, 0 black and 1 white.
#define KDS_GRAY_F32 33

/// `format`: as `KDS_RGB_U8`, 32-bit floats, 0 black and 1 white.
#define KDS_RGB_F32 34

/// `format`: as `KDS_RGBA_U8`, 32-bit floats, 0 black and 1 white.
#define KDS_RGBA_F32 35

/// `format`: as `KDS_GRAYA_U8`, 32-bit floats, 0 black and 1 white.
#define KDS_GRAYA_F32 36

/// `format`: as `KDS_GRAY_U8`, 16-bit floats (IEEE binary16), 0 black and 1 white.
#define KDS_GRAY_F16 49

/// `format`: as `KDS_RGB_U8`, 16-bit floats (IEEE binary16), 0 black and 1 white.
#define KDS_RGB_F16 50

/// `format`: as `KDS_RGBA_U8`, 16-bit floats (IEEE binary16), 0 black and 1 white.
#define KDS_RGBA_F16 51

/// `format`: as `KDS_GRAYA_U8`, 16-bit floats (IEEE binary16), 0 black and 1 white.
#define KDS_GRAYA_F16 52

/// `alpha`: colours are as they are, whatever alpha is.
#define KDS_ALPHA_STRAIGHT 0

/// `alpha`: colours have been multiplied by alpha.
#define KDS_ALPHA_PREMULTIPLIED 1

/// `rows`: the first row in memory is the highest of the picture.
#define KDS_ROWS_DOWN 0

/// `rows`: the first row in memory is the lowest of the picture, as OpenGL and bitmaps have it. Since 1.1.
#define KDS_ROWS_UP 1

/// `light`: values as sRGB encodes them, which is what nearly all files hold.
#define KDS_LIGHT_ENCODED 0

/// `light`: values that grow as the light does, with the primaries of sRGB, as compositing programs compute. Since 1.1.
#define KDS_LIGHT_LINEAR 1

/// `level`: something failed; the call that failed says so too.
#define KDS_LOG_ERROR 1

/// `level`: something went on in another way than asked for.
#define KDS_LOG_WARN 2

/// `level`: what a person may want to know of a run.
#define KDS_LOG_INFO 3

/// `level`: what helps to find a defect.
#define KDS_LOG_DEBUG 4

/// `kind`: a whole number from `min` to `max`.
#define KDS_PARAM_INTEGER 0

/// `kind`: a number from `min` to `max`.
#define KDS_PARAM_NUMBER 1

/// `kind`: one of `choices`.
#define KDS_PARAM_CHOICE 2

/// `kind`: text of the form that `help` describes.
#define KDS_PARAM_TEXT 3

/// `scope`: an argument of `kds_model_open`.
#define KDS_SCOPE_MODEL 0

/// `scope`: set by `kds_job_set`.
#define KDS_SCOPE_JOB 1

/// `stage`: planning and allocating.
#define KDS_STAGE_PREPARE 0

/// `stage`: sampling the particles of a tile.
#define KDS_STAGE_SAMPLE 1

/// `stage`: decoding the chosen particle of a tile.
#define KDS_STAGE_DECODE 2

/// `stage`: putting the result together.
#define KDS_STAGE_FINISH 3

/// A list of models, a number of threads. Models and jobs keep what they need of it: free it whenever you like.
typedef struct kds_context kds_context;

/// An error: a status and a message of one line, in UTF-8.
typedef struct kds_error kds_error;

/// Parameters and a cancel flag. One job runs one image at a time, any number one after the other.
typedef struct kds_job kds_job;

/// A model in memory. Jobs keep what they need of it: free it whenever you like.
typedef struct kds_model kds_model;

/// A model that `kds_model_recognise` has found.
typedef struct kds_recognised kds_recognised;

/// Is told what happens: `level` is one of `KDS_LOG_*`, `message` one line of UTF-8 that lives as long as the call.
/// Called on the thread inside the call that it is about; where several threads use one context or what was made of it,
/// several at once. It must not call back into the library, and neither throw nor jump out.
typedef void (*kds_log)(void *user_data, int32_t level, const char *message);

/// Parameters of a context. Fill it with `kds_context_params_init(&params)`, then change what you want.
typedef struct kds_context_params {
    /// Set by `kds_context_params_init`.
    uint32_t struct_size;
    /// Threads to compute with, 0 to 1024; 0 is one per core.
    int32_t threads;
    /// Path of a registry file (UTF-8) to add to the built-in models and the user's own, or NULL.
    const char *registry;
    /// Is told what happens, or NULL. It and `log_user_data` must live as long as the context and all that is made of
    /// it.
    kds_log log;
    /// The first argument of `log`.
    void *log_user_data;
    /// The highest `KDS_LOG_*` to tell.
    int32_t log_level;
    /// 0.
    int32_t reserved;
} kds_context_params;

/// One model. Strings live as long as the context or model that it was asked of.
typedef struct kds_model_info {
    /// Set by the caller to `sizeof(kds_model_info)`.
    uint32_t struct_size;
    /// Output pixels per input pixel along a side, where the job does not ask for less.
    uint32_t scale;
    /// Id for `kds_model_open`.
    const char *id;
    /// For a person.
    const char *title;
    /// "restoration", "super-resolution" or "inpainting".
    const char *task;
    /// The architecture.
    const char *backbone;
    /// "built-in" or a path.
    const char *source;
    /// 1 where `kds_job_run` needs a mask.
    uint32_t needs_mask;
    /// 0.
    uint32_t reserved;
    /// Grey levels of 255 that a confidence of 0 stands for; confidence falls linearly with the expected absolute error. 0
    /// for a model that is not calibrated, whose confidence only falls with the spread of the particles. Since 1.1.
    double error_range;
    /// Of a calibrated model, for two particles or more: where the confidence is at least this, 0 to 1, ... Since 1.1.
    double trusted_confidence;
    /// ... the worst error of a picture, as the mean over 9 x 9 pixels, is in the mean over pictures at most so many grey
    /// levels of 255; 0 where no threshold is known. Since 1.1.
    double trusted_error;
} kds_model_info;

/// One device. Strings live as long as the context.
typedef struct kds_device_info {
    /// Set by the caller to `sizeof(kds_device_info)`.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved;
    /// Name for `kds_model_open`: "cpu", "cuda:0", ...
    const char *name;
    /// For a person.
    const char *description;
    /// Number formats it computes well in, separated by commas, the one that "auto" takes first.
    const char *dtypes;
    /// Number format that "auto" takes.
    const char *default_dtype;
    /// Bytes of memory, 0 where not known.
    uint64_t memory_total;
    /// Bytes of memory that were free when the devices were looked for, 0 where not known.
    uint64_t memory_free;
} kds_device_info;

/// Work and memory of a run.
typedef struct kds_estimate {
    /// Set by the caller to `sizeof(kds_estimate)`.
    uint32_t struct_size;
    /// Width of a tile in input pixels.
    uint32_t tile_width;
    /// Height of a tile in input pixels.
    uint32_t tile_height;
    /// Particles that go through the network at once.
    uint32_t batch;
    /// Number of tiles.
    uint64_t tiles;
    /// Bytes that the process is expected to hold at the peak.
    uint64_t memory;
    /// Sampler steps in all, over all tiles; each is an evaluation of the network for every particle.
    uint64_t evaluations;
    /// Of `memory`, bytes that the run takes beyond what the process holds now: what the parameter `memory` bounds.
    uint64_t host_memory;
    /// Bytes that the run takes in the memory of the GPU, 0 on the CPU: what `device_memory` bounds.
    uint64_t device_memory;
} kds_estimate;

/// An image in the caller's memory. With the fields after `reserved` 0: rows from top to bottom, the samples of a pixel side by side,
/// sRGB-encoded.
typedef struct kds_image {
    /// Set by the caller to `sizeof(kds_image)`.
    uint32_t struct_size;
    /// One of `KDS_GRAY_U8` ...
    int32_t format;
    /// Pixels along a row.
    uint32_t width;
    /// Number of rows.
    uint32_t height;
    /// Bytes from one row to the next in memory, at least those of a row.
    size_t stride;
    /// The first pixel in memory. No alignment is needed.
    void *data;
    /// Bytes from `data` to the end of the buffer, to check the other fields against.
    size_t len;
    /// One of `KDS_ALPHA_*`; matters for formats with alpha only.
    int32_t alpha;
    /// 0.
    int32_t reserved;
    /// NULL, or the first samples in memory of separate planes, one for each channel of `format`, in its order; `stride` and `len` are
    /// then those of each plane, and `data` is NULL. Since 1.1.
    void *const *planes;
    /// One of `KDS_ROWS_*`. Since 1.1.
    int32_t rows;
    /// One of `KDS_LIGHT_*`; of the colours, so it means nothing for masks and confidence maps. Since 1.1.
    int32_t light;
} kds_image;

/// Progress of a run.
typedef struct kds_progress_info {
    /// `sizeof(kds_progress_info)` of the library: a field behind it is not there.
    uint32_t struct_size;
    /// One of `KDS_STAGE_*`.
    int32_t stage;
    /// Evaluations of the network done, over all tiles.
    uint64_t done;
    /// Evaluations of the network in all, one for each particle, level and tile.
    uint64_t total;
} kds_progress_info;

/// Called on the thread inside `kds_job_run`, at every step and tile. A value other than 0 cancels this run. It may call
/// the library, but neither run nor free this job, and must neither throw nor jump out.
typedef int32_t (*kds_progress)(void *user_data, const struct kds_progress_info *info);

/// One parameter. All strings are static.
typedef struct kds_param {
    /// Set by the caller to `sizeof(kds_param)`.
    uint32_t struct_size;
    /// One of `KDS_PARAM_*`.
    int32_t kind;
    /// The key of `kds_job_set`.
    const char *name;
    /// A few words for a label.
    const char *title;
    /// One or two sentences for a person.
    const char *help;
    /// Value where neither the call nor the model names one.
    const char *default_value;
    /// The words of `KDS_PARAM_CHOICE`, separated by commas; "" otherwise.
    const char *choices;
    /// Smallest value of a number; 0 otherwise.
    double min;
    /// Largest value of a number; 0 otherwise.
    double max;
    /// 0: for everyone, 1: for those who look for it.
    int32_t group;
    /// One of `KDS_SCOPE_*`.
    int32_t scope;
} kds_param;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/// The major version of the library that was loaded: a program can use a library whose major version equals its
/// `KDS_ABI_VERSION`.
///
/// Threads: any.
uint32_t kds_abi_version(void);

/// The minor version of the library that was loaded. One below the program's `KDS_ABI_MINOR` lacks what later versions
/// added, and writes 0 into struct fields that it does not know. Since 1.1: where `dlsym` finds no such function, it is 0.
///
/// Threads: any.
uint32_t kds_abi_minor(void);

/// The version of the library, such as "0.1.0"; static.
///
/// Threads: any.
const char *kds_version_string(void);

/// As `kds_context_params_init_sized` for the struct of interface 1.0, which has 40 bytes: it writes no more, whatever the
/// header of the library says. A macro of the same name, at the end of `kds.h`, passes the size of your header's struct.
///
/// Threads: any.
///
/// Requires: `params` is NULL or has 40 bytes that may be written.
void kds_context_params_init(struct kds_context_params *params);

/// Fills in the defaults, `struct_size` included. `size` is `sizeof(kds_context_params)`; fields that this library does not
/// know become 0. Since 1.1.
///
/// Threads: any.
///
/// Requires: `params` is NULL or has `size` bytes that may be written.
void kds_context_params_init_sized(struct kds_context_params *params,
                                   size_t size);

/// Makes a context: reads the registries. `params` may be NULL.
///
/// Errors: `KDS_INVALID_ARGUMENT`, `KDS_INVALID_REGISTRY` where a registry file cannot be used.
/// Ownership: the context is yours; free it with `kds_context_free`. The strings of `params` are copied.
/// Threads: any.
///
/// Requires: `params` is NULL or valid, `out` may be written, `error` is NULL or may be written.
int32_t kds_context_new(const struct kds_context_params *params,
                        struct kds_context **out,
                        struct kds_error **error);

/// Adds the models of a registry file (UTF-8 path); one of the same id replaces an earlier one. Models that were opened
/// stay as they are, strings that were given stay valid.
///
/// Errors: `KDS_INVALID_REGISTRY`; nothing is added then.
/// Threads: no other call may use the context.
///
/// Requires: `context` is a live context, `path` is NUL-terminated, `error` is NULL or may be written.
int32_t kds_context_add_registry(struct kds_context *context,
                                 const char *path,
                                 struct kds_error **error);

/// Frees a context. NULL is fine. Models that were opened stay usable.
///
/// Threads: no other call may use the context.
///
/// Requires: `context` is NULL or has not been freed.
void kds_context_free(struct kds_context *context);

/// Number of models.
///
/// Threads: any number at once.
///
/// Requires: `context` is a live context, `out` may be written, `error` is NULL or may be written.
int32_t kds_context_model_count(const struct kds_context *context, size_t *out, struct kds_error **error);

/// Describes one model.
///
/// Errors: `KDS_NOT_FOUND` for an index from the count on.
/// Ownership: the strings stay the context's.
/// Threads: any number at once.
///
/// Requires: `context` is a live context, `out` has its `struct_size` set, `error` is NULL or may be written.
int32_t kds_context_model_get(const struct kds_context *context,
                              size_t index,
                              struct kds_model_info *out,
                              struct kds_error **error);

/// Number of devices. The first call looks for them, which takes a moment where there is a GPU.
///
/// Threads: any number at once.
///
/// Requires: `context` is a live context, `out` may be written, `error` is NULL or may be written.
int32_t kds_context_device_count(const struct kds_context *context, size_t *out, struct kds_error **error);

/// Describes one device.
///
/// Errors: `KDS_NOT_FOUND` for an index from the count on.
/// Ownership: the strings stay the context's.
/// Threads: any number at once.
///
/// Requires: `context` is a live context, `out` has its `struct_size` set, `error` is NULL or may be written.
int32_t kds_context_device_get(const struct kds_context *context,
                               size_t index,
                               struct kds_device_info *out,
                               struct kds_error **error);

/// Describes the library's surroundings in lines of "key: value": libtorch, threads, cpu, cuda, auto (the device that
/// "auto" takes, and why). The string lives as long as the context.
///
/// Ownership: the string stays the context's.
/// Threads: any number at once.
///
/// Requires: `context` is a live context, `out` may be written, `error` is NULL or may be written.
int32_t kds_context_describe(const struct kds_context *context,
                             const char **out,
                             struct kds_error **error);

/// The status of an error; `KDS_OK` for NULL.
///
/// Threads: any number at once.
///
/// Requires: `error` is NULL or an error object that has not been freed.
int32_t kds_error_status(const struct kds_error *error);

/// The message of an error, valid until it is freed; "" for NULL.
///
/// Threads: any number at once.
///
/// Requires: `error` is NULL or an error object that has not been freed.
const char *kds_error_message(const struct kds_error *error);

/// Frees an error object. NULL is fine.
///
/// Threads: no other call may use the error object.
///
/// Requires: `error` is NULL or an error object that has not been freed.
void kds_error_free(struct kds_error *error);

/// The name of a status, such as "KDS_OK"; "KDS_UNKNOWN" for a number that is none. Static.
///
/// Threads: any.
const char *kds_status_name(int32_t status);

/// Makes a job with the model's default parameters.
///
/// Ownership: the job is yours; free it with `kds_job_free`.
/// Threads: any number at once.
///
/// Requires: `model` is a live model, `out` may be written, `error` is NULL or may be written.
int32_t kds_job_new(const struct kds_model *model, struct kds_job **out, struct kds_error **error);

/// Frees a job, which must not be running. NULL is fine.
///
/// Threads: no other call may use the job, `kds_job_cancel` included.
///
/// Requires: `job` is NULL or has not been freed, and no call uses it.
void kds_job_free(struct kds_job *job);

/// Sets one parameter of `KDS_SCOPE_JOB` for the runs that begin after it. Names, values and ranges: `kds_param_get`.
///
/// Errors: `KDS_INVALID_ARGUMENT` for a name that is not in the table or a value outside its range.
/// Threads: not beside another call with this job, but for `kds_job_cancel`.
///
/// Requires: `job` is a live job, the strings are NUL-terminated, `error` is NULL or may be written.
int32_t kds_job_set(struct kds_job *job,
                    const char *key,
                    const char *value,
                    struct kds_error **error);

/// The value in force of one parameter: the job's, else that of the job's `preset`, else the model's, else the table's.
///
/// Ownership: the string stays the job's and lives until this parameter or `preset` is set or the job is freed.
/// Errors: `KDS_INVALID_ARGUMENT` for a name that is not in the table.
/// Threads: any number at once.
///
/// Requires: `job` is a live job, `key` is NUL-terminated, `value` may be written, `error` is NULL or may be written.
int32_t kds_job_get(const struct kds_job *job,
                    const char *key,
                    const char **value,
                    struct kds_error **error);

/// The size that the result for an image of this size will have, with the parameters set so far.
///
/// Errors: `KDS_INVALID_ARGUMENT` where a side is 0 or the result's would not fit 32 bits, or where the parameters do not
/// fit together.
/// Threads: any number at once.
///
/// Requires: `job` is a live job, the out-parameters may be written, `error` is NULL or may be written.
int32_t kds_job_output_size(const struct kds_job *job,
                            uint32_t width,
                            uint32_t height,
                            uint32_t *out_width,
                            uint32_t *out_height,
                            struct kds_error **error);

/// Work and memory of a run for an image of this size, with the parameters set so far: alpha and a confidence map
/// counted. The first call for a model runs it on a small tile, to measure what it takes.
///
/// Errors: `KDS_OUT_OF_MEMORY` where it would not fit the budget, `KDS_INVALID_IMAGE` for a size that cannot be
/// restored, `KDS_INVALID_ARGUMENT` for parameters that do not fit together.
/// Threads: any number at once.
///
/// Requires: `job` is a live job, `out` has its `struct_size` set, `error` is NULL or may be written.
int32_t kds_job_estimate(const struct kds_job *job,
                         uint32_t width,
                         uint32_t height,
                         struct kds_estimate *out,
                         struct kds_error **error);

/// Restores `input` into the caller's buffer `output`, which has the size that `kds_job_output_size` tells and any
/// format. `mask` is for models that need one, else NULL: gray, of the input's size; white is what to fill, black keeps its
/// pixels exactly as they are, and between the two the result is blended in.
/// `confidence` is NULL or a gray image of the output's size: white where the particles agree, black where they differ
/// as much as photographs do; of a calibrated model it means an expected error (`error_range` of `kds_model_info`).
///
/// The input is read before anything is written, so input and output may overlap; `output` and `confidence` may not
/// overlap each other. They are written only on success. `progress` may be NULL.
///
/// Errors: `KDS_INVALID_IMAGE`, naming the image and what is wrong with it; `KDS_INVALID_ARGUMENT`; `KDS_BUSY` where the
/// job is running already; `KDS_CANCELLED` after `kds_job_cancel` or a `progress` that returned other than 0;
/// `KDS_OUT_OF_MEMORY`; `KDS_INTERNAL`.
/// Threads: any number of jobs at once, of one model too; one run per job. They share the processor's cores: jobs side
/// by side are no faster than one after the other.
///
/// Requires: `job` is a live job; the images are valid, their buffers `len` bytes long; `error` is NULL or may be written.
int32_t kds_job_run(struct kds_job *job,
                    const struct kds_image *input,
                    const struct kds_image *mask,
                    const struct kds_image *output,
                    const struct kds_image *confidence,
                    kds_progress progress,
                    void *user_data,
                    struct kds_error **error);

/// Cancels the job's runs, the present one and all later ones: it stops within a step of the sampler, with
/// `KDS_CANCELLED`. From any thread and from signal handlers, at any time while the job lives. NULL is fine.
///
/// Threads: any number at once, beside every call but `kds_job_free`.
///
/// Requires: `job` is NULL or a live job.
void kds_job_cancel(const struct kds_job *job);

/// Loads a model, which takes about as long as reading its files. Files that its registry entry names a SHA-256 of are
/// compared before anything of them is used. `device` is "auto", "cpu", "cuda" or "cuda:K", `dtype`
/// is "auto", "f32", "bf16" or "f16"; NULL is what the model's registry entry says, else "auto".
///
/// Ownership: the model is yours; free it with `kds_model_free`.
/// Errors: `KDS_NOT_FOUND` for an unknown id, `KDS_INVALID_MODEL` for files that cannot be used or have another SHA-256,
/// `KDS_INVALID_REGISTRY` for a model that is code and whose registry does not allow it, `KDS_DEVICE_UNAVAILABLE`, `KDS_OUT_OF_MEMORY`, `KDS_INVALID_ARGUMENT`.
/// Threads: any number at once.
///
/// Requires: `context` is a live context, the strings are NUL-terminated, `out` may be written, `error` is NULL or may be written.
int32_t kds_model_open(const struct kds_context *context,
                       const char *id,
                       const char *device,
                       const char *dtype,
                       struct kds_model **out,
                       struct kds_error **error);

/// Compares the files of a model with the SHA-256 that its registry entry names, then with what its architecture needs,
/// without loading them: whether they are there, and name, shape and number format of every tensor. A model that is code
/// (TorchScript, a library) is asked by running it. The error's message tells all that is wrong. Since 1.1.
///
/// Errors: as `kds_model_open`, but for devices.
/// Threads: any number at once.
///
/// Requires: `context` is a live context, `id` is NUL-terminated, `error` is NULL or may be written.
int32_t kds_model_check(const struct kds_context *context,
                        const char *id,
                        struct kds_error **error);

/// Frees a model. NULL is fine. Jobs that were made of it stay usable.
///
/// Threads: no other call may use the model.
///
/// Requires: `model` is NULL or has not been freed.
void kds_model_free(struct kds_model *model);

/// Describes an opened model. The strings live as long as the model.
///
/// Ownership: the strings stay the model's.
/// Threads: any number at once.
///
/// Requires: `model` is a live model, `out` has its `struct_size` set, `error` is NULL or may be written.
int32_t kds_model_info_get(const struct kds_model *model,
                           struct kds_model_info *out,
                           struct kds_error **error);

/// Device and number format of the model: the choice of "auto", and after an overflow in f16 the format that runs take since.
/// The strings live as long as the model.
///
/// Ownership: the strings stay the model's.
/// Threads: any number at once.
///
/// Requires: `model` is a live model, `device` and `dtype` may be written, `error` is NULL or may be written.
int32_t kds_model_device(const struct kds_model *model,
                         const char **device,
                         const char **dtype,
                         struct kds_error **error);

/// Number of parameters.
///
/// Threads: any.
size_t kds_param_count(void);

/// Describes one parameter.
///
/// Errors: `KDS_NOT_FOUND` for an index from `kds_param_count()` on.
/// Ownership: the strings are static.
/// Threads: any.
///
/// Requires: `out` is NULL or a `kds_param` with its `struct_size` set; `error` is NULL or may be written.
int32_t kds_param_get(size_t index, struct kds_param *out, struct kds_error **error);

/// Recognises the model in a folder that no registry names yet: DiffBIR and SeeSR as their authors publish them, LDM-SR and
/// Stable Diffusion for inpainting as diffusers saves them. `names` is NULL, or for a folder of which only some files are
/// there yet the names of all, relative to it, one a line; then `model_index.json` and `scheduler/scheduler_config.json` must
/// be there where they are named. `id` is what the model is to be called. Tensors are not looked at: `kds_model_check`
/// does that, once a registry has the entry. Since 1.1.
///
/// Ownership: the result is yours; free it with `kds_recognised_free`.
/// Errors: `KDS_INVALID_MODEL` for a folder that holds no model that is known, or lacks a file of it, which is named.
/// Threads: any number at once.
///
/// Requires: `context` is a live context, the strings are NUL-terminated, `out` may be written, `error` is NULL or may be written.
int32_t kds_model_recognise(const struct kds_context *context,
                            const char *folder,
                            const char *names,
                            const char *id,
                            struct kds_recognised **out,
                            struct kds_error **error);

/// Tells what was found: `entry` is the registry entry, TOML, whose last table is `[model.defaults]`; `files` are the names of the
/// files that the model reads, relative to the folder, one a line. Either may be NULL. The strings live as long as
/// `recognised`. Since 1.1.
///
/// Ownership: the strings stay `recognised`'s.
/// Threads: any number at once.
///
/// Requires: `recognised` is live, `entry` and `files` are NULL or may be written, `error` is NULL or may be written.
int32_t kds_recognised_get(const struct kds_recognised *recognised,
                           const char **entry,
                           const char **files,
                           struct kds_error **error);

/// Frees what was found. NULL is fine. Since 1.1.
///
/// Threads: no other call may use it.
///
/// Requires: `recognised` is NULL or has not been freed.
void kds_recognised_free(struct kds_recognised *recognised);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* KDS_H */

/* A program passes the size of the struct that it was compiled with. */
#define kds_context_params_init(params) kds_context_params_init_sized((params), sizeof(kds_context_params))
