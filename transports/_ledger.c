/* _ledger - what waits outside of a mailbox for its receiver: a word for each payload.
 *
 * Responsible for: the words of a table in shared memory, which many processes change
 * at once.  Not responsible for: where the table lies, waiting, and what becomes of
 * words that a dead process has left (ledger.py).
 *
 * There is no sum that a process killed in the middle of something could leave wrong:
 * whoever wants to know how much waits adds up the words.  Each is changed by one
 * exchange, and a word tells which payload it is, so that anybody can find out whether
 * that exists.
 *
 *   bits 0 to 23    size in KiB, rounded up; a word that is not 0 has at least 1
 *   bit 24          its frame is just being put, and not accepted yet
 *   bits 25 to 63   which payload: a hash of its name
 *
 * Before the words are the bound in bytes, and a word for those who wait.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define BOUND 0
#define FIRST 2
#define SIZE_BITS 24
#define MAX_KIB ((UINT64_C(1) << SIZE_BITS) - 1)
#define PUTTING (UINT64_C(1) << SIZE_BITS)
#define NAME_SHIFT (SIZE_BITS + 1)

typedef _Atomic uint64_t word_t;

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "a lock-based atomic is not shareable");

typedef struct {
    Py_buffer view;
    const word_t *bound;
    word_t *words;
    Py_ssize_t count;
} table_t;

static int
table_converter(PyObject *object, void *result)
{
    table_t *table = result;
    if (object == NULL) {
        PyBuffer_Release(&table->view);
        return 1;
    }
    if (PyObject_GetBuffer(object, &table->view, PyBUF_WRITABLE) < 0) {
        return 0;
    }
    Py_ssize_t words = table->view.len / (Py_ssize_t)sizeof(word_t);
    if ((uintptr_t)table->view.buf % sizeof(word_t) != 0 || words < FIRST) {
        PyBuffer_Release(&table->view);
        PyErr_SetString(PyExc_ValueError, "not a table: aligned to 8 bytes, with a bound");
        return 0;
    }
    table->words = (word_t *)table->view.buf + FIRST;
    table->bound = (word_t *)table->view.buf + BOUND;
    table->count = words - FIRST;
    return Py_CLEANUP_SUPPORTED;
}

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t
name_bits(const char *name, Py_ssize_t length)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (Py_ssize_t i = 0; i < length; i++) {
        hash = (hash ^ (unsigned char)name[i]) * UINT64_C(1099511628211);
    }
    return hash << NAME_SHIFT;
}

static uint64_t
load(const word_t *word)
{
    /* relaxed: a word says all that there is to say; claims fence before they look */
    return atomic_load_explicit(word, memory_order_relaxed);
}

static bool
is_named(uint64_t word, uint64_t name)
{
    return word != 0 && word >> NAME_SHIFT == name >> NAME_SHIFT;
}

static word_t *
find(const table_t *table, uint64_t name)
{
    for (Py_ssize_t i = 0; i < table->count; i++) {
        if (is_named(load(&table->words[i]), name)) {
            return &table->words[i];
        }
    }
    return NULL;
}

static uint64_t
kib_in(const table_t *table)
{
    uint64_t sum = 0;
    for (Py_ssize_t i = 0; i < table->count; i++) {
        sum += load(&table->words[i]) & MAX_KIB;
    }
    return sum;
}

static bool
enter(const table_t *table, uint64_t word)
{
    for (Py_ssize_t i = 0; i < table->count; i++) {
        uint64_t none = 0;
        /* seq_cst: another sender may want the same place */
        if (load(&table->words[i]) == 0 &&
            atomic_compare_exchange_strong(&table->words[i], &none, word)) {
            return true;
        }
    }
    return false;
}

static PyObject *
claim(PyObject *Py_UNUSED(module), PyObject *args)
{
    table_t table;
    const char *text;
    Py_ssize_t length;
    unsigned long long size;
    if (!PyArg_ParseTuple(args, "O&y#K:claim", table_converter, &table, &text, &length,
                          &size)) {
        return NULL;
    }
    uint64_t name = name_bits(text, length);
    uint64_t kib = size / 1024 + (size % 1024 != 0);
    kib = kib == 0 ? 1 : kib > MAX_KIB ? MAX_KIB : kib;
    /* A sender says that it waits, and then looks; a receiver releases, and then looks
     * whether anybody waits: one of them sees the other. */
    atomic_thread_fence(memory_order_seq_cst);
    bool is_in = find(&table, name) != NULL ||
                 (kib_in(&table) * 1024 < load(table.bound) &&
                  enter(&table, name | PUTTING | kib));
    PyBuffer_Release(&table.view);
    return PyBool_FromLong(is_in);
}

/* Change the word of a payload, if it is there; false if somebody has released it. */
static bool
change(const table_t *table, uint64_t name, bool is_accepted)
{
    word_t *place = find(table, name);
    if (place == NULL) {
        return false;
    }
    uint64_t word = load(place);
    while (is_named(word, name)) {
        /* seq_cst: see claim.  It fails when the sender confirms as the receiver
         * releases: again, with what stands there now. */
        if (atomic_compare_exchange_strong(place, &word, is_accepted ? word & ~PUTTING : 0)) {
            return true;
        }
    }
    return false;
}

static PyObject *
confirm(PyObject *Py_UNUSED(module), PyObject *args)
{
    table_t table;
    const char *text;
    Py_ssize_t length;
    if (!PyArg_ParseTuple(args, "O&y#:confirm", table_converter, &table, &text, &length)) {
        return NULL;
    }
    change(&table, name_bits(text, length), true);
    PyBuffer_Release(&table.view);
    Py_RETURN_NONE;
}

static PyObject *
release(PyObject *Py_UNUSED(module), PyObject *args)
{
    table_t table;
    const char *text;
    Py_ssize_t length;
    if (!PyArg_ParseTuple(args, "O&y#:release", table_converter, &table, &text, &length)) {
        return NULL;
    }
    bool was_in = change(&table, name_bits(text, length), false);
    PyBuffer_Release(&table.view);
    return PyBool_FromLong(was_in);
}

static PyObject *
remove_word(PyObject *Py_UNUSED(module), PyObject *args)
{
    table_t table;
    unsigned long long gone;
    if (!PyArg_ParseTuple(args, "O&K:remove", table_converter, &table, &gone)) {
        return NULL;
    }
    for (Py_ssize_t i = 0; i < table.count; i++) {
        uint64_t word = gone;
        if (load(&table.words[i]) == gone) {
            /* seq_cst: see claim */
            atomic_compare_exchange_strong(&table.words[i], &word, 0);
        }
    }
    PyBuffer_Release(&table.view);
    Py_RETURN_NONE;
}

static PyObject *
waiting(PyObject *Py_UNUSED(module), PyObject *args)
{
    table_t table;
    if (!PyArg_ParseTuple(args, "O&:waiting", table_converter, &table)) {
        return NULL;
    }
    unsigned long long count = 0;
    for (Py_ssize_t i = 0; i < table.count; i++) {
        count += load(&table.words[i]) != 0;
    }
    unsigned long long bytes = kib_in(&table) * 1024;
    PyBuffer_Release(&table.view);
    return Py_BuildValue("KK", count, bytes);
}

static PyObject *
key_of(PyObject *Py_UNUSED(module), PyObject *args)
{
    const char *text;
    Py_ssize_t length;
    if (!PyArg_ParseTuple(args, "y#:key_of", &text, &length)) {
        return NULL;
    }
    return PyLong_FromUnsignedLongLong(name_bits(text, length) >> NAME_SHIFT);
}

static PyMethodDef methods[] = {
    {"claim", claim, METH_VARARGS,
     PyDoc_STR("Enter a payload whose frame is about to be put, if less than the bound "
               "waits; True if it is in.")},
    {"confirm", confirm, METH_VARARGS, PyDoc_STR("Its frame has been accepted.")},
    {"release", release, METH_VARARGS,
     PyDoc_STR("It waits no more; False if it did not.")},
    {"remove", remove_word, METH_VARARGS, PyDoc_STR("Remove exactly this word.")},
    {"waiting", waiting, METH_VARARGS,
     PyDoc_STR("Return how many payloads wait, and their bytes.")},
    {"key_of", key_of, METH_VARARGS,
     PyDoc_STR("Return what the word of a payload with this name has behind KEY_SHIFT.")},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "transports._ledger",
    .m_doc = PyDoc_STR("Words for what waits outside of a mailbox."),
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC
PyInit__ledger(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module != NULL &&
        (PyModule_AddIntConstant(module, "BOUND", BOUND) < 0 ||
         PyModule_AddIntConstant(module, "FIRST", FIRST) < 0 ||
         PyModule_AddIntConstant(module, "KEY_SHIFT", NAME_SHIFT) < 0 ||
         PyModule_AddIntConstant(module, "PUTTING", (long)PUTTING) < 0)) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
