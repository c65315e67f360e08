/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Integration tests: a cmocka group of one test in each world, so that a crash or a leftover of one test is not
 * the next one's trouble.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world-internal.h"
#include "world-test.h"

static int run_one(struct world *world, void *userdata) {
    struct CMUnitTest test = *(const struct CMUnitTest *)userdata;
    int failed;

    test.initial_state = world;
    failed = _cmocka_run_group_tests(test.name, &test, 1, NULL, NULL);
    if (failed)
        world_log(world);
    return failed ? 1 : 0;
}

int world_test_main(const struct CMUnitTest *tests, size_t count) {
    const char *filter = getenv("KEYSTRAP_TEST_FILTER");
    size_t run = 0, failed = 0;

    for (size_t i = 0; i < count; i++) {
        struct CMUnitTest test = tests[i];
        int verdict;

        if (filter && strcmp(filter, test.name) != 0)
            continue;
        run++;
        verdict = world_run(run_one, &test);
        if (verdict == WORLD_SKIPPED)
            return WORLD_SKIPPED;
        if (verdict != 0) {
            (void)fprintf(stderr, "FAILED: %s\n", test.name);
            failed++;
        }
    }
    (void)fprintf(stderr, "%zu of %zu tests passed\n", run - failed, run);
    return failed > 0 || run == 0 ? 1 : 0;
}
