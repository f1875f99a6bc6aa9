# cython: language_level=3
"""What the compiled parser needs in plain C: growing buffers, and what a line's first bytes say. Nothing here is Python.

Inline functions only, so that they are compiled into the parser and no module of this name exists.
"""

from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.string cimport memchr, memcmp, memcpy

cdef enum:
    KEPT = 0  # what an unfinished line is: worth keeping, or why the rest of it is being thrown away
    COMMENT = 1
    UNKNOWN = 2
    DECIDED = 7  # after this many bytes of a line ("data: :") it is known which field it is
    MAX_RETRY_DIGITS = 640  # what int() converts under every setting of sys.set_int_max_str_digits()
    KEPT_BYTES = 65536  # a buffer that grew beyond this is given back when it is empty

cdef struct Buffer:
    char* start
    Py_ssize_t length
    Py_ssize_t capacity


cdef inline int append(Buffer* buffer, const char* start, Py_ssize_t length) except -1:
    """Add bytes at the end; the capacity doubles, so that growth is linear in the bytes added."""
    cdef Py_ssize_t capacity = buffer.capacity
    cdef char* moved
    if buffer.length + length > capacity:
        capacity = max(2 * capacity, buffer.length + length, <Py_ssize_t>256)
        moved = <char*>PyMem_Realloc(buffer.start, capacity)
        if moved == NULL:
            raise MemoryError
        buffer.start = moved
        buffer.capacity = capacity
    memcpy(buffer.start + buffer.length, start, length)
    buffer.length += length
    return 0


cdef inline void release(Buffer* buffer) noexcept:
    PyMem_Free(buffer.start)
    buffer.start = NULL
    buffer.length = buffer.capacity = 0


cdef inline void clear(Buffer* buffer) noexcept:
    buffer.length = 0
    if buffer.capacity > KEPT_BYTES:
        release(buffer)


cdef inline const char* find(const char* start, const char* end, int byte) noexcept:
    """Return where `byte` is first, or `end`."""
    cdef const char* found = <const char*>memchr(start, byte, end - start)
    return end if found == NULL else found


cdef inline bint is_named(const char* line, Py_ssize_t length, const char* name, Py_ssize_t size) noexcept:
    return length >= size and memcmp(line, name, size) == 0 and (length == size or line[size] == b":")


cdef inline Py_ssize_t name_length(const char* line, Py_ssize_t length) noexcept:
    """Return the length of the line's field name if it is one that counts, and 0 otherwise."""
    if is_named(line, length, b"data", 4):
        return 4
    if is_named(line, length, b"event", 5) or is_named(line, length, b"retry", 5):
        return 5
    return 2 if is_named(line, length, b"id", 2) else 0


cdef inline bint are_digits(const char* value, Py_ssize_t length) noexcept:
    """Say whether there is at least one byte and each is an ASCII digit."""
    cdef Py_ssize_t index
    for index in range(length):
        if not b"0" <= value[index] <= b"9":
            return False
    return length > 0


cdef inline bint begins(const char* line, Py_ssize_t length, const char* name, Py_ssize_t size) noexcept:
    """Say whether the line so far may become a line of this name."""
    return length <= size and memcmp(name, line, length) == 0


cdef inline int decide(const char* line, Py_ssize_t length, bint lenient) noexcept:
    """Say from a line's first bytes whether the line may count."""
    cdef Py_ssize_t seen = min(length, <Py_ssize_t>DECIDED)
    cdef Py_ssize_t value = 5
    if line[0] == b":":
        return COMMENT
    if memchr(line, b":", seen) == NULL:
        if begins(line, seen, b"data", 4) or begins(line, seen, b"event", 5) or begins(line, seen, b"retry", 5):
            return KEPT
        return KEPT if begins(line, seen, b"id", 2) else UNKNOWN
    if name_length(line, seen) == 0:
        return UNKNOWN
    if lenient and line[0] == b"d":
        value += value < seen and line[value] == b" "
        if value < seen and line[value] == b":":
            return COMMENT
    return KEPT
