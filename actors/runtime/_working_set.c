/* _working_set - the pages that a process has for itself, and having them in advance.
 *
 * After a fork, both processes have the same pages until one of them writes.  The kernel
 * shows in /proc/self/pagemap which of them nobody else has, and fills a range with pages
 * to write to at once (MADV_POPULATE_WRITE); what is not mapped, or not writable, it
 * refuses.
 *
 * Source: pagemap.rst in the kernel's documentation, madvise(2).
 */
#define _GNU_SOURCE
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

#define IS_PRESENT (UINT64_C(1) << 63)
#define IS_OF_FILE (UINT64_C(1) << 61) /* or of shared memory */
#define IS_EXCLUSIVE (UINT64_C(1) << 56)
#define IS_OWN (IS_PRESENT | IS_EXCLUSIVE)

#define ENTRIES 512 /* of the page map, read at once */

/* A page takes 6 to 30 ns to look at.  Where more is mapped at once lies data, or nothing
 * yet, and hardly an object whose references are counted. */
#define MAX_MAPPING_PAGES (64 * 1024)
#define MAX_MAPPED_PAGES (256 * 1024) /* of all mappings that are looked through */

struct range {
    uint64_t start;
    uint64_t bytes;
};

static uint64_t
page_bytes(void)
{
    return (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Appends those of *pages* pages from *start* on that are our own; 0, or -1 with an
 * exception set. */
static int
append_own(PyObject *found, Py_ssize_t most, int pagemap, uint64_t start, uint64_t pages)
{
    uint64_t entries[ENTRIES];
    const uint64_t step = page_bytes();
    while (pages > 0) {
        size_t count = pages < ENTRIES ? (size_t)pages : ENTRIES;
        size_t bytes = count * sizeof(*entries);
        off_t at = (off_t)(start / step * sizeof(*entries));
        ssize_t got = pread(pagemap, entries, bytes, at);
        if (got != (ssize_t)bytes) {
            errno = got < 0 ? errno : EIO;
            PyErr_SetFromErrno(PyExc_OSError);
            return -1;
        }
        for (size_t i = 0; i < count; i++, start += step) {
            if ((entries[i] & (IS_OWN | IS_OF_FILE)) != IS_OWN) {
                continue;
            }
            if (PyList_GET_SIZE(found) == most) {
                errno = E2BIG;
                PyErr_SetFromErrno(PyExc_OSError);
                return -1;
            }
            PyObject *page = PyLong_FromUnsignedLongLong(start);
            int status = page == NULL ? -1 : PyList_Append(found, page);
            Py_XDECREF(page);
            if (status < 0) {
                return -1;
            }
        }
        pages -= count;
    }
    return 0;
}

static int
append_all(PyObject *found, Py_ssize_t most, FILE *maps, int pagemap)
{
    char part[64]; /* of a line, of which the first says all but a path */
    bool is_first = true;
    uint64_t left = MAX_MAPPED_PAGES;
    while (fgets(part, sizeof(part), maps) != NULL) {
        unsigned long start, end;
        char writable, shared;
        if (is_first
            && sscanf(part, "%lx-%lx %*c%c%*c%c", &start, &end, &writable, &shared) == 4
            && writable == 'w' && shared == 'p') {
            uint64_t pages = (end - start) / page_bytes();
            if (pages <= MAX_MAPPING_PAGES && pages <= left) {
                if (append_own(found, most, pagemap, start, pages) < 0) {
                    return -1;
                }
                left -= pages;
            }
        }
        is_first = strchr(part, '\n') != NULL;
    }
    return 0;
}

static PyObject *
own_pages(PyObject *Py_UNUSED(module), PyObject *limit)
{
    Py_ssize_t most = PyLong_AsSsize_t(limit);
    if (most == -1 && PyErr_Occurred()) {
        return NULL;
    }
    PyObject *found = PyList_New(0);
    if (found == NULL) {
        return NULL;
    }
    FILE *maps = fopen("/proc/self/maps", "re");
    int pagemap = maps == NULL ? -1 : open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    int status = -1;
    if (pagemap < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
    }
    else {
        status = append_all(found, most, maps, pagemap);
        close(pagemap);
    }
    if (maps != NULL) {
        fclose(maps);
    }
    if (status < 0) {
        Py_CLEAR(found);
    }
    return found;
}

/* The kernel stops at the first page that it refuses: then each has to be asked for. */
static void
populate(const struct range *range)
{
    char *start = (char *)(uintptr_t)range->start;
    if (madvise(start, range->bytes, MADV_POPULATE_WRITE) == 0) {
        return;
    }
    for (uint64_t at = 0; at < range->bytes; at += page_bytes()) {
        (void)madvise(start + at, page_bytes(), MADV_POPULATE_WRITE);
    }
}

static PyObject *
prefault(PyObject *Py_UNUSED(module), PyObject *object)
{
    if (madvise(NULL, 0, MADV_POPULATE_WRITE) != 0) { /* not known to this kernel */
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_buffer buffer;
    if (PyObject_GetBuffer(object, &buffer, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    for (size_t at = 0; at + sizeof(struct range) <= (size_t)buffer.len;
         at += sizeof(struct range)) {
        struct range range;
        memcpy(&range, (const char *)buffer.buf + at, sizeof(range));
        populate(&range);
    }
    PyBuffer_Release(&buffer);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"own_pages", own_pages, METH_O,
     PyDoc_STR("Return where the pages begin that no other process has, at most so many.")},
    {"prefault", prefault, METH_O,
     PyDoc_STR("Have pages of one's own in ranges: pairs of 64-bit words, where each "
               "begins and its size in bytes.")},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "actors.runtime._working_set",
    .m_doc = PyDoc_STR("The pages that a process has for itself."),
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC
PyInit__working_set(void)
{
    return PyModule_Create(&definition);
}
