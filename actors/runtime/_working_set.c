/* _working_set - the pages that a process has copied, and copying them in advance.
 *
 * After a fork, both processes have the same pages until one of them writes.  The kernel
 * shows in /proc/self/pagemap which of them nobody else has; it fills a range with pages
 * to write to at once (MADV_POPULATE_WRITE), and in ranges that another process has noted
 * nothing can go wrong: what is not mapped here, or not writable, is refused.
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
#define IS_OF_FILE (UINT64_C(1) << 61) /* or shared memory */
#define IS_EXCLUSIVE (UINT64_C(1) << 56)
#define IS_COPIED (IS_PRESENT | IS_EXCLUSIVE)

#define ENTRIES 512 /* of the page map, read at once */
#define MAX_PAGES 4096 /* of one set; a start that writes to more does something else */

struct range {
    uint64_t start;
    uint64_t bytes;
};

/* What is shared with the copies of a process: all ranges, and then their count. */
struct set {
    uint64_t count;
    uint64_t pages;
    struct range ranges[];
};

/* Adds the page at *start*; false if there is no room. */
static bool
add(struct set *set, uint64_t *count, size_t room, uint64_t start, uint64_t page_bytes)
{
    if (set->pages == MAX_PAGES) {
        return false;
    }
    set->pages++;
    struct range *last = *count > 0 ? &set->ranges[*count - 1] : NULL;
    if (last != NULL && last->start + last->bytes == start) {
        last->bytes += page_bytes;
        return true;
    }
    if (*count == room) {
        return false;
    }
    set->ranges[(*count)++] = (struct range){start, page_bytes};
    return true;
}

/* Adds what is copied between *start* and *end*; false with errno set when that cannot be
 * told, or there is no room for it. */
static bool
add_copied(struct set *set, uint64_t *count, size_t room, int pagemap, uint64_t start,
           uint64_t end)
{
    uint64_t entries[ENTRIES];
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    while (start < end) {
        uint64_t wanted = (end - start) / page_bytes;
        size_t bytes = (wanted < ENTRIES ? wanted : ENTRIES) * sizeof(*entries);
        off_t at = (off_t)(start / page_bytes * sizeof(*entries));
        ssize_t got = pread(pagemap, entries, bytes, at);
        if (got != (ssize_t)bytes) {
            errno = got < 0 ? errno : EIO;
            return false;
        }
        for (size_t i = 0; i < bytes / sizeof(*entries); i++, start += page_bytes) {
            bool is_copied = (entries[i] & (IS_COPIED | IS_OF_FILE)) == IS_COPIED;
            if (is_copied && !add(set, count, room, start, page_bytes)) {
                errno = ENOSPC;
                return false;
            }
        }
    }
    return true;
}

static bool
add_all(struct set *set, size_t room, FILE *maps, int pagemap)
{
    char part[64]; /* of a line, of which the first says all but a path */
    bool is_first = true;
    uint64_t count = 0;
    while (fgets(part, sizeof(part), maps) != NULL) {
        unsigned long start, end;
        char writable, shared;
        if (is_first
            && sscanf(part, "%lx-%lx %*c%c%*c%c", &start, &end, &writable, &shared) == 4
            && writable == 'w' && shared == 'p'
            && !add_copied(set, &count, room, pagemap, start, end)) {
            return false;
        }
        is_first = strchr(part, '\n') != NULL;
    }
    /* A process that is killed before has noted nothing. */
    __atomic_store_n(&set->count, count, __ATOMIC_RELEASE);
    return true;
}

static PyObject *
note(PyObject *Py_UNUSED(module), PyObject *object)
{
    if (madvise(NULL, 0, MADV_POPULATE_WRITE) != 0) { /* nobody could do it */
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_buffer buffer;
    if (PyObject_GetBuffer(object, &buffer, PyBUF_WRITABLE) < 0) {
        return NULL;
    }
    struct set *set = buffer.buf;
    size_t room = ((size_t)buffer.len - sizeof(*set)) / sizeof(struct range);
    FILE *maps = fopen("/proc/self/maps", "re");
    int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    set->pages = 0;
    bool is_done = maps != NULL && pagemap >= 0 && add_all(set, room, maps, pagemap);
    int code = errno;
    if (maps != NULL) {
        fclose(maps);
    }
    if (pagemap >= 0) {
        close(pagemap);
    }
    PyBuffer_Release(&buffer);
    if (!is_done) {
        errno = code;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
}

static PyObject *
prefault(PyObject *Py_UNUSED(module), PyObject *object)
{
    Py_buffer buffer;
    if (PyObject_GetBuffer(object, &buffer, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    const struct set *set = buffer.buf;
    uint64_t count = __atomic_load_n(&set->count, __ATOMIC_ACQUIRE);
    for (uint64_t i = 0; i < count; i++) {
        const struct range *range = &set->ranges[i];
        (void)madvise((void *)(uintptr_t)range->start, range->bytes, MADV_POPULATE_WRITE);
    }
    PyBuffer_Release(&buffer);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"note", note, METH_O,
     PyDoc_STR("Write to a buffer which pages this process has copied since it was forked.")},
    {"prefault", prefault, METH_O,
     PyDoc_STR("Copy the pages that another process has noted in a buffer.")},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "actors.runtime._working_set",
    .m_doc = PyDoc_STR("The pages that a process has copied."),
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC
PyInit__working_set(void)
{
    return PyModule_Create(&definition);
}
