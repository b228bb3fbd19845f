/* _sibling - a copy of this process whose parent is our parent.
 *
 * fork() of the C library cannot do that (CLONE_PARENT), so this makes the system call
 * itself, and does for the C library what its fork() does where there is one thread and
 * no lock is held: the new thread's number is stored where the library keeps it, and its
 * list of robust locks is announced again.  Handlers of pthread_atfork() do not run; those
 * of os.register_at_fork do, and what transports/lock.h knows of its thread hangs on that.
 *
 * Where the library keeps the number is known from the kernel, which was told to clear
 * it at the end of the thread (set_tid_address); that it is there is seen before.
 *
 * Source: clone(2), PR_GET_TID_ADDRESS in prctl(2); glibc, sysdeps/nptl/_Fork.c.
 */
#define _GNU_SOURCE
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <linux/sched.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Returns where the C library keeps the number of this thread; NULL, with errno set,
 * when that cannot be told. */
static pid_t *
place_of_tid(void)
{
    pid_t *place = NULL;
    if (prctl(PR_GET_TID_ADDRESS, &place, 0, 0, 0) != 0) {
        return NULL;
    }
    if (place == NULL || *place != (pid_t)syscall(SYS_gettid)) {
        errno = ENOSYS;
        return NULL;
    }
    return place;
}

static PyObject *
sibling(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    pid_t *tid = place_of_tid();
    void *robust = NULL;
    size_t robust_bytes = 0;
    int pidfd = -1;
    if (tid == NULL || syscall(SYS_get_robust_list, 0, &robust, &robust_bytes) != 0) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    struct clone_args how = {
        .flags = CLONE_PARENT | CLONE_PIDFD | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID,
        .pidfd = (uintptr_t)&pidfd,
        .child_tid = (uintptr_t)tid,
    };

    PyOS_BeforeFork();
    long pid = syscall(SYS_clone3, &how, sizeof(how));
    if (pid == 0) {
        syscall(SYS_set_robust_list, robust, robust_bytes);
        PyOS_AfterFork_Child();
        return Py_BuildValue("(ii)", 0, -1);
    }
    int error = errno;
    PyOS_AfterFork_Parent();
    if (pid < 0) {
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return Py_BuildValue("(li)", pid, pidfd);
}

static PyMethodDef methods[] = {
    {"sibling", sibling, METH_NOARGS,
     PyDoc_STR("sibling() -> (pid, pidfd), or (0, -1) in the new process")},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "actors.supervision._sibling",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC
PyInit__sibling(void)
{
    return PyModuleDef_Init(&definition);
}
