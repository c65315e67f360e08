/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The name in a certificate, where each flavour has it (TS-0003 8.1.2, 10.1).
 *
 * A name with a NUL or beyond its limit is none. FQDNs are compared without case, everything else octet by octet; there
 * are no wildcards.
 */

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "peer-internal.h"
#include "util.h"

/* Its tag, for which OpenSSL has no name: the remaining arcs of a device's identifier (TS-0003 10.1.1.4, TS-0001 Annex H). */
#define ASN1_RELATIVE_OID 13

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

/* The contents of an ASN.1 RELATIVE-OID (X.690 8.20) as text: arcs with dots between. */
static bool take_arcs(const ASN1_STRING *string, char *ret, size_t size) {
    const unsigned char *octets = ASN1_STRING_get0_data(string);
    int length = ASN1_STRING_length(string), n;
    uint64_t arc = 0;
    size_t at = 0;

    if (length <= 0 || (octets[length - 1] & 0x80))
        return false;
    for (int i = 0; i < length; i++) {
        if (arc > UINT64_MAX >> 7 || (arc == 0 && octets[i] == 0x80))
            return false;
        arc = arc << 7 | (octets[i] & 0x7f);
        if (octets[i] & 0x80)
            continue;
        n = snprintf(ret + at, size - at, "%s%" PRIu64, at > 0 ? "." : "", arc);
        if (n < 0 || (size_t)n >= size - at)
            return false;
        at += (size_t)n;
        arc = 0;
    }
    return true;
}

static bool take_object(const ASN1_OBJECT *object, char *ret, size_t size) {
    int n = OBJ_obj2txt(ret, (int)size, object, 1);

    return n > 0 && (size_t)n < size;
}

/* "OID;value" of an otherName whose value is a string, an OID or the rest of one. */
static bool take_other(const GENERAL_NAME *name, struct text *ret) {
    char oid[80], value[PEER_NAME_MAX + 1];
    const ASN1_TYPE *type;
    struct text text;
    bool ok = false;
    int n;

    if (name->type != GEN_OTHERNAME || !take_object(name->d.otherName->type_id, oid, sizeof(oid)))
        return false;
    type = name->d.otherName->value;
    if (type->type == V_ASN1_OBJECT)
        ok = take_object(type->value.object, value, sizeof(value));
    else if (type->type == ASN1_RELATIVE_OID)
        ok = take_arcs(type->value.asn1_string, value, sizeof(value));
    else if (type->type == V_ASN1_UTF8STRING || type->type == V_ASN1_IA5STRING ||
             type->type == V_ASN1_PRINTABLESTRING) {
        ok = take_string(type->value.asn1_string, &text);
        (void)snprintf(value, sizeof(value), "%s", ok ? text.octets : "");
    }
    n = ok ? snprintf(text.octets, sizeof(text.octets), "%s;%s", oid, value) : -1;
    if (n < 0 || (size_t)n >= sizeof(text.octets))
        return false;
    *ret = text;
    return true;
}

/* What follows the scheme: "//sp.example/cse" of "coap://sp.example/cse" and, as certificates in the field have it, of itself. */
static const char *after_scheme(const char *uri) {
    size_t scheme =
        strspn(uri, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");

    if (scheme > 0 && uri[scheme] == ':')
        uri += scheme + 1;
    return strncmp(uri, "//", 2) == 0 ? uri : NULL;
}

/* One with somebody's name before it, "a@b", is nobody's host: it may look like another. */
static bool host_is(const char *uri, const char *name) {
    const char *host = after_scheme(uri);
    size_t length;

    if (!host)
        return false;
    host += 2;
    length = strcspn(host, "/?#");
    if (memchr(host, '@', length))
        return false;
    length = strcspn(host, ":/?#");
    return strlen(name) == length && strncasecmp(host, name, length) == 0;
}

/* "URI://sp.example/cse" and "//sp.example/cse" are the same identifier. */
static bool uri_is(const char *uri, const char *name) {
    const char *rest = after_scheme(uri);

    return strcmp(uri, name) == 0 ||
           (rest && strncmp(name, "//", 2) == 0 && strcmp(rest, name) == 0);
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
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && i < (int)PEER_SAN_MAX; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (take_dns(name, &text) || take_uri(name, &text) || take_other(name, &text)) {
            (void)snprintf(ret, size, "\"%.*s\"", (int)size - 3, text.octets);
            peer_printable(ret);
            return;
        }
    }
}

/* No subjectAltName is -1, one that is there twice is -2. */
static int take_names(struct peer_case *peer, GENERAL_NAMES **ret) {
    int critical = -1;
    GENERAL_NAMES *names = X509_get_ext_d2i(peer->leaf, NID_subject_alt_name, &critical, NULL);

    if (!names && critical != -1)
        return failure_set(peer->failure, PEER_E_MALFORMED,
                           "the names in the certificate of %s (subjectAltName) cannot be read",
                           peer->subject);
    *ret = names;
    return 0;
}

int peer_check_name(struct peer_case *peer) {
    const struct peer_expectation *expected = peer->expected;
    char found[80], wanted[80];
    GENERAL_NAMES *names;
    bool ok = false;
    int r;

    if (!expected->name || expected->name[0] == '\0')
        return failure_set(peer->failure, PEER_E_NAME, "no name is expected of %s, so it has none",
                           peer->subject);
    r = take_names(peer, &names);
    if (r != 0)
        return r;
    for (int i = 0; !ok && i < sk_GENERAL_NAME_num(names) && i < (int)PEER_SAN_MAX; i++)
        ok = matches(expected, sk_GENERAL_NAME_value(names, i));
    if (!ok && expected->flavour == PEER_NAMED)
        ok = subject_has(peer->leaf, expected->name);
    found_name(names, found, sizeof(found));
    GENERAL_NAMES_free(names);
    if (ok)
        return 0;
    (void)snprintf(wanted, sizeof(wanted), "%.*s", (int)sizeof(wanted) - 1, expected->name);
    peer_printable(wanted);
    return failure_set(peer->failure, PEER_E_NAME,
                       "the certificate of %s has the name %s, and \"%s\" (%s) is expected",
                       peer->subject, found, wanted, peer_flavour_name(expected->flavour));
}
