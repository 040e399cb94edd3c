// CPython extension module.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "kernels.h"
#include "core/picorl.h"
#include "signatures.h"

typedef PyObject *picorl_object;

#include "core/check.h"

// The buffers are held until the kernel has returned: whatever Python code a buffer's owner runs, none can move.
typedef struct {
    picorl_call call; // first: `picorl_take_buffer` gets a pointer to this
    int held;
    Py_buffer views[PICORL_MAX_BUFFERS];
} picorl_frame;

static inline void picorl_release(picorl_frame *frame) {
    for (int i = 0; i < frame->held; i++) {
        PyBuffer_Release(&frame->views[i]);
    }
}

static inline bool picorl_is_none(PyObject *object) {
    return object == Py_None;
}

static inline bool picorl_take_int(PyObject *object, int32_t *value) {
    long number;
    if (PyLong_Check(object)) {
        number = PyLong_AsLong(object);
    } else if (PyIndex_Check(object)) { // such as numpy.int64
        PyObject *integer = PyNumber_Index(object);
        number = integer ? PyLong_AsLong(integer) : -1;
        Py_XDECREF(integer);
    } else {
        return false;
    }
    if (number == -1 && PyErr_Occurred()) {
        PyErr_Clear();
        return false;
    }
    *value = (int32_t)number;
    return number == *value;
}

PICORL_COLD static bool picorl_add_int(picorl_error *error, PyObject *object) {
    PyObject *integer = PyIndex_Check(object) ? PyNumber_Index(object) : NULL;
    PyObject *decimal = integer ? PyObject_Str(integer) : NULL;
    const char *text = decimal ? PyUnicode_AsUTF8(decimal) : NULL;
    if (text) {
        picorl_add(error, text, picorl_length(text));
    }
    Py_XDECREF(decimal);
    Py_XDECREF(integer);
    PyErr_Clear();
    return text != NULL;
}

PICORL_COLD static picorl_buffer_state picorl_buffer_fault(PyObject *object, bool writes) {
    PyErr_Clear();
    picorl_buffer_state state = PICORL_BUFFER_NONE;
    if (PyObject_CheckBuffer(object)) {
        Py_buffer view;
        state = PICORL_BUFFER_STRIDED;
        if (writes && PyObject_GetBuffer(object, &view, PyBUF_ND | PyBUF_FORMAT) == 0) {
            PyBuffer_Release(&view);
            state = PICORL_BUFFER_READ_ONLY;
        }
        PyErr_Clear();
    }
    return state;
}

// A format of the struct module as one of our four typecodes, or 0.
static inline char picorl_typecode(const char *format) {
    if (format == NULL) {
        return 'B';
    }
    if (format[0] == '@' || format[0] == '=' || format[0] == (PY_LITTLE_ENDIAN ? '<' : '>')) {
        format++;
    }
    char typecode = format[0];
    if (typecode == '\0' || format[1] != '\0') {
        return 0;
    }
    if (sizeof(long) == 4 && (typecode == 'l' || typecode == 'L')) {
        typecode -= 'l' - 'i';
    }
    return typecode;
}

static inline picorl_buffer_state picorl_take_buffer(
    picorl_call *call, PyObject *object, bool writes, picorl_buffer *buffer) {
    picorl_frame *frame = (picorl_frame *)call;
    Py_buffer *view = &frame->views[frame->held];
    // PyBUF_ND: a memoryview refuses to tell its format without the shape.
    if (PyObject_GetBuffer(object, view, PyBUF_ND | PyBUF_FORMAT | (writes ? PyBUF_WRITABLE : 0))) {
        return picorl_buffer_fault(object, writes);
    }
    frame->held++;
    buffer->data = view->buf;
    buffer->bytes = (size_t)view->len;
    buffer->typecode = picorl_typecode(view->format);
    return PICORL_BUFFER_FINE;
}

PICORL_COLD static void picorl_add_type(picorl_error *error, PyObject *object, const picorl_buffer *buffer) {
    Py_buffer view;
    (void)buffer;
    if (PyByteArray_Check(object) || PyBytes_Check(object)) {
        picorl_say(error, PyBytes_Check(object) ? "bytes" : "bytearray");
    } else if (PyObject_GetBuffer(object, &view, PyBUF_ND | PyBUF_FORMAT) == 0) {
        picorl_say(error, "array('%s')", view.format ? view.format : "B");
        PyBuffer_Release(&view);
    } else {
        PyErr_Clear();
        picorl_say(error, "something else");
    }
}

PICORL_COLD static PyObject *picorl_raise(const picorl_error *error) {
    PyObject *text = PyUnicode_DecodeUTF8(error->text, error->length, "replace");
    if (text) {
        PyErr_SetObject(PyExc_ValueError, text);
        Py_DECREF(text);
    }
    return NULL;
}

PICORL_COLD static PyObject *picorl_wrong_count(const uint8_t *signature, int wanted, Py_ssize_t given) {
    return PyErr_Format(PyExc_TypeError, "%s() takes %d arguments but %zd were given",
        picorl_string(picorl_names, signature[0]), wanted, given);
}

// Takes the arguments of a kernel, or raises.
static bool picorl_take_or_raise(
    const uint8_t *signature, picorl_contents contents, PyObject *const *args, picorl_frame *frame) {
    picorl_error error;
    frame->held = 0;
    if (!picorl_take(&error, signature, contents, args, &frame->call)) {
        picorl_release(frame);
        picorl_raise(&error);
        return false;
    }
    return true;
}

// @CONTENTS

// @KERNELS

static PyObject *py_variants(PyObject *module, PyObject *unused) {
    const char *names[8];
    int count = picorl_variants(names);
    PyObject *tuple = PyTuple_New(count);
    for (int i = 0; tuple && i < count; i++) {
        PyObject *name = PyUnicode_FromString(names[i]);
        if (!name) {
            Py_CLEAR(tuple);
        } else {
            PyTuple_SET_ITEM(tuple, i, name);
        }
    }
    return tuple;
}

static PyObject *py_variant(PyObject *module, PyObject *unused) {
    return PyUnicode_FromString(picorl_variant());
}

static PyObject *py_fused(PyObject *module, PyObject *unused) {
    return PyBool_FromLong(picorl_fused());
}

static PyObject *py_select(PyObject *module, PyObject *name) {
    Py_ssize_t length;
    picorl_error error;
    if (!PyUnicode_Check(name)) {
        return PyErr_Format(PyExc_TypeError, "select: name is %.80s, must be str", Py_TYPE(name)->tp_name);
    }
    const char *text = PyUnicode_AsUTF8AndSize(name, &length);
    if (!text) {
        return NULL;
    }
    if (!picorl_select_variant(&error, text, (size_t)length)) {
        return picorl_raise(&error);
    }
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    // @METHODS
    {NULL, NULL, 0, NULL},
};

static int picorl_exec(PyObject *module) {
    if (PyModule_AddIntConstant(module, "ABI", PICORL_ABI)) {
        return -1;
    }
    return PyModule_AddIntConstant(module, "RECORD", PICORL_RECORD);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, picorl_exec},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_picorl",
    .m_doc = "The kernels of picorl, in C.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__picorl(void) {
    return PyModuleDef_Init(&definition);
}
