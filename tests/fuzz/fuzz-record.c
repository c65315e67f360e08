/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Files of records, of any octets. Nobody has the key but this program, so that what opens is one of the files that were sealed
 * with it beforehand, or one of this run: the octets are sealed as a content too, opened, and not opened any more when one
 * octet of the file, which they choose, is another.
 */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "record-seal.h"
#include "util.h"

#define NAME "water"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const known[] = {"from the first release", "from the present one", NULL};

static struct record_key make_key(void) {
    _cleanup_secret_ struct secret *sealing_key = NULL;
    struct record_key key;

    if (secret_new_copy("0123456789abcdef0123456789abcdef", 32, &sealing_key) < 0 ||
        record_key_make(sealing_key, &key) != 0)
        abort();
    return key;
}

/* The corpus has contents of one letter, too, as long as may be. */
static bool is_known(const struct secret *content) {
    const uint8_t *octets = secret_data(content);
    size_t length = secret_length(content);
    bool is = true;

    for (size_t i = 0; known[i]; i++)
        if (length == strlen(known[i]) && memcmp(octets, known[i], length) == 0)
            return true;
    for (size_t i = 0; i < length; i++)
        is = is && octets[i] == 'k';
    return is && length == RECORD_MAX;
}

static void take_file(const struct record_key *key, const uint8_t *data, size_t size) {
    _cleanup_secret_ struct secret *content = NULL;
    bool old = false;
    int r;

    r = record_open(key, NAME, data, size, &content, &old);
    if ((r == 0) != (content != NULL) || (r != 0 && r != RECORD_E_DAMAGED && r != RECORD_E_VERSION))
        abort();
    if (content && !is_known(content))
        abort();
}

static void take_content(const struct record_key *key, const uint8_t *data, size_t size) {
    _cleanup_secret_ struct secret *content = NULL, *again = NULL, *other = NULL;
    uint8_t sealed[RECORD_SEALED_MAX];
    size_t length = 0, at;
    bool old = true;

    if (secret_new_copy(data, size, &content) < 0 ||
        record_seal(key, NAME, content, sealed, &length) != 0 || length > sizeof(sealed) ||
        record_open(key, NAME, sealed, length, &again, &old) != 0 || old ||
        !secret_equal(content, again))
        abort();
    if (record_open(key, "heat", sealed, length, &other, &old) != RECORD_E_DAMAGED ||
        record_open(key, NAME, sealed, length - 1, &other, &old) != RECORD_E_DAMAGED)
        abort();
    at = (data[0] | (size_t)data[size - 1] << 8) % length;
    sealed[at] ^= data[size / 2] ? data[size / 2] : 1;
    if (record_open(key, NAME, sealed, length, &other, &old) == 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct record_key key;
    int r = secret_arena_init();

    if (r != 0 && r != -EALREADY)
        abort();
    key = make_key();
    if (size <= RECORD_SEALED_MAX + 1)
        take_file(&key, data, size);
    if (size > 0 && size <= RECORD_MAX)
        take_content(&key, data, size);
    record_key_done(&key);
    if (secret_arena_used() != 0)
        abort();
    return 0;
}
