/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How long a key lives.
 *
 * The BSF says at what time of its clock a key ends; a gateway often has no clock of its own at that moment. So
 * the difference to the BSF's own time counts, which stands in the body or in the Date of the same
 * answer, and it counts from before the request was sent: a key may end here a little before it ends there,
 * never after.
 */

#include <stdio.h>
#include <time.h>

#include "datetime.h"
#include "ub-internal.h"
#include "util.h"

static void format_utc(int64_t seconds, char *ret, size_t size) {
    time_t t = (time_t)seconds;
    struct tm tm;

    if (!gmtime_r(&t, &tm) || strftime(ret, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        (void)snprintf(ret, size, "?");
}

/* What time it is, in seconds since the epoch, and by whose clock; 0 where nobody knows. */
static int64_t reference_time(const struct bootstrapping_info *info,
                              const struct http_response *response, const char **ret_clock) {
    int64_t date = ub_date(response);
    int64_t local = (int64_t)(now_realtime_usec() / USEC_PER_SEC);

    *ret_clock = "its own clock";
    if (info->has_currenttime)
        return info->currenttime;
    if (date != 0)
        return date;
    *ret_clock = "this machine's clock";
    return local >= CLOCK_PLAUSIBLE_SEC ? local : 0;
}

/* The life from @now to @end, both in seconds since the epoch, counted from @from_usec on; cut to @limit_usec. */
static void count_from(int64_t now, int64_t end, uint64_t limit_usec, uint64_t from_usec,
                       uint64_t *ret_expires_usec, uint64_t *ret_expires_utc_usec) {
    uint64_t usec = (uint64_t)(end - now);

    usec = (usec < KEY_LIFETIME_MAX_SEC ? usec : KEY_LIFETIME_MAX_SEC) * USEC_PER_SEC;
    if (limit_usec > 0 && usec > limit_usec)
        usec = limit_usec;
    *ret_expires_utc_usec = (uint64_t)now * USEC_PER_SEC + usec;
    *ret_expires_usec = usec < USEC_INFINITY - from_usec ? from_usec + usec : USEC_INFINITY;
}

int ub_lifetime(struct ub_session *session, const struct bootstrapping_info *info,
                const struct http_response *response, uint64_t sent_usec,
                uint64_t *ret_expires_usec, uint64_t *ret_expires_utc_usec) {
    const char *clock;
    int64_t now = reference_time(info, response, &clock);
    char end_text[32], now_text[32];

    if (now == 0)
        return ub_fail(
            session, UB_E_LIFETIME,
            "it does not say what time it is, and this machine's clock is not set, so nobody "
            "knows how long the key lives",
            "set the clock");
    if (info->lifetime <= now) {
        format_utc(info->lifetime, end_text, sizeof(end_text));
        format_utc(now, now_text, sizeof(now_text));
        return failure_set(
            session->failure, UB_E_LIFETIME,
            "BSF %.64s: its key was dead on arrival: it ended at %s, and by %s it is %s; "
            "check that clock, and tell the operator if it is right",
            session->parameters->bsf, end_text, clock, now_text);
    }

    count_from(now, info->lifetime, session->parameters->lifetime_max_usec, sent_usec,
               ret_expires_usec, ret_expires_utc_usec);
    return 0;
}

int ub_lifetime_by_clock(const char *text, uint64_t lifetime_max_usec, uint64_t *ret_expires_usec,
                         uint64_t *ret_expires_utc_usec) {
    int64_t now = (int64_t)(now_realtime_usec() / USEC_PER_SEC), end;

    if (now < CLOCK_PLAUSIBLE_SEC || xs_datetime_parse(text, &end) < 0 || end <= now)
        return UB_E_LIFETIME;
    count_from(now, end, lifetime_max_usec, now_usec(), ret_expires_usec, ret_expires_utc_usec);
    return 0;
}
