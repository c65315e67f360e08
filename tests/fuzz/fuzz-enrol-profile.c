/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A profile of any octets, as a file and as values of a document, three lines each: loaded or refused with words. What is loaded
 * is whole (each method has what it needs), and can be printed and read back as the same, for that is how a document's profile is
 * kept.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "enrol-profile.h"
#include "log.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print_and_read_back(const struct enrol_profile *profile) {
    _cleanup_enrol_profile_ struct enrol_profile *again = NULL;
    _cleanup_free_ char *text = NULL;
    size_t length;
    FILE *f = open_memstream(&text, &length);

    if (!f)
        abort();
    enrol_profile_print(profile, f);
    if (fclose(f) != 0 || enrol_profile_parse("fuzz", "printed", text, length, &again, NULL) != 0 ||
        !enrol_profile_equal(profile, again))
        abort();
}

static void check_whole(const struct enrol_profile *profile) {
    bool has[ENROL_METHODS] = {false};

    for (size_t i = 0; i < profile->methods_count; i++) {
        if (has[profile->methods[i]])
            abort();
        has[profile->methods[i]] = true;
    }
    if (profile->methods_count == 0 || profile->methods_count > ENROL_METHODS || !profile->target)
        abort();
    if ((has[ENROL_PSK] || has[ENROL_CERTIFICATE]) &&
        (!profile->mef_fqdn || !profile->mef_fqdn[0] || strlen(profile->mef_fqdn) > FQDN_MAX ||
         !profile->identity))
        abort();
    if (has[ENROL_PSK] && (!profile->kpm || !profile->kpm_id))
        abort();
    if (has[ENROL_CERTIFICATE] && !profile->provision &&
        (!profile->certificate || !profile->private_key))
        abort();
    if (has[ENROL_GBA] && profile->target_kind == ONEM2M_TARGET_B && !profile->target_fqdn)
        abort();
    if (profile->suid < 21 || profile->suid > 25 || profile->peer_roots_count > PEER_ROOTS_MAX)
        abort();
}

static void check(int r, const struct enrol_profile *profile, const struct failure *failure) {
    if ((r == 0) != (profile != NULL) || failure->code != r || (r != 0 && !failure->text[0]))
        abort();
    if (!profile)
        return;
    check_whole(profile);
    print_and_read_back(profile);
}

static void take_file(const uint8_t *data, size_t size) {
    _cleanup_enrol_profile_ struct enrol_profile *profile = NULL;
    struct failure failure = {0};
    int r;

    r = enrol_profile_parse("fuzz", "fuzz", (const char *)data, size, &profile, &failure);
    check(r, profile, &failure);
}

/* Section, key and value on a line each. A NUL in one ends it. */
static void take_values(const uint8_t *data, size_t size) {
    _cleanup_enrol_profile_ struct enrol_profile *profile = NULL;
    struct enrol_value values[INSTRUCTION_VALUES_MAX];
    _cleanup_free_ char *text = calloc(1, size + 1);
    char *words[3 * INSTRUCTION_VALUES_MAX];
    struct failure failure = {0};
    size_t count = 0;
    char *rest = text;
    int r;

    if (!text)
        abort();
    memcpy(text, data, size);
    while (count < ELEMENTS(words) && rest && (size_t)(rest - text) < size)
        words[count++] = strsep(&rest, "\n");
    for (size_t i = 0; i < count / 3; i++)
        values[i] = (struct enrol_value){words[3 * i], words[3 * i + 1], words[3 * i + 2]};
    r = enrol_profile_from_values("fuzz", values, count / 3, &profile, &failure);
    check(r, profile, &failure);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    log_set_max_level(LOG_ERR);
    take_file(data, size);
    take_values(data, size);
    return 0;
}
