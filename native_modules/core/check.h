// The checks of arguments, for all bindings. Knows no Python: what it needs of an object the binding defines.
//
// A binding includes picorl.h and signatures.h, defines the type `picorl_object`, includes this file and then defines
// the five `picorl_...` functions declared below. `picorl_take` first checks the integers, then the buffers, each in
// the order of the arguments; the contents that a kernel relies on (picorl_check_KERNEL) come last. Nothing has been
// written by then. No libc: a native .mpy module has none.
#ifndef PICORL_CHECK_H
#define PICORL_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define PICORL_COLD __attribute__((cold, noinline, unused))
#define PICORL_CHECKS __attribute__((noinline, unused))
#else
#define PICORL_COLD
#define PICORL_CHECKS
#endif

// --- messages ---------------------------------------------------------------------------------------------------

typedef struct {
    const uint8_t *signature; // of the kernel that complains
    uint32_t length;
    char text[192]; // what does not fit is cut off
} picorl_error;

static inline size_t picorl_length(const char *text) {
    size_t length = 0;
    while (text[length]) {
        length++;
    }
    return length;
}

static inline void picorl_begin(picorl_error *error, const uint8_t *signature) {
    error->signature = signature;
    error->length = 0;
}

PICORL_COLD static void picorl_add_bytes(picorl_error *error, const char *text, size_t length) {
    for (size_t i = 0; i < length && error->length < sizeof(error->text) - 1; i++) {
        error->text[error->length++] = text[i];
    }
    error->text[error->length] = '\0';
}

PICORL_COLD static void picorl_add(picorl_error *error, const char *text) {
    picorl_add_bytes(error, text, picorl_length(text));
}

PICORL_COLD static void picorl_add_number(picorl_error *error, int64_t value) {
    char digits[20];
    size_t first = sizeof(digits);
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do {
        // Long division by limbs of 16 bits: a Cortex-M would call the C library for one of 64.
        uint32_t remainder = 0;
        uint64_t quotient = 0;
        for (int shift = 48; shift >= 0; shift -= 16) {
            uint32_t limb = remainder << 16 | (uint32_t)(rest >> shift & 0xffff);
            quotient = quotient << 16 | limb / 10;
            remainder = limb % 10;
        }
        digits[--first] = (char)('0' + remainder);
        rest = quotient;
    } while (rest);
    if (value < 0) {
        picorl_add(error, "-");
    }
    picorl_add_bytes(error, digits + first, sizeof(digits) - first);
}

// Names are rarely needed, so they are found by counting.
PICORL_COLD static const char *picorl_name(uint32_t id) {
    const char *name = picorl_names;
    while (id) {
        id -= *name++ == '\0';
    }
    return name;
}

// Starts a message: "forward: out".
PICORL_COLD static void picorl_blame(picorl_error *error, const char *argument) {
    picorl_add(error, picorl_name(error->signature[0]));
    picorl_add(error, ": ");
    picorl_add(error, argument);
}

PICORL_COLD static void picorl_add_bounds(picorl_error *error, int64_t least, int64_t most) {
    picorl_add(error, ", must be ");
    picorl_add_number(error, least);
    if (most != least) {
        picorl_add(error, " to ");
        picorl_add_number(error, most);
    }
}

// --- contents ---------------------------------------------------------------------------------------------------

PICORL_COLD static int picorl_out_of_bounds(
    picorl_error *error, const char *name, int64_t value, int64_t least, int64_t most) {
    picorl_blame(error, name);
    picorl_add(error, " is ");
    picorl_add_number(error, value);
    picorl_add_bounds(error, least, most);
    return -1;
}

static inline int picorl_check_bounds(
    picorl_error *error, const char *name, int32_t value, int32_t least, uint32_t most) {
    if (value >= least && (value < 0 || (uint32_t)value <= most)) {
        return 0;
    }
    return picorl_out_of_bounds(error, name, value, least, most);
}

// Columns [column, column + columns) of rows of `width`.
PICORL_CHECKS static int picorl_check_columns(
    picorl_error *error, const char *sum, const char *limit, uint32_t column, uint32_t columns, uint32_t width) {
    if (column + columns <= width) {
        return 0;
    }
    picorl_blame(error, sum);
    picorl_add(error, " is ");
    picorl_add_number(error, column + columns);
    picorl_add(error, ", must be at most ");
    picorl_add_number(error, width);
    picorl_add(error, " (");
    picorl_add(error, limit);
    picorl_add(error, ")");
    return -1;
}

PICORL_CHECKS static int picorl_check_replay_state(picorl_error *error, const int32_t *state, uint32_t capacity) {
    int bad = picorl_check_bounds(error, "replay_state[0] (head)", state[PICORL_HEAD], 0, capacity - 1);
    if (!bad) {
        bad = picorl_check_bounds(error, "replay_state[1] (size)", state[PICORL_SIZE], 0, capacity);
    }
    if (!bad) {
        bad = picorl_check_bounds(error, "replay_state[2] (pending)", state[PICORL_PENDING], 0, 1);
    }
    if (!bad) {
        bad = picorl_check_bounds(error, "replay_state[3] (valid)", state[PICORL_VALID], 0, state[PICORL_SIZE]);
    }
    if (!bad) {
        bad = picorl_check_bounds(error, "replay_state[4] (refused)", state[PICORL_REFUSED], 0, INT32_MAX);
    }
    return bad;
}

static int picorl_check_replay_begin(picorl_error *error, float *replay_obs, uint8_t *replay_flags,
    int32_t *replay_state, const float *obs, uint32_t obs_size, uint32_t capacity) {
    return picorl_check_replay_state(error, replay_state, capacity);
}

static int picorl_check_replay_observe(picorl_error *error, float *replay_obs, float *replay_action,
    float *replay_reward, uint8_t *replay_flags, int32_t *replay_state, const float *action, const float *reward,
    const float *next_obs, const float *scaling, uint32_t obs_size, uint32_t act_size, uint32_t capacity,
    uint32_t terminated, uint32_t ended) {
    return picorl_check_replay_state(error, replay_state, capacity);
}

// The kernel draws until a row with a flag comes up, so there must be one.
static int picorl_check_replay_sample(picorl_error *error, const uint8_t *replay_flags, const int32_t *replay_state,
    uint32_t *rng, int32_t *indices, uint32_t capacity, uint32_t count) {
    if (picorl_check_replay_state(error, replay_state, capacity)) {
        return -1;
    }
    for (int32_t row = 0; row < replay_state[PICORL_SIZE]; row++) {
        if (replay_flags[row]) {
            return 0;
        }
    }
    picorl_blame(error, "replay_flags has no row with a flag, must have one to draw");
    return -1;
}

static int picorl_check_replay_gather(picorl_error *error, const float *replay_obs, const float *replay_action,
    const float *replay_reward, const uint8_t *replay_flags, const int32_t *indices, float *obs, float *obs_action,
    float *next_obs, float *next_obs_action, float *reward, float *not_terminated, uint32_t obs_size, uint32_t act_size,
    uint32_t capacity, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if ((uint32_t)indices[i] >= capacity) {
            picorl_blame(error, "indices[");
            picorl_add_number(error, i);
            picorl_add(error, "] is ");
            picorl_add_number(error, indices[i]);
            picorl_add_bounds(error, 0, (int64_t)capacity - 1);
            return -1;
        }
    }
    return 0;
}

static int picorl_check_gaussian_head(picorl_error *error, const float *head, const float *noise, float *action,
    uint32_t width, uint32_t column, float *log_prob, uint32_t act_size, uint32_t row, uint32_t rows) {
    return picorl_check_columns(error, "column + act_size", "width", column, act_size, width);
}

static int picorl_check_gaussian_head_backward(picorl_error *error, const float *head, const float *noise,
    const float *action, uint32_t width, uint32_t column, const float *d_x1, const float *d_x2, const float *coeffs,
    float *d_head, uint32_t act_size, uint32_t row, uint32_t rows, uint32_t batch) {
    return picorl_check_columns(error, "column + act_size", "width", column, act_size, width);
}

static int picorl_check_smoothed_action(picorl_error *error, const float *mu, const float *noise,
    const float *smoothing, float *action, uint32_t width, uint32_t column, uint32_t act_size, uint32_t row,
    uint32_t rows) {
    return picorl_check_columns(error, "column + act_size", "width", column, act_size, width);
}

static int picorl_check_policy_delta(picorl_error *error, const float *q1, const float *q2, float *d_q1, float *d_q2,
    float *loss, uint32_t row, uint32_t rows, uint32_t batch) {
    if (!q2 == !d_q2) {
        return 0;
    }
    picorl_blame(error, q2 ? "d_q2 is None, must be given like q2" : "d_q2 is given, must be None like q2");
    return -1;
}

static int picorl_check_copy_columns(picorl_error *error, const float *src, uint32_t src_width, uint32_t src_column,
    uint32_t src_row, float *dst, uint32_t dst_width, uint32_t dst_column, uint32_t dst_row, uint32_t columns,
    uint32_t rows) {
    if (picorl_check_columns(error, "src_column + columns", "src_width", src_column, columns, src_width)) {
        return -1;
    }
    return picorl_check_columns(error, "dst_column + columns", "dst_width", dst_column, columns, dst_width);
}

// --- layouts ----------------------------------------------------------------------------------------------------

PICORL_COLD static uint32_t picorl_bad_record(
    picorl_error *error, size_t index, int32_t value, uint32_t least, uint32_t most) {
    static const char fields[] = "kind\0inputs\0outputs\0activation";
    const char *field = fields;
    for (size_t i = 0; i < index % PICORL_RECORD; i++) {
        while (*field++) {
        }
    }
    picorl_blame(error, "layout[");
    picorl_add_number(error, (int64_t)index);
    picorl_add(error, "] (");
    picorl_add(error, field);
    picorl_add(error, ") is ");
    picorl_add_number(error, value);
    picorl_add_bounds(error, least, most);
    return 0;
}

// Returns the number of layers and fills n_params, n_in, n_out and n_hidden of `shape`, or returns 0: `error` says why.
PICORL_CHECKS static uint32_t picorl_check_layout(
    picorl_error *error, const int32_t *layout, size_t ints, uint32_t *shape) {
    if (ints == 0 || ints % PICORL_RECORD) {
        picorl_blame(error, "layout holds ");
        picorl_add_number(error, (int64_t)ints);
        picorl_add(error, " int32s, must be records of ");
        picorl_add_number(error, PICORL_RECORD);
        return 0;
    }
    uint64_t n_params = 0;
    uint32_t n_hidden = 0;
    uint32_t least_inputs = 1;
    uint32_t most_inputs = PICORL_MAX_INT;
    for (size_t i = 0; i < ints; i += PICORL_RECORD) {
        uint32_t inputs = (uint32_t)layout[i + 1];
        uint32_t outputs = (uint32_t)layout[i + 2];
        if (layout[i] < PICORL_LEAST_KIND || layout[i] > PICORL_MOST_KIND) {
            return picorl_bad_record(error, i, layout[i], PICORL_LEAST_KIND, PICORL_MOST_KIND);
        }
        if (inputs < least_inputs || inputs > most_inputs) {
            return picorl_bad_record(error, i + 1, layout[i + 1], least_inputs, most_inputs);
        }
        if (outputs - 1 >= PICORL_MAX_INT) {
            return picorl_bad_record(error, i + 2, layout[i + 2], 1, PICORL_MAX_INT);
        }
        if ((uint32_t)layout[i + 3] > PICORL_MOST_ACTIVATION) {
            return picorl_bad_record(error, i + 3, layout[i + 3], 0, PICORL_MOST_ACTIVATION);
        }
        // A hidden layer's width is among its parameters (the biases), so n_hidden is in bounds when n_params is.
        n_params += (uint64_t)(inputs + 1) * outputs;
        if (n_params > PICORL_MAX_INT) {
            picorl_blame(error, "layout has more than ");
            picorl_add_number(error, PICORL_MAX_INT);
            picorl_add(error, " params");
            return 0;
        }
        n_hidden += i + PICORL_RECORD < ints ? outputs : 0;
        least_inputs = outputs;
        most_inputs = outputs;
    }
    shape[PICORL_N_PARAMS] = (uint32_t)n_params;
    shape[PICORL_N_IN] = (uint32_t)layout[1];
    shape[PICORL_N_OUT] = least_inputs;
    shape[PICORL_N_HIDDEN] = n_hidden;
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

// What `picorl_take` has found: buffers (NULL: None) and integers, each in the order of the arguments.
typedef struct {
    void *p[PICORL_MAX_BUFFERS];
    uint32_t n[PICORL_SHAPE_VALUES + PICORL_MAX_INTS]; // the layout's, then the integers
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

// Evaluates a size; see signatures.h. Its values are below 2^24 and the table's products are of three at most.
static inline uint64_t picorl_size(const uint8_t *token, const uint8_t *end, const uint32_t *values) {
    uint64_t sum = 0;
    uint64_t product = 1;
    uint64_t outer_sum = 0;
    uint64_t outer_product = 1;
    for (; token < end; token++) {
        switch (*token) {
            case '+':
                sum += product;
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
                product = outer_product * (sum + product);
                sum = outer_sum;
                break;
            default:
                product *= *token & PICORL_NUMBER ? *token & ~PICORL_NUMBER : values[*token];
        }
    }
    return sum + product;
}

static inline bool picorl_any_type(char typecode) {
    return typecode == 'f' || typecode == 'i' || typecode == 'I' || typecode == 'B';
}

static const char picorl_shape_names[] = "n_params\0n_in\0n_out\0n_hidden";

// The text of a size, as the table of kernels has it.
PICORL_COLD static void picorl_add_size(picorl_error *error, const uint8_t *token, const uint8_t *end) {
    for (; token < end; token++) {
        uint8_t t = *token;
        if (t & PICORL_NUMBER) {
            picorl_add_number(error, t & ~PICORL_NUMBER);
        } else if (t == '+' || t == '*') {
            picorl_add(error, t == '+' ? " + " : " * ");
        } else if (t == '(' || t == ')') {
            picorl_add(error, t == '(' ? "(" : ")");
        } else if (t < PICORL_SHAPE_VALUES) {
            const char *name = picorl_shape_names;
            while (t) {
                t -= *name++ == '\0';
            }
            picorl_add(error, name);
        } else {
            picorl_add(error, picorl_name(error->signature[3 + 3 * (t - PICORL_SHAPE_VALUES)]));
        }
    }
}

PICORL_COLD static void picorl_add_typecode(picorl_error *error, char typecode) {
    if (typecode == 'B') {
        picorl_add(error, "bytearray or ");
    }
    picorl_add(error, "array('");
    picorl_add_bytes(error, &typecode, 1);
    picorl_add(error, "')");
}

// Describes what is wrong with a buffer. `wanted` points at its part of the signature.
PICORL_COLD static void picorl_bad_buffer(picorl_error *error, const uint8_t *wanted, picorl_object object,
    picorl_buffer_state state, const picorl_buffer *buffer, const uint32_t *values) {
    char typecode = (char)wanted[2];
    bool any = wanted[0] & PICORL_ANY;
    picorl_blame(error, picorl_name(wanted[1]));
    if (state == PICORL_BUFFER_READ_ONLY) {
        picorl_add(error, " is read-only, must be writable");
    } else if (state == PICORL_BUFFER_STRIDED) {
        picorl_add(error, " is not contiguous");
    } else if (any && state == PICORL_BUFFER_FINE && picorl_any_type(buffer->typecode)) {
        picorl_add(error, " holds ");
        picorl_add_number(error, (int64_t)buffer->bytes);
        picorl_add(error, " bytes, must be at most ");
        picorl_add_number(error, UINT32_MAX);
    } else if (state == PICORL_BUFFER_NONE || any || buffer->typecode != typecode) {
        picorl_add(error, " is ");
        if (state == PICORL_BUFFER_NONE) {
            picorl_add(error, "not a buffer");
        } else {
            picorl_add_type(error, object, buffer);
        }
        picorl_add(error, ", must be ");
        if (any) {
            picorl_add(error, "array('f'), array('i'), array('I') or ");
        }
        picorl_add_typecode(error, any ? 'B' : typecode);
    } else if (buffer->bytes && (uintptr_t)buffer->data % 4) {
        picorl_add(error, " is not aligned to 4 bytes");
    } else {
        const uint8_t *token = wanted + 4;
        const uint8_t *end = token + wanted[3];
        picorl_add(error, " holds ");
        picorl_add_number(error, (int64_t)(typecode == 'B' ? buffer->bytes : buffer->bytes / 4));
        picorl_add(error,
            typecode == 'f' ? " floats" : typecode == 'i' ? " int32s" : typecode == 'I' ? " uint32s" : " bytes");
        picorl_add(error, ", needs ");
        picorl_add_number(error, (int64_t)picorl_size(token, end, values));
        picorl_add(error, " (");
        picorl_add_size(error, token, end);
        picorl_add(error, ")");
    }
}

PICORL_COLD static void picorl_bad_int(
    picorl_error *error, const uint8_t *wanted, picorl_object object, uint32_t least) {
    picorl_blame(error, picorl_name(wanted[1]));
    picorl_add(error, " is ");
    if (!picorl_add_int(error, object)) {
        picorl_add(error, "not an integer");
    }
    picorl_add_bounds(error, least, PICORL_MAX_INT);
}

// Checks the arguments of a kernel; false: `error` says what is wrong.
PICORL_CHECKS static bool picorl_take(
    picorl_error *error, const uint8_t *signature, const picorl_object *args, picorl_call *call) {
    const uint8_t *wanted = signature + 2;
    uint32_t *n = call->n + PICORL_SHAPE_VALUES;
    for (uint32_t ints = signature[1]; ints; ints--, wanted += 3) {
        picorl_object object = args[wanted[0]];
        int32_t value;
        if (!picorl_take_int(object, &value) || value < wanted[2] || value > PICORL_MAX_INT) {
            picorl_begin(error, signature);
            picorl_bad_int(error, wanted, object, wanted[2]);
            return false;
        }
        *n++ = (uint32_t)value;
    }
    void **p = call->p;
    for (uint32_t buffers = *wanted++; buffers; buffers--, wanted += 4 + wanted[3]) {
        uint8_t flags = wanted[0];
        picorl_object object = args[flags & PICORL_POSITION];
        if (flags & PICORL_OPTIONAL && picorl_is_none(object)) {
            *p++ = NULL;
            continue;
        }
        picorl_buffer buffer = {NULL, 0, 0};
        char typecode = (char)wanted[2];
        picorl_buffer_state state = picorl_take_buffer(call, object, flags & PICORL_WRITES, &buffer);
        bool fine = state == PICORL_BUFFER_FINE;
        if (flags & PICORL_ANY) {
            fine = fine && picorl_any_type(buffer.typecode) && buffer.bytes <= UINT32_MAX;
            call->bytes = (uint32_t)buffer.bytes;
        } else {
            size_t length = typecode == 'B' ? buffer.bytes : buffer.bytes / 4;
            fine = fine && buffer.typecode == typecode;
            fine = fine && (typecode == 'B' || (uintptr_t)buffer.data % 4 == 0 || length == 0);
            if (fine && flags & PICORL_LAYOUT) {
                picorl_begin(error, signature);
                call->layers = picorl_check_layout(error, buffer.data, length, call->n);
                if (call->layers == 0) {
                    return false;
                }
            } else {
                fine = fine && length >= picorl_size(wanted + 4, wanted + 4 + wanted[3], call->n);
            }
        }
        if (!fine) {
            picorl_begin(error, signature);
            picorl_bad_buffer(error, wanted, object, state, &buffer, call->n);
            return false;
        }
        *p++ = buffer.data;
    }
    return true;
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
    picorl_begin(error, NULL);
    picorl_add(error, "select: name is '");
    picorl_add_bytes(error, name, length);
    picorl_add(error, "', must be one of ");
    for (int i = 0; i < count; i++) {
        picorl_add(error, i ? ", " : "");
        picorl_add(error, names[i]);
    }
    return false;
}

#endif
