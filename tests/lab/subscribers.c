/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The subscribers of the lab: reading and checking their file.
 *
 * A typing error in a key shows only as a MAC failure much later, so the reader is strict: a table
 * has every key with the function that checks its value, and whatever is not in the table is
 * refused.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

#include "hex.h"
#include "subscribers.h"
#include "tuak.h"

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

static const char section_prefix[] = "Subscriber ";

struct loader {
    const char *where;
    char *error;
    size_t size;
    int result;
    uint32_t seen; /* of the subscriber at the end of the list: one bit a line of the table */
    struct lab_subscribers subscribers;
};

struct key_line {
    const char *name;
    const char *wants;
    bool (*set)(struct lab_subscriber *subscriber, const char *value);
};

static bool copy_digits(const char *value, size_t min, size_t max, char *ret_copy) {
    size_t length = strlen(value);

    if (length < min || length > max || strspn(value, "0123456789") != length)
        return false;
    memcpy(ret_copy, value, length + 1);
    return true;
}

static bool copy_number(const char *value, unsigned min, unsigned max, unsigned *ret_number) {
    char digits[10];
    unsigned long number;

    if (!copy_digits(value, 1, sizeof(digits) - 1, digits))
        return false;
    number = strtoul(digits, NULL, 10);
    if (number < min || number > max)
        return false;
    *ret_number = (unsigned)number;
    return true;
}

static bool set_imsi(struct lab_subscriber *subscriber, const char *value) {
    return copy_digits(value, LAB_IMSI_MIN, LAB_IMSI_MAX, subscriber->imsi);
}

static bool set_iccid(struct lab_subscriber *subscriber, const char *value) {
    return copy_digits(value, 1, LAB_ICCID_MAX, subscriber->iccid);
}

static bool set_k(struct lab_subscriber *subscriber, const char *value) {
    return hex_decode_exactly(value, subscriber->key.k, MILENAGE_KEY) == 0;
}

/* OP waits in OPc's place until the section is complete: K may come after it. */
static bool set_opc(struct lab_subscriber *subscriber, const char *value) {
    return hex_decode_exactly(value, subscriber->key.opc, MILENAGE_KEY) == 0;
}

static bool set_algorithm(struct lab_subscriber *subscriber, const char *value) {
    subscriber->key.is_tuak = strcmp(value, "tuak") == 0;
    return subscriber->key.is_tuak || strcmp(value, "milenage") == 0;
}

/* TOP waits in TOPc's place, as OP does. */
static bool set_topc(struct lab_subscriber *subscriber, const char *value) {
    return hex_decode_exactly(value, subscriber->key.topc, TUAK_TOP) == 0;
}

static bool set_amf(struct lab_subscriber *subscriber, const char *value) {
    return hex_decode_exactly(value, subscriber->amf, MILENAGE_AMF) == 0;
}

static bool set_sqn(struct lab_subscriber *subscriber, const char *value) {
    uint8_t octets[6];

    if (hex_decode_exactly(value, octets, sizeof(octets)) != 0)
        return false;
    subscriber->sqn = 0;
    for (size_t i = 0; i < sizeof(octets); i++)
        subscriber->sqn = subscriber->sqn << 8 | octets[i];
    return true;
}

static bool set_ind_bits(struct lab_subscriber *subscriber, const char *value) {
    return copy_number(value, 0, 8, &subscriber->ind_bits);
}

static bool set_mnc_length(struct lab_subscriber *subscriber, const char *value) {
    return copy_number(value, 2, 3, &subscriber->mnc_length);
}

static bool set_res_length(struct lab_subscriber *subscriber, const char *value) {
    return copy_number(value, 4, MILENAGE_RES, &subscriber->res_length);
}

static bool set_lifetime(struct lab_subscriber *subscriber, const char *value) {
    return copy_number(value, 1, 999999999, &subscriber->lifetime);
}

static bool set_impi(struct lab_subscriber *subscriber, const char *value) {
    size_t length = strlen(value);

    if (length == 0 || length > LAB_IMPI_MAX)
        return false;
    memcpy(subscriber->impi, value, length + 1);
    return true;
}

static bool set_isim_impi(struct lab_subscriber *subscriber, const char *value) {
    size_t length = strlen(value);

    if (length == 0 || length > LAB_IMPI_MAX)
        return false;
    memcpy(subscriber->isim_impi, value, length + 1);
    return true;
}

static bool set_sim(struct lab_subscriber *subscriber, const char *value) {
    subscriber->sim = strcmp(value, "yes") == 0;
    return subscriber->sim || strcmp(value, "no") == 0;
}

static bool set_gba(struct lab_subscriber *subscriber, const char *value) {
    static const char *const words[] = {
        [LAB_GBA_NO] = "no", [LAB_GBA_PROMISED] = "promised", [LAB_GBA_YES] = "yes"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(value, words[i]) == 0) {
            subscriber->gba = (enum lab_gba)i;
            return true;
        }
    }
    return false;
}

static bool set_pin(struct lab_subscriber *subscriber, const char *value) {
    return copy_digits(value, LAB_PIN_MIN, LAB_PIN_MAX, subscriber->pin);
}

static bool set_password(struct lab_subscriber *subscriber, const char *value) {
    size_t length = strlen(value);

    if (length == 0 || length > LAB_PASSWORD_MAX)
        return false;
    memcpy(subscriber->password, value, length + 1);
    return true;
}

static bool set_ara(struct lab_subscriber *subscriber, const char *value) {
    subscriber->has_ara =
        hex_decode(value, subscriber->ara, sizeof(subscriber->ara), &subscriber->ara_length) == 0;
    return subscriber->has_ara;
}

enum {
    KEY_IMSI,
    KEY_MNC_LENGTH,
    KEY_ICCID,
    KEY_K,
    KEY_OPC,
    KEY_OP,
    KEY_TOPC,
    KEY_TOP,
};

static const struct key_line key_lines[] = {
    [KEY_IMSI] = {"Imsi", "6 to 15 digits", set_imsi},
    [KEY_MNC_LENGTH] = {"MncLength", "2 or 3", set_mnc_length},
    [KEY_ICCID] = {"Iccid", "up to 20 digits", set_iccid},
    [KEY_K] = {"K", "32 hexadecimal digits", set_k},
    [KEY_OPC] = {"Opc", "32 hexadecimal digits", set_opc},
    [KEY_OP] = {"Op", "32 hexadecimal digits", set_opc},
    [KEY_TOPC] = {"Topc", "64 hexadecimal digits", set_topc},
    [KEY_TOP] = {"Top", "64 hexadecimal digits", set_topc},
    {"Algorithm", "milenage or tuak", set_algorithm},
    {"Amf", "4 hexadecimal digits", set_amf},
    {"Sqn", "12 hexadecimal digits", set_sqn},
    {"IndBits", "0 to 8", set_ind_bits},
    {"ResLength", "4 to 8", set_res_length},
    {"Impi", "1 to 255 characters", set_impi},
    {"IsimImpi", "1 to 255 characters", set_isim_impi},
    {"Gba", "yes, promised or no", set_gba},
    {"Sim", "yes or no", set_sim},
    {"Pin", "4 to 8 digits", set_pin},
    {"Ara", "up to 512 hexadecimal digits", set_ara},
    {"Lifetime", "1 to 999999999 seconds", set_lifetime},
    {"Password", "1 to 127 characters", set_password},
};

/* The first error is the one that is told. Returns 0, which is inih's word for failure. */
__attribute__((format(printf, 3, 4))) static int refuse(struct loader *loader, int result,
                                                        const char *format, ...) {
    va_list arguments;
    int prefix;

    if (loader->result < 0)
        return 0;
    loader->result = result;
    prefix = snprintf(loader->error, loader->size, "%s: ", loader->where);
    if (prefix < 0 || (size_t)prefix >= loader->size)
        return 0;
    va_start(arguments, format);
    vsnprintf(loader->error + prefix, loader->size - (size_t)prefix, format, arguments);
    va_end(arguments);
    return 0;
}

static bool seen(const struct loader *loader, unsigned key) {
    return (loader->seen >> key & 1) != 0;
}

static int make_impi(struct lab_subscriber *subscriber) {
    char mcc[4] = "", mnc[4] = "000";

    if (strlen(subscriber->imsi) < 3 + subscriber->mnc_length)
        return -EINVAL;
    memcpy(mcc, subscriber->imsi, 3);
    memcpy(mnc + (3 - subscriber->mnc_length), subscriber->imsi + 3, subscriber->mnc_length);
    snprintf(subscriber->impi, sizeof(subscriber->impi), "%s@ims.mnc%s.mcc%s.3gppnetwork.org",
             subscriber->imsi, mnc, mcc);
    return 0;
}

static bool is_twin(const struct lab_subscriber *a, const struct lab_subscriber *b) {
    return strcmp(a->name, b->name) == 0 || strcmp(a->imsi, b->imsi) == 0 ||
           strcmp(a->impi, b->impi) == 0;
}

static int refuse_twins(struct loader *loader, const struct lab_subscriber *last) {
    for (const struct lab_subscriber *other = loader->subscribers.list; other < last; other++) {
        if (is_twin(other, last))
            return refuse(loader, -EINVAL,
                          "[Subscriber %s] has the name, IMSI or IMPI of [Subscriber %s]",
                          last->name, other->name);
    }
    return 1;
}

/* The operator's value, of which each algorithm has its own. */
static int finish_operator(struct loader *loader, struct lab_subscriber *last) {
    bool tuak = last->key.is_tuak;
    bool milenages = seen(loader, KEY_OPC) || seen(loader, KEY_OP);
    bool tuaks = seen(loader, KEY_TOPC) || seen(loader, KEY_TOP);
    const struct key_line *own = &key_lines[tuak ? KEY_TOPC : KEY_OPC];

    if (tuak ? milenages : tuaks)
        return refuse(loader, -EINVAL,
                      "[Subscriber %s] has an operator's value of the other algorithm", last->name);
    if (seen(loader, tuak ? KEY_TOPC : KEY_OPC) == seen(loader, tuak ? KEY_TOP : KEY_OP))
        return refuse(loader, -EINVAL, "[Subscriber %s] must have one of %s and %s", last->name,
                      own[0].name, own[1].name);
    if (tuak && last->res_length != 4 && last->res_length != 8)
        return refuse(loader, -EINVAL, "[Subscriber %s] has a ResLength that TUAK has not: 4 or 8",
                      last->name);
    last->key.tuak_res = last->res_length;
    if (seen(loader, KEY_OP))
        milenage_opc(last->key.k, last->key.opc, last->key.opc);
    if (seen(loader, KEY_TOP))
        tuak_topc(last->key.k, last->key.topc, last->key.topc);
    return 1;
}

/* What can only be said when all of a section has been read. */
static int finish_section(struct loader *loader) {
    struct lab_subscriber *last;

    if (loader->subscribers.count == 0)
        return 1;
    last = &loader->subscribers.list[loader->subscribers.count - 1];
    for (unsigned i = 0; i < KEY_OPC; i++) {
        if (!seen(loader, i))
            return refuse(loader, -EINVAL, "[Subscriber %s] has no %s: %s are wanted", last->name,
                          key_lines[i].name, key_lines[i].wants);
    }
    if (!finish_operator(loader, last))
        return 0;
    if (last->impi[0] == '\0' && make_impi(last) < 0)
        return refuse(loader, -EINVAL, "[Subscriber %s] has an Imsi too short for its MncLength",
                      last->name);
    return refuse_twins(loader, last);
}

static int start_section(struct loader *loader, const char *name) {
    struct lab_subscribers *subscribers = &loader->subscribers;
    struct lab_subscriber *grown, *last;

    if (!finish_section(loader))
        return 0;
    if (strlen(name) > LAB_NAME_MAX || name[0] == '\0')
        return refuse(loader, -EINVAL, "a subscriber's name has 1 to %d characters", LAB_NAME_MAX);
    if (subscribers->count == LAB_SUBSCRIBERS_MAX)
        return refuse(loader, -EINVAL, "more than %d subscribers", LAB_SUBSCRIBERS_MAX);
    grown = calloc(subscribers->count + 1, sizeof(*grown));
    if (!grown)
        return refuse(loader, -ENOMEM, "no memory");
    if (subscribers->count > 0) {
        memcpy(grown, subscribers->list, subscribers->count * sizeof(*grown));
        explicit_bzero(subscribers->list, subscribers->count * sizeof(*grown));
    }
    free(subscribers->list);
    subscribers->list = grown;

    last = &grown[subscribers->count++];
    snprintf(last->name, sizeof(last->name), "%s", name);
    snprintf(last->pin, sizeof(last->pin), "1234");
    last->amf[0] = 0x80;
    last->ind_bits = 5;
    last->res_length = MILENAGE_RES;
    last->lifetime = 3600;
    loader->seen = 0;
    return 1;
}

static int set_key(struct loader *loader, const char *name, const char *value) {
    struct lab_subscriber *last = &loader->subscribers.list[loader->subscribers.count - 1];

    for (unsigned i = 0; i < LENGTH_OF(key_lines); i++) {
        if (strcmp(key_lines[i].name, name) != 0)
            continue;
        if (seen(loader, i))
            return refuse(loader, -EINVAL, "[Subscriber %s] has %s twice", last->name, name);
        loader->seen |= UINT32_C(1) << i;
        if (!key_lines[i].set(last, value))
            return refuse(loader, -EINVAL, "[Subscriber %s] has a bad %s: %s are wanted",
                          last->name, name, key_lines[i].wants);
        return 1;
    }
    return refuse(loader, -EINVAL, "[Subscriber %s] has an unknown key %s", last->name, name);
}

/* inih's callback, a call a line: 1 to go on, 0 for an error. */
static int handle_line(void *userdata, const char *section, const char *name, const char *value) {
    struct loader *loader = userdata;
    const struct lab_subscribers *subscribers = &loader->subscribers;
    const size_t prefix = sizeof(section_prefix) - 1;

    if (loader->result < 0)
        return 0;
    if (strncmp(section, section_prefix, prefix) != 0)
        return refuse(loader, -EINVAL, "[%s] is not a section of the lab: [Subscriber NAME] is",
                      section);
    section += prefix;
    if (subscribers->count == 0 ||
        strcmp(subscribers->list[subscribers->count - 1].name, section) != 0) {
        if (!start_section(loader, section))
            return 0;
    }
    return set_key(loader, name, value);
}

static int finish(struct loader *loader, int line, struct lab_subscribers *ret_subscribers) {
    if (loader->result == 0 && line != 0)
        refuse(loader, -EINVAL, "line %d is neither a section nor a key with a value", line);
    if (loader->result == 0)
        finish_section(loader);
    if (loader->result == 0 && loader->subscribers.count == 0)
        refuse(loader, -EINVAL, "no [Subscriber NAME] in it");
    if (loader->result < 0) {
        lab_subscribers_done(&loader->subscribers);
        return loader->result;
    }
    *ret_subscribers = loader->subscribers;
    return 0;
}

int lab_subscribers_load(const char *path, struct lab_subscribers *ret_subscribers, char *error,
                         size_t size) {
    struct loader loader = {.where = path, .error = error, .size = size};
    FILE *file;
    int line;

    file = fopen(path, "re");
    if (!file) {
        int r = -errno;

        snprintf(error, size, "%s: %s", path, strerror(-r));
        return r;
    }
    line = ini_parse_file(file, handle_line, &loader);
    if (ferror(file))
        refuse(&loader, -EIO, "cannot be read");
    fclose(file);
    return finish(&loader, line, ret_subscribers);
}

int lab_subscribers_parse(const char *text, const char *where,
                          struct lab_subscribers *ret_subscribers, char *error, size_t size) {
    struct loader loader = {.where = where, .error = error, .size = size};

    return finish(&loader, ini_parse_string(text, handle_line, &loader), ret_subscribers);
}

void lab_subscribers_done(struct lab_subscribers *subscribers) {
    if (subscribers->list)
        explicit_bzero(subscribers->list, subscribers->count * sizeof(*subscribers->list));
    free(subscribers->list);
    *subscribers = (struct lab_subscribers){0};
}

static struct lab_subscriber *find(const struct lab_subscribers *subscribers, size_t offset,
                                   const char *text) {
    for (size_t i = 0; i < subscribers->count; i++) {
        struct lab_subscriber *subscriber = &subscribers->list[i];

        if (strcmp((const char *)subscriber + offset, text) == 0)
            return subscriber;
    }
    return NULL;
}

struct lab_subscriber *lab_subscribers_by_name(const struct lab_subscribers *subscribers,
                                               const char *name) {
    return find(subscribers, offsetof(struct lab_subscriber, name), name);
}

struct lab_subscriber *lab_subscribers_by_imsi(const struct lab_subscribers *subscribers,
                                               const char *imsi) {
    return find(subscribers, offsetof(struct lab_subscriber, imsi), imsi);
}

struct lab_subscriber *lab_subscribers_by_impi(const struct lab_subscribers *subscribers,
                                               const char *impi) {
    return find(subscribers, offsetof(struct lab_subscriber, impi), impi);
}

struct lab_subscriber *lab_subscribers_find(const struct lab_subscribers *subscribers,
                                            const char *who) {
    struct lab_subscriber *found;

    if (!who)
        return &subscribers->list[0];
    found = lab_subscribers_by_name(subscribers, who);
    return found ? found : lab_subscribers_by_imsi(subscribers, who);
}
