/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * From text to a value of a type and back.
 *
 * What is printed is read back as the same value, so that `keystrapd --check-config` can be pasted into a file.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "conf-file.h"
#include "conf-table.h"
#include "log.h"
#include "util.h"

static const char *const level_names[] = {"err", "warning", "notice", "info", "debug"};

static void *field(void *values, const struct conf_key *key) {
    return (char *)values + key->offset;
}

static const void *field_const(const void *values, const struct conf_key *key) {
    return (const char *)values + key->offset;
}

_printf_(2, 3) static int refuse(char wrong[CONF_WRONG_MAX], const char *format, ...) {
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(wrong, CONF_WRONG_MAX, format, ap);
    va_end(ap);
    return -EINVAL;
}

static int check_text(const struct conf_key *key, const char *text, char wrong[CONF_WRONG_MAX]) {
    const char *what = key->wrong ? key->wrong(text) : NULL;

    return what ? refuse(wrong, "%s", what) : 0;
}

/* A text's length is looked at first, because what is wrong with the rest hardly matters then. */
static int check_string(const struct conf_key *key, const char *text, char wrong[CONF_WRONG_MAX]) {
    size_t length = strlen(text);

    if (length < key->min)
        return refuse(wrong, "too short");
    if (length > key->max)
        return refuse(wrong, "longer than %" PRIu64 " octets", key->max);
    /* A file has none there, and what is printed would not be read back the same. */
    if (text[0] == ' ' || text[length - 1] == ' ')
        return refuse(wrong, "a space at its start or end");
    return check_text(key, text, wrong);
}

static int set_string(const struct conf_key *key, const char *text, char **value,
                      char wrong[CONF_WRONG_MAX]) {
    char *copy;
    int r;

    r = check_string(key, text, wrong);
    if (r < 0)
        return r;
    copy = strdup(text);
    if (!copy)
        return -ENOMEM;
    free(*value);
    *value = copy;
    return 0;
}

static int add_to_list(const struct conf_key *key, const char *text, char ***value,
                       char wrong[CONF_WRONG_MAX]) {
    _cleanup_free_ char *copy = NULL;
    size_t count = 0;
    char **longer;
    int r;

    r = check_string(key, text, wrong);
    if (r < 0)
        return r;
    while (*value && (*value)[count])
        count++;
    if (count >= key->lines_max)
        return refuse(wrong, "more than %zu lines", key->lines_max);
    copy = strdup(text);
    longer = copy ? reallocarray(*value, count + 2, sizeof(*longer)) : NULL;
    if (!longer)
        return -ENOMEM;
    longer[count] = TAKE_PTR(copy);
    longer[count + 1] = NULL;
    *value = longer;
    return 0;
}

/* Decimal digits from @text; at most 15, which cannot overflow. Returns what follows them, NULL for none. */
static const char *parse_digits(const char *text, uint64_t *ret) {
    size_t length = strspn(text, "0123456789");
    uint64_t n = 0;

    if (length == 0 || length > 15)
        return NULL;
    for (size_t i = 0; i < length; i++)
        n = n * 10 + (uint64_t)(text[i] - '0');
    *ret = n;
    return text + length;
}

static int check_range(const struct conf_key *key, uint64_t n, char wrong[CONF_WRONG_MAX]) {
    return n >= key->min && n <= key->max ? 0 : refuse(wrong, "out of range");
}

static int set_unsigned(const struct conf_key *key, const char *text, uint64_t *value,
                        char wrong[CONF_WRONG_MAX]) {
    const char *rest;
    uint64_t n;
    int r;

    rest = parse_digits(text, &n);
    if (!rest || *rest != '\0')
        return refuse(wrong, "not a number");
    r = check_range(key, n, wrong);
    if (r == 0)
        r = check_text(key, text, wrong);
    if (r == 0)
        *value = n;
    return r;
}

/* Seconds with up to six decimals. */
static int set_duration(const struct conf_key *key, const char *text, uint64_t *value,
                        char wrong[CONF_WRONG_MAX]) {
    uint64_t seconds, fraction = 0;
    const char *rest;
    int r;

    rest = parse_digits(text, &seconds);
    if (rest && *rest == '.') {
        const char *end = parse_digits(rest + 1, &fraction);
        ptrdiff_t digits = end ? end - rest - 1 : 7;

        for (rest = digits > 6 ? NULL : end; digits < 6; digits++)
            fraction *= 10;
    }
    if (!rest || *rest != '\0')
        return refuse(wrong, "not a number of seconds");
    if (seconds > UINT64_MAX / USEC_PER_SEC - 1)
        return refuse(wrong, "out of range");
    r = check_range(key, seconds * USEC_PER_SEC + fraction, wrong);
    if (r == 0)
        *value = seconds * USEC_PER_SEC + fraction;
    return r;
}

static int set_bool(const char *text, bool *value, char wrong[CONF_WRONG_MAX]) {
    int r = conf_bool_parse(text);

    if (r < 0)
        return refuse(wrong, "neither yes nor no");
    *value = r;
    return 0;
}

static int set_level(const char *text, int *value, char wrong[CONF_WRONG_MAX]) {
    int level = log_level_from_name(text);

    if (level < 0)
        return refuse(wrong, "not a level");
    *value = level;
    return 0;
}

static int set_choice(const struct conf_key *key, const char *text, int *value,
                      char wrong[CONF_WRONG_MAX]) {
    for (int i = 0; key->choices[i]; i++) {
        if (strcmp(key->choices[i], text) == 0) {
            *value = i;
            return 0;
        }
    }
    return refuse(wrong, "none of these");
}

int conf_value_set(void *values, const struct conf_key *key, const char *text,
                   char wrong[CONF_WRONG_MAX]) {
    void *value = field(values, key);

    if (text[0] == '\0') {
        conf_value_clear(values, key);
        text = key->fallback;
        if (text[0] == '\0')
            return 0;
    }
    switch (key->type) {
    case CONF_STRING:
        return set_string(key, text, value, wrong);
    case CONF_LIST:
        return add_to_list(key, text, value, wrong);
    case CONF_UNSIGNED:
        return set_unsigned(key, text, value, wrong);
    case CONF_DURATION:
        return set_duration(key, text, value, wrong);
    case CONF_BOOL:
        return set_bool(text, value, wrong);
    case CONF_LEVEL:
        return set_level(text, value, wrong);
    case CONF_CHOICE:
        return set_choice(key, text, value, wrong);
    }
    return -EINVAL;
}

void conf_value_clear(void *values, const struct conf_key *key) {
    if (key->type == CONF_STRING) {
        char **value = field(values, key);

        free(*value);
        *value = NULL;
    } else if (key->type == CONF_LIST) {
        char ***value = field(values, key);

        for (char **p = *value; p && *p; p++)
            free(*p);
        free(*value);
        *value = NULL;
    }
}

static int copy_strings(char ***to, char *const *from) {
    size_t count = 0;

    while (from && from[count])
        count++;
    if (count == 0)
        return 0;
    *to = calloc(count + 1, sizeof(**to));
    if (!*to)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        (*to)[i] = strdup(from[i]);
        if (!(*to)[i])
            return -ENOMEM;
    }
    return 0;
}

int conf_value_copy(void *to, const void *from, const struct conf_key *key) {
    const void *value = field_const(from, key);
    const char *text;

    conf_value_clear(to, key);
    switch (key->type) {
    case CONF_STRING:
        text = *(char *const *)value;
        *(char **)field(to, key) = text ? strdup(text) : NULL;
        return text && !*(char **)field(to, key) ? -ENOMEM : 0;
    case CONF_LIST:
        return copy_strings(field(to, key), *(char **const *)value);
    case CONF_UNSIGNED:
    case CONF_DURATION:
        *(uint64_t *)field(to, key) = *(const uint64_t *)value;
        return 0;
    case CONF_BOOL:
        *(bool *)field(to, key) = *(const bool *)value;
        return 0;
    case CONF_LEVEL:
    case CONF_CHOICE:
        *(int *)field(to, key) = *(const int *)value;
        return 0;
    }
    return -EINVAL;
}

static bool same_text(const char *a, const char *b) {
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_texts(char *const *a, char *const *b) {
    if (!a || !b)
        return a == b;
    while (*a && same_text(*a, *b))
        a++, b++;
    return *a == *b;
}

bool conf_value_equal(const void *a, const void *b, const struct conf_key *key) {
    const void *left = field_const(a, key), *right = field_const(b, key);

    switch (key->type) {
    case CONF_STRING:
        return same_text(*(char *const *)left, *(char *const *)right);
    case CONF_LIST:
        return same_texts(*(char **const *)left, *(char **const *)right);
    case CONF_UNSIGNED:
    case CONF_DURATION:
        return *(const uint64_t *)left == *(const uint64_t *)right;
    case CONF_BOOL:
        return *(const bool *)left == *(const bool *)right;
    case CONF_LEVEL:
    case CONF_CHOICE:
        return *(const int *)left == *(const int *)right;
    }
    return false;
}

/* Microseconds as seconds, with no more decimals than needed. */
static void format_seconds(uint64_t usec, char *ret, size_t size) {
    const uint64_t seconds = usec / USEC_PER_SEC, rest = usec % USEC_PER_SEC;
    size_t length;

    (void)snprintf(ret, size, "%" PRIu64 ".%06" PRIu64, seconds, rest);
    for (length = strlen(ret); ret[length - 1] == '0'; length--)
        ret[length - 1] = '\0';
    if (ret[length - 1] == '.')
        ret[length - 1] = '\0';
}

static const char *level_name(int level) {
    for (size_t i = 0; i < ELEMENTS(level_names); i++)
        if (log_level_from_name(level_names[i]) == level)
            return level_names[i];
    return "";
}

static void print_list(const struct conf_key *key, char *const *list, FILE *stream) {
    if (!list)
        fprintf(stream, "%s=\n", key->name);
    for (; list && *list; list++)
        fprintf(stream, "%s=%s\n", key->name, *list);
}

void conf_value_print(const void *values, const struct conf_key *key, FILE *stream) {
    const void *value = field_const(values, key);
    char text[32];

    switch (key->type) {
    case CONF_STRING: {
        const char *string = *(char *const *)value;

        fprintf(stream, "%s=%s\n", key->name, string ? string : "");
        return;
    }
    case CONF_LIST:
        print_list(key, *(char **const *)value, stream);
        return;
    case CONF_UNSIGNED:
        fprintf(stream, "%s=%" PRIu64 "\n", key->name, *(const uint64_t *)value);
        return;
    case CONF_DURATION:
        format_seconds(*(const uint64_t *)value, text, sizeof(text));
        fprintf(stream, "%s=%s\n", key->name, text);
        return;
    case CONF_BOOL:
        fprintf(stream, "%s=%s\n", key->name, *(const bool *)value ? "yes" : "no");
        return;
    case CONF_LEVEL:
        fprintf(stream, "%s=%s\n", key->name, level_name(*(const int *)value));
        return;
    case CONF_CHOICE:
        fprintf(stream, "%s=%s\n", key->name, key->choices[*(const int *)value]);
        return;
    }
}

void conf_value_allowed(const struct conf_key *key, char *ret, size_t size) {
    char min[32], max[32];

    if (key->allowed) {
        (void)snprintf(ret, size, "%s", key->allowed);
    } else if (key->type == CONF_BOOL) {
        (void)snprintf(ret, size, "yes or no");
    } else if (key->type == CONF_DURATION) {
        format_seconds(key->min, min, sizeof(min));
        format_seconds(key->max, max, sizeof(max));
        (void)snprintf(ret, size, "%s to %s seconds", min, max);
    } else {
        (void)snprintf(ret, size, "%" PRIu64 " to %" PRIu64, key->min, key->max);
    }
}
