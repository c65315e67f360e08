/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * An instruction document of any octets: as what somebody signed, and as what stands in a signature.
 *
 * The one signer's key was thrown away after a few signatures, which the corpus has, so that whatever verifies holds the document
 * that was signed then. As JSON it is taken or refused with words; what is taken keeps to the limits; nothing stays behind.
 */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "instruction.h"
#include "log.h"
#include "util.h"

#define SIGNED "{\"serial\": 7, \"profiles\": [], \"remove\": [\"of the signer\"]}"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char signer[] = "-----BEGIN CERTIFICATE-----\n"
                             "MIIBdTCCARugAwIBAgIUXLv3QtK5D1daDEK3+CtxY9SbqaUwCgYIKoZIzj0EAwIw\n"
                             "DzENMAsGA1UEAwwEZnV6ejAgFw0yNjExMjcwNTEzNDdaGA8yMTI2MTEwMzA1MTM0\n"
                             "N1owDzENMAsGA1UEAwwEZnV6ejBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABO6Y\n"
                             "440DDiVmdVISgyV0ZDcybD/mCrpQc3rNoGJfk55vouJ0yJcVvbfS/gIZYRyCPJe5\n"
                             "IuwofgU+QTAuc+DtOZCjUzBRMB0GA1UdDgQWBBQ8gT0UjCAkA8h1RWoqpKylk82Y\n"
                             "UjAfBgNVHSMEGDAWgBQ8gT0UjCAkA8h1RWoqpKylk82YUjAPBgNVHRMBAf8EBTAD\n"
                             "AQH/MAoGCCqGSM49BAMCA0gAMEUCIQCeQN3deozbxSM7nnVEF9hrpLasU3t3FcAS\n"
                             "y7lcwxVgRwIgNY602Y1exhDvXwfiJBlgGjrtWMrBjqmOn6sPj4dq5TE=\n"
                             "-----END CERTIFICATE-----\n";

/* The path of a file with the signer. */
static const char *signers(void) {
    static char path[64];
    int fd;

    if (path[0])
        return path;
    fd = memfd_create("signers", MFD_CLOEXEC);
    if (fd < 0 || write(fd, signer, strlen(signer)) != (ssize_t)strlen(signer))
        abort();
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return path;
}

static void check_words(int r, const struct failure *failure) {
    if (failure->code != r || (r != 0 && !failure->text[0]))
        abort();
}

static void verify(const uint8_t *data, size_t size) {
    _cleanup_secret_ struct secret *document = NULL;
    struct failure failure = {0};
    int r;

    r = instruction_verify(data, size, signers(), &document, &failure);
    check_words(r, &failure);
    if ((r == 0) != (document != NULL) ||
        (r != 0 && r != INSTRUCTION_E_MALFORMED && r != INSTRUCTION_E_SIGNATURE))
        abort();
    if (document && (secret_length(document) != strlen(SIGNED) ||
                     memcmp(secret_data(document), SIGNED, strlen(SIGNED)) != 0))
        abort();
}

static void check(const struct instruction *instruction, uint64_t last) {
    if (instruction->serial <= last || instruction->profiles_count > ENROL_PROFILES_MAX ||
        instruction->remove_count > ENROL_PROFILES_MAX)
        abort();
    for (size_t i = 0; i < instruction->profiles_count; i++) {
        const struct instruction_profile *profile = &instruction->profiles[i];

        if (!profile->profile || !profile->profile->name[0])
            abort();
        if (profile->token && (secret_length(profile->token) < TOKEN_MIN ||
                               secret_length(profile->token) > TOKEN_MAX))
            abort();
        for (size_t j = 0; j < i; j++)
            if (strcmp(profile->profile->name, instruction->profiles[j].profile->name) == 0)
                abort();
        for (size_t j = 0; j < instruction->remove_count; j++)
            if (strcmp(profile->profile->name, instruction->remove[j]) == 0)
                abort();
    }
}

static void parse(const uint8_t *data, size_t size, uint64_t last) {
    _cleanup_secret_ struct secret *document = NULL;
    struct instruction *instruction = NULL;
    struct failure failure = {0};
    int r;

    if (secret_new_copy(data, size, &document) < 0)
        return;
    r = instruction_parse(document, last, &instruction, &failure);
    check_words(r, &failure);
    if ((r == 0) != (instruction != NULL) || r < 0)
        abort();
    if (instruction)
        check(instruction, last);
    instruction_free(instruction);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int r = secret_arena_init();

    if (r != 0 && r != -EALREADY)
        abort();
    log_set_max_level(LOG_ERR);
    verify(data, size);
    parse(data, size, 0);
    parse(data, size, 7);
    if (secret_arena_used() != 0)
        abort();
    return 0;
}
