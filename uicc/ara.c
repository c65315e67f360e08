/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the card's access rules say (GlobalPlatform Secure Element Access Control 1.1, 4.2.3 and 6.1).
 *
 * All or nothing: a rule that cannot be understood may be the one that forbids, so any error is one of the whole list. In
 * doubt nothing is granted.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ara.h"
#include "tlv.h"

#define TAG_REF_AR_DO   0xe2
#define TAG_REF_DO      0xe1
#define TAG_AR_DO       0xe3
#define TAG_AID         0x4f
#define TAG_AID_DEFAULT 0xc0
#define TAG_HASH        0xc1
#define TAG_APDU_AR_DO  0xd0
#define FILTER_LENGTH   8u

void ara_rules_done(struct ara_rules *rules) {
    free(rules->list);
    *rules = (struct ara_rules){0};
}

static int parse_aid(const struct tlv *object, struct ara_rule *rule) {
    if (object->length != 0 && (object->length < AID_MIN || object->length > AID_MAX))
        return -EBADMSG;
    if (object->length > 0)
        memcpy(rule->aid, object->value, object->length);
    rule->aid_length = object->length;
    return 0;
}

static int parse_hash(const struct tlv *object, struct ara_rule *rule) {
    if (object->length != 0 && object->length != 20 && object->length != 32)
        return -EBADMSG;
    if (object->length > 0)
        memcpy(rule->hash.value, object->value, object->length);
    rule->hash.length = object->length;
    return 0;
}

/* For whom a rule is. A missing reference would make it one for all, so it may not be missing. */
static int parse_ref(const struct tlv *ref, struct ara_rule *rule) {
    struct tlv_cursor cursor = {.data = ref->value, .length = ref->length};
    bool has_aid = false, has_hash = false;
    struct tlv object;
    int r;

    while ((r = tlv_next(&cursor, &object)) > 0) {
        bool is_aid = object.tag == TAG_AID || object.tag == TAG_AID_DEFAULT;

        if ((is_aid && has_aid) || (object.tag == TAG_HASH && has_hash))
            return -EBADMSG;
        r = 0;
        if (object.tag == TAG_AID)
            r = parse_aid(&object, rule);
        else if (object.tag == TAG_AID_DEFAULT)
            r = object.length == 0 ? 0 : -EBADMSG;
        else if (object.tag == TAG_HASH)
            r = parse_hash(&object, rule);
        if (r < 0)
            return r;
        rule->is_default |= object.tag == TAG_AID_DEFAULT;
        has_aid |= is_aid;
        has_hash |= object.tag == TAG_HASH;
    }
    return r < 0 || !has_aid || !has_hash ? -EBADMSG : 0;
}

static int parse_apdu_rule(const struct tlv *object, struct ara_decision *ret) {
    if (object->length == 1 && object->value[0] <= 1) {
        ret->access = object->value[0] ? ARA_ALWAYS : ARA_NEVER;
        return 0;
    }
    if (object->length == 0 || object->length % FILTER_LENGTH != 0 ||
        object->length / FILTER_LENGTH > ARA_FILTERS_MAX)
        return -EBADMSG;
    ret->access = ARA_FILTERED;
    ret->filters_count = object->length / FILTER_LENGTH;
    for (size_t i = 0; i < ret->filters_count; i++) {
        memcpy(ret->filters[i].header, object->value + i * FILTER_LENGTH, 4);
        memcpy(ret->filters[i].mask, object->value + i * FILTER_LENGTH + 4, 4);
    }
    return 0;
}

/* What a rule grants. Rules for NFC events and the like are no concern of ours. */
static int parse_access(const struct tlv *ar, struct ara_rule *rule) {
    struct tlv_cursor cursor = {.data = ar->value, .length = ar->length};
    struct tlv object;
    bool seen = false;
    int r;

    while ((r = tlv_next(&cursor, &object)) > 0) {
        if (object.tag != TAG_APDU_AR_DO)
            continue;
        if (seen || parse_apdu_rule(&object, &rule->decision) < 0)
            return -EBADMSG;
        seen = true;
    }
    return r;
}

static int parse_rule(const struct tlv *ref_ar, struct ara_rule *ret) {
    struct tlv ref, ar;

    if (tlv_find(ref_ar->value, ref_ar->length, TAG_REF_DO, &ref) < 0 ||
        tlv_find(ref_ar->value, ref_ar->length, TAG_AR_DO, &ar) < 0)
        return -EBADMSG;
    *ret = (struct ara_rule){0};
    if (parse_ref(&ref, ret) < 0)
        return -EBADMSG;
    return parse_access(&ar, ret);
}

static int append_rule(struct ara_rules *rules, const struct tlv *object) {
    struct ara_rule *longer;

    if (rules->count >= ARA_RULES_MAX)
        return -EBADMSG;
    longer = reallocarray(rules->list, rules->count + 1, sizeof(*longer));
    if (!longer)
        return -ENOMEM;
    rules->list = longer;
    if (parse_rule(object, &longer[rules->count]) < 0)
        return -EBADMSG;
    rules->count++;
    return 0;
}

int ara_parse(const uint8_t *data, size_t length, struct ara_rules *ret) {
    struct tlv_cursor cursor = {.data = data, .length = length};
    struct ara_rules rules = {0};
    struct tlv object;
    int r;

    if (length > ARA_DATA_MAX)
        return -EBADMSG;
    while ((r = tlv_next(&cursor, &object)) > 0) {
        r = object.tag == TAG_REF_AR_DO ? append_rule(&rules, &object) : 0;
        if (r < 0)
            break;
    }
    if (r < 0) {
        ara_rules_done(&rules);
        return r;
    }
    *ret = rules;
    return 0;
}

/* --- The decision ------------------------------------------------------------------------------------ */

static bool same_hash(const struct device_app_hash *a, const struct device_app_hash *b) {
    return a->length == b->length && memcmp(a->value, b->value, a->length) == 0;
}

static bool names_aid(const struct ara_rule *rule, const uint8_t *aid, size_t length) {
    return !rule->is_default && rule->aid_length == length &&
           (length == 0 || memcmp(rule->aid, aid, length) == 0);
}

/* One more rule that is equally near. Filters that do not fit any more are left out: they would only grant. */
static void add_up(struct ara_decision *sum, const struct ara_decision *more) {
    if (sum->access == ARA_NEVER)
        return;
    if (more->access == ARA_NEVER)
        *sum = (struct ara_decision){.access = ARA_NEVER};
    else if (more->access == ARA_FILTERED)
        sum->access = ARA_FILTERED;
    for (size_t i = 0; i < more->filters_count && sum->filters_count < ARA_FILTERS_MAX; i++)
        sum->filters[sum->filters_count++] = more->filters[i];
}

/* All rules for exactly this AID (none: for all) and hash (NULL: for all). Returns whether there is one. */
static bool collect(const struct ara_rules *rules, const uint8_t *aid, size_t aid_length,
                    const struct device_app_hash *hash, struct ara_decision *ret) {
    static const struct device_app_hash everybody;
    bool found = false;

    for (size_t i = 0; i < rules->count; i++) {
        const struct ara_rule *rule = &rules->list[i];

        if (!names_aid(rule, aid, aid_length) || !same_hash(&rule->hash, hash ? hash : &everybody))
            continue;
        if (found)
            add_up(ret, &rule->decision);
        else
            *ret = rule->decision;
        found = true;
    }
    return found;
}

static bool has_other_hash(const struct ara_rules *rules, const uint8_t *aid, size_t aid_length) {
    for (size_t i = 0; i < rules->count; i++)
        if (names_aid(&rules->list[i], aid, aid_length) && rules->list[i].hash.length > 0)
            return true;
    return false;
}

/* For one AID, or with none for all. Returns whether the rules say anything. */
static bool decide_for(const struct ara_rules *rules, const uint8_t *aid, size_t aid_length,
                       const struct device_app_hash *hashes, size_t hashes_count,
                       struct ara_decision *ret) {
    for (size_t i = 0; i < hashes_count; i++)
        if (collect(rules, aid, aid_length, &hashes[i], ret))
            return true;
    if (has_other_hash(rules, aid, aid_length))
        return true;
    return collect(rules, aid, aid_length, NULL, ret);
}

static bool begins_longer(const struct ara_rules *rules, const uint8_t *aid, size_t length) {
    for (size_t i = 0; i < rules->count; i++)
        if (rules->list[i].aid_length > length && memcmp(rules->list[i].aid, aid, length) == 0)
            return true;
    return false;
}

void ara_decide(const struct ara_rules *rules, const uint8_t *aid, size_t aid_length,
                const struct device_app_hash *hashes, size_t hashes_count,
                struct ara_decision *ret) {
    *ret = (struct ara_decision){.access = ARA_NEVER};
    if (aid_length == 0)
        return;
    if (decide_for(rules, aid, aid_length, hashes, hashes_count, ret))
        return;
    if (!begins_longer(rules, aid, aid_length))
        (void)decide_for(rules, NULL, 0, hashes, hashes_count, ret);
}

bool ara_permits(const struct ara_decision *decision, uint8_t cla, uint8_t ins, uint8_t p1,
                 uint8_t p2) {
    const uint8_t header[4] = {cla, ins, p1, p2};

    if (decision->access != ARA_FILTERED)
        return decision->access == ARA_ALWAYS;
    for (size_t i = 0; i < decision->filters_count; i++) {
        const struct ara_filter *filter = &decision->filters[i];
        bool matches = true;

        for (size_t j = 0; j < sizeof(header); j++)
            matches &= (header[j] & filter->mask[j]) == filter->header[j];
        if (matches)
            return true;
    }
    return false;
}
