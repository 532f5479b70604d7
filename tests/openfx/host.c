/* A host of OpenFX without a window, as strict as the standard: it loads a plug-in by the two public functions, describes it, and
 * renders frames from files.
 *
 *   host FILE ID describe CONTEXT          prints clips, parameters and pages
 *   host FILE ID scan NUMBER               opens, describes and closes the file as often as that
 *   host FILE ID render NAME=VALUE...      see `struct options`; p.NAME=VALUE sets a parameter, then.NAME=VALUE after the first frame
 *
 * Strings are kept until the end. Pictures in files are packed rows from top to bottom. Everything that is asked and answered is printed. */
#include <dlfcn.h>
#include <ofxImageEffect.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition) \
  do { if (!(condition)) { printf ("host: line %d: %s\n", __LINE__, #condition); exit (1); } } while (0)

enum { PROPERTIES = 40, VALUES = 40, PARAMETERS = 48, CLIPS = 4, GAP = 12, UNTOUCHED = 0x33, IN_GAP = 0xa5 };

/* Sets of properties */

enum type { NOTHING, POINTER, STRING, DOUBLE, INT };
struct value { enum type type; int i; double d; void *p; char *s; };
struct property { char name[80]; int count; struct value values[VALUES]; };
struct OfxPropertySetStruct { int count; struct property properties[PROPERTIES]; };
typedef struct OfxPropertySetStruct set;

static struct property *find (set *of, const char *name, int make)
{
  int i;
  CHECK (of && name);
  for (i = 0; i < of->count; i++)
    if (!strcmp (of->properties[i].name, name)) return &of->properties[i];
  if (!make) return NULL;
  CHECK (of->count < PROPERTIES && strlen (name) < sizeof of->properties[0].name);
  strcpy (of->properties[of->count].name, name);
  return &of->properties[of->count++];
}

static struct value *put (set *of, const char *name, int index, enum type type)
{
  struct property *property = find (of, name, 1);
  CHECK (index >= 0 && index <= property->count && index < VALUES);
  if (index == property->count) property->count++;
  CHECK (property->values[index].type == NOTHING || property->values[index].type == type);
  property->values[index].type = type;
  return &property->values[index];
}

static struct value *get (set *of, const char *name, int index, enum type type)
{
  struct property *property = find (of, name, 0);
  if (!property || index < 0 || index >= property->count) return NULL;
  CHECK (property->values[index].type == type);
  return &property->values[index];
}

static OfxStatus set_pointer (set *of, const char *name, int index, void *value)
{ put (of, name, index, POINTER)->p = value; return kOfxStatOK; }
static OfxStatus set_string (set *of, const char *name, int index, const char *value)
{
  CHECK (value);
  put (of, name, index, STRING)->s = strdup (value);
  return kOfxStatOK;
}
static OfxStatus set_double (set *of, const char *name, int index, double value)
{ put (of, name, index, DOUBLE)->d = value; return kOfxStatOK; }
static OfxStatus set_int (set *of, const char *name, int index, int value)
{ put (of, name, index, INT)->i = value; return kOfxStatOK; }
static OfxStatus set_pointers (set *of, const char *name, int count, void *const *values)
{ int i; for (i = 0; i < count; i++) set_pointer (of, name, i, values[i]); return kOfxStatOK; }
static OfxStatus set_strings (set *of, const char *name, int count, const char *const *values)
{ int i; for (i = 0; i < count; i++) set_string (of, name, i, values[i]); return kOfxStatOK; }
static OfxStatus set_doubles (set *of, const char *name, int count, const double *values)
{ int i; for (i = 0; i < count; i++) set_double (of, name, i, values[i]); return kOfxStatOK; }
static OfxStatus set_ints (set *of, const char *name, int count, const int *values)
{ int i; for (i = 0; i < count; i++) set_int (of, name, i, values[i]); return kOfxStatOK; }
static OfxStatus get_pointer (set *of, const char *name, int index, void **value)
{ struct value *found = get (of, name, index, POINTER); if (found) *value = found->p; return found ? kOfxStatOK : kOfxStatErrUnknown; }
static OfxStatus get_string (set *of, const char *name, int index, const char **value)
{ struct value *found = get (of, name, index, STRING); if (found) *value = found->s; return found ? kOfxStatOK : kOfxStatErrUnknown; }
static OfxStatus get_double (set *of, const char *name, int index, double *value)
{ struct value *found = get (of, name, index, DOUBLE); if (found) *value = found->d; return found ? kOfxStatOK : kOfxStatErrUnknown; }
static OfxStatus get_int (set *of, const char *name, int index, int *value)
{ struct value *found = get (of, name, index, INT); if (found) *value = found->i; return found ? kOfxStatOK : kOfxStatErrUnknown; }
static OfxStatus get_pointers (set *of, const char *name, int count, void **values)
{ int i; for (i = 0; i < count; i++) if (get_pointer (of, name, i, &values[i])) return kOfxStatErrUnknown; return kOfxStatOK; }
static OfxStatus get_strings (set *of, const char *name, int count, const char **values)
{ int i; for (i = 0; i < count; i++) if (get_string (of, name, i, &values[i])) return kOfxStatErrUnknown; return kOfxStatOK; }
static OfxStatus get_doubles (set *of, const char *name, int count, double *values)
{ int i; for (i = 0; i < count; i++) if (get_double (of, name, i, &values[i])) return kOfxStatErrUnknown; return kOfxStatOK; }
static OfxStatus get_ints (set *of, const char *name, int count, int *values)
{ int i; for (i = 0; i < count; i++) if (get_int (of, name, i, &values[i])) return kOfxStatErrUnknown; return kOfxStatOK; }
static OfxStatus reset (set *of, const char *name)
{ struct property *found = find (of, name, 0); if (found) found->count = 0; return kOfxStatOK; }
static OfxStatus dimension (set *of, const char *name, int *count)
{ struct property *found = find (of, name, 0); *count = found ? found->count : 0; return kOfxStatOK; }

static OfxPropertySuiteV1 property_suite;

/* Effects */

struct OfxParamStruct { char type[40], name[40]; set described; struct value value; };
struct OfxImageClipStruct { char name[20]; set described, image; int exists; OfxRectD region; };
struct OfxParamSetStruct { int count; struct OfxParamStruct parameters[PARAMETERS]; };
struct OfxImageEffectStruct {
  set described;
  struct OfxParamSetStruct parameters;
  int clip_count;
  struct OfxImageClipStruct clips[CLIPS];
  int asked, abort_from;
};
typedef struct OfxImageEffectStruct effect;

static OfxStatus effect_properties (effect *of, OfxPropertySetHandle *found) { *found = &of->described; return kOfxStatOK; }
static OfxStatus effect_parameters (effect *of, OfxParamSetHandle *found) { *found = &of->parameters; return kOfxStatOK; }
static OfxStatus define_clip (effect *of, const char *name, OfxPropertySetHandle *found)
{
  struct OfxImageClipStruct *clip = &of->clips[of->clip_count++];
  CHECK (of->clip_count <= CLIPS && strlen (name) < sizeof clip->name);
  strcpy (clip->name, name);
  *found = &clip->described;
  return kOfxStatOK;
}
static OfxStatus clip_handle (effect *of, const char *name, OfxImageClipHandle *found, OfxPropertySetHandle *properties)
{
  int i;
  for (i = 0; i < of->clip_count; i++)
    if (!strcmp (of->clips[i].name, name)) {
      *found = &of->clips[i];
      if (properties) *properties = &of->clips[i].described;
      return kOfxStatOK;
    }
  return kOfxStatErrUnknown;
}
static OfxStatus clip_properties (OfxImageClipHandle clip, OfxPropertySetHandle *found) { *found = &clip->described; return kOfxStatOK; }
static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
static int lent;
static OfxStatus clip_image (OfxImageClipHandle clip, OfxTime time, const OfxRectD *region, OfxPropertySetHandle *found)
{
  (void) region;
  CHECK (time == 3.0);
  if (!clip->exists) return kOfxStatFailed;
  pthread_mutex_lock (&counting); lent++; pthread_mutex_unlock (&counting);
  *found = &clip->image;
  return kOfxStatOK;
}
static OfxStatus release_image (OfxPropertySetHandle image)
{
  CHECK (image);
  pthread_mutex_lock (&counting); lent--; pthread_mutex_unlock (&counting);
  return kOfxStatOK;
}
static OfxStatus clip_region (OfxImageClipHandle clip, OfxTime time, OfxRectD *found)
{
  (void) time;
  if (!clip->exists) return kOfxStatFailed;
  *found = clip->region;
  return kOfxStatOK;
}
static int aborted (effect *of) { of->asked++; return of->abort_from && of->asked >= of->abort_from; }
static OfxImageEffectSuiteV1 effect_suite = {
  effect_properties, effect_parameters, define_clip, clip_handle, clip_properties, clip_image, release_image, clip_region,
  aborted, NULL, NULL, NULL, NULL
};

static OfxStatus define_parameter (OfxParamSetHandle of, const char *type, const char *name, OfxPropertySetHandle *found)
{
  struct OfxParamStruct *parameter = &of->parameters[of->count++];
  CHECK (of->count <= PARAMETERS && strlen (type) < sizeof parameter->type && strlen (name) < sizeof parameter->name);
  strcpy (parameter->type, type);
  strcpy (parameter->name, name);
  *found = &parameter->described;
  return kOfxStatOK;
}
static OfxStatus parameter_handle (OfxParamSetHandle of, const char *name, OfxParamHandle *found, OfxPropertySetHandle *properties)
{
  int i;
  for (i = 0; i < of->count; i++)
    if (!strcmp (of->parameters[i].name, name)) {
      *found = &of->parameters[i];
      if (properties) *properties = &of->parameters[i].described;
      return kOfxStatOK;
    }
  return kOfxStatErrUnknown;
}
static OfxStatus value_at (OfxParamHandle of, OfxTime time, ...)
{
  va_list arguments;
  CHECK (time == 3.0);
  va_start (arguments, time);
  if (!strcmp (of->type, kOfxParamTypeDouble)) *va_arg (arguments, double *) = of->value.d;
  else if (!strcmp (of->type, kOfxParamTypeString)) *va_arg (arguments, char **) = of->value.s;
  else *va_arg (arguments, int *) = of->value.i;
  va_end (arguments);
  return kOfxStatOK;
}
static OfxParameterSuiteV1 parameter_suite;

static OfxStatus tell (void *of, const char *type, const char *id, const char *format, ...)
{
  va_list arguments;
  (void) of; (void) id;
  printf ("message %s: ", type);
  va_start (arguments, format);
  vprintf (format, arguments);
  va_end (arguments);
  puts ("");
  return kOfxStatOK;
}
static OfxStatus clear_message (void *of) { (void) of; return kOfxStatOK; }
static OfxMessageSuiteV2 message_suite = { tell, tell, clear_message };

static const void *fetch (OfxPropertySetHandle host, const char *name, int version)
{
  (void) host;
  if (!strcmp (name, kOfxPropertySuite) && version == 1) return &property_suite;
  if (!strcmp (name, kOfxImageEffectSuite) && version == 1) return &effect_suite;
  if (!strcmp (name, kOfxParameterSuite) && version == 1) return &parameter_suite;
  if (!strcmp (name, kOfxMessageSuite) && version == 2) return &message_suite;
  return NULL;
}

static set host_properties;
static OfxHost host = { &host_properties, fetch };
/* A host that lacks a suite. */
static const void *fetch_nothing (OfxPropertySetHandle of, const char *name, int version)
{ (void) of; (void) name; (void) version; return NULL; }
static OfxHost poor_host = { &host_properties, fetch_nothing };

static void fill_suites (void)
{
  property_suite.propSetPointer = set_pointer; property_suite.propSetString = set_string;
  property_suite.propSetDouble = set_double; property_suite.propSetInt = set_int;
  property_suite.propSetPointerN = set_pointers; property_suite.propSetStringN = set_strings;
  property_suite.propSetDoubleN = set_doubles; property_suite.propSetIntN = set_ints;
  property_suite.propGetPointer = get_pointer; property_suite.propGetDouble = get_double; property_suite.propGetInt = get_int;
  property_suite.propGetString = get_string;
  property_suite.propGetPointerN = get_pointers; property_suite.propGetDoubleN = get_doubles; property_suite.propGetIntN = get_ints;
  property_suite.propGetStringN = get_strings;
  property_suite.propReset = reset; property_suite.propGetDimension = dimension;
  parameter_suite.paramDefine = define_parameter; parameter_suite.paramGetHandle = parameter_handle;
  parameter_suite.paramGetValueAtTime = value_at;
}

/* Plug-ins */

static void *file;

static OfxPlugin *open_plugin (const char *path, const char *id)
{
  int (*count) (void);
  OfxPlugin *(*nth) (int), *found = NULL;
  int i;
  file = dlopen (path, RTLD_LOCAL | RTLD_LAZY);
  if (!file) { printf ("host: %s\n", dlerror ()); exit (1); }
  *(void **) &count = dlsym (file, "OfxGetNumberOfPlugins");
  *(void **) &nth = dlsym (file, "OfxGetPlugin");
  CHECK (count && nth && !nth (-1) && !nth (count ()));
  for (i = 0; i < count (); i++) {
    OfxPlugin *plugin = nth (i);
    CHECK (!strcmp (plugin->pluginApi, kOfxImageEffectPluginApi) && plugin->apiVersion == 1 && plugin->pluginVersionMajor > 0);
    if (!strcmp (plugin->pluginIdentifier, id)) found = plugin;
  }
  CHECK (found);
  return found;
}

static effect *describe (OfxPlugin *plugin, const char *context)
{
  effect *described = calloc (1, sizeof *described);
  set *arguments = calloc (1, sizeof *arguments);
  CHECK (described && arguments);
  plugin->setHost (&host);
  CHECK (plugin->mainEntry (kOfxActionLoad, NULL, NULL, NULL) == kOfxStatOK);
  CHECK (plugin->mainEntry (kOfxActionDescribe, described, NULL, NULL) == kOfxStatOK);
  set_string (arguments, kOfxImageEffectPropContext, 0, context);
  CHECK (plugin->mainEntry (kOfxImageEffectActionDescribeInContext, described, arguments, NULL) == kOfxStatOK);
  free (arguments);
  return described;
}

static void print_set (const char *kind, const char *name, const set *of)
{
  int i, k;
  for (i = 0; i < of->count; i++) {
    const struct property *property = &of->properties[i];
    printf ("%s %s %s", kind, name, property->name);
    for (k = 0; k < property->count; k++) {
      const struct value *value = &property->values[k];
      if (value->type == STRING) printf ("|%s", value->s);
      else if (value->type == DOUBLE) printf ("|%g", value->d);
      else printf ("|%d", value->i);
    }
    puts ("");
  }
}

/* Rendering */

struct options {
  const char *context, *depth, *components, *mask_components, *premultiplication, *in, *mask, *out;
  int width, height, x, y;      /* size=WxH, origin=X,Y: the lower left corner */
  int upwards;                  /* rows=up: the first row of the buffer is the lowest; else row bytes are negative */
  OfxRectI window;              /* part to render; all of it where not given */
  double scale;
  int abort_from;               /* abort=N: the N-th question of the first frame is answered with yes */
  int times, anew, purge;       /* frames; anew=1: an instance for each; purge=1: caches are purged before the last */
  int threads;                  /* instances that render at once */
  int parameter_count;
  const char *parameters[40];
};

static const char *const bytes_names[] = { kOfxBitDepthByte, kOfxBitDepthShort, kOfxBitDepthHalf, kOfxBitDepthFloat };
static size_t pixel_bytes (const char *depth, const char *components)
{
  const size_t sample = !strcmp (depth, bytes_names[0]) ? 1 : !strcmp (depth, bytes_names[3]) ? 4 : 2;
  return sample * (!strcmp (components, kOfxImageComponentRGBA) ? 4 : !strcmp (components, kOfxImageComponentRGB) ? 3 : 1);
}

/* A buffer with gaps between its rows, as an image of a clip. */
static unsigned char *image (const struct options *o, struct OfxImageClipStruct *clip, const char *components, const char *from)
{
  const size_t row = o->width * pixel_bytes (o->depth, components), stride = row + GAP;
  unsigned char *buffer = malloc (stride * o->height), *first;
  int y;
  const int bounds[4] = { o->x, o->y, o->x + o->width, o->y + o->height };
  FILE *source = from ? fopen (from, "rb") : NULL;
  CHECK (buffer && (!from || source));
  memset (buffer, IN_GAP, stride * o->height);
  for (y = 0; y < o->height; y++) {
    unsigned char *to = buffer + stride * (o->upwards ? o->height - 1 - y : y);
    if (source) CHECK (fread (to, 1, row, source) == row);
    else memset (to, UNTOUCHED, row);
  }
  if (source) fclose (source);
  first = o->upwards ? buffer : buffer + stride * (o->height - 1);
  set_pointer (&clip->image, kOfxImagePropData, 0, first);
  set_int (&clip->image, kOfxImagePropRowBytes, 0, o->upwards ? (int) stride : -(int) stride);
  set_ints (&clip->image, kOfxImagePropBounds, 4, bounds);
  set_string (&clip->image, kOfxImageEffectPropPixelDepth, 0, o->depth);
  set_string (&clip->image, kOfxImageEffectPropComponents, 0, components);
  set_string (&clip->image, kOfxImageEffectPropPreMultiplication, 0, o->premultiplication);
  set_double (&clip->image, kOfxImageEffectPropRenderScale, 0, o->scale);
  set_double (&clip->image, kOfxImageEffectPropRenderScale, 1, o->scale);
  clip->exists = 1;
  clip->region.x1 = o->x / o->scale; clip->region.x2 = (o->x + o->width) / o->scale;
  clip->region.y1 = o->y / o->scale; clip->region.y2 = (o->y + o->height) / o->scale;
  set_int (&clip->described, kOfxImageClipPropConnected, 0, 1);
  return buffer;
}

/* Gaps must be as they were. */
static void check_gaps (const struct options *o, const unsigned char *buffer, const char *components)
{
  const size_t row = o->width * pixel_bytes (o->depth, components), stride = row + GAP;
  int y;
  size_t x;
  for (y = 0; y < o->height; y++)
    for (x = row; x < stride; x++) CHECK (buffer[y * stride + x] == IN_GAP);
}

static void set_parameter (effect *of, const char *text)
{
  char name[40];
  OfxParamHandle parameter;
  const char *value = strchr (text, '=');
  CHECK (value && value - text < (int) sizeof name);
  memcpy (name, text, value - text);
  name[value++ - text] = 0;
  CHECK (parameter_handle (&of->parameters, name, &parameter, NULL) == kOfxStatOK);
  if (!strcmp (parameter->type, kOfxParamTypeDouble)) parameter->value.d = atof (value);
  else if (!strcmp (parameter->type, kOfxParamTypeString)) parameter->value.s = strdup (value);
  else if (!strcmp (parameter->type, kOfxParamTypeChoice)) {
    struct property *choices = find (&parameter->described, kOfxParamPropChoiceOption, 0);
    for (parameter->value.i = 0; strcmp (choices->values[parameter->value.i].s, value); parameter->value.i++)
      CHECK (parameter->value.i < choices->count);
  } else parameter->value.i = atoi (value);
}

/* An instance, with the defaults of its parameters. */
static effect *instance (OfxPlugin *plugin, const effect *described, const struct options *o)
{
  effect *made = malloc (sizeof *made);
  int i;
  CHECK (made);
  memcpy (made, described, sizeof *made);
  for (i = 0; i < made->parameters.count; i++) {
    struct OfxParamStruct *parameter = &made->parameters.parameters[i];
    struct property *of = find (&parameter->described, kOfxParamPropDefault, 0);
    if (of && of->count) parameter->value = of->values[0];
  }
  for (i = 0; i < made->clip_count; i++) set_int (&made->clips[i].described, kOfxImageClipPropConnected, 0, 0);
  for (i = 0; i < o->parameter_count; i++)
    if (!strncmp (o->parameters[i], "p.", 2)) set_parameter (made, o->parameters[i] + 2);
  i = plugin->mainEntry (kOfxActionCreateInstance, made, NULL, NULL);
  CHECK (i == kOfxStatOK || i == kOfxStatReplyDefault);
  return made;
}

static void destroy (OfxPlugin *plugin, effect *of)
{
  const int status = plugin->mainEntry (kOfxActionDestroyInstance, of, NULL, NULL);
  CHECK (status == kOfxStatOK || status == kOfxStatReplyDefault);
  free (of);
}

static void print_region (const char *name, set *answers, const char *property)
{
  double region[4];
  if (get_doubles (answers, property, 4, region) == kOfxStatOK)
    printf ("%s %g %g %g %g\n", name, region[0], region[1], region[2], region[3]);
}

/* Renders a frame; with a file, writes it there. */
static int frame (OfxPlugin *plugin, effect *of, const struct options *o, const char *out)
{
  set *arguments = calloc (1, sizeof *arguments), *answers = calloc (1, sizeof *answers);
  OfxImageClipHandle source, output, mask;
  unsigned char *in_source = NULL, *in_mask = NULL, *in_output;
  const double scale[2] = { o->scale, o->scale };
  int status, y;
  CHECK (arguments && answers);
  CHECK (clip_handle (of, "Source", &source, NULL) == kOfxStatOK && clip_handle (of, "Output", &output, NULL) == kOfxStatOK);
  if (o->in) in_source = image (o, source, o->components, o->in);
  if (o->mask) {
    CHECK (clip_handle (of, "Mask", &mask, NULL) == kOfxStatOK);
    in_mask = image (o, mask, o->mask_components, o->mask);
  }
  in_output = image (o, output, o->components, NULL);
  set_double (arguments, kOfxPropTime, 0, 3.0);
  set_doubles (arguments, kOfxImageEffectPropRenderScale, 2, scale);
  status = plugin->mainEntry (kOfxImageEffectActionGetRegionOfDefinition, of, arguments, answers);
  CHECK (status == kOfxStatOK || status == kOfxStatReplyDefault);
  print_region ("definition", answers, kOfxImageEffectPropRegionOfDefinition);
  status = plugin->mainEntry (kOfxImageEffectActionGetRegionsOfInterest, of, arguments, answers);
  CHECK (status == kOfxStatOK || status == kOfxStatReplyDefault);
  print_region ("interest Source", answers, "OfxImageClipPropRoI_Source");
  print_region ("interest Mask", answers, "OfxImageClipPropRoI_Mask");
  set_ints (arguments, kOfxImageEffectPropRenderWindow, 4, &o->window.x1);
  set_string (arguments, kOfxImageEffectPropFieldToRender, 0, kOfxImageFieldNone);
  of->asked = 0;
  status = plugin->mainEntry (kOfxImageEffectActionRender, of, arguments, NULL);
  printf ("render %d asked %d\n", status, of->asked);
  if (in_source) check_gaps (o, in_source, o->components);
  if (in_mask) check_gaps (o, in_mask, o->mask_components);
  check_gaps (o, in_output, o->components);
  if (out) {
    const size_t row = o->width * pixel_bytes (o->depth, o->components), stride = row + GAP;
    FILE *to = fopen (out, "wb");
    CHECK (to);
    for (y = 0; y < o->height; y++)
      CHECK (fwrite (in_output + stride * (o->upwards ? o->height - 1 - y : y), 1, row, to) == row);
    fclose (to);
  }
  free (in_source); free (in_mask); free (in_output); free (arguments); free (answers);
  return status;
}

static OfxPlugin *plugin;
static const effect *described;
static struct options options;

static void *in_thread (void *nothing)
{
  effect *of = instance (plugin, described, &options);
  (void) nothing;
  frame (plugin, of, &options, NULL);
  destroy (plugin, of);
  return NULL;
}

static const char *word (const char *argument, const char *name)
{
  const size_t length = strlen (name);
  return !strncmp (argument, name, length) && argument[length] == '=' ? argument + length + 1 : NULL;
}

static void parse (struct options *o, int count, char **arguments)
{
  int i;
  const char *value;
  o->context = kOfxImageEffectContextFilter; o->depth = kOfxBitDepthByte; o->components = kOfxImageComponentRGBA;
  o->mask_components = kOfxImageComponentAlpha; o->premultiplication = kOfxImageUnPreMultiplied;
  o->scale = 1; o->times = 1;
  for (i = 0; i < count; i++) {
    const char *argument = arguments[i];
    if (!strncmp (argument, "p.", 2) || !strncmp (argument, "then.", 5)) {
      CHECK (o->parameter_count < 40);
      o->parameters[o->parameter_count++] = argument;
    }
    else if ((value = word (argument, "context"))) o->context = value;
    else if ((value = word (argument, "depth"))) o->depth = value;
    else if ((value = word (argument, "components"))) o->components = value;
    else if ((value = word (argument, "mask_components"))) o->mask_components = value;
    else if ((value = word (argument, "premultiplication"))) o->premultiplication = value;
    else if ((value = word (argument, "in"))) o->in = value;
    else if ((value = word (argument, "mask"))) o->mask = value;
    else if ((value = word (argument, "out"))) o->out = value;
    else if ((value = word (argument, "size"))) CHECK (sscanf (value, "%dx%d", &o->width, &o->height) == 2);
    else if ((value = word (argument, "origin"))) CHECK (sscanf (value, "%d,%d", &o->x, &o->y) == 2);
    else if ((value = word (argument, "rows"))) o->upwards = !strcmp (value, "up");
    else if ((value = word (argument, "window")))
      CHECK (sscanf (value, "%d,%d,%d,%d", &o->window.x1, &o->window.y1, &o->window.x2, &o->window.y2) == 4);
    else if ((value = word (argument, "scale"))) o->scale = atof (value);
    else if ((value = word (argument, "abort"))) o->abort_from = atoi (value);
    else if ((value = word (argument, "times"))) o->times = atoi (value);
    else if ((value = word (argument, "anew"))) o->anew = atoi (value);
    else if ((value = word (argument, "purge"))) o->purge = atoi (value);
    else if ((value = word (argument, "threads"))) o->threads = atoi (value);
    else { printf ("host: %s is no option\n", argument); exit (1); }
  }
  if (o->window.x1 == o->window.x2) {
    o->window.x1 = o->x; o->window.x2 = o->x + o->width;
    o->window.y1 = o->y; o->window.y2 = o->y + o->height;
  }
}

static void render (void)
{
  int number, i;
  effect *of = NULL;
  for (number = 0; number < options.times; number++) {
    if (!of || options.anew) of = instance (plugin, described, &options);
    of->abort_from = number ? 0 : options.abort_from;
    for (i = 0; number && i < options.parameter_count; i++)
      if (!strncmp (options.parameters[i], "then.", 5)) set_parameter (of, options.parameters[i] + 5);
    if (options.purge && number == options.times - 1)
      CHECK (plugin->mainEntry (kOfxActionPurgeCaches, of, NULL, NULL) == kOfxStatOK);
    frame (plugin, of, &options, options.out);
    if (options.anew || number == options.times - 1) destroy (plugin, of);
  }
  if (options.threads) {
    pthread_t threads[8];
    CHECK (options.threads <= 8);
    for (i = 0; i < options.threads; i++) CHECK (!pthread_create (&threads[i], NULL, in_thread, NULL));
    for (i = 0; i < options.threads; i++) pthread_join (threads[i], NULL);
  }
}

int main (int count, char **arguments)
{
  int i, number;
  CHECK (count >= 5);
  fill_suites ();
  if (!strcmp (arguments[3], "scan")) {
    for (number = atoi (arguments[4]); number > 0; number--) {
      plugin = open_plugin (arguments[1], arguments[2]);
      plugin->setHost (&poor_host);
      CHECK (plugin->mainEntry (kOfxActionLoad, NULL, NULL, NULL) == kOfxStatErrMissingHostFeature);
      free (describe (plugin, kOfxImageEffectContextFilter));
      CHECK (plugin->mainEntry (kOfxActionUnload, NULL, NULL, NULL) == kOfxStatOK);
      CHECK (!dlclose (file));
    }
    puts ("scanned");
    return 0;
  }
  plugin = open_plugin (arguments[1], arguments[2]);
  if (!strcmp (arguments[3], "describe")) {
    const effect *of = describe (plugin, arguments[4]);
    print_set ("effect", arguments[2], &of->described);
    for (i = 0; i < of->clip_count; i++) print_set ("clip", of->clips[i].name, &of->clips[i].described);
    for (i = 0; i < of->parameters.count; i++) {
      printf ("parameter %s type|%s\n", of->parameters.parameters[i].name, of->parameters.parameters[i].type);
      print_set ("parameter", of->parameters.parameters[i].name, &of->parameters.parameters[i].described);
    }
    return 0;
  }
  parse (&options, count - 4, arguments + 4);
  described = describe (plugin, options.context);
  render ();
  CHECK (!lent);
  CHECK (plugin->mainEntry (kOfxActionUnload, NULL, NULL, NULL) == kOfxStatOK);
  CHECK (plugin->mainEntry ("OfxActionOfTomorrow", NULL, NULL, NULL) == kOfxStatReplyDefault);
  return 0;
}
