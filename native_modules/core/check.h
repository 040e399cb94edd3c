// The checks of arguments, for all bindings. Knows no Python: what it needs of an object the binding defines.
//
// A binding includes picorl.h and signatures.h, defines the type `picorl_object`, includes this file and then defines
// the five `picorl_...` functions declared below. `picorl_take` first checks the integers, then the buffers, each in
// the order of the arguments; the contents that a kernel relies on (picorl_check_KERNEL) come last. Nothing has been
// written by then. No libc: a native .mpy module has none.
#ifndef PICORL_CHECK_H
#define PICORL_CHECK_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define PICORL_COLD __attribute__((cold, noinline, unused))
#define PICORL_NOINLINE __attribute__((noinline, unused))
#define PICORL_UNUSED __attribute__((unused))
#define PICORL_FORMAT __attribute__((format(printf, 2, 3)))
#else
#define PICORL_COLD
#define PICORL_NOINLINE
#define PICORL_UNUSED
#define PICORL_FORMAT
#endif

// --- messages ---------------------------------------------------------------------------------------------------

typedef struct {
    const uint8_t *signature; // of the kernel that complains
    uint32_t length;
    char text[192]; // what does not fit is cut off
} picorl_error;

PICORL_COLD static void picorl_add(picorl_error *error, const char *text, size_t length) {
    for (size_t i = 0; i < length && error->length < sizeof(error->text) - 1; i++) {
        error->text[error->length++] = text[i];
    }
    error->text[error->length] = '\0';
}

PICORL_COLD static void picorl_add_number(picorl_error *error, unsigned long long value) {
    char digits[20];
    size_t first = sizeof(digits);
    do {
        // Long division by limbs of 16 bits: a Cortex-M would call the C library for one of 64.
        uint32_t remainder = 0;
        unsigned long long quotient = 0;
        for (int shift = 48; shift >= 0; shift -= 16) {
            uint32_t limb = remainder << 16 | (uint32_t)(value >> shift & 0xffff);
            quotient = quotient << 16 | limb / 10;
            remainder = limb % 10;
        }
        digits[--first] = (char)('0' + remainder);
        value = quotient;
    } while (value);
    picorl_add(error, digits + first, sizeof(digits) - first);
}

static inline size_t picorl_length(const char *text) {
    size_t length = 0;
    while (text[length]) {
        length++;
    }
    return length;
}

// One of several strings in a row. They are rarely needed, so it is found by counting.
PICORL_COLD static const char *picorl_string(const char *strings, uint32_t index) {
    while (index) {
        index -= *strings++ == '\0';
    }
    return strings;
}

// Like printf, with %s, %c, %d and %llu only. What is said first begins with the kernel's name.
PICORL_COLD PICORL_FORMAT static void picorl_say(picorl_error *error, const char *format, ...) {
    if (error->length == 0 && error->signature) {
        const char *kernel = picorl_string(picorl_names, error->signature[0]);
        picorl_add(error, kernel, picorl_length(kernel));
        picorl_add(error, ": ", 2);
    }
    va_list args;
    va_start(args, format);
    for (; *format; format++) {
        char c = *format;
        if (c != '%') {
            picorl_add(error, &c, 1);
            continue;
        }
        c = *++format;
        if (c == 's') {
            const char *text = va_arg(args, const char *);
            picorl_add(error, text, picorl_length(text));
        } else if (c == 'c') {
            c = (char)va_arg(args, int);
            picorl_add(error, &c, 1);
        } else if (c == 'd') {
            int value = va_arg(args, int);
            if (value < 0) {
                picorl_add(error, "-", 1);
            }
            picorl_add_number(error, value < 0 ? -(unsigned)value : (unsigned)value);
        } else {
            format += 2;
            picorl_add_number(error, va_arg(args, unsigned long long));
        }
    }
    va_end(args);
}

PICORL_COLD static void picorl_say_bounds(picorl_error *error, int least, int most) {
    picorl_say(error, least == most ? ", must be %d" : ", must be %d to %d", least, most);
}

// --- contents ---------------------------------------------------------------------------------------------------

// Columns [column, column + columns) of rows of `width`.
PICORL_NOINLINE static int picorl_check_columns(
    picorl_error *error, const char *sum, const char *limit, uint32_t column, uint32_t columns, uint32_t width) {
    if (column + columns <= width) {
        return 0;
    }
    picorl_say(error, "%s is %d, must be at most %d (%s)", sum, (int)(column + columns), (int)width, limit);
    return -1;
}

PICORL_NOINLINE static int picorl_check_replay_state(picorl_error *error, const int32_t *state, uint32_t capacity) {
    static const char names[] = "[0] (head)\0[1] (size)\0[2] (pending)\0[3] (valid)\0[4] (refused)";
    const int32_t most[] = {
        [PICORL_HEAD] = (int32_t)capacity - 1,
        [PICORL_SIZE] = (int32_t)capacity,
        [PICORL_PENDING] = 1,
        [PICORL_VALID] = state[PICORL_SIZE],
        [PICORL_REFUSED] = INT32_MAX,
    };
    for (uint32_t i = PICORL_HEAD; i <= PICORL_REFUSED; i++) {
        if (state[i] < 0 || state[i] > most[i]) {
            picorl_say(error, "replay_state%s is %d", picorl_string(names, i), (int)state[i]);
            picorl_say_bounds(error, 0, (int)most[i]);
            return -1;
        }
    }
    return 0;
}

PICORL_UNUSED static int picorl_check_replay_begin(picorl_error *error, float *replay_obs, uint8_t *replay_flags,
    int32_t *replay_state, const float *obs, uint32_t obs_size, uint32_t capacity) {
    return picorl_check_replay_state(error, replay_state, capacity);
}

PICORL_UNUSED static int picorl_check_replay_observe(picorl_error *error, float *replay_obs, float *replay_action,
    float *replay_reward, uint8_t *replay_flags, int32_t *replay_state, const float *action, const float *reward,
    const float *next_obs, const float *scaling, uint32_t obs_size, uint32_t act_size, uint32_t capacity,
    uint32_t terminated, uint32_t ended) {
    return picorl_check_replay_state(error, replay_state, capacity);
}

// The kernel draws until a row with a flag comes up, so there must be one.
PICORL_UNUSED static int picorl_check_replay_sample(picorl_error *error, const uint8_t *replay_flags,
    const int32_t *replay_state, uint32_t *rng, int32_t *indices, uint32_t capacity, uint32_t count) {
    if (picorl_check_replay_state(error, replay_state, capacity)) {
        return -1;
    }
    for (int32_t row = 0; row < replay_state[PICORL_SIZE]; row++) {
        if (replay_flags[row]) {
            return 0;
        }
    }
    picorl_say(error, "replay_flags has no row with a flag, must have one to draw");
    return -1;
}

// Integers from 0 to limit - 1, of which the first is name[first].
PICORL_NOINLINE static int picorl_check_below(
    picorl_error *error, const char *name, const int32_t *x, uint32_t first, uint32_t count, uint32_t limit) {
    for (uint32_t i = first; i < first + count; i++) {
        if ((uint32_t)x[i] >= limit) {
            picorl_say(error, "%s[%d] is %d", name, (int)i, (int)x[i]);
            picorl_say_bounds(error, 0, (int)limit - 1);
            return -1;
        }
    }
    return 0;
}

PICORL_UNUSED static int picorl_check_replay_gather(picorl_error *error, const float *replay_obs,
    const float *replay_action, const float *replay_reward, const uint8_t *replay_flags, const int32_t *indices,
    float *obs, float *obs_action, float *next_obs, float *next_obs_action, float *reward, float *not_terminated,
    uint32_t obs_size, uint32_t act_size, uint32_t capacity, uint32_t count) {
    return picorl_check_below(error, "indices", indices, 0, count, capacity);
}

PICORL_UNUSED static int picorl_check_replay_gather_sequences(picorl_error *error, const float *replay_obs,
    const float *replay_action, const float *replay_reward, const uint8_t *replay_flags, const int32_t *indices,
    float *x, float *action, float *reward, float *keep, float *weight, uint32_t obs_size, uint32_t act_size,
    uint32_t capacity, uint32_t count, uint32_t steps, uint32_t burn_in) {
    if (picorl_check_columns(error, "steps", "capacity", 0, steps, capacity)) {
        return -1;
    }
    return picorl_check_below(error, "indices", indices, 0, count, capacity);
}

// A step of a recurrent network, and where its outputs go.
PICORL_NOINLINE static int picorl_check_step(
    picorl_error *error, uint32_t units, uint32_t width, uint32_t steps, uint32_t step) {
    if (picorl_check_columns(error, "units", "width", 0, units, width)) {
        return -1;
    }
    return picorl_check_columns(error, "step + 1", "steps", step, 1, steps);
}

PICORL_UNUSED static int picorl_check_gru_cell(picorl_error *error, const float *keep, float *gates,
    const float *hidden, float *state, float *previous, float *candidate, float *out, uint32_t units, uint32_t width,
    uint32_t steps, uint32_t step, uint32_t row, uint32_t rows) {
    return picorl_check_step(error, units, width, steps, step);
}

PICORL_UNUSED static int picorl_check_gru_cell_backward(picorl_error *error, const float *keep, float *gates,
    const float *previous, const float *candidate, const float *d_out1, const float *d_out2, float *d_state,
    const float *d_through, float *d_hidden, float *all_d_hidden, uint32_t units, uint32_t width, uint32_t steps,
    uint32_t step, uint32_t row, uint32_t rows) {
    return picorl_check_step(error, units, width, steps, step);
}

PICORL_UNUSED static int picorl_check_gaussian_head(picorl_error *error, const float *head, const float *noise,
    float *action, uint32_t width, uint32_t column, float *log_prob, uint32_t act_size, uint32_t row, uint32_t rows) {
    return picorl_check_columns(error, "column + act_size", "width", column, act_size, width);
}

PICORL_UNUSED static int picorl_check_choice_delta(picorl_error *error, const float *q, const float *action,
    const float *scaling, const float *target, const float *limit, float *d_q, float *loss, uint32_t n, uint32_t width,
    uint32_t column, uint32_t row, uint32_t rows, uint32_t batch) {
    return picorl_check_columns(error, "column + 1", "width", column, 1, width);
}

PICORL_UNUSED static int picorl_check_q_error(picorl_error *error, const float *reward, const float *q,
    const float *next_q, const int32_t *choice, const float *coeffs, float *d_q, float *delta, uint32_t n,
    uint32_t terminated) {
    return picorl_check_below(error, "choice", choice, 0, 1, n);
}

PICORL_UNUSED static int picorl_check_gaussian_head_backward(picorl_error *error, const float *head, const float *noise,
    const float *action, uint32_t width, uint32_t column, const float *d_x1, const float *d_x2, const float *coeffs,
    float *d_head, uint32_t act_size, uint32_t row, uint32_t rows, uint32_t batch) {
    return picorl_check_columns(error, "column + act_size", "width", column, act_size, width);
}

PICORL_UNUSED static int picorl_check_smoothed_action(picorl_error *error, const float *mu, const float *noise,
    const float *smoothing, float *action, uint32_t width, uint32_t column, uint32_t act_size, uint32_t row,
    uint32_t rows) {
    return picorl_check_columns(error, "column + act_size", "width", column, act_size, width);
}

PICORL_UNUSED static int picorl_check_policy_delta(picorl_error *error, const float *q1, const float *q2, float *d_q1,
    float *d_q2, float *loss, uint32_t row, uint32_t rows, uint32_t batch) {
    if (!q2 == !d_q2) {
        return 0;
    }
    picorl_say(error, q2 ? "d_q2 is None, must be given like q2" : "d_q2 is given, must be None like q2");
    return -1;
}

PICORL_UNUSED static int picorl_check_categorical_log_prob(picorl_error *error, const float *logits,
    const int32_t *choice, float *log_prob, uint32_t n, uint32_t row, uint32_t rows) {
    return picorl_check_below(error, "choice", choice, row, rows, n);
}

PICORL_UNUSED static int picorl_check_ppo_categorical_delta(picorl_error *error, const float *logits,
    const int32_t *choice, const float *old_log_prob, const float *advantage, const float *clip, const float *entropy,
    float *d_logits, float *stats, uint32_t n, uint32_t row, uint32_t rows, uint32_t batch) {
    return picorl_check_below(error, "choice", choice, row, rows, n);
}

PICORL_UNUSED static int picorl_check_cross_entropy_delta(picorl_error *error, const float *logits,
    const int32_t *choice, float *d_logits, float *loss, uint32_t n, uint32_t row, uint32_t rows, uint32_t batch) {
    return picorl_check_below(error, "choice", choice, row, rows, n);
}

PICORL_UNUSED static int picorl_check_gather_rows(picorl_error *error, const float *src, const int32_t *indices,
    float *dst, uint32_t limit, uint32_t width, uint32_t start, uint32_t count) {
    return picorl_check_below(error, "indices", indices, start, count, limit);
}

PICORL_UNUSED static int picorl_check_gather_ints(picorl_error *error, const int32_t *src, const int32_t *indices,
    int32_t *dst, uint32_t limit, uint32_t start, uint32_t count) {
    return picorl_check_below(error, "indices", indices, start, count, limit);
}

PICORL_UNUSED static int picorl_check_copy_columns(picorl_error *error, const float *src, uint32_t src_width,
    uint32_t src_column, uint32_t src_row, float *dst, uint32_t dst_width, uint32_t dst_column, uint32_t dst_row,
    uint32_t columns, uint32_t rows) {
    if (picorl_check_columns(error, "src_column + columns", "src_width", src_column, columns, src_width)) {
        return -1;
    }
    return picorl_check_columns(error, "dst_column + columns", "dst_width", dst_column, columns, dst_width);
}

// The check's eight digits and what surrounds them are the last 21 bytes of a line; ints take 11, floats 15.
PICORL_UNUSED static int picorl_check_telemetry_line(picorl_error *error, uint8_t *line, const int32_t *fields,
    const int32_t *ints, const float *floats, uint32_t length, uint32_t n_ints, uint32_t n_floats) {
    if (length < 21) {
        picorl_say(error, "length is %d", (int)length);
        picorl_say_bounds(error, 21, PICORL_MAX_INT);
        return -1;
    }
    for (uint32_t i = 0; i < n_ints + n_floats; i++) {
        int most = (int)length - 21 - (i < n_ints ? 11 : 15);
        if (fields[i] < 0 || fields[i] > most) {
            picorl_say(error, "fields[%d] is %d", (int)i, (int)fields[i]);
            picorl_say_bounds(error, 0, most);
            return -1;
        }
    }
    return 0;
}

// --- layouts ----------------------------------------------------------------------------------------------------

PICORL_COLD static uint32_t picorl_bad_record(
    picorl_error *error, size_t index, int32_t value, uint32_t least, uint32_t most) {
    static const char fields[] = "kind\0inputs\0outputs\0activation";
    picorl_say(error, "layout[%d] (%s) is %d", (int)index, picorl_string(fields, index % PICORL_RECORD), (int)value);
    picorl_say_bounds(error, (int)least, (int)most);
    return 0;
}

// What the table has, a build may have left out.
static inline bool picorl_has_kind(int32_t kind) {
    return kind == PICORL_DENSE || (kind == PICORL_ELEMENTWISE ? PICORL_WITH_ACTIVATIONS : PICORL_WITH_NORM);
}

static inline bool picorl_has_activation(int32_t activation) {
    return PICORL_WITH_ACTIVATIONS || activation <= PICORL_TANH;
}

// Returns the number of layers and puts its n_params, n_in, n_out and n_hidden into `values`, or returns 0: `error`
// says why.
PICORL_NOINLINE static uint32_t picorl_check_layout(
    picorl_error *error, const int32_t *layout, size_t ints, uint32_t *values) {
    if (ints == 0 || ints % PICORL_RECORD) {
        picorl_say(error, "layout holds %llu int32s, must be records of %d", (unsigned long long)ints, PICORL_RECORD);
        return 0;
    }
    uint64_t n_params = 0;
    uint64_t n_hidden = 0;
    uint32_t least_inputs = 1;
    uint32_t most_inputs = PICORL_MAX_INT;
    for (size_t i = 0; i < ints; i += PICORL_RECORD) {
        int32_t kind = layout[i];
        uint32_t inputs = (uint32_t)layout[i + 1];
        uint32_t outputs = (uint32_t)layout[i + 2];
        if (kind < PICORL_LEAST_KIND || kind > PICORL_MOST_KIND) {
            return picorl_bad_record(error, i, kind, PICORL_LEAST_KIND, PICORL_MOST_KIND);
        }
        if (inputs < least_inputs || inputs > most_inputs) {
            return picorl_bad_record(error, i + 1, layout[i + 1], least_inputs, most_inputs);
        }
        uint32_t least_outputs = kind == PICORL_DENSE ? 1 : inputs;
        uint32_t most_outputs = kind == PICORL_DENSE ? PICORL_MAX_INT : inputs;
        if (outputs < least_outputs || outputs > most_outputs) {
            return picorl_bad_record(error, i + 2, layout[i + 2], least_outputs, most_outputs);
        }
        int elementwise = kind == PICORL_ELEMENTWISE;
        int32_t least_activation = elementwise ? PICORL_LEAST_INPUT_ACTIVATION : 0;
        int32_t most_activation = elementwise ? PICORL_MOST_INPUT_ACTIVATION : PICORL_MOST_ACTIVATION;
        if (layout[i + 3] < least_activation || layout[i + 3] > most_activation) {
            picorl_bad_record(error, i + 3, layout[i + 3], (uint32_t)least_activation, (uint32_t)most_activation);
            picorl_say(error, " for kind %d", (int)kind);
            return 0;
        }
        if (!picorl_has_kind(kind) || !picorl_has_activation(layout[i + 3])) {
            picorl_say(error, "layout[%d] is %d and its activation %d, which this build leaves out", (int)i, (int)kind,
                (int)layout[i + 3]);
            return 0;
        }
        if (kind == PICORL_DENSE) {
            n_params += (uint64_t)(inputs + 1) * outputs;
        } else if (kind == PICORL_LAYER_NORM) {
            n_params += 2 * inputs;
        }
        least_inputs = outputs;
        most_inputs = outputs;
        n_hidden += i + PICORL_RECORD < ints ? outputs : 0;
        if (n_params > PICORL_MAX_INT || n_hidden > PICORL_MAX_INT) {
            const char *what = n_params > PICORL_MAX_INT ? "params" : "hidden units";
            picorl_say(error, "layout has more than %d %s", PICORL_MAX_INT, what);
            return 0;
        }
    }
    values[PICORL_N_PARAMS] = (uint32_t)n_params;
    values[PICORL_N_IN] = (uint32_t)layout[1];
    values[PICORL_N_OUT] = least_inputs;
    values[PICORL_N_HIDDEN] = (uint32_t)n_hidden;
    return (uint32_t)(ints / PICORL_RECORD);
}

// --- arguments --------------------------------------------------------------------------------------------------

typedef enum {
    PICORL_BUFFER_FINE,
    PICORL_BUFFER_NONE, // the object is not a buffer
    PICORL_BUFFER_READ_ONLY,
    PICORL_BUFFER_STRIDED, // not contiguous
} picorl_buffer_state;

typedef struct {
    void *data;
    size_t bytes;
    char typecode; // 'f', 'i', 'I', 'B', or what else it is
} picorl_buffer;

// What `picorl_take` has found: the buffers (NULL: None) and the integers, each in the order of the arguments; behind
// the integers n_params, n_in, n_out and n_hidden of the layout.
typedef struct {
    void *p[PICORL_MAX_BUFFERS];
    uint32_t n[PICORL_VALUES];
    uint32_t layers;
    uint32_t bytes; // of the argument that may be of any type
} picorl_call;

// What a binding defines:
static inline bool picorl_is_none(picorl_object object);
// False when the object is no integer, or one that does not fit.
static inline bool picorl_take_int(picorl_object object, int32_t *value);
// Any integer in full, false when the object is none.
static bool picorl_add_int(picorl_error *error, picorl_object object);
static inline picorl_buffer_state picorl_take_buffer(
    picorl_call *call, picorl_object object, bool writes, picorl_buffer *buffer);
// "array('d')" or what else describes it.
static void picorl_add_type(picorl_error *error, picorl_object object, const picorl_buffer *buffer);

static const char picorl_typecodes[] = "fiIB"; // of PICORL_FLOATS and so on

static inline bool picorl_is_any(const uint8_t *wanted) {
    return wanted[0] / PICORL_TYPE == PICORL_BYTES && wanted[2] == 0;
}

static inline bool picorl_fits_type(char typecode, const uint8_t *wanted) {
    if (picorl_is_any(wanted)) {
        return typecode == 'f' || typecode == 'i' || typecode == 'I' || typecode == 'B';
    }
    return typecode == picorl_typecodes[wanted[0] / PICORL_TYPE];
}

static inline bool picorl_misaligned(const picorl_buffer *buffer) {
    return buffer->typecode != 'B' && (uintptr_t)buffer->data % 4 && buffer->bytes;
}

static inline size_t picorl_elements(const picorl_buffer *buffer) {
    return buffer->typecode == 'B' ? buffer->bytes : buffer->bytes / 4;
}

// Kernels count in 32 bits, a vector beyond the end at most, so no buffer may have to be longer: what comes to more
// stays here, however many factors it has.
#define PICORL_TOO_MANY 0xfffffff0

static inline uint32_t picorl_bounded(uint64_t count) {
    return count < PICORL_TOO_MANY ? (uint32_t)count : PICORL_TOO_MANY;
}

// Evaluates a size; see signatures.h.
static inline uint32_t picorl_size(const uint8_t *token, const uint8_t *end, const uint32_t *values) {
    uint32_t sum = 0;
    uint32_t product = 1;
    uint32_t outer_sum = 0;
    uint32_t outer_product = 1;
    for (; token < end; token++) {
        if (*token < '(') {
            product = picorl_bounded((uint64_t)product * values[*token]);
            continue;
        }
        switch (*token) {
            case '+':
                sum = picorl_bounded((uint64_t)sum + product);
                product = 1;
                break;
            case '*':
                break;
            case '(':
                outer_sum = sum;
                outer_product = product;
                sum = 0;
                product = 1;
                break;
            case ')':
                sum = picorl_bounded((uint64_t)sum + product);
                product = picorl_bounded((uint64_t)outer_product * sum);
                sum = outer_sum;
                break;
            default:
                product = picorl_bounded((uint64_t)product * (*token & ~PICORL_NUMBER));
        }
    }
    return picorl_bounded((uint64_t)sum + product);
}

static inline bool picorl_is_enough(size_t elements, uint32_t size) {
    return elements >= size && size < PICORL_TOO_MANY;
}

// The text of a size, as the table of kernels has it.
PICORL_COLD static void picorl_say_size(picorl_error *error, const uint8_t *token, const uint8_t *end) {
    static const char shape[] = "n_params\0n_in\0n_out\0n_hidden";
    for (; token < end; token++) {
        uint8_t t = *token;
        if (t & PICORL_NUMBER) {
            picorl_add_number(error, t & ~PICORL_NUMBER);
        } else if (t >= '(') {
            picorl_say(error, t > ')' ? " %c " : "%c", t);
        } else if (t < PICORL_MAX_INTS) {
            picorl_say(error, "%s", picorl_string(picorl_names, error->signature[3 + 2 * t]));
        } else {
            picorl_say(error, "%s", picorl_string(shape, t - PICORL_MAX_INTS));
        }
    }
}

// Describes what is wrong with a buffer. `wanted` points at its part of the signature.
PICORL_COLD static void picorl_bad_buffer(picorl_error *error, const uint8_t *wanted, picorl_object object,
    picorl_buffer_state state, const picorl_buffer *buffer, const uint32_t *values) {
    static const char units[] = "floats\0int32s\0uint32s\0bytes";
    uint32_t type = wanted[0] / PICORL_TYPE;
    char typecode = picorl_typecodes[type];
    picorl_say(error, "%s ", picorl_string(picorl_names, wanted[1]));
    if (state == PICORL_BUFFER_READ_ONLY) {
        picorl_say(error, "is read-only, must be writable");
    } else if (state == PICORL_BUFFER_STRIDED) {
        picorl_say(error, "is not contiguous");
    } else if (state == PICORL_BUFFER_NONE || !picorl_fits_type(buffer->typecode, wanted)) {
        if (state == PICORL_BUFFER_NONE) {
            picorl_say(error, "is not a buffer");
        } else {
            picorl_say(error, "is ");
            picorl_add_type(error, object, buffer);
        }
        picorl_say(error, ", must be %s%sarray('%c')",
            picorl_is_any(wanted) ? "array('f'), array('i'), array('I'), " : "", typecode == 'B' ? "bytearray or " : "",
            typecode);
    } else if (picorl_is_any(wanted)) {
        picorl_say(error, "holds %llu bytes, must be at most %llu", (unsigned long long)buffer->bytes,
            (unsigned long long)UINT32_MAX);
    } else if (picorl_misaligned(buffer)) {
        picorl_say(error, "is not aligned to 4 bytes");
    } else {
        const uint8_t *token = wanted + 3;
        const uint8_t *end = token + wanted[2];
        uint32_t size = picorl_size(token, end, values);
        picorl_say(error, "holds %llu %s, needs %s%llu", (unsigned long long)picorl_elements(buffer),
            picorl_string(units, type), size < PICORL_TOO_MANY ? "" : "at least ", (unsigned long long)size);
        if (wanted[2] > 1 || !(*token & PICORL_NUMBER)) {
            picorl_say(error, " (");
            picorl_say_size(error, token, end);
            picorl_say(error, ")");
        }
    }
}

PICORL_COLD static void picorl_bad_int(picorl_error *error, const uint8_t *wanted, picorl_object object) {
    picorl_say(error, "%s is ", picorl_string(picorl_names, wanted[1]));
    if (!picorl_add_int(error, object)) {
        picorl_say(error, "not an integer");
    }
    picorl_say_bounds(error, wanted[0] / PICORL_LEAST, PICORL_MAX_INT);
}

// The contents of arguments that are otherwise fine; 0: so are they.
typedef int (*picorl_contents)(picorl_error *error, const picorl_call *call);

// Checks the arguments of a kernel; false: `error` says what is wrong.
PICORL_NOINLINE static bool picorl_take(picorl_error *error, const uint8_t *signature, picorl_contents contents,
    const picorl_object *args, picorl_call *call) {
    error->signature = signature;
    error->length = 0;
    const uint8_t *wanted = signature + 2;
    uint32_t *n = call->n;
    for (uint32_t ints = signature[1]; ints; ints--, wanted += 2) {
        picorl_object object = args[wanted[0] % PICORL_LEAST];
        int32_t value;
        if (!picorl_take_int(object, &value) || value < wanted[0] / PICORL_LEAST || value > PICORL_MAX_INT) {
            picorl_bad_int(error, wanted, object);
            return false;
        }
        *n++ = (uint32_t)value;
    }
    void **p = call->p;
    for (uint32_t buffers = *wanted++; buffers; buffers--, wanted += 3 + wanted[2]) {
        picorl_object object = args[wanted[0] & PICORL_POSITION];
        if (wanted[0] & PICORL_OPTIONAL && picorl_is_none(object)) {
            *p++ = NULL;
            continue;
        }
        picorl_buffer buffer = {NULL, 0, 0};
        picorl_buffer_state state = picorl_take_buffer(call, object, wanted[0] & PICORL_WRITES, &buffer);
        // Hundreds of calls an update come here: what holds for nearly every buffer is asked first.
        bool fine = state == PICORL_BUFFER_FINE && (buffer.typecode == picorl_typecodes[wanted[0] / PICORL_TYPE] ||
                                                       picorl_fits_type(buffer.typecode, wanted));
        if (wanted[2]) {
            fine = fine && !picorl_misaligned(&buffer);
            uint32_t size = picorl_size(wanted + 3, wanted + 3 + wanted[2], call->n);
            fine = fine && picorl_is_enough(picorl_elements(&buffer), size);
        } else if (picorl_is_any(wanted)) {
            fine = fine && buffer.bytes <= UINT32_MAX;
            call->bytes = (uint32_t)buffer.bytes;
        } else {
            fine = fine && !picorl_misaligned(&buffer);
            if (fine) { // a layout
                call->layers = picorl_check_layout(error, buffer.data, picorl_elements(&buffer), call->n);
                if (call->layers == 0) {
                    return false;
                }
            }
        }
        if (!fine) {
            picorl_bad_buffer(error, wanted, object, state, &buffer, call->n);
            return false;
        }
        *p++ = buffer.data;
    }
    return !contents || contents(error, call) == 0;
}

// --- variants ---------------------------------------------------------------------------------------------------

// Makes the variant of that name the one in use.
PICORL_COLD static bool picorl_select_variant(picorl_error *error, const char *name, size_t length) {
    const char *names[8];
    int count = picorl_variants(names);
    for (int i = 0; i < count; i++) {
        size_t same = 0;
        while (same < length && names[i][same] && names[i][same] == name[same]) {
            same++;
        }
        if (same == length && !names[i][same] && picorl_select(names[i]) == 0) {
            return true;
        }
    }
    error->signature = NULL;
    error->length = 0;
    picorl_say(error, "select: name is '");
    picorl_add(error, name, length < 24 ? length : 24);
    for (int i = 0; i < count; i++) {
        picorl_say(error, "%s%s", i ? ", " : "', must be one of ", names[i]);
    }
    return false;
}

#endif
