/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Integration tests: cmocka tests, each in a world of its own.
 *
 *   static void a_key_comes_by_descriptor(void **state) {
 *       struct world *world = *state;
 *       ...
 *   }
 *
 *   int main(void) {
 *       const struct CMUnitTest tests[] = {cmocka_unit_test(a_key_comes_by_descriptor)};
 *       return world_test_main(tests, sizeof(tests) / sizeof(tests[0]));
 *   }
 *
 * Include the headers that cmocka.h asks for before this one.
 */

#include <cmocka.h>

#include "lab/world.h"

/**
 * world_test_main() - run each of @tests in a world of its own, which is the test's *state
 *
 * A test that fails is followed by what all processes of its world have said. The environment variable
 * KEYSTRAP_TEST_FILTER names one test to run alone.
 *
 * Return: the exit status for main(): 0; 1 when a test failed; 77 without root.
 */
int world_test_main(const struct CMUnitTest *tests, size_t count);
