/* outlet.h - what the sending ends in C have in common: their answers, their errors, and
 * the parts of a frame.
 *
 * Each extension module that includes it has the names for itself.
 */
#ifndef TRANSPORTS_OUTLET_H
#define TRANSPORTS_OUTLET_H

#include <Python.h>
#include <sys/uio.h>

#define MAX_PARTS 16

/* What other modules define, fetched once at import. */
static PyObject *put_accepted, *put_full, *put_closed;
static PyObject *closed_error, *frame_too_large_error;

static inline int
fetch(const char *module_name, const char *name, PyObject **where)
{
    PyObject *module = PyImport_ImportModule(module_name);
    if (module == NULL) {
        return -1;
    }
    *where = PyObject_GetAttrString(module, name);
    Py_DECREF(module);
    return *where == NULL ? -1 : 0;
}

static inline int
fetch_put(const char *name, PyObject **where)
{
    PyObject *put;
    if (fetch("transports.mailbox", "Put", &put) < 0) {
        return -1;
    }
    *where = PyObject_GetAttrString(put, name);
    Py_DECREF(put);
    return *where == NULL ? -1 : 0;
}

static inline int
fetch_outlet_names(void)
{
    return fetch_put("ACCEPTED", &put_accepted) < 0 || fetch_put("FULL", &put_full) < 0 ||
                   fetch_put("CLOSED", &put_closed) < 0 ||
                   fetch("transports.errors", "ClosedError", &closed_error) < 0 ||
                   fetch("transports.errors", "FrameTooLargeError",
                         &frame_too_large_error) < 0
               ? -1
               : 0;
}

static inline PyObject *
raise_closed(void)
{
    PyErr_SetString(closed_error, "this end has been closed");
    return NULL;
}

static inline PyObject *
raise_too_large(size_t size, uint64_t limit)
{
    PyObject *error = PyObject_CallFunction(frame_too_large_error, "nK", (Py_ssize_t)size,
                                            (unsigned long long)limit);
    if (error != NULL) {
        PyErr_SetObject(frame_too_large_error, error);
        Py_DECREF(error);
    }
    return NULL;
}

/* A frame that is to be sent, in the memory of whoever sends it. */
typedef struct {
    struct iovec parts[MAX_PARTS];
    Py_buffer views[MAX_PARTS];
    Py_ssize_t count;
    size_t size; /* of all parts */
} parts_t;

static inline void
parts_close(parts_t *frame)
{
    while (frame->count > 0) {
        PyBuffer_Release(&frame->views[--frame->count]); /* does nothing when there is none */
    }
}

static inline int
part_open(PyObject *object, struct iovec *part, Py_buffer *view)
{
    view->obj = NULL;
    if (PyBytes_CheckExact(object)) { /* the usual case, without a buffer */
        part->iov_base = PyBytes_AS_STRING(object);
        part->iov_len = (size_t)PyBytes_GET_SIZE(object);
        return 0;
    }
    if (PyObject_GetBuffer(object, view, PyBUF_SIMPLE) < 0) {
        return -1;
    }
    part->iov_base = view->buf;
    part->iov_len = (size_t)view->len;
    return 0;
}

/* Point at the bytes of the objects, until parts_close: -1 with an exception set, and with
 * nothing open.  It can run code that closes the end that sends. */
static inline int
parts_open(parts_t *frame, PyObject *const *objects, Py_ssize_t count)
{
    frame->count = 0;
    frame->size = 0;
    if (count > MAX_PARTS) {
        PyErr_Format(PyExc_ValueError, "a frame of %zd parts: at most %d", count, MAX_PARTS);
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (part_open(objects[i], &frame->parts[i], &frame->views[i]) < 0) {
            parts_close(frame);
            return -1;
        }
        frame->size += frame->parts[i].iov_len;
        frame->count++;
    }
    return 0;
}

#endif
