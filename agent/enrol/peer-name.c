/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The name in a certificate, where each flavour has it (TS-0003 8.1.2, 10.1).
 *
 * A name with a NUL or beyond its limit is none. FQDNs are compared without case, everything else octet by octet; there
 * are no wildcards.
 */

#include <string.h>
#include <strings.h>

#include "peer-internal.h"
#include "util.h"

struct text {
    char octets[PEER_NAME_MAX + 1];
};

static bool take_string(const ASN1_STRING *string, struct text *ret) {
    int length = ASN1_STRING_length(string);
    const unsigned char *data = ASN1_STRING_get0_data(string);

    if (length <= 0 || length > (int)PEER_NAME_MAX || memchr(data, 0, (size_t)length))
        return false;
    memcpy(ret->octets, data, (size_t)length);
    ret->octets[length] = '\0';
    return true;
}

static bool take_dns(const GENERAL_NAME *name, struct text *ret) {
    return name->type == GEN_DNS && take_string(name->d.dNSName, ret);
}

static bool take_uri(const GENERAL_NAME *name, struct text *ret) {
    return name->type == GEN_URI && take_string(name->d.uniformResourceIdentifier, ret);
}

/* "OID;value" of an otherName whose value is a string or an OID. */
static bool take_other(const GENERAL_NAME *name, struct text *ret) {
    char oid[80], value[PEER_NAME_MAX + 1] = "";
    const ASN1_TYPE *type;
    struct text text;

    if (name->type != GEN_OTHERNAME ||
        OBJ_obj2txt(oid, sizeof(oid), name->d.otherName->type_id, 1) <= 0)
        return false;
    type = name->d.otherName->value;
    if (type->type == V_ASN1_OBJECT)
        (void)OBJ_obj2txt(value, sizeof(value), type->value.object, 1);
    else if ((type->type == V_ASN1_UTF8STRING || type->type == V_ASN1_IA5STRING ||
              type->type == V_ASN1_PRINTABLESTRING) &&
             take_string(type->value.asn1_string, &text))
        (void)snprintf(value, sizeof(value), "%s", text.octets);
    return value[0] != '\0' && snprintf(ret->octets, sizeof(ret->octets), "%s;%s", oid, value) <
                                   (int)sizeof(ret->octets);
}

/* Host of a URI, with a scheme or, as certificates in the field have it, without one. */
static bool host_is(const char *uri, const char *name) {
    const char *host = strstr(uri, "//");
    size_t length;

    if (!host)
        return false;
    host += 2;
    length = strcspn(host, ":/?#");
    return strlen(name) == length && strncasecmp(host, name, length) == 0;
}

/* "URI://sp.example/cse" and "//sp.example/cse" are the same identifier. */
static bool uri_is(const char *uri, const char *name) {
    const char *slashes = strstr(uri, "//");

    return strcmp(uri, name) == 0 ||
           (slashes && strncmp(name, "//", 2) == 0 && strcmp(slashes, name) == 0);
}

static bool matches(const struct peer_expectation *expected, const GENERAL_NAME *name) {
    struct text text;

    switch (expected->flavour) {
    case PEER_FQDN:
        return (take_dns(name, &text) && strcasecmp(text.octets, expected->name) == 0) ||
               (take_uri(name, &text) && host_is(text.octets, expected->name));
    case PEER_CSE_ID:
        return (take_dns(name, &text) && strcasecmp(text.octets, expected->name) == 0) ||
               (take_uri(name, &text) && uri_is(text.octets, expected->name));
    case PEER_AE_ID:
        return take_uri(name, &text) && uri_is(text.octets, expected->name);
    case PEER_DEVICE:
        return take_other(name, &text) && strcmp(text.octets, expected->name) == 0;
    case PEER_NODE_ID:
        if (take_other(name, &text)) {
            const char *value = strchr(text.octets, ';');

            return value && strcmp(value + 1, expected->name) == 0;
        }
        return (take_dns(name, &text) || take_uri(name, &text)) &&
               strcmp(text.octets, expected->name) == 0;
    case PEER_NAMED:
        return (take_dns(name, &text) || take_uri(name, &text) || take_other(name, &text)) &&
               strcmp(text.octets, expected->name) == 0;
    case PEER_RAW_PUBLIC_KEY:
        return false;
    }
    return false;
}

/* The draft allows any name field, the subject too. */
static bool subject_has(X509 *certificate, const char *name) {
    const X509_NAME *subject = X509_get_subject_name(certificate);
    struct text text;

    for (int i = 0; i < X509_NAME_entry_count(subject) && i < (int)PEER_SAN_MAX; i++)
        if (take_string(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i)), &text) &&
            strcmp(text.octets, name) == 0)
            return true;
    return false;
}

/* The first of them, for a message. */
static void found_name(const GENERAL_NAMES *names, char *ret, size_t size) {
    struct text text;

    (void)snprintf(ret, size, "none");
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (!take_dns(name, &text) && !take_uri(name, &text) && !take_other(name, &text))
            continue;
        (void)snprintf(ret, size, "%.100s", text.octets);
        for (char *p = ret; *p; p++)
            if (*p < 0x20 || *p > 0x7e || *p == ';')
                *p = '?';
        return;
    }
}

int peer_check_name(struct peer_case *peer) {
    GENERAL_NAMES *names;
    char found[128];
    bool ok = false;

    if (!peer->expected->name || peer->expected->name[0] == '\0')
        return failure_set(peer->failure, PEER_E_NAME, "no name is expected of %s, so it has none",
                           peer->subject);
    names = X509_get_ext_d2i(peer->leaf, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; !ok && i < sk_GENERAL_NAME_num(names) && i < (int)PEER_SAN_MAX; i++)
        ok = matches(peer->expected, sk_GENERAL_NAME_value(names, i));
    if (!ok && peer->expected->flavour == PEER_NAMED)
        ok = subject_has(peer->leaf, peer->expected->name);
    found_name(names, found, sizeof(found));
    GENERAL_NAMES_free(names);
    if (ok)
        return 0;
    return failure_set(peer->failure, PEER_E_NAME,
                       "the certificate of %s is not that of \"%.100s\" (%s), its name is %s",
                       peer->subject, peer->expected->name,
                       peer_flavour_name(peer->expected->flavour), found);
}
