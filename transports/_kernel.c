/* _kernel - the sending end of mailboxes that are objects of the kernel, and what
 * posix_ipc cannot do: receive into memory that outlives us.
 *
 * Responsible for: the bytes of one message, which is one record of ring.h or several
 * in a row, and for offering it.  Not responsible for: names, sizes, creation and removal
 * (pipe.py, unix.py, mq.py), or waiting.
 *
 * A receiver that is killed after mq_receive and before it has copied the message
 * out of ordinary memory has lost it; so the kernel writes into the slot itself.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "ring.h"

#include "outlet.h"

#define MANY_PACKETS 12  /* of the 16 that a pipe holds unless asked */
#define MANY_DATAGRAMS 8 /* of the 11 that a socket does */
#define SOCKET_BYTES 640 /* what the kernel counts beside each, at least */
#define MESSAGE_BYTES (FRAME_LIMIT + sizeof(record_t))

/* The epoch has passed: never waits, whatever the descriptor's flags say. */
static const struct timespec now = {0, 0};

typedef enum {
    KIND_PIPE,
    KIND_SOCKET, /* of datagrams, and connected */
    KIND_QUEUE,
} kind_t;

typedef struct {
    PyObject_HEAD
    int fd;      /* -1 once closed */
    int name_fd; /* of the file whose name is the mailbox's; may be fd */
    size_t room; /* of one message */
    size_t limit; /* of one frame */
    size_t last;  /* bytes of the last record that went alone */
    uint64_t sent;
    uint32_t slack; /* messages that can go until the receiver may be behind */
    kind_t kind;
    bool gathers; /* the receiver has a landing for several records at once */
} SenderObject;

/* What is to be sent. */
typedef struct {
    _Alignas(record_t) unsigned char bytes[MESSAGE_BYTES];
    size_t size;
    Py_ssize_t frames;
} message_t;

static void
sender_release(SenderObject *self)
{
    if (self->name_fd >= 0 && self->name_fd != self->fd) {
        close(self->name_fd);
    }
    if (self->fd >= 0) {
        close(self->fd);
    }
    self->fd = self->name_fd = -1;
}

static PyObject *
sender_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"fd", "name_fd", "kind", "room", "limit", "gathers", NULL};
    int fd, name_fd, kind, gathers;
    Py_ssize_t room, limit;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iiinnp:Sender", names, &fd, &name_fd,
                                     &kind, &room, &limit, &gathers)) {
        return NULL;
    }
    if (kind < KIND_PIPE || kind > KIND_QUEUE) {
        PyErr_Format(PyExc_ValueError, "kind=%d: PIPE, SOCKET or QUEUE", kind);
        return NULL;
    }
    if (limit < 0 || room < limit + (Py_ssize_t)sizeof(record_t) ||
        room > (Py_ssize_t)MESSAGE_BYTES) {
        PyErr_SetString(PyExc_ValueError, "a frame fits into a message, and that into 16 KiB");
        return NULL;
    }
    SenderObject *self = (SenderObject *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->fd = fd;
        self->name_fd = name_fd;
        self->room = (size_t)room;
        self->limit = (size_t)limit;
        self->last = sizeof(record_t) + (size_t)limit;
        self->kind = (kind_t)kind;
        self->gathers = gathers != 0;
    }
    return (PyObject *)self;
}

static void
sender_dealloc(SenderObject *self)
{
    sender_release(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* Append one frame, if it finds room beside others: 1, 0 or -1 with an exception. */
static int
append_opened(message_t *message, const SenderObject *self, const parts_t *frame)
{
    size_t begin = align8(message->size);
    if (frame->size > self->limit) {
        raise_too_large(frame->size, self->limit);
        return -1;
    }
    if (begin + sizeof(record_t) + frame->size > self->room) {
        return 0;
    }
    record_t *record = (record_t *)(void *)(message->bytes + begin);
    unsigned char *at = message->bytes + begin + sizeof(record_t);
    memset(message->bytes + message->size, 0, begin - message->size);
    record->mark = RECORD_MARK;
    record->length = (uint32_t)frame->size;
    record->seq = self->sent + 1 + (uint64_t)message->frames;
    for (Py_ssize_t i = 0; i < frame->count; i++) {
        memcpy(at, frame->parts[i].iov_base, frame->parts[i].iov_len);
        at += frame->parts[i].iov_len;
    }
    message->size = begin + sizeof(record_t) + frame->size;
    message->frames++;
    return 1;
}

static int
message_append(message_t *message, const SenderObject *self, PyObject *const *parts,
               Py_ssize_t count)
{
    parts_t frame;
    if (parts_open(&frame, parts, count) < 0) {
        return -1;
    }
    int answer = append_opened(message, self, &frame);
    parts_close(&frame);
    return answer;
}

/* Whether the mailbox has lost its name: its receiver may go on for a while without, so
 * sending works. */
static bool
is_unlinked(const SenderObject *self)
{
    struct stat status;
    return fstat(self->name_fd, &status) == 0 && status.st_nlink == 0;
}

/* Offer the message; a Put, or NULL with an exception set. */
static PyObject *
sender_offer(SenderObject *self, const message_t *message)
{
    ssize_t sent;
    if (self->fd < 0) { /* opening a buffer can run code that closes this end */
        return raise_closed();
    }
    if (is_unlinked(self)) {
        return put_closed;
    }
    do {
        sent = self->kind == KIND_QUEUE ? mq_timedsend(self->fd, (const char *)message->bytes,
                                                       message->size, 0, &now)
                                        : write(self->fd, message->bytes, message->size);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        self->slack = 0;
        switch (errno) {
        case EAGAIN:
        case ENOBUFS:
        case ETIMEDOUT:
            return put_full;
        case ECONNREFUSED: /* nobody holds the mailbox any more */
        case ECONNRESET:
        case ENOENT:
        case ENOTCONN:
        case EPIPE:
            return put_closed;
        default:
            return PyErr_SetFromErrno(PyExc_OSError);
        }
    }
    self->sent += (uint64_t)message->frames;
    self->slack -= self->slack > 0;
    /* Again: whoever unlinked it meanwhile may have looked for frames already. */
    return is_unlinked(self) ? put_closed : put_accepted;
}

/* How many messages like the last can come until the receiver is behind: three quarters of
 * a queue, or as many bytes as MANY messages take.  Of a socket, the kernel tells what waits
 * of this sender. */
static uint32_t
count_slack(const SenderObject *self)
{
    struct mq_attr queue;
    size_t many = MANY_PACKETS, each = self->last, gone;
    int bytes = 0;
    if (self->kind == KIND_QUEUE) {
        if (mq_getattr(self->fd, &queue) < 0) {
            return 1;
        }
        many = (size_t)(3 * queue.mq_maxmsg + 3) / 4;
        gone = (size_t)queue.mq_curmsgs;
    }
    else {
        if (ioctl(self->fd, self->kind == KIND_SOCKET ? SIOCOUTQ : FIONREAD, &bytes) < 0) {
            return 1;
        }
        if (self->kind == KIND_SOCKET) {
            many = MANY_DATAGRAMS;
            each += SOCKET_BYTES;
        }
        gone = (size_t)bytes / each;
    }
    return many > gone ? (uint32_t)(many - gone) : 0;
}

/* Whether the receiver is behind.  The kernel is asked only when as many messages have gone
 * as had been missing the last time: the receiver takes no more than there are, and where
 * others send as well, the mailbox is full before we know. */
static bool
is_behind(SenderObject *self)
{
    if (self->slack == 0) {
        self->slack = count_slack(self);
    }
    return self->slack == 0;
}

static PyObject *
put_one(SenderObject *self, PyObject *const *args, Py_ssize_t count, bool is_patient)
{
    message_t message;
    message.size = 0;
    message.frames = 0;
    if (self->fd < 0) {
        return raise_closed();
    }
    if (message_append(&message, self, args, count) < 0) {
        return NULL;
    }
    /* Large ones gain nothing by waiting for each other. */
    if (is_patient && self->fd >= 0 && 4 * message.size <= self->room && is_behind(self)) {
        Py_INCREF(put_full);
        return put_full;
    }
    self->last = message.size;
    PyObject *result = sender_offer(self, &message);
    Py_XINCREF(result);
    return result;
}

static PyObject *
sender_put(SenderObject *self, PyObject *const *args, Py_ssize_t count)
{
    return put_one(self, args, count, false);
}

static PyObject *
sender_put_unless_behind(SenderObject *self, PyObject *const *args, Py_ssize_t count)
{
    return put_one(self, args, count, self->gathers);
}

/* Gather as many of the frames, a sequence of tuples, as one message holds: -1 with an
 * exception. */
static int
gather(message_t *message, SenderObject *self, PyObject *frames)
{
    Py_ssize_t count = PySequence_Fast_GET_SIZE(frames);
    int fits = 1;
    for (Py_ssize_t i = 0; i < count && fits == 1; i++) {
        PyObject *parts = PySequence_Fast_GET_ITEM(frames, i);
        if (!PyTuple_Check(parts)) {
            PyErr_SetString(PyExc_TypeError, "a frame is a tuple of its parts");
            return -1;
        }
        fits = message_append(message, self, ((PyTupleObject *)parts)->ob_item,
                              PyTuple_GET_SIZE(parts));
        if (!self->gathers) {
            break;
        }
    }
    return fits < 0 ? -1 : 0;
}

static PyObject *
sender_put_some(SenderObject *self, PyObject *arg)
{
    message_t message;
    message.size = 0;
    message.frames = 0;
    if (self->fd < 0) {
        return raise_closed();
    }
    PyObject *frames = PySequence_Fast(arg, "put_some() needs a sequence of frames");
    if (frames == NULL) {
        return NULL;
    }
    int result = gather(&message, self, frames);
    Py_DECREF(frames);
    if (result == 0 && message.frames == 0) {
        PyErr_SetString(PyExc_ValueError, "put_some() needs a frame");
        result = -1;
    }
    PyObject *put = result < 0 ? NULL : sender_offer(self, &message);
    return put == NULL ? NULL : Py_BuildValue("On", put, message.frames);
}

static PyObject *
sender_has_room(SenderObject *self, PyObject *Py_UNUSED(ignored))
{
    struct pollfd asked = {.fd = self->fd, .events = POLLOUT}; /* -1 is never ready */
    return PyBool_FromLong(poll(&asked, 1, 0) > 0);
}

static PyObject *
sender_fileno(SenderObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLong(self->fd);
}

static PyObject *
sender_close(SenderObject *self, PyObject *Py_UNUSED(ignored))
{
    sender_release(self);
    Py_RETURN_NONE;
}

static PyMethodDef sender_methods[] = {
    {"put", (PyCFunction)(void (*)(void))sender_put, METH_FASTCALL,
     PyDoc_STR("Offer one frame made of the parts.")},
    {"put_some", (PyCFunction)sender_put_some, METH_O,
     PyDoc_STR("Offer the first of several frames, as many as go at once; how many those are.")},
    {"put_unless_behind", (PyCFunction)(void (*)(void))sender_put_unless_behind,
     METH_FASTCALL,
     PyDoc_STR("As put(), but FULL where what comes next had better go with more.")},
    {"has_room", (PyCFunction)sender_has_room, METH_NOARGS,
     PyDoc_STR("Return whether an offer is worth the while.")},
    {"fileno", (PyCFunction)sender_fileno, METH_NOARGS,
     PyDoc_STR("Return a descriptor that is writable when there is room.")},
    {"close", (PyCFunction)sender_close, METH_NOARGS,
     PyDoc_STR("Let go of the mailbox.")},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef sender_members[] = {
    {"gathers", T_BOOL, offsetof(SenderObject, gathers), READONLY,
     PyDoc_STR("Whether several frames may go at once.")},
    {NULL, 0, 0, 0, NULL},
};

static PyTypeObject SenderType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "transports._kernel.Sender",
    .tp_doc = PyDoc_STR("The sending end of a pipe, a datagram socket or a message queue."),
    .tp_basicsize = sizeof(SenderObject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = sender_new,
    .tp_dealloc = (destructor)sender_dealloc,
    .tp_methods = sender_methods,
    .tp_members = sender_members,
};

static PyObject *
receive_into(PyObject *Py_UNUSED(module), PyObject *args)
{
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
     PyDoc_STR("Move the next message of a queue into a buffer, never waiting; return its size.")},
    {"count", count, METH_O,
     PyDoc_STR("Return how many messages wait in a queue, and how many have room.")},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "transports._kernel",
    .m_doc = PyDoc_STR("Mailboxes that are objects of the kernel."),
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC
PyInit__kernel(void)
{
    if (fetch_outlet_names() < 0) {
        return NULL;
    }
    PyObject *made = PyModule_Create(&module);
    if (made != NULL && (PyModule_AddType(made, &SenderType) < 0 ||
                         PyModule_AddIntConstant(made, "PIPE", KIND_PIPE) < 0 ||
                         PyModule_AddIntConstant(made, "SOCKET", KIND_SOCKET) < 0 ||
                         PyModule_AddIntConstant(made, "QUEUE", KIND_QUEUE) < 0)) {
        Py_DECREF(made);
        return NULL;
    }
    return made;
}
