# cython: language_level=3, binding=False
# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""Look-up of interned texts straight from a buffer: bytes are compared with bytes, and no str is made for a known text.

Theory. An open-addressing table of (hash, text), linear probing, at most half full. Only ASCII texts are in it: their
bytes in memory are their UTF-8. The hash is CPython's own, seeded anew in every process (SipHash, PEP 456), so that
nobody can choose texts that collide.
Invariants: the table holds a reference to each of its texts; the interpreter lock is held throughout, so threads see
whole entries only. An entry takes 32 bytes of table.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.string cimport memcmp, memset

from cpython.mem cimport PyMem_Free, PyMem_Malloc

from sys import getsizeof

cdef extern from *:
    """
    #include <Python.h>
    #if PY_VERSION_HEX >= 0x030E0000
    #define HASH_OF(data, size) Py_HashBuffer((data), (size))
    #else
    #define HASH_OF(data, size) _Py_HashBytes((data), (size))
    #endif
    #define ASCII_SIZE(text) PyUnicode_GET_LENGTH(text)
    #define ASCII_DATA(text) ((const char *)PyUnicode_1BYTE_DATA(text))
    #define IS_ASCII(text) PyUnicode_IS_ASCII(text)
    """
    Py_hash_t HASH_OF(const void* data, Py_ssize_t size)
    Py_ssize_t ASCII_SIZE(PyObject* text)
    const char* ASCII_DATA(PyObject* text)
    bint IS_ASCII(PyObject* text)


cdef struct Entry:
    Py_hash_t hash
    PyObject* text


cdef Py_ssize_t FIRST_SLOTS = 64


@cython.final
cdef class BufferTable:
    """ASCII texts by their bytes; see `_interning_py.BufferTable`."""

    cdef Entry* entries
    cdef Py_ssize_t slots
    cdef Py_ssize_t used
    cdef readonly Py_ssize_t hits
    cdef readonly Py_ssize_t saved

    def __cinit__(self):
        self.entries = NULL
        self.slots = self.used = self.hits = self.saved = 0

    def __dealloc__(self):
        self.clear()

    def get(self, source, Py_ssize_t start, Py_ssize_t stop):
        """Return the shared text of `source[start:stop]`, if it is known here."""
        cdef Py_buffer buffer
        cdef Entry* entry
        if self.entries == NULL:
            return None
        PyObject_GetBuffer(source, &buffer, PyBUF_SIMPLE)
        try:
            if start < 0 or stop < start or stop > buffer.len:
                raise IndexError("the text lies outside of its buffer")
            entry = self.find(<const char*>buffer.buf + start, stop - start)
        finally:
            PyBuffer_Release(&buffer)
        if entry.text == NULL:
            return None
        text = <object>entry.text
        self.hits += 1
        self.saved += ASCII_STRUCT + (stop - start)
        return text

    def add(self, str text not None):
        """Take up a text; only ASCII texts are kept here."""
        cdef PyObject* pointer = <PyObject*>text
        cdef Entry* entry
        if not IS_ASCII(pointer):
            return
        if 2 * (self.used + 1) > self.slots:
            self.grow()
        entry = self.find(ASCII_DATA(pointer), ASCII_SIZE(pointer))
        if entry.text == NULL:
            Py_INCREF(text)
            entry.text = pointer
            entry.hash = HASH_OF(ASCII_DATA(pointer), ASCII_SIZE(pointer))
            self.used += 1

    def size(self):
        """Return the bytes of the table now."""
        return self.slots * <Py_ssize_t>sizeof(Entry)

    def size_with_next(self):
        """Return the bytes of the table after one more text."""
        if 2 * (self.used + 1) <= self.slots:
            return self.size()
        return max(FIRST_SLOTS, 2 * self.slots) * <Py_ssize_t>sizeof(Entry)

    cpdef clear(self):
        """Forget every text."""
        cdef Py_ssize_t index
        for index in range(self.slots):
            if self.entries[index].text != NULL:
                Py_DECREF(<object>self.entries[index].text)
        PyMem_Free(self.entries)
        self.entries = NULL
        self.slots = self.used = 0

    cdef Entry* find(self, const char* data, Py_ssize_t size) noexcept:
        """Return the entry of a text, or the free one where it would be."""
        cdef Py_hash_t hashed = HASH_OF(data, size)
        cdef Py_ssize_t mask = self.slots - 1
        cdef Py_ssize_t index = <Py_ssize_t>(<size_t>hashed & <size_t>mask)
        cdef Entry* entry
        while True:
            entry = &self.entries[index]
            if entry.text == NULL:
                return entry
            if entry.hash == hashed and ASCII_SIZE(entry.text) == size and not memcmp(ASCII_DATA(entry.text), data, size):
                return entry
            index = (index + 1) & mask

    cdef int grow(self) except -1:
        cdef Py_ssize_t slots = max(FIRST_SLOTS, 2 * self.slots)
        cdef Entry* old = self.entries
        cdef Py_ssize_t count = self.slots
        cdef Py_ssize_t index
        cdef Entry* fresh = <Entry*>PyMem_Malloc(slots * sizeof(Entry))
        if fresh == NULL:
            raise MemoryError
        memset(fresh, 0, slots * sizeof(Entry))
        self.entries = fresh
        self.slots = slots
        for index in range(count):
            if old[index].text != NULL:
                self.find(ASCII_DATA(old[index].text), ASCII_SIZE(old[index].text))[0] = old[index]
        PyMem_Free(old)
        return 0


cdef Py_ssize_t ASCII_STRUCT = getsizeof("")
