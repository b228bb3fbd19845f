/* The Python frames of a thread, read where nothing can be relied on: in a signal handler.
 *
 * The signal may come while a frame is being pushed or popped, and other threads run on
 * while theirs are read: every address may be stale.  So none is dereferenced.  The kernel
 * copies what lies there, process_vm_readv on this very process, and says EFAULT where
 * nothing does; what has been copied must be of the type that it should be of.  Rejected:
 * to go ahead and catch the SIGSEGV.  That takes a handler which others may replace, a jump
 * out of it, and finds no address that is mapped but wrong.
 *
 * Nothing here takes the GIL, a lock or memory.
 *
 * The layout of a frame belongs to the interpreter and differs between versions, hence
 * check_frames: what is read is compared with what the interpreter itself says.
 *
 * Source: Objects/locations.md of CPython 3.11 (InternalDocs/code_objects.md since 3.14)
 * for the table of lines.
 */
#ifndef ACTORS_FRAMES_H
#define ACTORS_FRAMES_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* process_vm_readv */
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include <unistd.h>

typedef struct frame frame_t;

/* The beginning of _PyInterpreterFrame. */
struct frame {
#if PY_VERSION_HEX < 0x030C0000
    void *function, *globals, *builtins, *locals;
    uintptr_t code;
    void *object;
    const frame_t *previous;
    uintptr_t instruction;
    int top;
    bool is_entry;
#else
    uintptr_t code;
    const frame_t *previous;
    void *function, *globals, *builtins, *locals, *object;
    uintptr_t instruction;
#if PY_VERSION_HEX < 0x030E0000
    int top;
#else
    void *top;
#endif
    uint16_t return_offset;
#endif
    char owner;
};

#define IS_NO_PYTHON 3 /* owners from here on: the frame stands for a piece of C stack */
#define CODE_UNIT 2    /* bytes of an instruction; sizeof(_Py_CODEUNIT), which 3.13 hides */
#define TAGS 7         /* bits of an address that 3.14 uses; 0 before it */

/* A string that was found sound; its characters are still to be copied. */
typedef struct {
    uintptr_t at;
    size_t length;
    unsigned char width; /* bytes of a character */
} text_t;

typedef struct {
    uintptr_t code;
    int line; /* UNKNOWN: the instruction belongs to none */
    text_t file, name;
} place_t;

#define UNKNOWN (-1)

typedef enum { SEEN, SKIPPED, CHANGED } sight_t;

/* Copy what lies at an address; false where nothing does. */
static bool
look(uintptr_t at, void *copy, size_t size)
{
    struct iovec to = {copy, size}, from = {(void *)at, size};
    return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)size;
}

/* Return whether a thread's newest frame could be read; NULL where it runs no Python. */
static bool
newest_frame(const PyThreadState *thread, const frame_t **frame)
{
#if PY_VERSION_HEX < 0x030D0000
    uintptr_t holder;
    return look((uintptr_t)&thread->cframe, &holder, sizeof holder) &&
           look(holder + offsetof(_PyCFrame, current_frame), frame, sizeof *frame);
#else
    return look((uintptr_t)&thread->current_frame, frame, sizeof *frame);
#endif
}

/* The table of lines of a code object, byte by byte. */
typedef struct {
    uintptr_t at;
    size_t left, used, held;
    bool is_lost;
    unsigned char bytes[128];
} table_t;

static bool
open_table(uintptr_t bytes, table_t *table)
{
    PyBytesObject head;
    if (!look(bytes, &head, offsetof(PyBytesObject, ob_sval)) ||
        head.ob_base.ob_base.ob_type != &PyBytes_Type || head.ob_base.ob_size < 0) {
        return false;
    }
    table->at = bytes + offsetof(PyBytesObject, ob_sval);
    table->left = (size_t)head.ob_base.ob_size;
    table->used = table->held = 0;
    table->is_lost = false;
    return true;
}

/* Return the next byte; -1 at the end, and where no more can be read. */
static int
next_byte(table_t *table)
{
    if (table->used == table->held) {
        size_t size = table->left < sizeof table->bytes ? table->left : sizeof table->bytes;
        if (size == 0) {
            return -1;
        }
        if (!look(table->at, table->bytes, size)) {
            table->is_lost = true;
            table->left = 0;
            return -1;
        }
        table->at += size;
        table->left -= size;
        table->held = size;
        table->used = 0;
    }
    return table->bytes[table->used++];
}

/* Return a signed number whose first byte has been read: six bits a byte, the sign lowest. */
static int
signed_number(table_t *table, int byte)
{
    unsigned int value = 0;
    for (int shift = 0; byte >= 0 && shift < 30; shift += 6) {
        value |= (unsigned int)(byte & 63) << shift;
        if (!(byte & 64)) {
            break;
        }
        byte = next_byte(table);
    }
    int half = (int)(value >> 1);
    return value & 1 ? -half : half;
}

/* Return the line of the instruction at an offset; the first line for one before the code. */
static int
line_of(table_t *table, int line, ptrdiff_t offset)
{
    if (offset < 0) {
        return line; /* the frame is new: nothing of it has been executed */
    }
    ptrdiff_t end = 0;
    int byte = next_byte(table);
    while (byte >= 0) {
        int kind = byte >> 3 & 15;
        end += ((byte & 7) + 1) * CODE_UNIT;
        byte = next_byte(table);
        if (kind == 13 || kind == 14) {
            line += signed_number(table, byte);
        } else if (kind >= 10 && kind <= 12) {
            line += kind - 10;
        }
        if (offset < end) {
            return kind == 15 ? UNKNOWN : line;
        }
        while (byte >= 0 && !(byte & 0x80)) { /* columns; the next entry has the bit */
            byte = next_byte(table);
        }
    }
    return UNKNOWN;
}

static bool
find_text(const PyObject *string, text_t *text)
{
    PyASCIIObject head;
    if (!look((uintptr_t)string, &head, sizeof head) ||
        head.ob_base.ob_type != &PyUnicode_Type || !head.state.compact || head.length < 0) {
        return false;
    }
    size_t offset = head.state.ascii ? sizeof head : sizeof(PyCompactUnicodeObject);
    text->at = (uintptr_t)string + offset;
    text->length = (size_t)head.length;
    text->width = (unsigned char)head.state.kind;
    return text->width == 1 || text->width == 2 || text->width == 4;
}

/* See where a frame is, and go on to the one that called it. */
static sight_t
see_frame(const frame_t **frame, place_t *place)
{
    frame_t copy;
    PyCodeObject code;
    table_t table;
    if (!look((uintptr_t)*frame, &copy, sizeof copy)) {
        return CHANGED;
    }
    *frame = copy.previous;
    if (copy.owner >= IS_NO_PYTHON) {
        return SKIPPED;
    }
    place->code = copy.code & ~(uintptr_t)TAGS;
    if (!look(place->code, &code, offsetof(PyCodeObject, co_code_adaptive)) ||
        ((PyObject *)&code)->ob_type != &PyCode_Type ||
        !find_text(code.co_filename, &place->file) || !find_text(code.co_name, &place->name) ||
        !open_table((uintptr_t)code.co_linetable, &table)) {
        return CHANGED;
    }
    /* Of a frame that is being pushed, the code may be new and the instruction old. */
    uintptr_t start = place->code + offsetof(PyCodeObject, co_code_adaptive);
    ptrdiff_t offset = (ptrdiff_t)(copy.instruction - start);
    if (offset < -CODE_UNIT || offset >= ((PyVarObject *)&code)->ob_size * CODE_UNIT) {
        return CHANGED;
    }
    place->line = line_of(&table, code.co_firstlineno, offset);
    return table.is_lost ? CHANGED : SEEN;
}

/* Return whether the stack of this thread, which holds the GIL, reads as the interpreter says.
 *
 * False where the layout is another one, or the kernel lets nobody read like this (a filter
 * for system calls).
 */
static bool
check_frames(void)
{
    const frame_t *frame;
    if (!newest_frame(PyThreadState_Get(), &frame)) {
        return false;
    }
    PyFrameObject *truth = PyEval_GetFrame();
    Py_XINCREF(truth);
    bool is_equal = truth != NULL;
    while (is_equal && frame != NULL) {
        place_t place;
        sight_t sight = see_frame(&frame, &place);
        if (sight == SKIPPED) {
            continue;
        }
        is_equal = false;
        if (sight == SEEN && truth != NULL) {
            PyCodeObject *code = PyFrame_GetCode(truth);
            is_equal = place.code == (uintptr_t)code &&
                       place.line == PyFrame_GetLineNumber(truth);
            Py_DECREF(code);
            Py_SETREF(truth, PyFrame_GetBack(truth));
        }
    }
    is_equal = is_equal && truth == NULL;
    Py_XDECREF(truth);
    return is_equal;
}

#endif
