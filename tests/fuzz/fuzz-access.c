/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Rules of any octets: loaded or refused with words; and whatever they say, a decision is one of three and a denial
 * has a text. Rules without a star grant nothing to a name that they do not have.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int ask(struct access *access, uid_t uid, const char *naf) {
    static const uint8_t ua_protocol[UA_PROTOCOL_LENGTH] = {0x01, 0x00, 0x00, 0x00, 0x02};
    const struct access_caller caller = {.uid = uid, .groups = {uid, 4}, .groups_count = 2};
    struct failure failure = {0};
    int r;

    r = access_check_naf(access, &caller, naf, ua_protocol, &failure);
    if (r != 0 && r != ACCESS_E_DENIED && r != ACCESS_E_QUOTA)
        abort();
    if (failure.code != r || (r != 0 && failure.text[0] == '\0'))
        abort();
    if (access_may_naf(access, &caller, naf, ua_protocol, NULL) !=
        (r == ACCESS_E_DENIED ? ACCESS_E_DENIED : 0))
        abort();
    (void)access_check_manage(access, &caller, NULL);
    return r;
}

/* A key of an enrolment likewise. */
static int ask_peer(struct access *access, const char *peer, unsigned suid) {
    const struct access_caller caller = {.uid = 1, .groups = {1, 4}, .groups_count = 2};
    struct failure failure = {0};
    int r;

    r = access_check_peer(access, &caller, peer, suid, &failure);
    if (r != 0 && r != ACCESS_E_DENIED && r != ACCESS_E_QUOTA)
        abort();
    if (failure.code != r || (r != 0 && failure.text[0] == '\0'))
        abort();
    if (access_may_peer(access, &caller, peer, suid, NULL) !=
        (r == ACCESS_E_DENIED ? ACCESS_E_DENIED : 0))
        abort();
    return r;
}

/* Whoever may have the usage-constrained key may have Km. No rules without their keys, and no stranger's target. */
static void ask_peers(struct access *access, const char *text, size_t size) {
    static const char *const peers[] = {"maf.example.com", "//sp.example/cse1", "Cae7",
                                        "\xef\xbc\xad.example", ""};

    for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
        int usage = ask_peer(access, peers[i], 21), km = ask_peer(access, peers[i], 0);

        if (usage != ACCESS_E_DENIED && (km == ACCESS_E_DENIED || !memmem(text, size, "Suid", 4)))
            abort();
        if (km != ACCESS_E_DENIED && !memmem(text, size, "Peer", 4))
            abort();
        if (ask_peer(access, peers[i], 64) != ACCESS_E_DENIED)
            abort();
    }
    if (!memchr(text, '*', size) && !memmem(text, size, "full", 4) &&
        ask_peer(access, "/a-target/that-no-rule.has/in-full", 0) != ACCESS_E_DENIED)
        abort();
}

/* No rules open the subscription's applications. */
static void ask_aids(const struct access *access, const char *text, size_t size) {
    static const uint8_t usim[] = {0xa0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02, 0xff, 0x01};
    static const uint8_t applet[] = {0xd2, 0x76, 0x00, 0x01, 0x24, 0x01};
    const struct access_caller caller = {.uid = 1, .groups = {1, 4}, .groups_count = 2};
    struct access_aid_grant grant = {0};
    struct failure failure = {0};

    for (size_t length = 0; length <= sizeof(usim); length++)
        if (access_check_aid(access, &caller, usim, length, NULL, NULL) != ACCESS_E_DENIED)
            abort();
    if (access_check_aid(access, &caller, applet, sizeof(applet), &grant, &failure) == 0) {
        if (grant.hashes_count > ACCESS_HASHES_MAX || !memmem(text, size, "Aid", 3))
            abort();
    } else if (failure.code != ACCESS_E_DENIED || failure.text[0] == '\0') {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char stranger[] = "a-name.that-no-rule.has.in-full.test";
    _cleanup_access_ struct access *access = NULL;
    struct failure failure = {0};
    int r;

    log_set_max_level(LOG_ERR);
    r = access_parse("fuzz", (const char *)data, size, &access, &failure);
    if ((r == 0) != (access != NULL) || failure.code != r || (r != 0 && failure.text[0] == '\0'))
        abort();
    if (!access)
        return 0;
    ask_aids(access, (const char *)data, size);
    ask_peers(access, (const char *)data, size);
    (void)ask(access, 1, "naf.example.com");
    (void)ask(access, 1000, "a.naf.example.com");
    if (!memchr(data, '*', size) && !memmem(data, size, "full", 4) && ask(access, 1, stranger) == 0)
        abort();
    return 0;
}
