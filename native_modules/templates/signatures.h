// What the kernels' arguments must be; core/check.h reads it.
//
// A signature is: the kernel's name; the number of integers, and for each its position, name and lower bound; the
// number of buffers, and for each its position and flags, name, typecode, the length of its size and the size.
// A size is an expression of '+', '*', '(' and ')' (one level deep), numbers (PICORL_NUMBER | number) and values: the
// four of a layout first, then the kernel's integers. Names are counted in picorl_names.

enum {
    PICORL_N_PARAMS,
    PICORL_N_IN,
    PICORL_N_OUT,
    PICORL_N_HIDDEN,
    PICORL_SHAPE_VALUES,
};

enum {
    PICORL_POSITION = 0x0f,
    PICORL_WRITES = 0x10,
    PICORL_OPTIONAL = 0x20,
    PICORL_LAYOUT = 0x40,
    PICORL_ANY = 0x80, // of any of the four types

    PICORL_NUMBER = 0x80,
};

#define PICORL_LEAST_KIND @LEAST_KIND@
#define PICORL_MOST_KIND @MOST_KIND@
#define PICORL_MOST_ACTIVATION @MOST_ACTIVATION@

// core/picorl.h and kernels.py must agree.
typedef char picorl_constants_agree[@AGREE@ ? 1 : -1];

#define PICORL_MAX_INTS @MAX_INTS@
#define PICORL_MAX_BUFFERS @MAX_BUFFERS@

static const char picorl_names[] =
@NAMES@;

enum {
@IDS@
};

@SIGNATURES@
