/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Instruction documents: what the JSON says.
 *
 * It is somebody's order, so that nothing in it is guessed at: what is not known, stands twice or is not what it should be
 * refuses all of it.
 */

#include <errno.h>
#include <string.h>

#include "conf.h"
#include "instruction.h"
#include "secure-json.h"
#include "util.h"

static void json_freep(json_t **value) {
    json_decref(*value);
}

struct instruction *instruction_free(struct instruction *instruction) {
    if (!instruction)
        return NULL;
    for (size_t i = 0; i < instruction->profiles_count; i++) {
        enrol_profile_free(instruction->profiles[i].profile);
        secret_free(instruction->profiles[i].token);
    }
    free(instruction);
    return NULL;
}

static void instruction_freep(struct instruction **instruction) {
    *instruction = instruction_free(*instruction);
}

static int malformed(const char *what, struct failure *failure) {
    return failure_set(failure, INSTRUCTION_E_MALFORMED, "the document is wrong: %.200s", what);
}

/* Likewise, with the name that it is about. */
static int malformed_name(const char *what, const char *name, struct failure *failure) {
    return failure_set(failure, INSTRUCTION_E_MALFORMED, "the document is wrong: %.200s \"%.40s\"",
                       what, text_is_plain(name, strlen(name)) ? name : "?");
}

/* --- A profile ----------------------------------------------------------------------------------------- */

struct values {
    struct enrol_value all[INSTRUCTION_VALUES_MAX];
    size_t count;
};

/* enrol_profile_from_values() sees the keys of a section, and one without keys has none to be seen. */
static bool section_is_known(const char *section) {
    struct conf_description description;
    bool known = false;

    for (size_t i = 0; !known && enrol_profile_describe(i, &description); i++)
        known = strcmp(description.section, section) == 0;
    return known;
}

static int take_token(const json_t *value, struct instruction_profile *ret,
                      struct failure *failure) {
    size_t length = json_string_length(value);

    if (length < TOKEN_MIN || length > TOKEN_MAX)
        return malformed("a token that is too short or too long", failure);
    return secret_new_copy(json_string_value(value), length, &ret->token);
}

static int take_section(const char *section, const json_t *object, struct values *values,
                        struct instruction_profile *ret, struct failure *failure) {
    const char *key;
    json_t *value;
    int r = 0;

    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        if (!json_is_string(value) || !secure_json_text(object, key))
            return malformed_name("a value of a profile that is no text,", key, failure);
        if (strcmp(section, "Token") == 0 && strcmp(key, "Value") == 0) {
            r = take_token(value, ret, failure);
            if (r != 0)
                return r;
            continue;
        }
        if (values->count == INSTRUCTION_VALUES_MAX)
            return malformed("a profile with too many keys", failure);
        values->all[values->count++] = (struct enrol_value){section, key, json_string_value(value)};
    }
    return 0;
}

static int take_profile(const json_t *object, struct instruction *ret, struct failure *failure) {
    struct instruction_profile *profile = &ret->profiles[ret->profiles_count];
    const char *name = secure_json_text(object, "name"), *section;
    struct failure wrong = {0};
    struct values values = {0};
    json_t *value;
    int r = 0;

    if (!json_is_object(object) || !name)
        return malformed("a profile without a name", failure);
    for (size_t i = 0; i < ret->profiles_count; i++)
        if (strcmp(ret->profiles[i].profile->name, name) == 0)
            return malformed_name("a profile that stands twice,", name, failure);
    json_object_foreach((json_t *)(uintptr_t)object, section, value) {
        if (strcmp(section, "name") == 0)
            continue;
        if (!json_is_object(value) || !section_is_known(section))
            r = malformed_name("what is no section of a profile,", section, failure);
        else
            r = take_section(section, value, &values, profile, failure);
        if (r != 0)
            break;
    }
    if (r == 0) {
        r = enrol_profile_from_values(name, values.all, values.count, &profile->profile, &wrong);
        if (r == -EINVAL)
            r = failure_set(failure, INSTRUCTION_E_INVALID, "the profile \"%.20s\": %.300s",
                            text_is_plain(name, strlen(name)) ? name : "?", wrong.text);
    }
    if (r != 0) {
        profile->token = secret_free(profile->token);
        return r;
    }
    ret->profiles_count++;
    return 0;
}

/* --- The document -------------------------------------------------------------------------------------- */

static int take_profiles(const json_t *list, struct instruction *ret, struct failure *failure) {
    int r = 0;

    if (!json_is_array(list) || json_array_size(list) > ENROL_PROFILES_MAX)
        return malformed("no list of profiles, or too many", failure);
    for (size_t i = 0; r == 0 && i < json_array_size(list); i++)
        r = take_profile(json_array_get(list, i), ret, failure);
    return r;
}

static int take_removals(const json_t *list, struct instruction *ret, struct failure *failure) {
    if (!json_is_array(list) || json_array_size(list) > ENROL_PROFILES_MAX)
        return malformed("no list of names to remove, or too many", failure);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));

        if (!name || name[0] == '\0' || strlen(name) > PROFILE_NAME_MAX ||
            !text_is_plain(name, strlen(name)))
            return malformed("a name to remove that is none", failure);
        (void)strcpy(ret->remove[ret->remove_count++], name);
    }
    return 0;
}

/* Whether set or removed comes last is nothing to guess at either. */
static int check_no_contradiction(const struct instruction *instruction, struct failure *failure) {
    for (size_t i = 0; i < instruction->profiles_count; i++)
        for (size_t j = 0; j < instruction->remove_count; j++)
            if (strcmp(instruction->profiles[i].profile->name, instruction->remove[j]) == 0)
                return malformed_name("a profile that is set and removed,", instruction->remove[j],
                                      failure);
    return 0;
}

static int take_serial(const json_t *value, uint64_t last, struct instruction *ret,
                       struct failure *failure) {
    json_int_t serial = json_is_integer(value) ? json_integer_value(value) : 0;

    if (serial < 1)
        return malformed("no serial from 1 on", failure);
    if ((uint64_t)serial <= last)
        return failure_set(failure, INSTRUCTION_E_REPLAY,
                           "the document's serial is %lld, and %llu was applied already",
                           (long long)serial, (unsigned long long)last);
    ret->serial = (uint64_t)serial;
    return 0;
}

int instruction_parse(const struct secret *document, uint64_t last_serial, struct instruction **ret,
                      struct failure *failure) {
    _cleanup_(instruction_freep) struct instruction *instruction = calloc(1, sizeof(*instruction));
    _cleanup_(json_freep) json_t *object = NULL;
    const char *key;
    json_t *value;
    int r;

    if (!instruction)
        return -ENOMEM;
    r = secure_json_parse(secret_data(document), secret_length(document), SECRET_LENGTH_MAX,
                          &object);
    if (r < 0)
        return malformed("no JSON object, a name that stands twice, or too many values", failure);
    r = take_serial(json_object_get(object, "serial"), last_serial, instruction, failure);
    json_object_foreach(object, key, value) {
        if (r != 0)
            break;
        if (strcmp(key, "profiles") == 0)
            r = take_profiles(value, instruction, failure);
        else if (strcmp(key, "remove") == 0)
            r = take_removals(value, instruction, failure);
        else if (strcmp(key, "serial") != 0)
            r = malformed_name("a name that is not known,", key, failure);
    }
    if (r == 0)
        r = check_no_contradiction(instruction, failure);
    if (r != 0)
        return r;
    *ret = TAKE_PTR(instruction);
    return 0;
}
