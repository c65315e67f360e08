/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Points in time as text: xs:dateTime of BootstrappingInfo and the Date of HTTP.
 *
 * How long a key lives hangs on these, so they are read strictly, without locale and without the
 * process's time zone.
 */

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "datetime.h"
#include "gba.h"
#include "util.h"

struct moment {
    unsigned year, month, day; /* month and day from 1 */
    unsigned hour, minute, second;
};

/* Exactly @count digits. */
static bool take_digits(const char **at, unsigned count, unsigned *ret) {
    unsigned value = 0;

    for (unsigned i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        value = value * 10 + (unsigned)(**at - '0');
    }
    *ret = value;
    return true;
}

static bool take_text(const char **at, const char *text) {
    size_t length = strlen(text);

    if (strncmp(*at, text, length) != 0)
        return false;
    *at += length;
    return true;
}

/* One of @count words; its number in *@ret. */
static bool take_word(const char **at, const char *const *words, size_t count, unsigned *ret) {
    for (size_t i = 0; i < count; i++)
        if (take_text(at, words[i])) {
            *ret = (unsigned)i;
            return true;
        }
    return false;
}

static bool take_time(const char **at, struct moment *moment) {
    return take_digits(at, 2, &moment->hour) && take_text(at, ":") &&
           take_digits(at, 2, &moment->minute) && take_text(at, ":") &&
           take_digits(at, 2, &moment->second);
}

static bool is_leap_year(unsigned year) {
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned days_of_month(unsigned year, unsigned month) {
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && is_leap_year(year) ? 29 : days[month - 1];
}

static int moment_to_epoch(const struct moment *moment, unsigned second_max, int64_t *ret) {
    if (moment->year < 1970 || moment->month < 1 || moment->month > 12 || moment->day < 1 ||
        moment->day > days_of_month(moment->year, moment->month) || moment->hour > 23 ||
        moment->minute > 59 || moment->second > second_max)
        return -EINVAL;

    struct tm tm = {
        .tm_year = (int)moment->year - 1900,
        .tm_mon = (int)moment->month - 1,
        .tm_mday = (int)moment->day,
        .tm_hour = (int)moment->hour,
        .tm_min = (int)moment->minute,
        .tm_sec = (int)moment->second,
    };
    *ret = timegm(&tm);
    return 0;
}

/* "", "Z", "+hh:mm" or "-hh:mm", to the end of the text. */
static bool take_zone(const char **at, int64_t *ret_offset) {
    unsigned hours = 0, minutes = 0;
    bool west = **at == '-';

    if (**at == '+' || **at == '-') {
        (*at)++;
        if (!take_digits(at, 2, &hours) || !take_text(at, ":") || !take_digits(at, 2, &minutes) ||
            minutes > 59 || hours > 14 || (hours == 14 && minutes > 0))
            return false;
    } else if (**at == 'Z') {
        (*at)++;
    }
    *ret_offset = ((int64_t)hours * 60 + minutes) * (west ? -60 : 60);
    return **at == 0;
}

static bool take_fraction(const char **at) {
    if (**at != '.')
        return true;
    (*at)++;
    if (**at < '0' || **at > '9')
        return false;
    *at += strspn(*at, "0123456789");
    return true;
}

int xs_datetime_parse(const char *text, int64_t *ret) {
    struct moment moment;
    int64_t seconds, offset;

    if (!take_digits(&text, 4, &moment.year) || !take_text(&text, "-") ||
        !take_digits(&text, 2, &moment.month) || !take_text(&text, "-") ||
        !take_digits(&text, 2, &moment.day) || !take_text(&text, "T") ||
        !take_time(&text, &moment) || !take_fraction(&text) || !take_zone(&text, &offset))
        return -EINVAL;
    if (moment_to_epoch(&moment, 59, &seconds) < 0)
        return -EINVAL;
    if (seconds < offset)
        return -EINVAL;
    *ret = seconds - offset;
    return 0;
}

static const char *const days_short[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
static const char *const days_long[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                        "Friday", "Saturday", "Sunday"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static bool take_month(const char **at, struct moment *moment) {
    unsigned month;

    if (!take_word(at, months, ELEMENTS(months), &month))
        return false;
    moment->month = month + 1;
    return true;
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static bool read_imf_fixdate(const char *at, struct moment *moment) {
    unsigned weekday;

    return take_word(&at, days_short, ELEMENTS(days_short), &weekday) && take_text(&at, ", ") &&
           take_digits(&at, 2, &moment->day) && take_text(&at, " ") && take_month(&at, moment) &&
           take_text(&at, " ") && take_digits(&at, 4, &moment->year) && take_text(&at, " ") &&
           take_time(&at, moment) && take_text(&at, " GMT") && *at == 0;
}

/* Sunday, 06-Nov-94 08:49:37 GMT; the local clock, which could tell the century, is not trusted here. */
static bool read_rfc850_date(const char *at, struct moment *moment) {
    unsigned weekday, year;

    if (!(take_word(&at, days_long, ELEMENTS(days_long), &weekday) && take_text(&at, ", ") &&
          take_digits(&at, 2, &moment->day) && take_text(&at, "-") && take_month(&at, moment) &&
          take_text(&at, "-") && take_digits(&at, 2, &year) && take_text(&at, " ") &&
          take_time(&at, moment) && take_text(&at, " GMT") && *at == 0))
        return false;
    moment->year = year < 70 ? 2000 + year : 1900 + year;
    return true;
}

/* Sun Nov  6 08:49:37 1994 */
static bool read_asctime_date(const char *at, struct moment *moment) {
    unsigned weekday;

    return take_word(&at, days_short, ELEMENTS(days_short), &weekday) && take_text(&at, " ") &&
           take_month(&at, moment) && take_text(&at, " ") &&
           take_digits(&at, take_text(&at, " ") ? 1 : 2, &moment->day) && take_text(&at, " ") &&
           take_time(&at, moment) && take_text(&at, " ") && take_digits(&at, 4, &moment->year) &&
           *at == 0;
}

int http_date_parse(const char *text, int64_t *ret) {
    struct moment moment;

    if (!read_imf_fixdate(text, &moment) && !read_rfc850_date(text, &moment) &&
        !read_asctime_date(text, &moment))
        return -EINVAL;
    return moment_to_epoch(&moment, 60, ret);
}
