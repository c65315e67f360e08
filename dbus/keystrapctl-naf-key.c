/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrapctl naf-key and get-key: a key for a script, or the proof that there is one.
 *
 * A key on a terminal is a key in a scroll-back buffer, so it takes --format to get one and --show to see it. Its text is
 * made in memory that is erased and goes out by write(2): stdio would keep a copy.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <keystrap/keystrap.h>

#include "keystrapctl.h"
#include "secret.h"
#include "util.h"

static int write_all(const void *data, size_t length) {
    const uint8_t *p = data;

    while (length > 0) {
        ssize_t n = write(STDOUT_FILENO, p, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            ctl_error("Cannot write the key: %s", strerror(errno));
            return EX_IOERR;
        }
        p += n;
        length -= (size_t)n;
    }
    return EX_OK;
}

static int write_hex(const struct keystrap_naf_key *key) {
    _cleanup_secret_ struct secret *text = NULL;
    size_t length = keystrap_naf_key_length(key);
    int r;

    r = secret_new(length * 2 + 1, &text);
    if (r < 0) {
        ctl_error("No locked memory for the key: %s", strerror(-r));
        return EX_OSERR;
    }
    hex_encode(keystrap_naf_key_data(key), length, (char *)secret_data_mutable(text));
    return write_all(secret_data(text), length * 2);
}

static int write_key(const struct keystrap_naf_key *key, enum ctl_format format) {
    const char *base64;

    switch (format) {
    case CTL_FORMAT_NONE:
        return EX_OK;
    case CTL_FORMAT_RAW:
        return write_all(keystrap_naf_key_data(key), keystrap_naf_key_length(key));
    case CTL_FORMAT_HEX:
        return write_hex(key);
    case CTL_FORMAT_BASE64:
        base64 = keystrap_naf_key_base64(key);
        return write_all(base64, strlen(base64));
    }
    return EX_SOFTWARE;
}

/* The object is printed up to its closing brace, and the key, which jansson must not see, put before that. */
static int print_json(const struct keystrap_naf_key *key, enum ctl_format format, bool enrolment) {
    _cleanup_free_ char *text = NULL;
    json_t *object;
    int r;

    object = json_pack("{s:s, s:I, s:I}", enrolment ? "KeyId" : "Btid", keystrap_naf_key_btid(key),
                       "Expires", (json_int_t)keystrap_naf_key_expires(key), "BootTimeExpires",
                       (json_int_t)keystrap_naf_key_expires_boottime(key));
    if (object && enrolment)
        (void)json_object_update_new(object, json_pack("{s:s, s:s, s:i}", "Profile",
                                                       keystrap_naf_key_profile(key), "Method",
                                                       keystrap_naf_key_method(key), "Suid",
                                                       (int)keystrap_naf_key_suid(key)));
    text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (!text) {
        ctl_error("keystrapd's answer is not UTF-8, or there is no memory.");
        return EX_OSERR;
    }
    r = write_all(text, strlen(text) - 1);
    if (r == EX_OK && format != CTL_FORMAT_NONE)
        r = write_all(",\"Key\":\"", 8);
    if (r == EX_OK)
        r = write_key(key, format);
    if (r == EX_OK && format != CTL_FORMAT_NONE)
        r = write_all("\"", 1);
    return r == EX_OK ? write_all("}\n", 2) : r;
}

static int print_plain(const struct keystrap_naf_key *key, enum ctl_format format, bool enrolment) {
    char when[32];
    int r;

    if (format == CTL_FORMAT_NONE) {
        printf("%s    %s\nExpires  %s\n", enrolment ? "KeyId" : "B-TID", keystrap_naf_key_btid(key),
               ctl_time(keystrap_naf_key_expires(key), when, sizeof(when)));
        if (enrolment)
            printf("Profile  %s\nMethod   %s\n", keystrap_naf_key_profile(key),
                   keystrap_naf_key_method(key));
        return fflush(stdout) == EOF ? EX_IOERR : EX_OK;
    }
    r = write_key(key, format);
    if (r == EX_OK && format != CTL_FORMAT_RAW)
        r = write_all("\n", 1);
    return r;
}

/* Before anything is asked of anybody: a refused key must not have cost quota or a bootstrap. */
static int check_usage(const struct ctl *ctl) {
    if (ctl->json && ctl->format == CTL_FORMAT_RAW) {
        ctl_error("--json cannot hold --format=raw; take hex or base64.");
        return EX_USAGE;
    }
    if (ctl->format != CTL_FORMAT_NONE && !ctl->show && isatty(STDOUT_FILENO)) {
        ctl_error(
            "This would print the key on a terminal. Send it to a file or pipe, or add --show.");
        return EX_USAGE;
    }
    return EX_OK;
}

static int derive(struct keystrap *keystrap, const struct ctl *ctl, bool enrolment) {
    struct keystrap_naf_key *key = NULL;
    int r;

    if (enrolment)
        r = keystrap_get_key(keystrap, ctl->arguments[0], ctl->arguments[1], ctl->profile,
                             ctl->suid, &key);
    else
        r = keystrap_derive_naf_key(keystrap, ctl->naf_fqdn, ctl->ua_protocol,
                                    ctl->force ? KEYSTRAP_FORCE_BOOTSTRAP : 0, &key);
    if (r < 0) {
        ctl_error("%s", keystrap_last_error(keystrap));
        return ctl_exit_status(r);
    }
    r = ctl->json ? print_json(key, ctl->format, enrolment)
                  : print_plain(key, ctl->format, enrolment);
    keystrap_naf_key_free(key);
    return r;
}

static int get(const struct ctl *ctl, bool enrolment) {
    struct keystrap *keystrap = NULL;
    int r;

    r = check_usage(ctl);
    if (r != EX_OK)
        return r;
    r = secret_arena_init();
    if (r < 0) {
        ctl_error("No locked memory: %s", strerror(-r));
        return EX_OSERR;
    }
    r = keystrap_open(&keystrap);
    if (r < 0) {
        ctl_error("The system bus cannot be reached: %s", strerror(-r));
        r = EX_UNAVAILABLE;
    } else {
        (void)keystrap_set_uicc(keystrap, ctl->uicc); /* its length was looked at */
        r = derive(keystrap, ctl, enrolment);
    }
    keystrap_close(keystrap);
    secret_arena_done();
    return r;
}

int ctl_naf_key(const struct ctl *ctl) {
    return get(ctl, false);
}

int ctl_get_key(const struct ctl *ctl) {
    return get(ctl, true);
}
