/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Secrets: the memory.
 *
 * One anonymous mapping between two pages that nobody may touch; locked, but page by page as they are
 * used (MLOCK_ONFAULT), so that an idle agent does not pay for an arena that it does not fill; not in core
 * dumps; zero in a forked child. It bears a name in /proc/PID/maps, by which an operator or a memory scan finds it.
 */

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "secret-private.h"
#include "secret.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA           0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

static size_t page_size(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

static int lock_on_fault(void *data, size_t size) {
    if (mlock2(data, size, MLOCK_ONFAULT) == 0)
        return 0;
    /* Where the kernel does not know mlock2(), or glibc says so with EINVAL, all pages are taken at once. */
    if ((errno == ENOSYS || errno == EINVAL) && mlock(data, size) == 0)
        return 0;

    /* EAGAIN is a lock that did not fit either; two words for one cause would help nobody. */
    return errno == EPERM ? -EPERM : -ENOMEM;
}

int secret_protect(void *data, size_t size) {
    int r = lock_on_fault(data, size);

    if (r < 0)
        return r;
    if (madvise(data, size, MADV_DONTDUMP) < 0 || madvise(data, size, MADV_WIPEONFORK) < 0)
        return -errno;
    return 0;
}

static int protect(uint8_t *base) {
    int r;

    if (mprotect(base, SECRET_ARENA_SIZE, PROT_READ | PROT_WRITE) < 0)
        return -errno;
    r = secret_protect(base, SECRET_ARENA_SIZE);
    if (r < 0)
        return r;

    /* A name is a convenience: kernels without CONFIG_ANON_VMA_NAME refuse. */
    (void)prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, base, SECRET_ARENA_SIZE, "keystrap-secrets");
    return 0;
}

static int map(uint8_t **ret) {
    size_t page = page_size();
    uint8_t *fence;
    int r;

    fence = mmap(NULL, SECRET_ARENA_SIZE + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (fence == MAP_FAILED)
        return -errno;
    r = protect(fence + page);
    if (r < 0) {
        (void)munmap(fence, SECRET_ARENA_SIZE + 2 * page);
        return r;
    }
    *ret = fence + page;
    return 0;
}

static void unmap(uint8_t *base) {
    size_t page = page_size();

    secret_unfence(base, SECRET_ARENA_SIZE);
    secret_erase(base, SECRET_ARENA_SIZE);
    (void)munmap(base - page, SECRET_ARENA_SIZE + 2 * page);
}

/* Result 2 of CRYPTO_secure_malloc_init() is a heap that works but is not locked: as good as none. */
static int init_openssl_heap(void) {
    int r;

    if (CRYPTO_secure_malloc_initialized())
        return 0;
    r = CRYPTO_secure_malloc_init(SECRET_OPENSSL_HEAP_SIZE, 32);
    if (r == 1)
        return 0;
    if (r == 2)
        (void)CRYPTO_secure_malloc_done();
    return -ENOMEM;
}

int secret_arena_init(void) {
    uint64_t canary;
    uint8_t *base = NULL;
    int r;

    if (secret_arena.base)
        return -EALREADY;
    if (getrandom(&canary, sizeof(canary), 0) != (ssize_t)sizeof(canary))
        return -errno;
    r = map(&base);
    if (r < 0)
        return r;
    r = init_openssl_heap();
    if (r < 0) {
        unmap(base);
        return r;
    }
    secret_fence(base, SECRET_ARENA_SIZE);
    secret_arena.base = base;
    secret_arena.pid = getpid();
    secret_arena.canary = canary;
    return 0;
}

void secret_arena_done(void) {
    if (!secret_arena.base)
        return;
    unmap(secret_arena.base);
    secret_arena.base = NULL;
    secret_arena.used = 0;
    memset(secret_arena.taken, 0, sizeof(secret_arena.taken));
    memset(secret_arena.slots, 0, sizeof(secret_arena.slots));
    (void)CRYPTO_secure_malloc_done();
}
