# cython: language_level=3, binding=False
"""The allocation hook: counts what CPython asks malloc and its arena allocator for.

Invariants: installed once and never removed, because another tool may have wrapped it since; refused where the raw
domain has a context of its own, which the plain allocator has not (debug builds, tracemalloc, memory profilers). While
the flag is off, every call is passed through. Counters are atomics: the raw domain is used without the interpreter
lock. Sizes are what malloc says the block can hold, on both ways, so that nothing is left over.
A block that was allocated before `start` and freed after it counts as freed: `allocated` is a balance and may be
negative.
Costs: two atomic additions and one `malloc_usable_size` a call, 5 to 10 ns; nothing for small objects, which CPython
cuts from arenas without asking malloc.
"""

from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t

cdef extern from *:
    """
    #include <Python.h>
    #include <stdint.h>

    #if defined(__linux__)
    #include <malloc.h>
    #define BLOCK_SIZE(pointer, size) ((int64_t)malloc_usable_size(pointer))
    #elif defined(__APPLE__)
    #include <malloc/malloc.h>
    #define BLOCK_SIZE(pointer, size) ((int64_t)malloc_size(pointer))
    #elif defined(_WIN32)
    #include <malloc.h>
    #define BLOCK_SIZE(pointer, size) ((int64_t)_msize(pointer))
    #endif

    #if defined(__GNUC__) || defined(__clang__)
    #define ADD(target, value) __atomic_add_fetch(&(target), (value), __ATOMIC_RELAXED)
    #define LOAD(target) __atomic_load_n(&(target), __ATOMIC_RELAXED)
    #define STORE(target, value) __atomic_store_n(&(target), (value), __ATOMIC_RELAXED)
    #define SWAP(target, expected, value) \\
        __atomic_compare_exchange_n(&(target), &(expected), (value), 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
    #define LOCAL static __thread
    #endif

    #if defined(BLOCK_SIZE) && defined(ADD)
    #define HOOK_SUPPORTED 1

    typedef struct { int64_t bytes; int64_t count; } SlotFigures;

    static PyMemAllocatorEx hook_raw;
    static PyObjectArenaAllocator hook_arena;
    static int hook_installed = 0;
    static int hook_on = 0;
    static int64_t hook_balance = 0;
    static int64_t hook_peak = 0;
    static int64_t hook_count = 0;
    LOCAL SlotFigures *hook_slot = NULL;

    static void hook_took(int64_t size) {
        int64_t now = ADD(hook_balance, size);
        int64_t peak = LOAD(hook_peak);
        ADD(hook_count, 1);
        while (now > peak && !SWAP(hook_peak, peak, now)) { }
        if (hook_slot != NULL) { hook_slot->bytes += size; hook_slot->count += 1; }
    }
    static void *hook_malloc(void *context, size_t size) {
        void *block = hook_raw.malloc(hook_raw.ctx, size);
        if (block != NULL && LOAD(hook_on)) hook_took(BLOCK_SIZE(block, size));
        return block;
    }
    static void *hook_calloc(void *context, size_t count, size_t size) {
        void *block = hook_raw.calloc(hook_raw.ctx, count, size);
        if (block != NULL && LOAD(hook_on)) hook_took(BLOCK_SIZE(block, size));
        return block;
    }
    static void *hook_realloc(void *context, void *old, size_t size) {
        int on = LOAD(hook_on);
        int64_t before = on && old != NULL ? BLOCK_SIZE(old, 0) : 0;
        void *block = hook_raw.realloc(hook_raw.ctx, old, size);
        if (block != NULL && on) { ADD(hook_balance, -before); hook_took(BLOCK_SIZE(block, size)); }
        return block;
    }
    static void hook_free(void *context, void *block) {
        if (block != NULL && LOAD(hook_on)) ADD(hook_balance, -BLOCK_SIZE(block, 0));
        hook_raw.free(hook_raw.ctx, block);
    }
    static void *hook_arena_alloc(void *context, size_t size) {
        void *block = hook_arena.alloc(hook_arena.ctx, size);
        if (block != NULL && LOAD(hook_on)) hook_took((int64_t)size);
        return block;
    }
    static void hook_arena_free(void *context, void *block, size_t size) {
        if (block != NULL && LOAD(hook_on)) ADD(hook_balance, -(int64_t)size);
        hook_arena.free(hook_arena.ctx, block, size);
    }
    static const char *hook_install(void) {
        PyMemAllocatorEx other, raw = {NULL, hook_malloc, hook_calloc, hook_realloc, hook_free};
        PyObjectArenaAllocator arena = {NULL, hook_arena_alloc, hook_arena_free};
        if (hook_installed) return "";
        PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &hook_raw);
        if (hook_raw.ctx != NULL) return "another allocator is in place (a debug build, tracemalloc or a profiler)";
        PyObject_GetArenaAllocator(&hook_arena);
        hook_installed = 1;
        /* Under PYTHONMALLOC=malloc the other domains ask malloc by the same functions, and past the raw domain. */
        PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &other);
        if (other.ctx == NULL && other.malloc == hook_raw.malloc) PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &raw);
        PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &other);
        if (other.ctx == NULL && other.malloc == hook_raw.malloc) PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &raw);
        PyMem_SetAllocator(PYMEM_DOMAIN_RAW, &raw);
        PyObject_SetArenaAllocator(&arena);
        return "";
    }
    static void hook_start(void) {
        STORE(hook_balance, 0); STORE(hook_peak, 0); STORE(hook_count, 0); STORE(hook_on, 1);
    }
    static void hook_stop(void) { STORE(hook_on, 0); }
    static int64_t hook_read(int which) {
        return which == 0 ? LOAD(hook_balance) : which == 1 ? LOAD(hook_peak) : LOAD(hook_count);
    }
    static int hook_is_on(void) { return LOAD(hook_on); }
    static SlotFigures *hook_enter(SlotFigures *slot) {
        SlotFigures *outer = hook_slot; hook_slot = slot; return outer;
    }
    #else
    typedef struct { int64_t bytes; int64_t count; } SlotFigures;
    static const char *hook_install(void) { return "this platform's malloc does not tell the size of a block"; }
    static void hook_start(void) { }
    static void hook_stop(void) { }
    static int64_t hook_read(int which) { return 0; }
    static int hook_is_on(void) { return 0; }
    static SlotFigures *hook_enter(SlotFigures *slot) { return NULL; }
    #endif
    """
    ctypedef struct SlotFigures:
        int64_t bytes
        int64_t count

    const char* hook_install()
    void hook_start()
    void hook_stop()
    int64_t hook_read(int which)
    bint hook_is_on()
    SlotFigures* hook_enter(SlotFigures* slot)


cdef enum:
    MOST_NESTED = 8  # sections of one slot, one in another

cdef extern from "pythread.h":
    unsigned long PyThread_get_thread_ident()


def counting():
    """Tell whether the hook counts now."""
    return hook_is_on()


def install():
    """Put the hook in place, once. Returns why it was refused, or an empty text."""
    return hook_install().decode("ascii")


cdef class HookCounters:
    """The figures of the one hook; the twin of `_tracker_py.PythonCounters`."""

    source = "hook"
    refusal = None

    @property
    def running(self):
        """Whether the hook counts now."""
        return hook_is_on()

    def start(self):
        """Count from zero."""
        hook_start()

    def stop(self):
        """Stop counting."""
        hook_stop()

    def read(self):
        """Return the balance of bytes, its peak, and the count of allocations."""
        return hook_read(0), hook_read(1), hook_read(2)

    def slot(self):
        """Return a slot to attribute sections to."""
        return HookSlot()


cdef class HookSlot:
    """Attributes what a section of synchronous code allocates; see `_tracker_py.AllocationSlot`.

    Invariants: while a section runs, the slot is kept alive, because the thread points to its figures; a section of a
    slot may run inside another of the same slot, in one thread.
    """

    cdef SlotFigures figures
    cdef SlotFigures* outer[MOST_NESTED]
    cdef int depth
    cdef unsigned long thread

    @property
    def bytes(self):
        """Bytes that the sections have allocated, freed or not."""
        return self.figures.bytes

    @property
    def count(self):
        """Allocations that the sections have made."""
        return self.figures.count

    def __enter__(self):
        cdef unsigned long thread = PyThread_get_thread_ident()
        if self.depth and self.thread != thread:
            raise RuntimeError("this slot's section is running in another thread")
        if self.depth == MOST_NESTED:
            raise RuntimeError(f"this slot's section is running {MOST_NESTED} times, one in another, already")
        self.thread = thread
        Py_INCREF(self)
        self.outer[self.depth] = hook_enter(&self.figures)
        self.depth += 1
        return self

    def __exit__(self, *error):
        if self.depth:
            self.depth -= 1
            hook_enter(self.outer[self.depth])
            Py_DECREF(self)
