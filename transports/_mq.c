/* _mq - what posix_ipc cannot do: receive into memory that outlives us.
 *
 * A receiver that is killed after mq_receive and before it has copied the message
 * out of ordinary memory has lost it; so the kernel writes into the slot itself.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <mqueue.h>
#include <time.h>

static PyObject *
receive_into(PyObject *Py_UNUSED(module), PyObject *args)
{
    /* The epoch has passed: never waits, whatever the descriptor's flags say. */
    static const struct timespec now = {0, 0};
    int fd;
    Py_buffer view;
    if (!PyArg_ParseTuple(args, "iw*:receive_into", &fd, &view)) {
        return NULL;
    }
    ssize_t size;
    do {
        size = mq_timedreceive(fd, view.buf, (size_t)view.len, NULL, &now);
    } while (size < 0 && errno == EINTR);
    if (size < 0 && errno == ETIMEDOUT) {
        errno = EAGAIN;
    }
    PyBuffer_Release(&view);
    return size < 0 ? PyErr_SetFromErrno(PyExc_OSError) : PyLong_FromSsize_t(size);
}

static PyObject *
count(PyObject *Py_UNUSED(module), PyObject *arg)
{
    long fd = PyLong_AsLong(arg);
    if (fd == -1 && PyErr_Occurred()) {
        return NULL;
    }
    struct mq_attr attributes;
    if (mq_getattr((mqd_t)fd, &attributes) < 0) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return Py_BuildValue("ll", attributes.mq_curmsgs, attributes.mq_maxmsg);
}

static PyMethodDef methods[] = {
    {"receive_into", receive_into, METH_VARARGS,
     PyDoc_STR("Move the next message into a buffer, never waiting; return its size.")},
    {"count", count, METH_O, PyDoc_STR("Return how many messages wait, and how many have room.")},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#ifdef Py_MOD_PER_INTERPRETER_GIL_SUPPORTED
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "transports._mq",
    .m_doc = PyDoc_STR("POSIX message queues, received in place."),
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__mq(void)
{
    return PyModuleDef_Init(&module);
}
