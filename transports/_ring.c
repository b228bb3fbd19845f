/* _ring - Python objects over ring.h.
 *
 * Responsible for: arguments, buffers, lifetimes, exceptions and the GIL.  Not
 * responsible for: anything another process can see (ring.h), or for names,
 * sizes, creation and removal of files (shm.py).
 *
 * The GIL is held through a whole put and a whole take.  It protects the note,
 * which is one word for all threads of a process, and the private positions;
 * only look() releases it, with copies of all it needs.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <poll.h>

#include "ring.h"

#include "outlet.h"

#define MAX_READERS 64
#define MAX_REJECTED 64 /* pieces that are no records, and that one take reads away */
#define MAX_SPIN_NS INT64_C(200000)

/* What other modules define, fetched once at import. */
static PyObject *put_late, *depth_type, *corrupt_error;

/* Set the exception for a failed ring call; errno is read for RING_ERROR. */
static PyObject *
raise_for(ring_result_t result)
{
    if (result == RING_ERROR) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    PyErr_SetString(corrupt_error, "the ring's shared bytes make no sense");
    return NULL;
}

/* --- Slot --------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    Py_buffer memory; /* keeps the mapping alive and refuses to be resized */
    slot_t *slot;
    Py_ssize_t limit;
} SlotObject;

static bool
limit_is_valid(Py_ssize_t limit)
{
    if (limit <= 0 || (uint64_t)limit > RING_MAX_CAPACITY) {
        PyErr_SetString(PyExc_ValueError, "limit must be in 1..2**30 bytes");
        return false;
    }
    return true;
}

static PyObject *
slot_size(PyObject *Py_UNUSED(type), PyObject *arg)
{
    Py_ssize_t limit = PyLong_AsSsize_t(arg);
    if ((limit == -1 && PyErr_Occurred()) || !limit_is_valid(limit)) {
        return NULL;
    }
    return PyLong_FromUnsignedLongLong(slot_bytes((uint64_t)limit));
}

static bool
slot_fits(const Py_buffer *memory, Py_ssize_t offset, Py_ssize_t limit)
{
    if (offset < 0 || offset > memory->len ||
        slot_bytes((uint64_t)limit) > (uint64_t)(memory->len - offset)) {
        PyErr_SetString(PyExc_ValueError, "the slot does not fit into the buffer");
        return false;
    }
    if (((uintptr_t)memory->buf + (uintptr_t)offset) % sizeof(uint64_t) != 0) {
        PyErr_SetString(PyExc_ValueError, "a slot must be aligned to 8 bytes");
        return false;
    }
    return true;
}

static PyObject *
slot_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"buffer", "offset", "limit", NULL};
    PyObject *buffer;
    Py_ssize_t offset, limit;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Onn:Slot", names, &buffer, &offset,
                                     &limit) ||
        !limit_is_valid(limit)) {
        return NULL;
    }
    SlotObject *self = (SlotObject *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    if (PyObject_GetBuffer(buffer, &self->memory, PyBUF_WRITABLE) < 0 ||
        !slot_fits(&self->memory, offset, limit)) {
        Py_DECREF(self);
        return NULL;
    }
    self->slot = (slot_t *)(void *)((unsigned char *)self->memory.buf + offset);
    self->limit = limit;
    return (PyObject *)self;
}

static void
slot_dealloc(SlotObject *self)
{
    PyBuffer_Release(&self->memory); /* does nothing when there is none */
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *
slot_clear_method(SlotObject *self, PyObject *Py_UNUSED(ignored))
{
    slot_clear(self->slot);
    Py_RETURN_NONE;
}

static PyObject *
slot_start_method(SlotObject *self, PyObject *Py_UNUSED(ignored))
{
    slot_start(self->slot);
    Py_RETURN_NONE;
}

static PyObject *
slot_frame(SlotObject *self, PyObject *Py_UNUSED(ignored))
{
    uint32_t length;
    if (!slot_filled(self->slot, (uint64_t)self->limit, &length)) {
        Py_RETURN_NONE;
    }
    return PyBytes_FromStringAndSize((const char *)self->slot->payload,
                                     (Py_ssize_t)length);
}

static PyObject *
slot_prefault(SlotObject *self, PyObject *Py_UNUSED(ignored))
{
    uintptr_t at = (uintptr_t)self->slot;
    uintptr_t end = at + slot_bytes((uint64_t)self->limit);
    while (at < end) {
        /* a write that changes nothing, whatever is stored there meanwhile */
        atomic_fetch_or_explicit((_Atomic unsigned char *)at, 0, memory_order_relaxed);
        at = (at | (RING_MIN_CAPACITY - 1)) + 1;
    }
    Py_RETURN_NONE;
}

static PyObject *
slot_get_filled(SlotObject *self, void *Py_UNUSED(closure))
{
    uint32_t length;
    return PyBool_FromLong(slot_filled(self->slot, (uint64_t)self->limit, &length));
}

/* acquire: pairs with slot_start; the frame of a started slot is visible */
static uint64_t
slot_started_ns(const SlotObject *self)
{
    return atomic_load_explicit(&self->slot->started, memory_order_acquire);
}

static PyObject *
slot_get_started(SlotObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(slot_started_ns(self) != 0);
}

static PyObject *
slot_get_started_ns(SlotObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(slot_started_ns(self));
}

static PyObject *
slot_get_seq(SlotObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(
        atomic_load_explicit(&self->slot->record.seq, memory_order_relaxed));
}

static PyObject *
slot_get_source(SlotObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(
        atomic_load_explicit(&self->slot->source, memory_order_relaxed));
}

static int
slot_set_word(_Atomic uint64_t *word, PyObject *value)
{
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "cannot be deleted");
        return -1;
    }
    unsigned long long number = PyLong_AsUnsignedLongLong(value);
    if (number == (unsigned long long)-1 && PyErr_Occurred()) {
        return -1;
    }
    /* relaxed: of the source, the mark of the frame, stored later, publishes it; what is
     * begun is read when its writer is dead */
    atomic_store_explicit(word, number, memory_order_relaxed);
    return 0;
}

static int
slot_set_source(SlotObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    return slot_set_word(&self->slot->source, value);
}

static PyObject *
slot_get_begun(SlotObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(
        atomic_load_explicit(&self->slot->begun, memory_order_relaxed));
}

static int
slot_set_begun(SlotObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    return slot_set_word(&self->slot->begun, value);
}

static PyObject *
slot_get_record(SlotObject *self, void *Py_UNUSED(closure))
{
    return PyMemoryView_FromObject((PyObject *)self);
}

/* The record area: header and payload, for recvmsg_into. */
static int
slot_getbuffer(SlotObject *self, Py_buffer *view, int flags)
{
    return PyBuffer_FillInfo(view, (PyObject *)self, &self->slot->record,
                             (Py_ssize_t)sizeof(record_t) + self->limit, 0, flags);
}

static PyMethodDef slot_methods[] = {
    {"size", slot_size, METH_O | METH_STATIC,
     PyDoc_STR("Return the bytes of shared memory one slot takes.")},
    {"clear", (PyCFunction)slot_clear_method, METH_NOARGS,
     PyDoc_STR("Empty the slot.")},
    {"start", (PyCFunction)slot_start_method, METH_NOARGS,
     PyDoc_STR("Store that the frame is being handled from now.")},
    {"frame", (PyCFunction)slot_frame, METH_NOARGS,
     PyDoc_STR("Return a copy of the frame, or None.")},
    {"prefault", (PyCFunction)slot_prefault, METH_NOARGS,
     PyDoc_STR("Touch every page of the slot.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef slot_getset[] = {
    {"filled", (getter)slot_get_filled, NULL, PyDoc_STR("Whether it holds a frame."),
     NULL},
    {"started", (getter)slot_get_started, NULL,
     PyDoc_STR("Whether its frame is being handled."), NULL},
    {"started_ns", (getter)slot_get_started_ns, NULL,
     PyDoc_STR("Since when (CLOCK_MONOTONIC), or 0."), NULL},
    {"seq", (getter)slot_get_seq, NULL, PyDoc_STR("The record's sequence number."),
     NULL},
    {"source", (getter)slot_get_source, (setter)slot_set_source,
     PyDoc_STR("The inode of the mailbox that its frame came from."), NULL},
    {"begun", (getter)slot_get_begun, (setter)slot_set_begun,
     PyDoc_STR("How many of the calls that its frame stands for were begun."), NULL},
    {"record", (getter)slot_get_record, NULL,
     PyDoc_STR("The record area as a writable memoryview."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef slot_members[] = {
    {"limit", T_PYSSIZET, offsetof(SlotObject, limit), READONLY,
     PyDoc_STR("The largest frame it holds, in bytes.")},
    {NULL, 0, 0, 0, NULL},
};

static PyBufferProcs slot_buffer = {
    .bf_getbuffer = (getbufferproc)slot_getbuffer,
};

static PyTypeObject SlotType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "transports._ring.Slot",
    .tp_doc = PyDoc_STR("A place in shared memory for one frame in hand."),
    .tp_basicsize = sizeof(SlotObject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = slot_new,
    .tp_dealloc = (destructor)slot_dealloc,
    .tp_methods = slot_methods,
    .tp_getset = slot_getset,
    .tp_members = slot_members,
    .tp_as_buffer = &slot_buffer,
};

/* --- Writer ------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    ring_writer_t writer;
    PyObject *open_room; /* () -> int or None */
    Py_buffer note;
    bool is_corrupt;
} WriterObject;

static void
close_descriptor(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

/* Open the FIFO through which senders wait for room.  Where there is none (any
 * more), or no descriptor for it, *fd stays -1: waiters look by themselves. */
static bool
open_room(PyObject *open, int *fd)
{
    if (*fd >= 0) {
        return true;
    }
    PyObject *answer = PyObject_CallNoArgs(open);
    if (answer == NULL) {
        return false;
    }
    if (answer != Py_None) {
        *fd = PyObject_AsFileDescriptor(answer);
    }
    Py_DECREF(answer);
    return *fd >= 0 || !PyErr_Occurred();
}

static void
writer_release(WriterObject *self)
{
    ring_unmap(&self->writer.ring);
    self->writer.note = NULL;
    PyBuffer_Release(&self->note);
    Py_CLEAR(self->open_room);
    close_descriptor(&self->writer.bell);
    close_descriptor(&self->writer.room);
}

static bool
writer_take_note(WriterObject *self, PyObject *buffer, Py_ssize_t offset)
{
    if (PyObject_GetBuffer(buffer, &self->note, PyBUF_WRITABLE) < 0) {
        return false;
    }
    unsigned char *word = (unsigned char *)self->note.buf + offset;
    if (offset < 0 || offset > self->note.len - (Py_ssize_t)sizeof(uint64_t) ||
        (uintptr_t)word % sizeof(uint64_t) != 0) {
        PyErr_SetString(PyExc_ValueError,
                        "the note must be 8 aligned bytes inside the buffer");
        return false;
    }
    self->writer.note = (_Atomic uint64_t *)(void *)word;
    return true;
}

static PyObject *
writer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"fd", "bell", "open_room", "note", "offset", "value", NULL};
    int fd, bell;
    PyObject *open_room;
    PyObject *note = Py_None;
    Py_ssize_t offset = 0;
    unsigned long long value = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iiO|OnK:Writer", names, &fd, &bell,
                                     &open_room, &note, &offset, &value)) {
        return NULL;
    }
    WriterObject *self = (WriterObject *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->writer.bell = -1;
    self->writer.room = -1;
    self->writer.note_value = value;
    Py_INCREF(open_room);
    self->open_room = open_room;
    if (note != Py_None && !writer_take_note(self, note, offset)) {
        Py_DECREF(self);
        return NULL;
    }
    ring_result_t result = ring_map(&self->writer.ring, fd);
    if (result != RING_OK) {
        raise_for(result);
        Py_DECREF(self);
        return NULL;
    }
    self->writer.bell = bell; /* the caller keeps it when this fails */
    return (PyObject *)self;
}

static void
writer_dealloc(WriterObject *self)
{
    writer_release(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *
writer_append(WriterObject *self, const parts_t *frame)
{
    if (frame->size > self->writer.ring.limit) {
        return raise_too_large(frame->size, self->writer.ring.limit);
    }
    PyObject *answer;
    switch (ring_put(&self->writer, frame->parts, (size_t)frame->count,
                     (uint32_t)frame->size)) {
    case RING_OK:
        answer = put_accepted;
        break;
    case RING_FULL:
        answer = put_full;
        break;
    case RING_CLOSED:
        answer = put_closed;
        break;
    case RING_LATE:
        answer = put_late;
        break;
    case RING_ERROR:
        return raise_for(RING_ERROR);
    default:
        self->is_corrupt = true;
        ring_unmap(&self->writer.ring);
        return raise_for(RING_CORRUPT);
    }
    Py_INCREF(answer);
    return answer;
}

static PyObject *
writer_put(WriterObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    parts_t frame;
    PyObject *answer;
    if (parts_open(&frame, args, nargs) < 0) {
        return NULL;
    }
    /* After the buffers: opening one can run code that closes this end. */
    if (self->writer.ring.header != NULL) {
        answer = writer_append(self, &frame);
    }
    else {
        answer = self->is_corrupt ? raise_for(RING_CORRUPT) : raise_closed();
    }
    parts_close(&frame);
    return answer;
}

static PyObject *
writer_fileno(WriterObject *self, PyObject *Py_UNUSED(ignored))
{
    if (self->writer.ring.header == NULL) {
        return self->is_corrupt ? raise_for(RING_CORRUPT) : raise_closed();
    }
    if (!open_room(self->open_room, &self->writer.room)) {
        return NULL;
    }
    /* Again: opening it can run code that closes this end. */
    if (self->writer.ring.header == NULL || self->writer.room < 0) {
        Py_RETURN_NONE;
    }
    ring_await_room(&self->writer);
    return PyLong_FromLong(self->writer.room);
}

static PyObject *
writer_close(WriterObject *self, PyObject *Py_UNUSED(ignored))
{
    self->is_corrupt = false;
    writer_release(self);
    Py_RETURN_NONE;
}

static PyMethodDef writer_methods[] = {
    {"put", (PyCFunction)(void (*)(void))writer_put, METH_FASTCALL,
     PyDoc_STR("Append one frame made of the parts.")},
    {"fileno", (PyCFunction)writer_fileno, METH_NOARGS,
     PyDoc_STR("Return a descriptor that is writable when there is room.")},
    {"close", (PyCFunction)writer_close, METH_NOARGS, PyDoc_STR("Let go of the ring.")},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject WriterType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "transports._ring.Writer",
    .tp_doc = PyDoc_STR("A sending end of a ring."),
    .tp_basicsize = sizeof(WriterObject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = writer_new,
    .tp_dealloc = (destructor)writer_dealloc,
    .tp_methods = writer_methods,
};

/* --- Reader ------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    ring_reader_t reader;
    PyObject *open_bell; /* () -> int */
    PyObject *open_room; /* () -> int or None */
    ring_feed_t feed;    /* of a landing */
    unsigned long long rejected;
    int bell;            /* -1 until it is asked for */
    int room;            /* -1 until a sender waits for room */
    int lookers;         /* threads in look() without the GIL: no unmapping */
    bool is_closed;
    bool is_corrupt;
    bool is_manual; /* arm() or disarm() was called: the flag is the caller's */
} ReaderObject;

static bool
reader_is_usable(const ReaderObject *self)
{
    return !self->is_closed && !self->is_corrupt;
}

static void
reader_unmap_unless_looked_at(ReaderObject *self)
{
    if (self->lookers == 0) {
        ring_unmap(&self->reader.ring);
    }
}

static void
reader_release(ReaderObject *self)
{
    self->is_closed = true;
    reader_unmap_unless_looked_at(self);
    Py_CLEAR(self->open_bell);
    Py_CLEAR(self->open_room);
    close_descriptor(&self->bell);
    close_descriptor(&self->room);
}

/* Give the ring up for good and say so, this once. */
static PyObject *
reader_fail(ReaderObject *self)
{
    self->is_corrupt = true;
    reader_unmap_unless_looked_at(self);
    return raise_for(RING_CORRUPT);
}

static PyObject *
reader_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"fd",   "open_bell", "open_room", "seat",  "feed",
                            "room", "limit",     "source",    "queue", NULL};
    int fd, seat;
    int feed = -1, is_queue = 0;
    unsigned long long room = 0, limit = 0, source = 0;
    PyObject *open_bell, *open_room;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iOOi|$iKKKp:Reader", names, &fd,
                                     &open_bell, &open_room, &seat, &feed, &room, &limit,
                                     &source, &is_queue)) {
        return NULL;
    }
    if (seat < 0 || (uint32_t)seat >= RING_SEATS) {
        PyErr_Format(PyExc_ValueError, "seat=%d: 0 to %u", seat, RING_SEATS - 1);
        return NULL;
    }
    ReaderObject *self = (ReaderObject *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->bell = -1;
    self->reader.seat = (uint32_t)seat;
    self->room = -1;
    Py_INCREF(open_bell);
    self->open_bell = open_bell;
    Py_INCREF(open_room);
    self->open_room = open_room;
    ring_result_t result = ring_map(&self->reader.ring, fd);
    if (result == RING_OK) {
        result = ring_resume(&self->reader);
    }
    if (result != RING_OK) {
        raise_for(result);
        Py_DECREF(self);
        return NULL;
    }
    self->feed = (ring_feed_t){feed, is_queue != 0, room};
    if (feed >= 0) {
        /* What comes through it is the other mailbox's. */
        self->reader.ring.id = source;
        self->reader.ring.limit = limit;
    }
    /* The flag stays as it is: whoever only looks (depth) must not silence the bell
     * of the receiver.  One left by a receiver that died asleep costs a few rings. */
    return (PyObject *)self;
}

static void
reader_dealloc(ReaderObject *self)
{
    reader_release(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* Wake the senders that wait for room, if it is time to.  What keeps us from it is
 * no reason to refuse a frame: the flag stays, and the next one tries again. */
static void
reader_share_room(ReaderObject *self)
{
    if (!ring_owes_room(&self->reader)) {
        return;
    }
    if (!open_room(self->open_room, &self->room)) {
        PyErr_WriteUnraisable((PyObject *)self);
    }
    if (self->room >= 0 && reader_is_usable(self)) {
        ring_give_room(&self->reader, self->room);
    }
}

/* Nothing waits.  Whoever sleeps on fileno() without knowing about arm() needs a
 * descriptor that is readable only while something may wait: empty the bell,
 * then look again, because a frame may have come with the last ring. */
static ring_result_t
reader_settle_bell(ReaderObject *self, ring_frame_t *found)
{
    if (self->bell < 0 || self->is_manual) {
        return RING_EMPTY;
    }
    ring_hush(&self->reader, self->bell);
    ring_arm(&self->reader);
    return ring_peek(&self->reader, found);
}

static bool
slot_can_take(const ReaderObject *self, const SlotObject *slot)
{
    uint32_t length;
    if ((uint64_t)slot->limit < self->reader.ring.limit) {
        PyErr_Format(PyExc_ValueError,
                     "a slot for %zd bytes is too small for frames of up to %llu",
                     slot->limit, (unsigned long long)self->reader.ring.limit);
        return false;
    }
    if (slot_filled(slot->slot, (uint64_t)slot->limit, &length)) {
        PyErr_SetString(PyExc_ValueError, "the slot still holds a frame");
        return false;
    }
    return true;
}

/* A landing is empty: fill it, and look again.  A peer that only sends what is no record
 * does not keep us for ever. */
static ring_result_t
reader_fill(ReaderObject *self, ring_frame_t *found)
{
    ring_result_t result = RING_REJECTED;
    for (int i = 0; i < MAX_REJECTED && result == RING_REJECTED; i++) {
        result = ring_land(&self->reader.ring, &self->feed);
        self->rejected += result == RING_REJECTED;
        if (result == RING_OK) {
            result = ring_peek(&self->reader, found);
            /* Another receiver was faster. */
            result = result == RING_EMPTY ? RING_REJECTED : result;
        }
    }
    /* Without room, or the lock, what waits is another receiver's for the moment. */
    return result == RING_FULL || result == RING_REJECTED ? RING_EMPTY : result;
}

/* Claim a record, and return a copy of it that is in the slot too; NULL with an
 * exception set, or with `result` at EMPTY, ERROR or CORRUPT. */
static PyObject *
reader_claim(ReaderObject *self, const SlotObject *slot, ring_result_t *result)
{
    ring_frame_t found;
    *result = ring_peek(&self->reader, &found);
    if (*result == RING_EMPTY) {
        *result = self->feed.fd < 0 ? reader_settle_bell(self, &found)
                                    : reader_fill(self, &found);
    }
    if (*result == RING_OK && !slot_can_take(self, slot)) {
        return NULL;
    }
    while (*result == RING_OK) {
        /* Before the claim: no memory, no claim. */
        PyObject *copy = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)found.length);
        if (copy == NULL) {
            return NULL;
        }
        if (ring_claim(&self->reader, &found)) {
            ring_move(&self->reader, &found, (unsigned char *)PyBytes_AS_STRING(copy),
                      slot->slot);
            return copy;
        }
        Py_DECREF(copy);
        *result = ring_peek(&self->reader, &found); /* somebody was faster */
    }
    return NULL;
}

/* Wake one of the others, if something waits: who has died may have been woken for
 * it. */
static void
reader_hand_on(ReaderObject *self)
{
    if (!ring_owes_bell(&self->reader.ring)) {
        return;
    }
    if (self->bell >= 0) {
        ring_ring(self->bell);
        return;
    }
    PyObject *answer = PyObject_CallNoArgs(self->open_bell);
    int bell = answer == NULL ? -1 : PyObject_AsFileDescriptor(answer);
    Py_XDECREF(answer);
    if (bell < 0) {
        PyErr_WriteUnraisable((PyObject *)self);
        return;
    }
    ring_ring(bell);
    close(bell);
}

static PyObject *
reader_take(ReaderObject *self, PyObject *arg)
{
    if (!Py_IS_TYPE(arg, &SlotType)) {
        PyErr_SetString(PyExc_TypeError, "take() needs a Slot");
        return NULL;
    }
    if (!reader_is_usable(self)) {
        if (self->is_closed) {
            return raise_closed();
        }
        Py_RETURN_NONE;
    }
    ring_result_t result;
    const slot_t *slot = ((SlotObject *)arg)->slot;
    ring_note_done(&self->reader, slot);
    PyObject *copy = reader_claim(self, (SlotObject *)arg, &result);
    if (result == RING_CORRUPT) {
        return reader_fail(self);
    }
    if (result == RING_ERROR) {
        return raise_for(RING_ERROR);
    }
    if (copy == NULL && result == RING_OK) {
        return NULL;
    }
    reader_share_room(self);
    if (copy == NULL) {
        Py_RETURN_NONE;
    }
    if (self->feed.fd >= 0) {
        reader_hand_on(self); /* others wait for the feed, which has less by now */
        return copy;
    }
    /* Only if it has a bell: else it has read no ring that was meant for another. */
    if (reader_is_usable(self) && self->bell >= 0) {
        ring_share(&self->reader, slot, self->bell);
    }
    return copy;
}

/* Return the slots of `args`, or NULL with an exception set. */
static ring_slot_t *
slots_of(PyObject *const *args, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        if (!Py_IS_TYPE(args[i], &SlotType)) {
            PyErr_SetString(PyExc_TypeError, "settle() needs Slots");
            return NULL;
        }
    }
    ring_slot_t *slots = PyMem_New(ring_slot_t, (size_t)count);
    if (slots == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        const SlotObject *slot = (const SlotObject *)args[i];
        slots[i] = (ring_slot_t){slot->slot, (uint64_t)slot->limit};
    }
    return slots;
}

static PyObject *
reader_settle(ReaderObject *self, PyObject *const *args, Py_ssize_t count)
{
    ring_slot_t *slots = slots_of(args, count);
    if (slots == NULL) {
        return NULL;
    }
    ring_result_t result = RING_EMPTY;
    if (reader_is_usable(self)) {
        result = ring_settle(&self->reader, slots, (size_t)count);
    }
    PyMem_Free(slots);
    if (self->is_closed) {
        return raise_closed();
    }
    if (result == RING_CORRUPT) {
        return reader_fail(self);
    }
    if (reader_is_usable(self)) {
        if (self->bell < 0 || self->is_manual) {
            ring_resign(&self->reader);
        }
        reader_share_room(self);
        reader_hand_on(self);
    }
    Py_RETURN_NONE;
}

static PyObject *
reader_depth(ReaderObject *self, PyObject *Py_UNUSED(ignored))
{
    if (self->is_closed) {
        return raise_closed();
    }
    const ring_t *ring = &self->reader.ring;
    uint64_t head = 0;
    uint64_t tail = 0;
    uint64_t frames = 0;
    bool is_whole = false;
    if (!self->is_corrupt) {
        /* The shared head: whoever only looks is not the one who takes.
         * acquire: the records counted below are whole. */
        head = atomic_load_explicit(&ring->header->head, memory_order_acquire);
        tail = atomic_load_explicit(&ring->header->tail, memory_order_acquire);
        if (ring_positions_are_valid(head, tail, ring->capacity)) {
            frames = ring_count(ring->data + (head & (ring->capacity - 1)), head, tail,
                                ring->limit, &is_whole);
        }
        else {
            tail = head; /* the next take says so; this is for information */
        }
    }
    return PyObject_CallFunction(depth_type, "KOKK", (unsigned long long)frames,
                                 is_whole ? Py_True : Py_False,
                                 (unsigned long long)(tail - head),
                                 (unsigned long long)ring->capacity);
}

static PyObject *
reader_fileno(ReaderObject *self, PyObject *Py_UNUSED(ignored))
{
    if (self->is_closed) {
        return raise_closed();
    }
    if (self->bell >= 0) {
        return PyLong_FromLong(self->bell);
    }
    PyObject *bell = PyObject_CallNoArgs(self->open_bell);
    if (bell == NULL) {
        return NULL;
    }
    self->bell = PyObject_AsFileDescriptor(bell);
    if (self->bell < 0) {
        Py_DECREF(bell);
        return NULL;
    }
    if (reader_is_usable(self)) {
        if (!self->is_manual) {
            ring_arm(&self->reader);
        }
        /* Rings are lost in a FIFO that nobody has open: a sender may have rung,
         * and gone, before this. */
        if (ring_has_frame(&self->reader.ring)) {
            ring_ring(self->bell);
        }
    }
    return bell;
}

static PyObject *
reader_hush(ReaderObject *self, PyObject *Py_UNUSED(ignored))
{
    if (self->bell >= 0 && reader_is_usable(self)) {
        ring_hush(&self->reader, self->bell);
    }
    else if (self->bell >= 0) {
        ring_empty(self->bell);
    }
    Py_RETURN_NONE;
}

/* With the GIL held all the time: between fileno() and a write, another thread may
 * close the bell, and its number be somebody else's. */
static PyObject *
reader_ring(ReaderObject *self, PyObject *Py_UNUSED(ignored))
{
    if (self->is_closed) {
        return raise_closed();
    }
    if (self->bell >= 0) {
        ring_ring(self->bell);
    }
    Py_RETURN_NONE;
}

static PyObject *
reader_close(ReaderObject *self, PyObject *Py_UNUSED(ignored))
{
    reader_release(self);
    Py_RETURN_NONE;
}

static PyMethodDef reader_methods[] = {
    {"take", (PyCFunction)reader_take, METH_O,
     PyDoc_STR("Move the next frame into the slot; return a copy, or None.")},
    {"settle", (PyCFunction)(void (*)(void))reader_settle, METH_FASTCALL,
     PyDoc_STR("Finish what the last receiver of this seat did when it died.")},
    {"depth", (PyCFunction)reader_depth, METH_NOARGS,
     PyDoc_STR("Return how much waits.")},
    {"fileno", (PyCFunction)reader_fileno, METH_NOARGS,
     PyDoc_STR("Return the bell, opened on first use.")},
    {"hush", (PyCFunction)reader_hush, METH_NOARGS,
     PyDoc_STR("Read the bell empty.")},
    {"ring", (PyCFunction)reader_ring, METH_NOARGS,
     PyDoc_STR("Wake whoever of this process sleeps on the bell.")},
    {"close", (PyCFunction)reader_close, METH_NOARGS, PyDoc_STR("Let go of the ring.")},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef reader_members[] = {
    {"rejected", T_ULONGLONG, offsetof(ReaderObject, rejected), READONLY,
     PyDoc_STR("How much a landing has received that was no record.")},
    {NULL, 0, 0, 0, NULL},
};

static PyTypeObject ReaderType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "transports._ring.Reader",
    .tp_doc = PyDoc_STR("The receiving end of a ring."),
    .tp_basicsize = sizeof(ReaderObject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = reader_new,
    .tp_dealloc = (destructor)reader_dealloc,
    .tp_methods = reader_methods,
    .tp_members = reader_members,
};

/* --- functions ---------------------------------------------------------- */

/* Return the readers of a tuple, checked, or NULL with an exception set. */
static PyObject **
readers_of(PyObject *tuple, Py_ssize_t *count)
{
    if (!PyTuple_CheckExact(tuple) || PyTuple_GET_SIZE(tuple) > MAX_READERS) {
        PyErr_Format(PyExc_TypeError, "a tuple of at most %d readers is needed",
                     MAX_READERS);
        return NULL;
    }
    *count = PyTuple_GET_SIZE(tuple);
    for (Py_ssize_t i = 0; i < *count; i++) {
        if (!Py_IS_TYPE(PyTuple_GET_ITEM(tuple, i), &ReaderType)) {
            PyErr_SetString(PyExc_TypeError, "only readers of rings can be watched");
            return NULL;
        }
    }
    return ((PyTupleObject *)tuple)->ob_item;
}

static bool
any_has_frame(ReaderObject *const *watched, int count)
{
    for (int i = 0; i < count; i++) {
        if (ring_has_frame(&watched[i]->reader.ring)) {
            return true;
        }
    }
    return false;
}

/* Return whether the descriptor is ready; -1 never is. */
static bool
is_ready(struct pollfd *watched)
{
    return watched->fd >= 0 && poll(watched, 1, 0) > 0;
}

static bool
spin_until_any_has_frame(ReaderObject *const *watched, int count, int64_t spin_ns,
                         struct pollfd *other)
{
    int64_t deadline = monotonic_ns() + spin_ns;
    do {
        for (int i = 0; i < LOOKS_PER_YIELD; i++) {
            if (any_has_frame(watched, count)) {
                return true;
            }
            cpu_relax();
        }
        if (is_ready(other)) {
            return true;
        }
        sched_yield();
    } while (monotonic_ns() < deadline);
    return any_has_frame(watched, count);
}

/* Spin without the GIL.  Another thread may close a reader meanwhile: `lookers` keeps
 * the mappings. */
static bool
look_for_a_while(ReaderObject *const *watched, int count, int64_t spin_ns,
                 struct pollfd *other)
{
    bool found;
    for (int i = 0; i < count; i++) {
        watched[i]->lookers++;
    }
    Py_BEGIN_ALLOW_THREADS
    found = spin_until_any_has_frame(watched, count, spin_ns, other);
    Py_END_ALLOW_THREADS
    for (int i = 0; i < count; i++) {
        watched[i]->lookers--;
        if (!reader_is_usable(watched[i])) {
            reader_unmap_unless_looked_at(watched[i]);
        }
    }
    return found;
}

static PyObject *
look(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs)
{
    ReaderObject *watched[MAX_READERS];
    Py_ssize_t given = 0;
    int count = 0;
    watched[0] = NULL; /* for the compiler, which does not follow `count` */
    struct pollfd other = {-1, POLLIN, 0};
    if (nargs < 2 || nargs > 4) {
        PyErr_SetString(PyExc_TypeError,
                        "look(readers, spin_ns, fd, events) takes 2 to 4 arguments");
        return NULL;
    }
    PyObject **readers = readers_of(args[0], &given);
    int64_t spin_ns = PyLong_AsLongLong(args[1]);
    if (readers == NULL || (spin_ns == -1 && PyErr_Occurred())) {
        return NULL;
    }
    if (nargs > 2) {
        other.fd = (int)PyLong_AsLong(args[2]);
    }
    if (nargs > 3) {
        other.events = (short)PyLong_AsLong(args[3]);
    }
    if (PyErr_Occurred()) {
        return NULL;
    }
    for (Py_ssize_t i = 0; i < given; i++) {
        ReaderObject *reader = (ReaderObject *)readers[i];
        if (reader_is_usable(reader)) {
            watched[count++] = reader;
        }
    }
    bool found = any_has_frame(watched, count);
    if (!found && spin_ns > 0 && (count > 0 || other.fd >= 0)) {
        found = look_for_a_while(watched, count,
                                 spin_ns < MAX_SPIN_NS ? spin_ns : MAX_SPIN_NS, &other);
    }
    return PyBool_FromLong(found);
}

static void
disarm_all(PyObject *const *readers, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        ReaderObject *reader = (ReaderObject *)readers[i];
        reader->is_manual = true;
        if (reader_is_usable(reader)) {
            ring_disarm(&reader->reader);
        }
    }
}

static PyObject *
arm(PyObject *Py_UNUSED(module), PyObject *arg)
{
    Py_ssize_t count = 0;
    bool found = false;
    PyObject **readers = readers_of(arg, &count);
    if (readers == NULL) {
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        ReaderObject *reader = (ReaderObject *)readers[i];
        reader->is_manual = true;
        if (reader_is_usable(reader)) {
            ring_arm(&reader->reader);
        }
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        const ReaderObject *reader = (ReaderObject *)readers[i];
        if (reader_is_usable(reader) &&
            ring_has_frame(&reader->reader.ring)) {
            found = true;
        }
    }
    if (found) {
        disarm_all(readers, count);
    }
    return PyBool_FromLong(found);
}

static PyObject *
disarm(PyObject *Py_UNUSED(module), PyObject *arg)
{
    Py_ssize_t count = 0;
    PyObject **readers = readers_of(arg, &count);
    if (readers == NULL) {
        return NULL;
    }
    disarm_all(readers, count);
    Py_RETURN_NONE;
}

static PyObject *
attended(PyObject *Py_UNUSED(module), PyObject *arg)
{
    Py_ssize_t count = 0;
    PyObject **readers = readers_of(arg, &count);
    if (readers == NULL) {
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        const ReaderObject *reader = (ReaderObject *)readers[i];
        if (reader_is_usable(reader) && ring_is_attended(&reader->reader)) {
            Py_RETURN_TRUE;
        }
    }
    Py_RETURN_FALSE;
}

static PyObject *
stand_by(PyObject *Py_UNUSED(module), PyObject *arg)
{
    Py_ssize_t count = 0;
    PyObject **readers = readers_of(arg, &count);
    int64_t shortest = -1;
    if (readers == NULL) {
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        ReaderObject *reader = (ReaderObject *)readers[i];
        int64_t ns = reader_is_usable(reader) ? ring_stand_by(&reader->reader) : -1;
        if (ns >= 0 && (shortest < 0 || ns < shortest)) {
            shortest = ns;
        }
    }
    return PyLong_FromLongLong(shortest);
}

static PyObject *
format_ring(PyObject *Py_UNUSED(module), PyObject *args)
{
    int fd;
    unsigned long long capacity;
    if (!PyArg_ParseTuple(args, "iK:format_ring", &fd, &capacity)) {
        return NULL;
    }
    if (!ring_capacity_is_valid(capacity)) {
        PyErr_SetString(PyExc_ValueError,
                        "the capacity must be a power of two, a page to 1 GiB");
        return NULL;
    }
    if (ring_format(fd, capacity) != RING_OK) {
        return raise_for(RING_ERROR);
    }
    Py_RETURN_NONE;
}

static PyObject *
mark_closed(PyObject *Py_UNUSED(module), PyObject *arg)
{
    int fd = PyObject_AsFileDescriptor(arg);
    if (fd < 0) {
        return NULL;
    }
    if (ring_close(fd) != RING_OK) {
        return raise_for(RING_ERROR);
    }
    Py_RETURN_NONE;
}

static PyObject *
count_frames(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer records;
    unsigned long long head;
    bool is_whole = false;
    uint64_t frames = 0;
    if (!PyArg_ParseTuple(args, "y*K:count_frames", &records, &head)) {
        return NULL;
    }
    if ((uintptr_t)records.buf % sizeof(uint64_t) == 0) {
        frames = ring_count(records.buf, head, head + (uint64_t)records.len, FRAME_LIMIT,
                            &is_whole);
    }
    PyBuffer_Release(&records);
    return Py_BuildValue("KO", (unsigned long long)frames,
                         is_whole ? Py_True : Py_False);
}

static PyMethodDef functions[] = {
    {"look", (PyCFunction)(void (*)(void))look, METH_FASTCALL,
     PyDoc_STR("Return whether any reader has a frame, looking for a while.")},
    {"arm", arm, METH_O,
     PyDoc_STR("Ask senders to ring; True when a frame waits already.")},
    {"disarm", disarm, METH_O, PyDoc_STR("Ask senders not to ring any more.")},
    {"attended", attended, METH_O,
     PyDoc_STR("Return whether another receiver looks after what comes.")},
    {"stand_by", stand_by, METH_O,
     PyDoc_STR("Return for how many ns this one, which is armed, may sleep.")},
    {"format_ring", format_ring, METH_VARARGS, PyDoc_STR("Write the header of a new ring.")},
    {"mark_closed", mark_closed, METH_O, PyDoc_STR("Let later puts answer CLOSED.")},
    {"count_frames", count_frames, METH_VARARGS,
     PyDoc_STR("Count records that lie in a row.")},
    {NULL, NULL, 0, NULL},
};

/* --- module ------------------------------------------------------------- */

/* What lock.h knows of its thread is wrong in a copy that the C library has not made. */
static PyObject *
forget_thread(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    lock_forget_thread();
    Py_RETURN_NONE;
}

static PyMethodDef after_fork = {"forget_thread", forget_thread, METH_NOARGS, NULL};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "transports._ring",
    .m_doc = PyDoc_STR("A ring of frames in shared memory."),
    .m_size = -1,
    .m_methods = functions,
};

static int
fetch_names(void)
{
    return fetch_outlet_names() < 0 || fetch_put("LATE", &put_late) < 0 ||
                   fetch("transports.mailbox", "Depth", &depth_type) < 0 ||
                   fetch("transports.errors", "CorruptError", &corrupt_error) < 0
               ? -1
               : 0;
}

static int
add_constants(PyObject *module)
{
    const struct {
        const char *name;
        long long value;
    } constants[] = {
        {"HEADER_BYTES", (long long)ring_header_bytes()},
        {"TAIL_OFFSET", (long long)offsetof(ring_header_t, tail)},
        {"HEAD_OFFSET", (long long)offsetof(ring_header_t, head)},
        {"NEXT_OFFSET", (long long)offsetof(ring_header_t, next)},
        {"RECORD_TAKEN", (long long)RECORD_TAKEN},
        {"WAITERS_OFFSET", (long long)offsetof(ring_header_t, waiters)},
        {"RECOVERIES_OFFSET", (long long)offsetof(ring_header_t, recoveries)},
        {"RECORD_BYTES", (long long)sizeof(record_t)},
        {"RECORD_MARK", (long long)RECORD_MARK},
        {"FRAME_LIMIT", (long long)FRAME_LIMIT},
        {"MAX_CAPACITY", (long long)RING_MAX_CAPACITY},
    };
    for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++) {
        if (PyModule_AddIntConstant(module, constants[i].name,
                                    (long)constants[i].value) < 0) {
            return -1;
        }
    }
    return 0;
}

static int
watch_forks(void)
{
    PyObject *watch;
    if (fetch("os", "register_at_fork", &watch) < 0) {
        return -1;
    }
    PyObject *none = PyTuple_New(0);
    PyObject *forget = PyCFunction_New(&after_fork, NULL);
    PyObject *how = forget == NULL ? NULL : Py_BuildValue("{s:O}", "after_in_child", forget);
    PyObject *done = none == NULL || how == NULL ? NULL : PyObject_Call(watch, none, how);
    Py_DECREF(watch);
    Py_XDECREF(none);
    Py_XDECREF(forget);
    Py_XDECREF(how);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

PyMODINIT_FUNC
PyInit__ring(void)
{
    if (fetch_names() < 0 || watch_forks() < 0) {
        return NULL;
    }
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL) {
        return NULL;
    }
    if (PyModule_AddType(module, &SlotType) < 0 ||
        PyModule_AddType(module, &WriterType) < 0 ||
        PyModule_AddType(module, &ReaderType) < 0 || add_constants(module) < 0) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
