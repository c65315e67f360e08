/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Every key of a profile in enrol.d.
 *
 * This table is the only place that knows a key: reading, printing and the test that holds keystrap.conf(5) against it
 * all walk over it.
 */

#include <string.h>
#include <strings.h>

#include "enrol-table.h"
#include "util.h"

#define FIELD(field) .offset = offsetof(struct enrol_profile, field)
#define MSEC(n)      ((n)*USEC_PER_MSEC)
#define SEC(n)       ((n)*USEC_PER_SEC)

static const char *const refusal_words[] = {
    [ENROL_REFUSED_STOP] = "stop", [ENROL_REFUSED_NEXT] = "next", NULL};
static const char *const derivation_words[] = {
    [ONEM2M_USAGE_CONSTRAINED] = "usage-constrained", [ONEM2M_RELEASE_1] = "release-1", NULL};
static const char *const exchange_words[] = {
    [MEF_RESOURCES] = "resources", [MEF_INDICATIONS] = "indications", NULL};
static const char *const flavour_words[] = {
    [PEER_FQDN] = "fqdn",     [PEER_RAW_PUBLIC_KEY] = "raw-public-key",
    [PEER_DEVICE] = "device", [PEER_NODE_ID] = "node-id",
    [PEER_CSE_ID] = "cse-id", [PEER_AE_ID] = "ae-id",
    [PEER_NAMED] = "named",   NULL};

/* What is wrong with a text that is to be ...; NULL when nothing is. */
static const char *wrong_mef(const char *text) {
    if (strncmp(text, "https://", 8) != 0 && strncmp(text, "coaps://", 8) != 0)
        return "neither https:// nor coaps://";
    /* Paths of resources are put behind it. */
    if (strchr(text, '?'))
        return "a query in it";
    return conf_wrong_authority(text + 8);
}

static const char *wrong_https(const char *text) {
    return strncmp(text, "https://", 8) == 0 ? wrong_mef(text) : "not https://";
}

static const char *wrong_entity(const char *text) {
    return strpbrk(text, " \t\"\\") ? "a space, quote or backslash in it" : conf_wrong_plain(text);
}

static const char *wrong_credential(const char *text) {
    static const char prefix[] = "credential:";

    if (text[0] == '/')
        return conf_wrong_plain(text);
    if (strncmp(text, prefix, strlen(prefix)) != 0 || strchr(text, '/'))
        return "neither an absolute path nor credential:NAME";
    if (text[strlen(prefix)] == '\0' || text[strlen(prefix)] == '.')
        return "not the name of a credential";
    return conf_wrong_plain(text);
}

static const char *wrong_private_key(const char *text) {
    if (strncmp(text, "pkcs11:", 7) != 0)
        return wrong_credential(text);
    /* A secret does not belong here, and a library that is named by whoever may sign a document would be code of his. */
    if (strstr(text, "pin-value=") || strstr(text, "pin-source="))
        return "a URI with a PIN, which belongs into PrivateKeyPin=";
    if (strstr(text, "module-path=") || strstr(text, "module-name="))
        return "a URI that names a module; modules are configured in pkcs11.conf(5)";
    return conf_wrong_plain(text);
}

/* Words of OpenSSL's cipher lists that stand for suites without a cipher or without a proof of who it is. */
static bool is_worthless(const char *word, size_t length) {
    static const char *const worthless[] = {"NULL", "ADH", "AECDH", "COMPLEMENTOFALL"};

    for (size_t i = 0; i < ELEMENTS(worthless); i++)
        if (word[0] != '!' && memmem(word, length, worthless[i], strlen(worthless[i])))
            return true;
    return false;
}

/* Without "@" there is no "@SECLEVEL=0" either. */
static const char *wrong_suites(const char *text) {
    size_t length;

    if (text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+!:")])
        return "not names with \":\" between them";
    for (const char *word = text; *word; word += length + (word[length] == ':')) {
        length = strcspn(word, ":");
        if (is_worthless(word, length))
            return "a suite without a cipher, or without a proof of who it is";
    }
    return NULL;
}

static const char *wrong_root(const char *text) {
    struct peer_root root;

    return peer_root_parse(text, &root) < 0 ? "not the digest of a public key" : NULL;
}

static const char *wrong_ua(const char *text) {
    uint8_t ua[UA_PROTOCOL_LENGTH];
    size_t length = 0;

    return hex_decode(text, ua, sizeof(ua), &length) < 0 || length != sizeof(ua) ? "not hex digits"
                                                                                 : NULL;
}

#define CREDENTIAL_WORDS "an absolute path, or credential:NAME of systemd"

const struct conf_key enrol_table[] = {
    {.section = "Enrolment",
     .name = "Methods",
     .type = CONF_STRING,
     FIELD(methods_text),
     .min = 3,
     .max = 40,
     .fallback = "gba certificate psk",
     .wrong = conf_wrong_plain,
     .allowed = "gba, certificate and psk, each once at the most, the best first",
     .help = "By what keys are had, the best first."},
    {.section = "Enrolment",
     .name = "AfterRefusal",
     .type = CONF_CHOICE,
     .choices = refusal_words,
     .allowed = "stop or next",
     FIELD(after_refusal),
     .fallback = "stop",
     .help = "Whether the next method is tried when somebody who knows us has said no."},
    {.section = "Enrolment",
     .name = "Mef",
     .type = CONF_STRING,
     FIELD(mef),
     .min = 9,
     .max = CONF_TEXT_MAX,
     .fallback = "",
     .wrong = wrong_mef,
     .allowed = "https://HOST[:PORT][/PATH] or coaps://HOST[:PORT][/PATH]",
     .help = "The M2M Enrolment Function. Empty with Methods=gba alone."},
    {.section = "Enrolment",
     .name = "ConnectTo",
     .type = CONF_STRING,
     FIELD(connect_to),
     .min = 3,
     .max = CONF_TEXT_MAX,
     .fallback = "",
     .wrong = conf_wrong_endpoint,
     .allowed = "HOST:PORT, 192.0.2.1:PORT or [2001:db8::1]:PORT, PORT from 1 to 65535",
     .help = "Where to connect instead of the MEF's name and port. Empty for as DNS says."},
    {.section = "Enrolment",
     .name = "Target",
     .type = CONF_STRING,
     FIELD(target),
     .min = 1,
     .max = ENTITY_ID_MAX,
     .fallback = "",
     .wrong = wrong_entity,
     .allowed = "a MAF-ID (FQDN), or the CSE-ID or AE-ID of an Enrolee B; must be given",
     .help = "With whom keys are wanted: the enrolment target."},
    {.section = "Enrolment",
     .name = "TargetFqdn",
     .type = CONF_STRING,
     FIELD(target_fqdn),
     .min = 1,
     .max = FQDN_MAX,
     .fallback = "",
     .wrong = conf_wrong_host,
     .allowed = "a host name; only with an Enrolee B",
     .help = "The FQDN of an Enrolee B, for GBA and usage-constrained keys."},
    {.section = "Enrolment",
     .name = "Identity",
     .type = CONF_STRING,
     FIELD(identity),
     .min = 1,
     .max = ENTITY_ID_MAX,
     .fallback = "",
     .wrong = wrong_entity,
     .allowed = "an AE-ID or CSE-ID",
     .help = "Who the gateway is to the MEF."},
    {.section = "Enrolment",
     .name = "AdminFqdn",
     .type = CONF_STRING,
     FIELD(admin_fqdn),
     .min = 1,
     .max = FQDN_MAX,
     .fallback = "",
     .wrong = conf_wrong_host,
     .allowed = "a host name",
     .help = "The stakeholder who administrates the enrolment. Empty for the MEF's host."},
    {.section = "Enrolment",
     .name = "Labels",
     .type = CONF_STRING,
     FIELD(labels),
     .min = 1,
     .max = CONF_TEXT_MAX,
     .fallback = "",
     .wrong = conf_wrong_quotable,
     .allowed = "words, up to 255 octets",
     .help = "Labels of the registration."},
    {.section = "Enrolment",
     .name = "Derivation",
     .type = CONF_CHOICE,
     .choices = derivation_words,
     .allowed = "usage-constrained or release-1",
     FIELD(derivation),
     .fallback = "usage-constrained",
     .help = "How Km and Kpsa are made of Ke: TS-0003 10.3.7, or 10.3.2 and 10.3.3."},
    {.section = "Enrolment",
     .name = "Suid",
     .type = CONF_UNSIGNED,
     FIELD(suid),
     .min = 21,
     .max = 25,
     .fallback = "21",
     .help = "The usage (SUID) of Km or Kpsa with Derivation=usage-constrained."},
    {.section = "Enrolment",
     .name = "ExpirySec",
     .type = CONF_DURATION,
     FIELD(expiry_usec),
     .min = SEC(60),
     .max = SEC(ENROL_EXPIRY_MAX_SEC),
     .fallback = "31536000",
     .help = "The longest life of an enrolment; what the MEF grants beyond it is cut."},
    {.section = "Enrolment",
     .name = "CipherSuites",
     .type = CONF_STRING,
     FIELD(suites),
     .min = 1,
     .max = CIPHER_SUITES_MAX,
     .fallback = "",
     .wrong = wrong_suites,
     .allowed = "names of OpenSSL with \":\" between them",
     .help = "The cipher suites, the best first. Empty for those of TS-0003 10.2 and better ones."},
    {.section = "Enrolment",
     .name = "Exchange",
     .type = CONF_CHOICE,
     .choices = exchange_words,
     .allowed = "resources or indications",
     FIELD(exchange),
     .fallback = "resources",
     .help = "Registration as in TS-0003 8.3.5, or the older indications of 8.3.2.1."},
    {.section = "Enrolment",
     .name = "Commands",
     .type = CONF_BOOL,
     FIELD(commands),
     .fallback = "no",
     .help = "Do what the MEF commands after a registration (TS-0003 8.3.9)."},
    {.section = "Enrolment",
     .name = "ConnectTimeoutSec",
     .type = CONF_DURATION,
     FIELD(connect_timeout_usec),
     .min = MSEC(100),
     .max = SEC(300),
     .fallback = "10",
     .help = "How long connecting to the MEF may take."},
    {.section = "Enrolment",
     .name = "RequestTimeoutSec",
     .type = CONF_DURATION,
     FIELD(request_timeout_usec),
     .min = MSEC(100),
     .max = SEC(600),
     .fallback = "30",
     .help = "How long one request to the MEF may take, connecting included."},
    {.section = "Psk",
     .name = "KpmId",
     .type = CONF_STRING,
     FIELD(kpm_id),
     .min = 1,
     .max = PSK_IDENTITY_MAX,
     .fallback = "",
     .wrong = wrong_entity,
     .allowed = "1 to 128 octets, printable ASCII without spaces",
     .help = "psk_identity: the identifier of Kpm."},
    {.section = "Psk",
     .name = "Kpm",
     .type = CONF_STRING,
     FIELD(kpm),
     .min = 2,
     .max = CONF_PATH_MAX,
     .fallback = "",
     .wrong = wrong_credential,
     .allowed = CREDENTIAL_WORDS,
     .help = "The pre-provisioned symmetric enrolee key: 16 to 64 octets, or \"hex:\" and digits."},
    {.section = "Certificate",
     .name = "Certificate",
     .type = CONF_STRING,
     FIELD(certificate),
     .min = 2,
     .max = CONF_PATH_MAX,
     .fallback = "",
     .wrong = wrong_credential,
     .allowed = CREDENTIAL_WORDS,
     .help = "Our certificate, PEM, and behind it its chain."},
    {.section = "Certificate",
     .name = "PrivateKey",
     .type = CONF_STRING,
     FIELD(private_key),
     .min = 2,
     .max = CONF_PATH_MAX,
     .fallback = "",
     .wrong = wrong_private_key,
     .allowed = "an absolute path, credential:NAME of systemd, or a pkcs11: URI",
     .help = "Its private key, PEM or PKCS #8 DER, or where a token has it (RFC 7512)."},
    {.section = "Certificate",
     .name = "PrivateKeyPin",
     .type = CONF_STRING,
     FIELD(private_key_pin),
     .min = 2,
     .max = CONF_PATH_MAX,
     .fallback = "",
     .wrong = wrong_credential,
     .allowed = CREDENTIAL_WORDS,
     .help = "The PIN of the token that has the private key."},
    {.section = "Certificate",
     .name = "PeerFlavour",
     .type = CONF_CHOICE,
     .choices = flavour_words,
     .allowed = "fqdn, raw-public-key, device, node-id, cse-id, ae-id or named",
     FIELD(peer_flavour),
     .fallback = "fqdn",
     .help = "Where the MEF's certificate says who it is (TS-0003 8.1.2)."},
    {.section = "Certificate",
     .name = "PeerName",
     .type = CONF_STRING,
     FIELD(peer_name),
     .min = 1,
     .max = PEER_NAME_MAX,
     .fallback = "",
     .wrong = conf_wrong_quotable,
     .allowed = "up to 255 octets",
     .help = "The name in it. Empty for the MEF's host."},
    {.section = "Certificate",
     .name = "PeerRoot",
     .type = CONF_LIST,
     .lines_max = PEER_ROOTS_MAX,
     FIELD(peer_roots_text),
     .min = 20,
     .max = 80,
     .fallback = "",
     .wrong = wrong_root,
     .allowed = "ni:///sha-256;BASE64URL (RFC 6920) or 64 hex digits; up to 4 lines",
     .help = "Digest of the public key of the root of trust, or of the raw public key."},
    {.section = "Certificate",
     .name = "TrustAnchors",
     .type = CONF_STRING,
     FIELD(trust_anchors),
     .min = 2,
     .max = CONF_PATH_MAX,
     .fallback = "",
     .wrong = conf_wrong_path,
     .allowed = "an absolute path of up to 1000 octets",
     .help = "PEM file with the CAs that may vouch for the MEF."},
    {.section = "Certificate",
     .name = "Crl",
     .type = CONF_STRING,
     FIELD(crl),
     .min = 2,
     .max = CONF_PATH_MAX,
     .fallback = "",
     .wrong = conf_wrong_path,
     .allowed = "an absolute path of up to 1000 octets",
     .help = "PEM file with the CRLs of these CAs."},
    {.section = "Certificate",
     .name = "RequireOcsp",
     .type = CONF_BOOL,
     FIELD(ocsp_required),
     .fallback = "no",
     .help = "Refuse a MEF that staples no good OCSP response."},
    {.section = "Certificate",
     .name = "Provision",
     .type = CONF_BOOL,
     FIELD(provision),
     .fallback = "no",
     .help = "Have a certificate issued by EST, within a session by Kpm, and renew it."},
    {.section = "Certificate",
     .name = "Est",
     .type = CONF_STRING,
     FIELD(est),
     .min = 9,
     .max = CONF_TEXT_MAX,
     .fallback = "",
     .wrong = wrong_https,
     .allowed = "https://HOST[:PORT]/PATH with the MEF's host",
     .help = "The EST server. Empty for /.well-known/est of the MEF."},
    {.section = "Token",
     .name = "Token",
     .type = CONF_STRING,
     FIELD(token),
     .min = 2,
     .max = CONF_PATH_MAX,
     .fallback = "",
     .wrong = wrong_credential,
     .allowed = CREDENTIAL_WORDS,
     .help = "The enrolment token, which is presented once."},
    {.section = "Gba",
     .name = "Uicc",
     .type = CONF_STRING,
     FIELD(uicc),
     .min = 1,
     .max = CARD_NAME_MAX,
     .fallback = "",
     .wrong = conf_wrong_card,
     .allowed = "the name of a card in keystrap.conf",
     .help = "Which card GBA is run with. Empty for the first that is usable."},
    {.section = "Gba",
     .name = "UaProtocol",
     .type = CONF_STRING,
     FIELD(ua_protocol_text),
     .min = 10,
     .max = 10,
     .fallback = "01000100ae",
     .wrong = wrong_ua,
     .allowed = "ten hex digits",
     .help = "The Ua security protocol identifier of the target's key (TS 33.220 Annex H)."},
};

const size_t enrol_table_length = ELEMENTS(enrol_table);
