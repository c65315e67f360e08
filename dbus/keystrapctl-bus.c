/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrapctl: what all commands need, from the bus and for the user.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "error-map.h"
#include "keystrapctl.h"
#include "text.h"
#include "util.h"

void ctl_error(const char *format, ...) {
    char text[FAILURE_TEXT_MAX * 2], clean[FAILURE_TEXT_MAX * 2];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    text_copy(clean, sizeof(clean), text);
    (void)fprintf(stderr, "keystrapctl: %s\n", clean);
}

int ctl_exit_status(int r) {
    switch (-r) {
    case 0:
        return EX_OK;
    case EINVAL:
        return EX_USAGE;
    case EACCES:
    case EPERM:
        return EX_NOPERM;
    case ESRCH:
    case ENODEV:
    case EKEYREJECTED:
        return EX_UNAVAILABLE;
    case EBUSY:
    case ETIMEDOUT:
    case EHOSTUNREACH:
        return EX_TEMPFAIL;
    case EBADMSG:
        return EX_PROTOCOL;
    case ENOMEM:
        return EX_OSERR;
    default:
        return EX_SOFTWARE;
    }
}

int ctl_open(sd_bus **ret) {
    int r;

    r = sd_bus_open_system_with_description(ret, "keystrapctl");
    if (r < 0) {
        ctl_error("The system bus cannot be reached: %s", strerror(-r));
        return EX_UNAVAILABLE;
    }
    (void)sd_bus_set_method_call_timeout(*ret, BUS_CALL_TIMEOUT_USEC);
    return EX_OK;
}

const char *ctl_object(const struct ctl *ctl, char path[CTL_PATH_MAX]) {
    if (!ctl->profile && !ctl->uicc) {
        (void)snprintf(path, CTL_PATH_MAX, "%s", CTL_PATH);
        return CTL_MANAGER;
    }
    (void)snprintf(path, CTL_PATH_MAX, "%s/%s/%s", CTL_PATH, ctl->profile ? "enrolment" : "uicc",
                   ctl->profile ? ctl->profile : ctl->uicc);
    for (char *p = path; *p; p++)
        if (*p == '-')
            *p = '_';
    return ctl->profile ? CTL_ENROLMENT : CTL_UICC;
}

static const char *name_of(const char *path, const char *directory,
                           char ret[CTL_OBJECT_NAME_MAX + 1]) {
    size_t length = strlen(directory);

    if (strncmp(path, directory, length) != 0)
        return NULL;
    (void)snprintf(ret, CTL_OBJECT_NAME_MAX + 1, "%s", path + length);
    for (char *p = ret; *p; p++)
        if (*p == '_')
            *p = '-';
    return ret;
}

const char *ctl_card_of(const char *path, char ret[CTL_OBJECT_NAME_MAX + 1]) {
    return name_of(path, CTL_PATH "/uicc/", ret);
}

const char *ctl_profile_of(const char *path, char ret[CTL_OBJECT_NAME_MAX + 1]) {
    return name_of(path, CTL_PATH "/enrolment/", ret);
}

int ctl_print_error(const char *method, const sd_bus_error *error, int r) {
    if (!sd_bus_error_is_set(error)) {
        ctl_error("%s: %s", method, strerror(-r));
        return EX_UNAVAILABLE;
    }
    if (sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_OBJECT)) {
        ctl_error("No card or profile of that name is configured. See \"keystrapctl status\".");
        return EX_USAGE;
    }
    r = error_map_client(error->name);
    if (r == -ESRCH)
        ctl_error("keystrapd does not answer on the system bus (%s). Is the service running? See "
                  "\"systemctl status keystrapd\".",
                  error->name);
    else
        ctl_error("%s", error->message ? error->message : error->name);
    return ctl_exit_status(r);
}

int ctl_call(const struct ctl *ctl, sd_bus *bus, const char *method, sd_bus_message **ret,
             const char *types, ...) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    char path[CTL_PATH_MAX];
    const char *interface = ctl_object(ctl, path);
    va_list ap;
    int r;

    va_start(ap, types);
    r = sd_bus_call_methodv(bus, CTL_NAME, path, interface, method, &error, ret, types, ap);
    va_end(ap);
    return r >= 0 ? EX_OK : ctl_print_error(method, &error, r);
}

int ctl_get_all(sd_bus *bus, const char *path, const char *interface, json_t **ret) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    int r;

    r = sd_bus_call_method(bus, CTL_NAME, path, "org.freedesktop.DBus.Properties", "GetAll", &error,
                           &m, "s", interface);
    if (r < 0)
        return ctl_print_error("GetAll", &error, r);
    *ret = ctl_read_dict(m, "sv");
    if (!*ret) {
        ctl_error("keystrapd's answer is malformed.");
        return EX_PROTOCOL;
    }
    return EX_OK;
}

/* JSON's integers end at 2^63 - 1; what is beyond means "never" anyway. */
static json_t *json_from_uint64(uint64_t value) {
    return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

/* Returns 0 for a type that is left out. */
static int read_value(sd_bus_message *m, const char *type, json_t **ret) {
    union {
        const char *s;
        int b;
        int32_t i;
        uint32_t u;
        uint64_t t;
    } v;
    int r;

    if (type[0] == '\0' || type[1] != '\0' || !strchr("sbiut", type[0]))
        return 0;
    r = sd_bus_message_read_basic(m, type[0], &v);
    if (r < 0)
        return r;
    if (type[0] == 's')
        *ret = json_string(v.s);
    else if (type[0] == 'b')
        *ret = json_boolean(v.b);
    else if (type[0] == 'i')
        *ret = json_integer(v.i);
    else if (type[0] == 'u')
        *ret = json_integer(v.u);
    else
        *ret = json_from_uint64(v.t);
    return *ret ? 1 : -ENOMEM;
}

/* An array of strings or paths. */
static int read_texts(sd_bus_message *m, const char *type, json_t **ret) {
    json_t *array = json_array();
    const char *text;
    int r;

    r = array ? sd_bus_message_enter_container(m, 'a', type) : -ENOMEM;
    while (r >= 0 && (r = sd_bus_message_read_basic(m, type[0], &text)) > 0)
        if (json_array_append_new(array, json_string(text)) < 0)
            r = -ENOMEM;
    if (r >= 0)
        r = sd_bus_message_exit_container(m);
    if (r < 0) {
        json_decref(array);
        return r;
    }
    *ret = array;
    return 1;
}

/* The Methods of an enrolment. */
static int read_methods(sd_bus_message *m, json_t **ret) {
    const char *a, *b, *c, *d;
    json_t *array = json_array();
    int r;

    r = array ? sd_bus_message_enter_container(m, 'a', "(ssss)") : -ENOMEM;
    while (r >= 0 && (r = sd_bus_message_read(m, "(ssss)", &a, &b, &c, &d)) > 0)
        if (json_array_append_new(array, json_pack("{s:s, s:s, s:s, s:s}", "Method", a, "Verdict",
                                                   b, "Outcome", c, "Text", d)) < 0)
            r = -ENOMEM;
    if (r >= 0)
        r = sd_bus_message_exit_container(m);
    if (r < 0) {
        json_decref(array);
        return r;
    }
    *ret = array;
    return 1;
}

static int read_variant(sd_bus_message *m, json_t **ret) {
    const char *type;
    bool texts, methods;
    int r, taken;

    r = sd_bus_message_peek_type(m, NULL, &type);
    if (r < 0)
        return r;
    texts = strcmp(type, "as") == 0 || strcmp(type, "ao") == 0;
    methods = strcmp(type, "a(ssss)") == 0;
    if (!texts && !methods && (type[0] == '\0' || type[1] != '\0' || !strchr("sbiut", type[0])))
        return sd_bus_message_skip(m, "v") < 0 ? -EBADMSG : 0;
    r = sd_bus_message_enter_container(m, 'v', type);
    if (r < 0)
        return r;
    taken = texts     ? read_texts(m, type + 1, ret)
            : methods ? read_methods(m, ret)
                      : read_value(m, type, ret);
    if (taken < 0)
        return taken;
    r = sd_bus_message_exit_container(m);
    return r < 0 ? r : taken;
}

json_t *ctl_read_dict(sd_bus_message *m, const char *entry) {
    char array[16];
    json_t *object = json_object();
    const char *name;
    int r;

    (void)snprintf(array, sizeof(array), "{%s}", entry);
    r = object ? sd_bus_message_enter_container(m, 'a', array) : -ENOMEM;
    while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', entry)) > 0) {
        json_t *value = NULL;

        r = sd_bus_message_read(m, "s", &name);
        if (r >= 0)
            r = entry[1] == 'v' ? read_variant(m, &value) : read_value(m, entry + 1, &value);
        if (r > 0 && json_object_set_new(object, name, value) < 0)
            r = -ENOMEM;
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
    }
    if (r >= 0)
        r = sd_bus_message_exit_container(m);
    if (r < 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

int ctl_print_json(json_t *object) {
    int r;

    if (!object) {
        ctl_error("Out of memory");
        return EX_OSERR;
    }
    r = json_dumpf(object, stdout, JSON_COMPACT);
    json_decref(object);
    if (r < 0 || putchar('\n') == EOF || fflush(stdout) == EOF) {
        ctl_error("Cannot write: %s", strerror(errno));
        return EX_IOERR;
    }
    return EX_OK;
}

const char *ctl_text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));

    return text && text[0] ? text : "-";
}

const char *ctl_time(uint64_t usec, char *ret, size_t size) {
    time_t seconds = (time_t)(usec / USEC_PER_SEC);
    struct tm tm;

    if (usec == 0 || !gmtime_r(&seconds, &tm) || strftime(ret, size, "%FT%TZ", &tm) == 0)
        (void)snprintf(ret, size, "-");
    return ret;
}
