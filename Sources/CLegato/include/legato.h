// Legato for C: music from a model package, pulled by an audio callback.
//
//   legato_package *package;
//   legato_stream *stream;
//   legato_stream_options options;
//   if (legato_package_open("Models/legato-first", &package) != LEGATO_OK) puts(legato_error_message());
//   legato_stream_options_init(&options);
//   options.seed = 7;
//   legato_stream_create(package, &options, &stream);
//   legato_stream_start(stream);
//   legato_stream_wait_until_full(stream, 10);
//   ... in the audio callback:  legato_stream_pull_interleaved(stream, buffer, 512);
//   legato_stream_destroy(stream);
//   legato_package_close(package);
//
// Threads. Every call belongs to one kind of thread:
//
//   controller  any thread that may wait, such as the user interface's. Several may call at once; a lock lets one in after the
//               other. Every call that is not named below. save, restore, prompt and stop wait for a frame to be
//               finished (some milliseconds), destroy and stop for the stream's threads to end.
//   audio       ONE thread at a time, the audio callback's: legato_stream_pull, legato_stream_pull_interleaved. They never
//               wait: no lock, no allocation, no system call, a fixed number of steps and a copy. A second thread that pulls
//               meanwhile gets silence and LEGATO_ERROR_BUSY.
//   any         legato_stream_metrics_get, legato_status_text, legato_version: they read and never wait.
//
// The music is made by a thread of the stream's own and the helpers of its thread budget. It stays `depth` frames ahead of the
// reader; a change of a parameter is heard after what waits, `depth` frames at most, the codec's delay and the limiter's.
//
// Errors. Calls give LEGATO_OK (0) or a negative status; pulls give the number of samples of music, or a negative status. A
// call that fails has changed nothing. legato_error_message() says what, where, and what to do. Null where something is needed is
// LEGATO_ERROR_ARGUMENT. As with free(), a handle must not be used after it was closed or destroyed, nor destroyed while
// another thread is in a call with it.
//
// Structures begin with their size, which the _init functions fill in, so that later versions can add fields at the end.
// Strings are UTF-8. The library may be used from C99 and from C++.
#ifndef LEGATO_H
#define LEGATO_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Grows when calls or fields are added; a program may compare it with legato_version().
#define LEGATO_VERSION 2

typedef enum {
  LEGATO_OK = 0,
  LEGATO_ERROR_ARGUMENT = -1,  // an argument is null or out of its range
  LEGATO_ERROR_PACKAGE = -2,   // the package cannot be read, or does not fit
  LEGATO_ERROR_STOPPED = -3,   // the stream was stopped
  LEGATO_ERROR_BUSY = -4,      // another thread is pulling
  LEGATO_ERROR_BUFFER = -5,    // the buffer is too small
  LEGATO_ERROR_STATE = -6,     // the saved state is damaged, or belongs to another package
  LEGATO_ERROR_SYSTEM = -7     // the system refused something
} legato_status;

// What a status means, in a few words; never null.
const char *legato_status_text(legato_status status);

// The message of the last call on this thread that failed, pulls excepted; empty where none has. It stays until the
// next failure on this thread.
const char *legato_error_message(void);

// LEGATO_VERSION of the library.
int legato_version(void);

// ---------------------------------------------------------------------------------------------------------------------
// Packages: loaded once, read-only, shared by any number of streams.

typedef struct legato_package legato_package;

typedef struct {
  size_t size;                // sizeof(legato_package_info)
  int32_t sample_rate;        // Hz
  int32_t channels;
  int32_t samples_per_frame;  // of each channel, in one frame of latents
  int32_t delay;              // samples by which what is heard lags behind the latents it is made from
  int32_t styles;             // number of styles
  uint64_t memory;            // bytes of the weights, once, however many streams share them
} legato_package_info;

// Opens a package's folder. On failure *package is null.
legato_status legato_package_open(const char *path, legato_package **package);

// Lets go of a package. Streams made from it go on. Null is allowed.
void legato_package_close(legato_package *package);

// Fills *info; info->size must be set.
legato_status legato_package_info_get(const legato_package *package, legato_package_info *info);

// The name of a style, 0 ... styles - 1, valid until the package is closed; null where there is none.
const char *legato_package_style(const legato_package *package, int32_t index);

// ---------------------------------------------------------------------------------------------------------------------
// Streams

typedef struct legato_stream legato_stream;

typedef enum {
  LEGATO_PRIORITY_LOW = -1,    // behind other work
  LEGATO_PRIORITY_NORMAL = 0,
  LEGATO_PRIORITY_HIGH = 1     // before other work, where the system permits it
} legato_priority;

typedef struct {
  size_t size;        // sizeof(legato_stream_options); set by legato_stream_options_init
  uint64_t seed;      // the same seed gives the same samples; also chooses the style where none is given. 0
  int32_t depth;      // frames of latents ahead of the reader, 2 ... 1024. 4
  int32_t threads;    // threads of the engine, 1 or more; 0: one a core, at most 4. More than there are processors
                      // count as so many. 0
  int32_t priority;   // legato_priority. LEGATO_PRIORITY_HIGH
  const char *style;  // a style's name, "none" for the model without one, null: the seed chooses. null
} legato_stream_options;

// Fills in what stands after each field above.
void legato_stream_options_init(legato_stream_options *options);

// Makes a stream, which waits for legato_stream_start. options may be null. On failure *stream is null.
legato_status legato_stream_create(
    const legato_package *package, const legato_stream_options *options, legato_stream **stream);

// Stops the stream, waits for its threads, and frees it. Null is allowed.
void legato_stream_destroy(legato_stream *stream);

// Lets the engine fill the ring.
legato_status legato_stream_start(legato_stream *stream);

// Waits until the ring is full, at most `seconds`: LEGATO_ERROR_SYSTEM where that takes longer.
legato_status legato_stream_wait_until_full(legato_stream *stream, double seconds);

// Pulls give silence, and the music waits where it is; no underruns are counted.
legato_status legato_stream_pause(legato_stream *stream);
legato_status legato_stream_resume(legato_stream *stream);

// Ends the stream for good; pulls give silence and LEGATO_ERROR_STOPPED from then on.
legato_status legato_stream_stop(legato_stream *stream);

// AUDIO THREAD. Takes the next `frames` samples of each channel: planar, channels[c] points to `frames` floats. Returns
// how many are music; the rest is silence, and counted as an underrun, unless the stream is paused or has not
// begun. Buffers are filled on errors, too, except on LEGATO_ERROR_ARGUMENT: a null pointer, or more frames than the ring can
// ever hold (depth · samples_per_frame).
int64_t legato_stream_pull(legato_stream *stream, float *const *channels, int64_t frames);

// AUDIO THREAD. The same, interleaved: `frames` · channels floats.
int64_t legato_stream_pull_interleaved(legato_stream *stream, float *samples, int64_t frames);

// ---------------------------------------------------------------------------------------------------------------------
// Parameters: what a listener may turn while the music plays

typedef enum {
  LEGATO_TEMPERATURE = 0,    // 0 ... 10: lower is plainer, higher wilder
  LEGATO_STEPS = 1,          // 1 ... 1000: evaluations of the sampler for a frame; more take longer
  LEGATO_CONTEXT_NOISE = 2,  // 0 ... 1: noise mixed into what the model reads of itself
  LEGATO_FEEDBACK_GAIN = 3   // 0.5 ... 2
} legato_parameter;

// LEGATO_ERROR_ARGUMENT for a value out of its range or a parameter that there is not.
legato_status legato_stream_set(legato_stream *stream, legato_parameter parameter, double value);
legato_status legato_stream_get(legato_stream *stream, legato_parameter parameter, double *value);

// Another seed: noise to come is drawn from it.
legato_status legato_stream_set_seed(legato_stream *stream, uint64_t seed);

// One of the package's styles, by name; null or "none" for the model without one.
legato_status legato_stream_set_style(legato_stream *stream, const char *name);

// ---------------------------------------------------------------------------------------------------------------------
// Prompt and state

// Makes the music continue a recording at once: planar, `frames` samples of each of the package's channels at its sample
// rate, in -1 ... 1. What waits in the ring is dropped. The style becomes the one that the recording is likest, unless keep_style.
legato_status legato_stream_prompt(
    legato_stream *stream, const float *const *channels, int64_t frames, int32_t keep_style);

// Saves all that the music to come depends on, from the next sample on that is pulled, with its parameters. *size is the
// buffer's size, and becomes that of the state. With a null buffer, or one that is too small (LEGATO_ERROR_BUFFER),
// *size becomes a size that is enough at any time.
legato_status legato_stream_save(legato_stream *stream, void *buffer, size_t *size);

// Goes on from a saved state, of any stream on the same package.
legato_status legato_stream_restore(legato_stream *stream, const void *state, size_t size);

// ---------------------------------------------------------------------------------------------------------------------
// Metrics

typedef struct {
  size_t size;                // sizeof(legato_stream_metrics)
  uint64_t frames;            // frames of latents made
  double mean_frame_time;     // seconds to make one
  double longest_frame_time;
  uint64_t underruns;         // pulls that came short ...
  uint64_t missing_samples;   // ... by so many samples of each channel
  uint64_t refused_pulls;     // LEGATO_ERROR_BUSY
  uint64_t waiting_samples;   // in the ring
  uint64_t recoveries;        // bad latents that were overcome
  uint64_t limited_samples;   // turned down by the limiter
  uint64_t memory;            // bytes of state and buffers, beside the package's
  int32_t threads;            // of the engine
  int32_t has_priority;       // whether the system gave the priority asked for
  int32_t is_paused;
  int32_t is_stopped;
  uint64_t failed_frames;     // frames that are no music, since weights are damaged or far too large
} legato_stream_metrics;

// Fills *metrics; metrics->size must be set. Never waits.
legato_status legato_stream_metrics_get(const legato_stream *stream, legato_stream_metrics *metrics);

#ifdef __cplusplus
}
#endif

#endif
