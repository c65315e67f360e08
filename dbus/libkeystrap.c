/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * libkeystrap: the call.
 *
 * What comes back is checked as if the agent were somebody else: a program that took the name on a badly configured
 * bus must not make an application use a short, long or half-read key.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include <keystrap/keystrap.h>

#include "error-map.h"
#include "keystrap-limits.h"
#include "libkeystrap-key.h"
#include "util.h"

#define PUBLIC __attribute__((visibility("default")))

struct keystrap {
    sd_bus *bus;
    uint64_t timeout_usec;
    char uicc[CARD_NAME_MAX + 1]; /* "" for the agent's choice */
    char error[FAILURE_TEXT_MAX * 2];
    char error_name[BUS_NAME_MAX + 1];
};

static int fail(struct keystrap *keystrap, int r, const char *name, const char *text) {
    (void)snprintf(keystrap->error_name, sizeof(keystrap->error_name), "%s", name);
    (void)snprintf(keystrap->error, sizeof(keystrap->error), "%s", text);
    return r;
}

PUBLIC int keystrap_open(struct keystrap **ret) {
    struct keystrap *keystrap;
    int r;

    if (!ret)
        return -EINVAL;
    *ret = NULL;
    keystrap = calloc(1, sizeof(*keystrap));
    if (!keystrap)
        return -ENOMEM;
    keystrap->timeout_usec = BUS_CALL_TIMEOUT_USEC;
    r = sd_bus_open_system_with_description(&keystrap->bus, "libkeystrap");
    if (r < 0) {
        free(keystrap);
        return r;
    }
    *ret = keystrap;
    return 0;
}

PUBLIC void keystrap_close(struct keystrap *keystrap) {
    if (!keystrap)
        return;
    sd_bus_close_unref(keystrap->bus);
    free(keystrap);
}

PUBLIC void keystrap_set_timeout(struct keystrap *keystrap, uint64_t usec) {
    keystrap->timeout_usec = usec ? usec : BUS_CALL_TIMEOUT_USEC;
}

PUBLIC int keystrap_set_uicc(struct keystrap *keystrap, const char *name) {
    if (name && strlen(name) > CARD_NAME_MAX)
        return fail(keystrap, -EINVAL, SD_BUS_ERROR_INVALID_ARGS,
                    "The name of a card has at most 16 octets.");
    (void)snprintf(keystrap->uicc, sizeof(keystrap->uicc), "%s", name ? name : "");
    return 0;
}

PUBLIC const char *keystrap_last_error(const struct keystrap *keystrap) {
    return keystrap ? keystrap->error : "The system bus cannot be reached.";
}

PUBLIC const char *keystrap_last_error_name(const struct keystrap *keystrap) {
    return keystrap ? keystrap->error_name : SD_BUS_ERROR_NO_SERVER;
}

/* --- The answer ---------------------------------------------------------------------------------- */

static int read_text(sd_bus_message *m, char *ret, size_t size) {
    const char *text;
    int r;

    r = sd_bus_message_read(m, "v", "s", &text);
    if (r < 0)
        return r;
    if (strlen(text) >= size)
        return -EBADMSG;
    memcpy(ret, text, strlen(text) + 1);
    return 0;
}

/* What is not known is skipped: a later agent may say more. */
static int read_info_value(sd_bus_message *m, const char *name, struct keystrap_naf_key *key) {
    if (strcmp(name, "BootTimeExpires") == 0)
        return sd_bus_message_read(m, "v", "t", &key->expires_boottime);
    if (strcmp(name, "Method") == 0)
        return read_text(m, key->method, sizeof(key->method));
    if (strcmp(name, "Profile") == 0)
        return read_text(m, key->profile, sizeof(key->profile));
    if (strcmp(name, "Suid") == 0)
        return sd_bus_message_read(m, "v", "u", &key->suid);
    return sd_bus_message_skip(m, "v");
}

static int read_info(sd_bus_message *m, struct keystrap_naf_key *key) {
    const char *name;
    int r;

    r = sd_bus_message_enter_container(m, 'a', "{sv}");
    if (r < 0)
        return r;
    while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        r = sd_bus_message_read(m, "s", &name);
        if (r >= 0)
            r = read_info_value(m, name, key);
        if (r < 0)
            return r;
        r = sd_bus_message_exit_container(m);
        if (r < 0)
            return r;
    }
    return r;
}

/* The descriptor is the message's and goes with it. */
static int read_answer(struct keystrap *keystrap, sd_bus_message *m, struct keystrap_naf_key *key) {
    uint64_t patience =
        keystrap->timeout_usec < KEY_READ_USEC ? keystrap->timeout_usec : KEY_READ_USEC;
    const char *btid;
    int fd;

    if (sd_bus_message_has_signature(m, "shta{sv}") <= 0 ||
        sd_bus_message_read(m, "sht", &btid, &fd, &key->expires) < 0 || read_info(m, key) < 0)
        return fail(keystrap, -EBADMSG, SD_BUS_ERROR_INCONSISTENT_MESSAGE,
                    "The agent's answer is not what org.keystrap.Agent1.Keys promises.");
    if (btid[0] == '\0' || strlen(btid) >= sizeof(key->btid))
        return fail(keystrap, -EBADMSG, SD_BUS_ERROR_INCONSISTENT_MESSAGE,
                    "The agent's answer has no identifier of the key, or one that is too long.");
    memcpy(key->btid, btid, strlen(btid) + 1);
    if (key_read(key, fd, patience) < 0)
        return fail(keystrap, -EBADMSG, SD_BUS_ERROR_INCONSISTENT_MESSAGE,
                    "The agent's descriptor does not hold exactly one key of 32 octets.");
    return 0;
}

/* --- The question -------------------------------------------------------------------------------- */

/* A bus that was restarted since the last call is no reason to fail this one. */
static int ensure_bus(struct keystrap *keystrap) {
    int r;

    if (sd_bus_is_open(keystrap->bus) > 0)
        return 0;
    keystrap->bus = sd_bus_close_unref(keystrap->bus);
    r = sd_bus_open_system_with_description(&keystrap->bus, "libkeystrap");
    if (r == -ENOMEM)
        return fail(keystrap, r, SD_BUS_ERROR_NO_MEMORY, "Out of memory.");
    if (r < 0)
        return fail(keystrap, -ESRCH, SD_BUS_ERROR_NO_SERVER, "The system bus cannot be reached.");
    return 0;
}

static int build_question(struct keystrap *keystrap, const char *naf_fqdn,
                          const uint8_t *ua_protocol, unsigned flags, sd_bus_message **ret) {
    int r;

    r = sd_bus_message_new_method_call(keystrap->bus, ret, "org.keystrap.Agent1",
                                       "/org/keystrap/Agent1", "org.keystrap.Agent1.Keys",
                                       "DeriveNafKey");
    if (r >= 0)
        r = sd_bus_message_append(*ret, "s", naf_fqdn);
    if (r >= 0)
        r = sd_bus_message_append_array(*ret, 'y', ua_protocol, KEYSTRAP_UA_LENGTH);
    if (r >= 0)
        r = sd_bus_message_open_container(*ret, 'a', "{sv}");
    if (r >= 0 && (flags & KEYSTRAP_FORCE_BOOTSTRAP))
        r = sd_bus_message_append(*ret, "{sv}", "Force", "b", 1);
    if (r >= 0 && keystrap->uicc[0])
        r = sd_bus_message_append(*ret, "{sv}", "Uicc", "s", keystrap->uicc);
    return r < 0 ? r : sd_bus_message_close_container(*ret);
}

static int ask(struct keystrap *keystrap, sd_bus_message *question, sd_bus_message **ret) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    int r;

    r = sd_bus_call(keystrap->bus, question, keystrap->timeout_usec, &error, ret);
    if (r >= 0)
        return 0;
    if (sd_bus_is_open(keystrap->bus) <= 0)
        return fail(keystrap, -ESRCH, SD_BUS_ERROR_DISCONNECTED,
                    "The system bus closed the connection.");
    if (!sd_bus_error_is_set(&error))
        return fail(keystrap, r == -ENOMEM ? r : -EIO, SD_BUS_ERROR_FAILED, strerror(-r));
    return fail(keystrap, error_map_client(error.name), error.name,
                error.message ? error.message : error.name);
}

/* Ask, and make a key of the answer. */
static int take_key(struct keystrap *keystrap, sd_bus_message *question,
                    struct keystrap_naf_key **ret) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
    struct keystrap_naf_key *key;
    int r;

    r = ask(keystrap, question, &answer);
    if (r < 0)
        return r;
    r = key_new(&key);
    if (r < 0)
        return fail(keystrap, r, SD_BUS_ERROR_NO_MEMORY, "Out of memory.");
    r = read_answer(keystrap, answer, key);
    if (r < 0) {
        key_free(key);
        return r;
    }
    *ret = key;
    return 0;
}

PUBLIC int keystrap_derive_naf_key(struct keystrap *keystrap, const char *naf_fqdn,
                                   const uint8_t *ua_protocol, unsigned flags,
                                   struct keystrap_naf_key **ret) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *question = NULL;
    int r;

    if (!keystrap)
        return -EINVAL;
    if (!naf_fqdn || !ua_protocol || !ret || (flags & ~KEYSTRAP_FORCE_BOOTSTRAP))
        return fail(keystrap, -EINVAL, SD_BUS_ERROR_INVALID_ARGS,
                    "keystrap_derive_naf_key() needs a name, five octets and known flags.");
    r = ensure_bus(keystrap);
    if (r < 0)
        return r;
    r = build_question(keystrap, naf_fqdn, ua_protocol, flags, &question);
    if (r < 0)
        return fail(keystrap, r == -ENOMEM ? -ENOMEM : -EINVAL, SD_BUS_ERROR_INVALID_ARGS,
                    "The name of the NAF is not UTF-8, or there is no memory.");
    return take_key(keystrap, question, ret);
}

static int build_wish(struct keystrap *keystrap, const char *kind, const char *peer,
                      const char *profile, unsigned suid, sd_bus_message **ret) {
    int r;

    r = sd_bus_message_new_method_call(keystrap->bus, ret, "org.keystrap.Agent1",
                                       "/org/keystrap/Agent1", "org.keystrap.Agent1.Keys",
                                       "GetKey");
    if (r >= 0)
        r = sd_bus_message_append(*ret, "ss", kind, peer);
    if (r >= 0)
        r = sd_bus_message_open_container(*ret, 'a', "{sv}");
    if (r >= 0 && profile)
        r = sd_bus_message_append(*ret, "{sv}", "Profile", "s", profile);
    if (r >= 0 && suid)
        r = sd_bus_message_append(*ret, "{sv}", "Suid", "u", suid);
    return r < 0 ? r : sd_bus_message_close_container(*ret);
}

PUBLIC int keystrap_get_key(struct keystrap *keystrap, const char *kind, const char *peer,
                            const char *profile, unsigned suid, struct keystrap_naf_key **ret) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *question = NULL;
    int r;

    if (!keystrap)
        return -EINVAL;
    if (!kind || !peer || !ret)
        return fail(keystrap, -EINVAL, SD_BUS_ERROR_INVALID_ARGS,
                    "keystrap_get_key() needs a kind, a peer and a place for the key.");
    r = ensure_bus(keystrap);
    if (r < 0)
        return r;
    r = build_wish(keystrap, kind, peer, profile, suid, &question);
    if (r < 0)
        return fail(keystrap, r == -ENOMEM ? -ENOMEM : -EINVAL, SD_BUS_ERROR_INVALID_ARGS,
                    "A name is not UTF-8, or there is no memory.");
    return take_key(keystrap, question, ret);
}

PUBLIC int keystrap_invalidate(struct keystrap *keystrap, const char *btid) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *question = NULL;
    int r;

    if (!keystrap)
        return -EINVAL;
    if (!btid)
        return fail(keystrap, -EINVAL, SD_BUS_ERROR_INVALID_ARGS,
                    "keystrap_invalidate() needs a B-TID.");
    r = ensure_bus(keystrap);
    if (r < 0)
        return r;
    r = sd_bus_message_new_method_call(keystrap->bus, &question, "org.keystrap.Agent1",
                                       "/org/keystrap/Agent1", "org.keystrap.Agent1.Keys",
                                       "Invalidate");
    if (r >= 0)
        r = sd_bus_message_append(question, "s", btid);
    if (r < 0)
        return fail(keystrap, r == -ENOMEM ? -ENOMEM : -EINVAL, SD_BUS_ERROR_INVALID_ARGS,
                    "The B-TID is not UTF-8, or there is no memory.");
    return ask(keystrap, question, NULL);
}
