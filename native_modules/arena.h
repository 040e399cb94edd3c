// Memory outside of the collector's heap for the buffers of agents, in firmware that is built with PICORL_ARENA=<bytes>.
//
// A Lease holds a part of it and hands out memoryviews; it gives the part back in its finaliser: when nothing refers to the
// Lease any more, and in a soft reset. The views do not keep it: they are good as long as the Lease is.
#ifndef PICORL_ARENA_H
#define PICORL_ARENA_H

#include <string.h>

#include "py/objarray.h"

#if !MICROPY_ENABLE_FINALISER
#error "picorl: PICORL_ARENA needs firmware with MICROPY_ENABLE_FINALISER"
#endif

#define PICORL_ARENA_ALIGN 16 // as blocks of MicroPython's heap are
#define PICORL_ARENA_SIZE ((size_t)(PICORL_ARENA) & ~(size_t)(PICORL_ARENA_ALIGN - 1))
#define PICORL_LEASES 8

typedef struct {
    size_t first, end; // bytes from the start of the arena; end is 0 where nothing is leased
} picorl_part;

typedef struct {
    mp_obj_base_t base;
    picorl_part *part; // NULL: of no bytes
    size_t used;
} picorl_lease;

// Static, so that nothing here points into a heap that a soft reset has made anew.
static uint8_t picorl_arena[PICORL_ARENA_SIZE] __attribute__((aligned(PICORL_ARENA_ALIGN)));
static picorl_part picorl_parts[PICORL_LEASES];

static inline size_t picorl_arena_round(size_t bytes) {
    return (bytes + PICORL_ARENA_ALIGN - 1) & ~(size_t)(PICORL_ARENA_ALIGN - 1);
}

// The first gap of at least `wanted` bytes, otherwise the largest there is, cut to what is wanted.
static picorl_part picorl_gap(size_t wanted) {
    picorl_part best = {0, 0};
    // A gap begins where a part ends, or, with the end of one that is not leased, where the arena does.
    for (int i = 0; i < PICORL_LEASES; i++) {
        picorl_part gap = {picorl_parts[i].end, PICORL_ARENA_SIZE};
        for (int k = 0; k < PICORL_LEASES; k++) {
            if (picorl_parts[k].end > gap.first && picorl_parts[k].first < gap.end) {
                gap.end = picorl_parts[k].first;
            }
        }
        if (gap.end - gap.first > best.end - best.first && best.end - best.first < wanted) {
            best = gap;
        }
    }
    if (best.end - best.first > wanted) {
        best.end = best.first + wanted;
    }
    return best;
}

// Lease(bytes): as many as there are together, but not more than asked for; none when the arena or the table is full.
static mp_obj_t picorl_lease_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 1, 1, false);
    mp_int_t wanted = mp_obj_get_int(args[0]);
    picorl_lease *self = mp_obj_malloc_with_finaliser(picorl_lease, type);
    self->part = NULL;
    self->used = 0;
    if (wanted <= 0) {
        return MP_OBJ_FROM_PTR(self);
    }
    picorl_part *free = NULL;
    for (int i = 0; i < PICORL_LEASES && !free; i++) {
        free = picorl_parts[i].end ? NULL : &picorl_parts[i];
    }
    if (free) {
        picorl_part gap =
            picorl_gap((size_t)wanted < PICORL_ARENA_SIZE ? picorl_arena_round(wanted) : PICORL_ARENA_SIZE);
        if (gap.end > gap.first) {
            *free = gap;
            self->part = free;
        }
    }
    return MP_OBJ_FROM_PTR(self);
}

// take(typecode, length): a memoryview of zeros, or None when there is not so much left. ValueError for a typecode that
// agents have no use for: the collector would not find objects here.
static mp_obj_t picorl_lease_take(mp_obj_t self_in, mp_obj_t typecode, mp_obj_t length) {
    picorl_lease *self = MP_OBJ_TO_PTR(self_in);
    const char *code = mp_obj_str_get_str(typecode);
    if (!*code || !strchr("fiIB", *code)) {
        mp_raise_ValueError(MP_ERROR_TEXT("take: typecode must be f, i, I or B"));
    }
    size_t align;
    size_t item = mp_binary_get_size('@', *code, &align);
    mp_int_t items = mp_obj_get_int(length);
    size_t left = self->part ? self->part->end - self->part->first - self->used : 0;
    if (items < 0 || (size_t)items > left / item) {
        return mp_const_none;
    }
    // Before it counts as used: this may raise MemoryError.
    uint8_t *start = picorl_arena + (self->part ? self->part->first + self->used : 0);
    mp_obj_t view = mp_obj_new_memoryview(*code | MP_OBJ_ARRAY_TYPECODE_FLAG_RW, items, start);
    memset(start, 0, items * item);
    self->used += picorl_arena_round(items * item);
    return view;
}
static MP_DEFINE_CONST_FUN_OBJ_3(picorl_lease_take_obj, picorl_lease_take);

static mp_obj_t picorl_lease_del(mp_obj_t self_in) {
    picorl_lease *self = MP_OBJ_TO_PTR(self_in);
    if (self->part) {
        *self->part = (picorl_part){0, 0};
        self->part = NULL;
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(picorl_lease_del_obj, picorl_lease_del);

static const mp_rom_map_elem_t picorl_lease_table[] = {
    {MP_ROM_QSTR(MP_QSTR_take), MP_ROM_PTR(&picorl_lease_take_obj)},
    {MP_ROM_QSTR(MP_QSTR___del__), MP_ROM_PTR(&picorl_lease_del_obj)},
};
static MP_DEFINE_CONST_DICT(picorl_lease_dict, picorl_lease_table);

static MP_DEFINE_CONST_OBJ_TYPE(picorl_lease_type, MP_QSTR_Lease, MP_TYPE_FLAG_NONE, make_new, picorl_lease_make_new,
    locals_dict, &picorl_lease_dict);

#endif
