/* _heap - objects whose references nobody counts any more.
 *
 * A process shares the memory of the one that forked it until either writes to it,
 * and with counted references everything that is looked at is written to.  From
 * CPython 3.12 on an object may be immortal (PEP 683): its count stands still.
 *
 * Immortality is also the mark by which the walk knows where it has been.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* How the count of an immortal object looks differs between versions; these have
 * been tried. */
#if PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030E0000 \
    && !defined(Py_GIL_DISABLED) && SIZEOF_VOID_P == 8
#define HAS_IMMORTALS 1
#else
#define HAS_IMMORTALS 0
#endif

#if HAS_IMMORTALS

static int
visit(PyObject *object, void *found)
{
    if (_Py_IsImmortal(object)) {
        return 0;
    }
    Py_SET_REFCNT(object, _Py_IMMORTAL_REFCNT);
    return PyList_Append(found, object);
}

/* What code refers to, which the garbage collector does not follow. */
static int
visit_code(PyCodeObject *code, PyObject *found)
{
    PyObject *parts[] = {
        code->co_consts,      code->co_names,     code->co_localsplusnames,
        code->co_filename,    code->co_name,      code->co_qualname,
        code->co_linetable,   code->co_exceptiontable,
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (visit(parts[i], found) < 0) {
            return -1;
        }
    }
    return 0;
}

static int
visit_all(PyObject *objects, PyObject *found)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(objects); i++) {
        if (visit(PyList_GET_ITEM(objects, i), found) < 0) {
            return -1;
        }
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(found); i++) {
        PyObject *object = PyList_GET_ITEM(found, i);
        int status = 0;
        if (PyCode_Check(object)) {
            status = visit_code((PyCodeObject *)object, found);
        }
        else if (PyObject_IS_GC(object)) {
            status = Py_TYPE(object)->tp_traverse(object, visit, found);
        }
        if (status < 0) {
            return -1;
        }
    }
    return 0;
}

static PyObject *
immortalize(PyObject *Py_UNUSED(module), PyObject *objects)
{
    if (!PyList_CheckExact(objects)) {
        PyErr_SetString(PyExc_TypeError, "objects must be a list");
        return NULL;
    }
    PyObject *found = PyList_New(0);
    if (found == NULL) {
        return NULL;
    }
    int status = visit_all(objects, found);
    Py_ssize_t count = PyList_GET_SIZE(found);
    Py_DECREF(found);
    return status < 0 ? NULL : PyLong_FromSsize_t(count);
}

#else

static PyObject *
immortalize(PyObject *Py_UNUSED(module), PyObject *objects)
{
    if (!PyList_CheckExact(objects)) {
        PyErr_SetString(PyExc_TypeError, "objects must be a list");
        return NULL;
    }
    return PyLong_FromLong(0);
}

#endif

static PyMethodDef methods[] = {
    {"immortalize", immortalize, METH_O,
     PyDoc_STR("Count no references any more to the objects of a list, nor to what can "
               "be reached from them; return how many they are, 0 where the "
               "interpreter offers none.")},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "actors.supervision._heap",
    .m_doc = PyDoc_STR("Objects whose references nobody counts any more."),
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC
PyInit__heap(void)
{
    return PyModule_Create(&definition);
}
