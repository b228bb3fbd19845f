/* _mapping - a file in memory without its descriptor, and where a buffer lies.
 *
 * mmap.mmap keeps a descriptor for each mapping, and a process may have fewer of
 * those than messages it wants to keep.  Its own memory and other's is told apart
 * by addresses, which Python does not show.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <sys/mman.h>

typedef struct {
    PyObject_HEAD
    void *start;
    Py_ssize_t size;
    char is_private;
    PyObject *weakrefs;
} Mapping;

static PyObject *
mapping_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"fd", "size", "private", NULL};
    int fd, is_private = 0;
    Py_ssize_t size;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "in|p:Mapping", names, &fd, &size,
                                     &is_private)) {
        return NULL;
    }
    if (size <= 0) {
        PyErr_SetString(PyExc_ValueError, "size must be more than 0 bytes");
        return NULL;
    }
    Mapping *self = (Mapping *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    void *start = mmap(NULL, (size_t)size, is_private ? PROT_READ | PROT_WRITE : PROT_READ,
                       is_private ? MAP_PRIVATE : MAP_SHARED, fd, 0);
    if (start == MAP_FAILED) {
        PyErr_SetFromErrno(PyExc_OSError);
        Py_DECREF(self);
        return NULL;
    }
    self->start = start;
    self->size = size;
    self->is_private = (char)is_private;
    return (PyObject *)self;
}

/* Every view holds a reference, so nobody looks into it any more. */
static void
mapping_dealloc(Mapping *self)
{
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    if (self->start != NULL) {
        munmap(self->start, (size_t)self->size);
    }
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static int
mapping_getbuffer(Mapping *self, Py_buffer *view, int flags)
{
    return PyBuffer_FillInfo(view, (PyObject *)self, self->start, self->size,
                             !self->is_private, flags);
}

static Py_ssize_t
mapping_length(Mapping *self)
{
    return self->size;
}

static PyObject *
address_of(PyObject *Py_UNUSED(module), PyObject *object)
{
    Py_buffer view;
    if (PyObject_GetBuffer(object, &view, PyBUF_ANY_CONTIGUOUS) < 0) {
        return NULL;
    }
    PyObject *address = PyLong_FromVoidPtr(view.buf);
    PyBuffer_Release(&view);
    return address;
}

static PyBufferProcs mapping_buffer = {
    .bf_getbuffer = (getbufferproc)mapping_getbuffer,
};

static PySequenceMethods mapping_sequence = {
    .sq_length = (lenfunc)mapping_length,
};

static PyTypeObject MappingType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "transports._mapping.Mapping",
    .tp_doc = PyDoc_STR("A file in memory: read-only, or a private copy as it is written."),
    .tp_basicsize = sizeof(Mapping),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_new = mapping_new,
    .tp_dealloc = (destructor)mapping_dealloc,
    .tp_weaklistoffset = offsetof(Mapping, weakrefs),
    .tp_as_buffer = &mapping_buffer,
    .tp_as_sequence = &mapping_sequence,
};

static PyMethodDef methods[] = {
    {"address_of", address_of, METH_O,
     PyDoc_STR("Return where the bytes of a contiguous buffer begin.")},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "transports._mapping",
    .m_doc = PyDoc_STR("Files in memory, and where buffers lie."),
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC
PyInit__mapping(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module != NULL && PyModule_AddType(module, &MappingType) < 0) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
