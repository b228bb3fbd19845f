/* _stack - a process writes its Python stacks from a signal handler, and takes no harm.
 *
 * faulthandler does the same, but follows every pointer of a stack that the signal may have
 * interrupted in the middle of a call: then it ends the process with SIGSEGV.  Here a stack
 * that makes no sense is a line that says so (frames.h).
 *
 * Three signals: one shows the thread's own stack, and the process goes on; SIGXCPU does so
 * before it ends the process; SIGABRT shows all threads before.  Of these two the process
 * dies as if nobody had caught them, and of no other signal.
 *
 * Rules for this file, behind the comment "The handler": only calls that are safe in a
 * signal handler, no memory but the stack, and that is small, as it may be faulthandler's
 * alternate stack.
 */
#include "frames.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

/* The layouts that frames.h knows.  Without the GIL, threads have bytecode of their own. */
#if PY_VERSION_HEX < 0x030F0000 && !defined(Py_GIL_DISABLED)
#define KNOWS_FRAMES 1
#else
#define KNOWS_FRAMES 0
#endif

#if KNOWS_FRAMES

#define MAX_FRAMES 100
#define MAX_THREADS 100
#define MAX_CHARACTERS 500

/* Written before the signals are caught, and not after. */
static struct {
    bool is_reliable;
    int fd;
    int shown; /* the signal after which the process goes on */
    pid_t pid;
    PyInterpreterState *interpreter;
} settings;

/* The handler. */

typedef struct {
    size_t used;
    char bytes[512];
} out_t;

static void
flush(out_t *out)
{
    size_t done = 0;
    while (done < out->used) {
        ssize_t count = write(settings.fd, out->bytes + done, out->used - done);
        if (count < 0 && errno != EINTR) {
            break; /* nobody can be told */
        }
        done += count < 0 ? 0 : (size_t)count;
    }
    out->used = 0;
}

static void
put(out_t *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (out->used == sizeof out->bytes) {
            flush(out);
        }
        out->bytes[out->used++] = *text;
    }
}

static void
put_number(out_t *out, unsigned long value, unsigned int base, int width)
{
    char digits[24];
    char *at = digits + sizeof digits;
    *--at = '\0';
    for (; value != 0 || width > 0; value /= base, width--) {
        *--at = "0123456789abcdef"[value % base];
    }
    put(out, at);
}

/* In ASCII, the rest as Python escapes it: a terminal is not to obey the name of a file. */
static void
put_character(out_t *out, uint32_t character)
{
    if (character >= ' ' && character <= '~') {
        put(out, (char[]){(char)character, '\0'});
    } else if (character <= 0xff) {
        put(out, "\\x");
        put_number(out, character, 16, 2);
    } else if (character <= 0xffff) {
        put(out, "\\u");
        put_number(out, character, 16, 4);
    } else {
        put(out, "\\U");
        put_number(out, character, 16, 8);
    }
}

/* Put a string, the beginning of a long one; false where it is there no more. */
static bool
put_text(out_t *out, text_t text)
{
    unsigned char bytes[128];
    size_t width = text.width, is_long = text.length > MAX_CHARACTERS;
    size_t left = (is_long ? MAX_CHARACTERS : text.length) * width;
    while (left > 0) {
        size_t size = left < sizeof bytes ? left : sizeof bytes;
        if (!look(text.at, bytes, size)) {
            return false;
        }
        for (size_t at = 0; at < size; at += width) {
            uint32_t wide = bytes[at];
            uint16_t half;
            if (width == 2) {
                memcpy(&half, bytes + at, width);
                wide = half;
            } else if (width == 4) {
                memcpy(&wide, bytes + at, width);
            }
            put_character(out, wide);
        }
        text.at += size;
        left -= size;
    }
    if (is_long) {
        put(out, "...");
    }
    return true;
}

static bool
put_place(out_t *out, const place_t *place)
{
    put(out, "  File \"");
    bool is_whole = put_text(out, place->file);
    put(out, "\", line ");
    if (place->line > 0) {
        put_number(out, (unsigned long)place->line, 10, 1);
    } else {
        put(out, "???");
    }
    put(out, " in ");
    is_whole = put_text(out, place->name) && is_whole;
    put(out, "\n");
    return is_whole;
}

static void
put_frames(out_t *out, const PyThreadState *thread)
{
    const frame_t *frame = NULL;
    bool is_sound = newest_frame(thread, &frame);
    if (is_sound && frame == NULL) {
        put(out, "  <no Python frame>\n");
    }
    /* Stale frames may form a circle. */
    for (int count = 0; is_sound && frame != NULL; count++) {
        if (count == MAX_FRAMES) {
            put(out, "  ...\n");
            break;
        }
        place_t place;
        sight_t sight = see_frame(&frame, &place);
        is_sound = sight == SKIPPED || (sight == SEEN && put_place(out, &place));
    }
    if (!is_sound) {
        put(out, "  <changed while it was read>\n"); /* stacks.py knows this line */
    }
}

static void
put_thread(out_t *out, const char *title, const PyThreadState *thread)
{
    unsigned long number;
    if (!look((uintptr_t)&thread->thread_id, &number, sizeof number)) {
        return; /* it has ended */
    }
    put(out, title);
    put(out, "0x");
    put_number(out, number, 16, 16);
    put(out, " (most recent call first):\n");
    put_frames(out, thread);
    put(out, "\n");
}

/* The one that has been signalled comes first: what is written may be cut. */
static void
put_all_threads(out_t *out, const PyThreadState *current)
{
    put(out, "Fatal Python error: Aborted\n\n");
    if (current != NULL) {
        put_thread(out, "Current thread ", current);
    }
    const PyThreadState *thread = PyInterpreterState_ThreadHead(settings.interpreter);
    for (int count = 0; thread != NULL && count < MAX_THREADS; count++) {
        if (thread != current) {
            put_thread(out, "Thread ", thread);
        }
        if (!look((uintptr_t)&thread->next, &thread, sizeof thread)) {
            break;
        }
    }
}

static void
on_signal(int number)
{
    int error = errno;
    /* This thread's, also when it runs without the GIL; NULL where it never ran Python. */
    const PyThreadState *current = PyGILState_GetThisThreadState();
    out_t out = {.used = 0};
    /* What the process has forked holds the same file, and its end is not the actor's. */
    if (getpid() == settings.pid) {
        if (number == SIGABRT) {
            put_all_threads(&out, current);
        } else if (current != NULL) {
            put(&out, "Stack (most recent call first):\n");
            put_frames(&out, current);
        }
        flush(&out);
    }
    if (number != settings.shown) {
        /* Blocked until the handler returns: then it ends the process, before anything else. */
        signal(number, SIG_DFL);
        raise(number);
    }
    errno = error;
}

/* What Python calls. */

static PyObject *
install(PyObject *Py_UNUSED(module), PyObject *args)
{
    int fd, shown;
    if (!PyArg_ParseTuple(args, "ii:install", &fd, &shown)) {
        return NULL;
    }
    if (!settings.is_reliable) {
        Py_RETURN_FALSE;
    }
    settings.fd = fd;
    settings.shown = shown;
    settings.pid = getpid();
    settings.interpreter = PyInterpreterState_Get();
    /* On the alternate stack, where the thread has one: it may be its stack that is full. */
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
    int numbers[] = {shown, SIGXCPU, SIGABRT};
    /* One at a time, so that no text lands in the middle of another. */
    sigemptyset(&action.sa_mask);
    for (size_t each = 0; each < Py_ARRAY_LENGTH(numbers); each++) {
        sigaddset(&action.sa_mask, numbers[each]);
    }
    for (size_t each = 0; each < Py_ARRAY_LENGTH(numbers); each++) {
        if (sigaction(numbers[each], &action, NULL) != 0) {
            return PyErr_SetFromErrno(PyExc_OSError);
        }
    }
    Py_RETURN_TRUE;
}

#else

static PyObject *
install(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(args))
{
    Py_RETURN_FALSE;
}

#endif

static PyMethodDef methods[] = {
    {"install", install, METH_VARARGS,
     PyDoc_STR("Write stacks to a file on a signal, SIGXCPU and SIGABRT; False where that is not safe.")},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "actors.runtime._stack",
    .m_doc = PyDoc_STR("Stacks, written from a signal handler."),
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC
PyInit__stack(void)
{
#if KNOWS_FRAMES
    /* Once, and not in every actor: they are forked from whoever has imported this. */
    settings.is_reliable = check_frames();
#endif
    return PyModule_Create(&definition);
}
