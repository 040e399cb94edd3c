// What the kernels' arguments must be; core/check.h reads it.
//
// A signature is: the kernel's name; the number of integers, and for each its position and lower bound, and its name;
// the number of buffers, and for each its position, type and flags, its name, the length of its size and the size.
// A size is an expression of '+', '*', '(' and ')' (one level deep), numbers (PICORL_NUMBER | number) and values: the
// kernel's integers, counted from 0, and the four of a layout. A layout itself has no size (length 0), neither have
// bytes that may be of any of the four types. Names are counted in picorl_names.

// @CONSTANTS

// core/picorl.h and kernels/ must agree.
// @AGREE

enum {
    PICORL_POSITION = 0x0f,
    PICORL_LEAST = 0x10, // times an integer's lower bound
    PICORL_WRITES = 0x10,
    PICORL_OPTIONAL = 0x20,
    PICORL_TYPE = 0x40, // times one of
    PICORL_FLOATS = 0,
    PICORL_INT32S = 1,
    PICORL_UINT32S = 2,
    PICORL_BYTES = 3,

    PICORL_NUMBER = 0x80, // in a size
};

enum {
    PICORL_N_PARAMS = PICORL_MAX_INTS,
    PICORL_N_IN,
    PICORL_N_OUT,
    PICORL_N_HIDDEN,
    PICORL_VALUES,
};

// @NAMES

// @IDS

// @SIGNATURES
