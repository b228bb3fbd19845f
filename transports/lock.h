/* lock.h - a lock in shared memory that a killed holder gives back.
 *
 * Responsible for: one word in a mapped file that is the number of the thread that
 * holds the lock.  Not responsible for: waiting, or what the lock protects.
 *
 * Guarantees
 *   - A holder may be killed at any instruction: the kernel marks the word, and
 *     whoever takes the lock next is told that it inherits it.
 *   - Whatever is written over the word, at any moment, no memory but the word is
 *     touched, and nothing aborts.
 *
 * Why not a robust mutex of pthreads: it keeps pointers, its type and a count in the
 * same shared memory and believes them again at every step.  Somebody who writes over a
 * mailbox would crash those who send to it, as tests did within 80 to 300 tries.
 *
 * How the kernel knows.  Each thread has registered the head of a list of the locks it
 * holds.  Beside the list, which would have to be linked through shared memory, the head
 * has a place for one lock that is just being taken or given back; all the kernel does
 * with it at the end of the thread is to look at that lock's word.  So the lock stays in
 * that place for as long as it is held.  There is one such place: a thread holds one
 * lock at a time, and uses no robust mutex of pthreads meanwhile.
 *
 * Source: Documentation/locking/robust-futex-ABI.rst in the Linux sources;
 * exit_robust_list and handle_futex_death in kernel/futex/core.c.
 */
#ifndef TRANSPORTS_LOCK_H
#define TRANSPORTS_LOCK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* syscall */
#endif
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Holder of a lock that is given up for good: no thread has this number. */
#define LOCK_NOBODY ((uint32_t)FUTEX_TID_MASK)

typedef struct {
    _Atomic uint32_t holder; /* 0, or a thread; FUTEX_OWNER_DIED alone when it died */
} lock_t;

typedef enum {
    LOCK_TAKEN,
    LOCK_INHERITED, /* taken, and its last holder died */
    LOCK_BUSY,
    LOCK_ERROR, /* the kernel does not look after the locks of this thread */
} lock_result_t;

/* What the kernel knows of this thread. */
typedef struct {
    struct robust_list_head *head; /* NULL until it is asked for */
    uint32_t tid;
} lock_thread_t;

static _Thread_local lock_thread_t lock_thread;

/* In a forked child: another thread, and perhaps another head.  A copy that was made
 * without the C library has to call it. */
static inline void
lock_forget_thread(void)
{
    lock_thread.head = NULL;
}

static inline void
lock_watch_forks(void)
{
    pthread_atfork(NULL, NULL, lock_forget_thread);
}

static inline bool
lock_ask_for_thread(lock_thread_t *thread)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static _Thread_local struct robust_list_head own;
    struct robust_list_head *head = NULL;
    size_t size;
    pthread_once(&once, lock_watch_forks);
    if (syscall(SYS_get_robust_list, 0, &head, &size) != 0) {
        return false;
    }
    if (head == NULL) { /* this C library registers none before it needs one */
        own.list.next = &own.list;
        if (syscall(SYS_set_robust_list, &own, sizeof own) != 0) {
            return false;
        }
        head = &own;
    }
    thread->tid = (uint32_t)syscall(SYS_gettid);
    thread->head = head;
    return true;
}

/* Take the lock if it is free. */
static inline lock_result_t
lock_try(lock_t *lock)
{
    lock_thread_t *thread = &lock_thread;
    if (thread->head == NULL && !lock_ask_for_thread(thread)) {
        return LOCK_ERROR;
    }
    /* relaxed: the exchange below decides */
    uint32_t holder = atomic_load_explicit(&lock->holder, memory_order_relaxed);
    if ((holder & FUTEX_TID_MASK) != 0) {
        return LOCK_BUSY;
    }
    /* The kernel finds the word at this distance from the entry; the entry itself is
     * nowhere, and is not looked at. */
    thread->head->list_op_pending =
        (struct robust_list *)((uintptr_t)&lock->holder -
                               (uintptr_t)thread->head->futex_offset);
    /* Against the compiler: a thread killed behind the exchange has told. */
    atomic_signal_fence(memory_order_seq_cst);
    /* acquire: pairs with lock_release, and with the kernel's mark */
    if (!atomic_compare_exchange_strong_explicit(&lock->holder, &holder, thread->tid,
                                                 memory_order_acquire,
                                                 memory_order_relaxed)) {
        thread->head->list_op_pending = NULL;
        return LOCK_BUSY;
    }
    return holder == 0 ? LOCK_TAKEN : LOCK_INHERITED;
}

/* Give the lock, which this thread holds, to `holder`: 0, or LOCK_NOBODY. */
static inline void
lock_release(lock_t *lock, uint32_t holder)
{
    /* release: what was done under the lock before the word that frees it */
    atomic_store_explicit(&lock->holder, holder, memory_order_release);
    /* Against the compiler: not before the word. */
    atomic_signal_fence(memory_order_seq_cst);
    lock_thread.head->list_op_pending = NULL;
}

/* Return whether the holder is a thread that does not exist.  The kernel marks the word
 * before a number is free again, so somebody else has written it. */
static inline bool
lock_is_forged(const lock_t *lock)
{
    uint32_t holder = atomic_load_explicit(&lock->holder, memory_order_relaxed);
    if ((holder & FUTEX_TID_MASK) == 0 ||
        kill((pid_t)(holder & FUTEX_TID_MASK), 0) == 0 || errno != ESRCH) {
        return false;
    }
    /* It may have let go and ended in between. */
    return atomic_load_explicit(&lock->holder, memory_order_relaxed) == holder;
}

#endif
