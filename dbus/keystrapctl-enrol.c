/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrapctl: enrol, renew, forget-enrolment, configure, and a profile in the status.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

#include "keystrapctl.h"
#include "secret.h"
#include "util.h"

/* --- enrol, renew, forget-enrolment ---------------------------------------------------------------- */

/* By the profile that @ctl names. */
static int enrol_one(const struct ctl *ctl, sd_bus *bus, const char *method) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    const char *key_id;
    uint64_t expires;
    char when[32];
    int r;

    r = ctl_call(ctl, bus, method, &m, "a{sv}", 0);
    if (r != EX_OK)
        return r;
    if (sd_bus_message_read(m, "st", &key_id, &expires) < 0) {
        ctl_error("keystrapd's answer is malformed.");
        return EX_PROTOCOL;
    }
    if (ctl->json)
        return ctl_print_json(json_pack("{s:s, s:s, s:I}", "Profile", ctl->profile, "KeyId", key_id,
                                        "Expires", (json_int_t)expires));
    printf("Profile  %s\nKeyId    %s\nExpires  %s\n", ctl->profile, key_id,
           ctl_time(expires, when, sizeof(when)));
    return EX_OK;
}

/* One after the other; what one of them fails for is no reason not to try the next. */
static int enrol_all(const struct ctl *ctl, sd_bus *bus) {
    struct ctl one = *ctl;
    json_t *manager = NULL, *path;
    int r, worst = EX_OK;
    size_t i;

    r = ctl_get_all(bus, CTL_PATH, CTL_MANAGER, &manager);
    if (r != EX_OK)
        return r;
    if (json_array_size(json_object_get(manager, "Enrolments")) == 0) {
        ctl_error("No profile is configured; see enrol.d in keystrap.conf(5).");
        worst = EX_USAGE;
    }
    json_array_foreach(json_object_get(manager, "Enrolments"), i, path) {
        char name[CTL_OBJECT_NAME_MAX + 1];

        one.profile = ctl_profile_of(json_string_value(path), name);
        r = one.profile ? enrol_one(&one, bus, "Enrol") : EX_PROTOCOL;
        if (r != EX_OK)
            worst = r;
    }
    json_decref(manager);
    return worst;
}

int ctl_enrol(const struct ctl *ctl) {
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
    int r = ctl_open(&bus);

    if (r != EX_OK)
        return r;
    return ctl->profile ? enrol_one(ctl, bus, "Enrol") : enrol_all(ctl, bus);
}

int ctl_renew(const struct ctl *ctl) {
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
    int r = ctl_open(&bus);

    return r == EX_OK ? enrol_one(ctl, bus, "Renew") : r;
}

int ctl_forget_enrolment(const struct ctl *ctl) {
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
    int r;

    r = ctl_open(&bus);
    if (r == EX_OK)
        r = ctl_call(ctl, bus, "Forget", NULL, "");
    if (r != EX_OK)
        return r;
    if (ctl->json)
        return ctl_print_json(json_pack("{s:b}", "Forgotten", 1));
    puts("What was kept of the enrolment is erased.");
    return EX_OK;
}

/* --- configure --------------------------------------------------------------------------------------- */

/* One piece after the other, but not more than is allowed. */
static int copy_pieces(const char *name, int from, int to, uint8_t *piece, size_t size) {
    size_t length = 0;
    ssize_t n;

    while ((n = read(from, piece, size)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            ctl_error("%s: %s", name, strerror(errno));
            return EX_NOINPUT;
        }
        length += (size_t)n;
        if (length > INSTRUCTION_MAX) {
            ctl_error("%s: a document has at most %u octets.", name, INSTRUCTION_MAX);
            return EX_DATAERR;
        }
        if (write(to, piece, (size_t)n) != n) {
            ctl_error("No memory for the document: %s", strerror(errno));
            return EX_OSERR;
        }
    }
    return EX_OK;
}

/* A token may be in it: no copy stays in our memory. */
static int copy_document(const char *name, int from, int to) {
    uint8_t piece[4096];
    int r = copy_pieces(name, from, to, piece, sizeof(piece));

    secret_erase(piece, sizeof(piece));
    return r;
}

/*
 * keystrapd waits for no pipe and no disk, so it gets the document in memory, whatever it comes from. Sealed, so that nobody
 * changes it meanwhile.
 */
static int take_document(const char *name, int *ret) {
    bool standard = strcmp(name, "-") == 0;
    _cleanup_close_ int from = -1, to = -1;
    int r;

    from = standard ? dup(STDIN_FILENO) : open(name, O_RDONLY | O_CLOEXEC);
    if (from < 0) {
        ctl_error("%s: %s", name, strerror(errno));
        return EX_NOINPUT;
    }
    to = memfd_create("keystrap-document", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (to < 0) {
        ctl_error("No memory for the document: %s", strerror(errno));
        return EX_OSERR;
    }
    r = copy_document(name, from, to);
    if (r != EX_OK)
        return r;
    (void)fcntl(to, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
    *ret = to;
    to = -1;
    return EX_OK;
}

int ctl_configure(const struct ctl *ctl) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
    _cleanup_close_ int fd = -1;
    int r;

    r = take_document(ctl->arguments[0], &fd);
    if (r == EX_OK)
        r = ctl_open(&bus);
    if (r != EX_OK)
        return r;
    r = sd_bus_call_method(bus, CTL_NAME, CTL_PATH, CTL_MANAGER, "Configure", &error, NULL, "h",
                           fd);
    if (r < 0)
        return ctl_print_error("Configure", &error, r);
    if (ctl->json)
        return ctl_print_json(json_pack("{s:b}", "Configured", 1));
    puts("The document is in force.");
    return EX_OK;
}

/* --- status ------------------------------------------------------------------------------------------ */

/* What became of each method, the best first: why one is in use, and those before it are not. */
static void print_methods(const json_t *methods) {
    json_t *method;
    size_t i;

    json_array_foreach(methods, i, method) {
        printf("%-12s %s: %s", i == 0 ? "Methods" : "", ctl_text_of(method, "Method"),
               ctl_text_of(method, "Verdict"));
        if (strcmp(ctl_text_of(method, "Outcome"), "-") != 0)
            printf(" (%s), %s", ctl_text_of(method, "Outcome"), ctl_text_of(method, "Text"));
        putchar('\n');
    }
}

static void print_retry(const json_t *o) {
    uint64_t at = (uint64_t)json_integer_value(json_object_get(o, "RetryAt")), now = now_usec();

    if (at > now)
        printf("Next try     in %" PRIu64 " s\n", (at - now) / USEC_PER_SEC);
    else if (at > 0)
        puts("Next try     now");
}

void ctl_print_enrolment(const json_t *o) {
    uint64_t expires = (uint64_t)json_integer_value(json_object_get(o, "Expires"));
    char when[32];

    printf("Enrolment    %s\n", ctl_text_of(o, "Name"));
    printf("State        %s\n", ctl_text_of(o, "State"));
    printf("Target       %s (%s)\n", ctl_text_of(o, "Target"), ctl_text_of(o, "TargetKind"));
    printf("MEF          %s\n", ctl_text_of(o, "Mef"));
    printf("Method       %s\n", ctl_text_of(o, "Method"));
    print_methods(json_object_get(o, "Methods"));
    printf("KeyId        %s\n", ctl_text_of(o, "KeId"));
    printf("Expires      %s\n", ctl_time(expires, when, sizeof(when)));
    print_retry(o);
    if (json_is_true(json_object_get(o, "TokenPending")))
        puts("Token        waits to be presented");
    if (strcmp(ctl_text_of(o, "LastError"), "-") != 0)
        printf("Last error   %s: %s\n", ctl_text_of(o, "LastError"),
               ctl_text_of(o, "LastErrorText"));
}
