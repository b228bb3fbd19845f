/* _header - the header of a frame (frame.py has its layout), for what is done with each
 * message: made with the time of now, and taken apart together with what follows it.
 *
 * Reads and writes bytes in their order on the wire, whatever the machine's own is.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define VERSION 1u
#define HEADER_BYTES 48

/* Where the fields stand, and how many bytes each has. */
enum { AT_VERSION, AT_KIND, AT_FLAGS, AT_CODEC, AT_LENGTH };
enum { AT_SENDER = 8, AT_LANE = 12, AT_CORR = 16, AT_SENT = 24, AT_DEADLINE = 32 };

static inline void
store(unsigned char *at, uint64_t number, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        at[i] = (unsigned char)(number >> 8 * i);
    }
}

static inline uint64_t
load(const unsigned char *at, int bytes)
{
    uint64_t number = 0;
    for (int i = 0; i < bytes; i++) {
        number |= (uint64_t)at[i] << 8 * i;
    }
    return number;
}

static uint64_t
monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static PyObject *
header_make(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    static const struct {
        int at, bytes;
    } fields[] = {
        {AT_KIND, 1},   {AT_FLAGS, 1}, {AT_CODEC, 1}, {AT_LENGTH, 2},
        {AT_SENDER, 4}, {AT_LANE, 4},  {AT_CORR, 8},  {AT_DEADLINE, 8},
    };
    if (count != sizeof fields / sizeof fields[0]) {
        PyErr_Format(PyExc_TypeError, "make() takes 8 numbers, not %zd", count);
        return NULL;
    }
    unsigned char header[HEADER_BYTES] = {VERSION};
    for (Py_ssize_t i = 0; i < count; i++) {
        uint64_t number = PyLong_AsUnsignedLongLong(args[i]);
        if (number == UINT64_MAX && PyErr_Occurred()) {
            return NULL;
        }
        if (fields[i].bytes < 8 && number >> 8 * fields[i].bytes != 0) {
            PyErr_Format(PyExc_OverflowError, "make(): number %zd is %llu, more than %d bytes",
                         i, (unsigned long long)number, fields[i].bytes);
            return NULL;
        }
        store(header + fields[i].at, number, fields[i].bytes);
    }
    store(header + AT_SENT, monotonic_ns(), 8);
    return PyBytes_FromStringAndSize((const char *)header, HEADER_BYTES);
}

/* A frame whose header is whole, and where its body begins. */
typedef struct {
    const unsigned char *bytes;
    Py_ssize_t size, name_ends;
} frame_t;

static bool
frame_open(PyObject *object, frame_t *frame)
{
    if (!PyBytes_CheckExact(object)) {
        PyErr_SetString(PyExc_TypeError, "a frame is bytes");
        return false;
    }
    frame->bytes = (const unsigned char *)PyBytes_AS_STRING(object);
    frame->size = PyBytes_GET_SIZE(object);
    if (frame->size < HEADER_BYTES) {
        PyErr_Format(PyExc_ValueError, "%zd bytes are fewer than a header", frame->size);
        return false;
    }
    frame->name_ends = HEADER_BYTES + (Py_ssize_t)load(frame->bytes + AT_LENGTH, 2);
    if (frame->name_ends > frame->size) {
        frame->name_ends = frame->size;
    }
    return true;
}

static PyObject *
part_of(const frame_t *frame, Py_ssize_t begin, Py_ssize_t end)
{
    return PyBytes_FromStringAndSize((const char *)frame->bytes + begin, end - begin);
}

static PyObject *
number_at(const frame_t *frame, int at, int bytes)
{
    return PyLong_FromUnsignedLongLong(load(frame->bytes + at, bytes));
}

/* Return a tuple of the objects, which it takes over; NULL where one of them is. */
static PyObject *
tuple_of(PyObject *const *parts, Py_ssize_t count)
{
    PyObject *tuple = PyTuple_New(count);
    bool is_whole = tuple != NULL;
    for (Py_ssize_t i = 0; i < count; i++) {
        is_whole = is_whole && parts[i] != NULL;
        if (tuple != NULL) {
            PyTuple_SET_ITEM(tuple, i, parts[i]);
        }
        else {
            Py_XDECREF(parts[i]);
        }
    }
    if (!is_whole) {
        Py_CLEAR(tuple);
    }
    return tuple;
}

static PyObject *
header_message(PyObject *Py_UNUSED(module), PyObject *object)
{
    frame_t frame;
    if (!frame_open(object, &frame)) {
        return NULL;
    }
    PyObject *parts[] = {
        number_at(&frame, AT_VERSION, 1),
        number_at(&frame, AT_KIND, 1),
        number_at(&frame, AT_FLAGS, 1),
        number_at(&frame, AT_LANE, 4),
        number_at(&frame, AT_CORR, 8),
        number_at(&frame, AT_SENT, 8),
        number_at(&frame, AT_DEADLINE, 8),
        part_of(&frame, HEADER_BYTES, frame.name_ends),
        part_of(&frame, frame.name_ends, frame.size),
    };
    return tuple_of(parts, sizeof parts / sizeof parts[0]);
}

static PyObject *
header_answer(PyObject *Py_UNUSED(module), PyObject *object)
{
    frame_t frame;
    if (!frame_open(object, &frame)) {
        return NULL;
    }
    PyObject *parts[] = {
        number_at(&frame, AT_KIND, 1),
        number_at(&frame, AT_FLAGS, 1),
        number_at(&frame, AT_CORR, 8),
        part_of(&frame, frame.name_ends, frame.size),
    };
    return tuple_of(parts, sizeof parts / sizeof parts[0]);
}

static PyMethodDef functions[] = {
    {"make", (PyCFunction)(void (*)(void))header_make, METH_FASTCALL,
     PyDoc_STR("Return a header of now.")},
    {"message", header_message, METH_O,
     PyDoc_STR("Return what a receiver needs of a message.")},
    {"answer", header_answer, METH_O, PyDoc_STR("Return what an asker needs of an answer.")},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "actors.wire._header",
    .m_doc = PyDoc_STR("The header of a frame, made and taken apart."),
    .m_size = -1,
    .m_methods = functions,
};

PyMODINIT_FUNC
PyInit__header(void)
{
    return PyModule_Create(&definition);
}
