/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Points in time are read to the second, by UTC, whatever this machine's zone is; and what is none is refused. HTTP's
 * own form is asked directly, xs:dateTime through the BootstrappingInfo that it stands in.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "gba.h"
#include "util.h"

/* A zone that would show at once if local time were used anywhere. */
static int group_setup(void **state) {
    (void)state;
    if (setenv("TZ", "XXX-07:30", 1) < 0)
        return -1;
    tzset();
    return 0;
}

static void test_three_forms_of_one_moment(void **state _unused_) {
    static const char *const forms[] = {
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    };

    for (size_t i = 0; i < ELEMENTS(forms); i++) {
        int64_t seconds = 0;

        assert_int_equal(http_date_parse(forms[i], &seconds), 0);
        assert_int_equal(seconds, 784111777);
    }
}

static void test_edges_of_the_calendar(void **state _unused_) {
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Thu, 29 Feb 2024 23:59:59 GMT", 1709251199},
        {"Tue, 29 Feb 2000 00:00:00 GMT", 951782400},
        {"Tue, 19 Jan 2038 03:14:08 GMT", 2147483648},
        {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
        {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800}, /* a leap second */
        {"Tuesday, 01-Jan-69 00:00:00 GMT", 3124224000},
        {"Thursday, 01-Jan-70 00:00:00 GMT", 0},
        {"Sun Nov 16 08:49:37 1994", 784975777},
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        int64_t seconds = -1;

        assert_int_equal(http_date_parse(cases[i].text, &seconds), 0);
        assert_int_equal(seconds, cases[i].seconds);
    }
}

static void test_what_is_no_date_is_refused(void **state _unused_) {
    static const char *const wrong[] = {
        "",
        "0",
        "1994-11-06T08:49:37Z",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Xyz, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Wed, 29 Feb 2023 00:00:00 GMT",
        "Mon, 29 Feb 2100 00:00:00 GMT",
        "Sun, 06 Nov 1969 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, +6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 11994 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun Nov  66 08:49:37 1994",
    };

    for (size_t i = 0; i < ELEMENTS(wrong); i++) {
        int64_t seconds = 42;

        if (http_date_parse(wrong[i], &seconds) != -EINVAL)
            fail_msg("'%s' became %lld", wrong[i], (long long)seconds);
        assert_int_equal(seconds, 42);
    }
}

static int lifetime(const char *text, int64_t *ret) {
    struct bootstrapping_info info;
    char body[256];
    int r;

    (void)snprintf(body, sizeof(body),
                   "<BootstrappingInfo xmlns=\"uri:3gpp-gba\"><btid>b</btid><lifetime>%s</lifetime>"
                   "</BootstrappingInfo>",
                   text);
    r = bootstrapping_info_parse((const uint8_t *)body, strlen(body), &info, NULL);
    if (r == 0)
        *ret = info.lifetime;
    return r;
}

static void test_xml_date_and_time(void **state _unused_) {
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {
        {"2004-01-08T12:00:00Z", 1073563200},
        {"2004-01-08T12:00:00", 1073563200},
        {"2004-01-08T12:00:00.999999999Z", 1073563200},
        {"2004-01-08T14:30:00+02:30", 1073563200},
        {"2004-01-07T22:00:00-14:00", 1073563200},
        {"2004-01-09T02:00:00.5+14:00", 1073563200},
        {"2004-01-08T12:00:00-00:00", 1073563200},
        {"2024-02-29T23:59:59Z", 1709251199},
        {"1970-01-01T00:00:00Z", 0},
        {"9999-12-31T23:59:59Z", 253402300799},
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        int64_t seconds = -1;

        if (lifetime(cases[i].text, &seconds) != 0)
            fail_msg("'%s' was refused", cases[i].text);
        assert_int_equal(seconds, cases[i].seconds);
    }
}

static void test_what_is_no_xml_date_and_time_is_refused(void **state _unused_) {
    static const char *const wrong[] = {
        "2004-01-08",
        "12:00:00Z",
        "2004-01-08 12:00:00Z",
        "2004-01-08t12:00:00Z",
        "2004-01-08T12:00Z",
        "2004-01-08T12:00:00z",
        "2004-01-08T12:00:00ZZ",
        "2004-01-08T12:00:00.Z",
        "2004-01-08T12:00:00,5Z",
        "2004-01-08T12:00:00+0100",
        "2004-01-08T12:00:00+01",
        "2004-01-08T12:00:00+14:01",
        "2004-01-08T12:00:00+15:00",
        "2004-01-08T12:00:00+01:60",
        "2004-01-08T24:00:00Z",
        "2004-01-08T12:00:60Z",
        "2004-13-08T12:00:00Z",
        "2004-00-08T12:00:00Z",
        "2004-04-31T12:00:00Z",
        "2003-02-29T12:00:00Z",
        "1900-02-28T12:00:00Z",
        "1970-01-01T00:00:00+00:01",
        "-2004-01-08T12:00:00Z",
        "12004-01-08T12:00:00Z",
        "204-01-08T12:00:00Z",
        "2004-1-8T12:00:00Z",
        "2004-01-08T12:00:00Z trailing",
    };

    for (size_t i = 0; i < ELEMENTS(wrong); i++) {
        int64_t seconds = 42;

        if (lifetime(wrong[i], &seconds) != UB_E_INFO_MALFORMED)
            fail_msg("'%s' became %lld", wrong[i], (long long)seconds);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_forms_of_one_moment),
        cmocka_unit_test(test_edges_of_the_calendar),
        cmocka_unit_test(test_what_is_no_date_is_refused),
        cmocka_unit_test(test_xml_date_and_time),
        cmocka_unit_test(test_what_is_no_xml_date_and_time_is_refused),
    };

    return cmocka_run_group_tests(tests, group_setup, NULL);
}
