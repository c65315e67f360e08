/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Certificates for the lab's BSF, with any fault.
 */

#include <sys/stat.h>

#include "lab/world.h"
#include "unit/tls-server.h"

/* How the BSF's certificate is. */
struct certificate {
    const char *name;
    long from, to;
};

static const struct certificate good = {WORLD_BSF_NAME, -DAY, DAY};

/* Key and certificate in the world's scratch directory, readable for the service. */
static inline void write_certificate(struct tls_server *files,
                                     const struct certificate *certificate) {
    assert_int_equal(setenv("TMPDIR", WORLD_SCRATCH, 1), 0);
    tls_write_files(files, certificate->name, certificate->from, certificate->to);
    assert_int_equal(chmod(files->directory, 0755), 0);
    assert_int_equal(chmod(files->certificate, 0644), 0);
}
