/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Outcomes in words.
 *
 * The names are switches without a default, so that the compiler finds an outcome without one. They are
 * stable: scripts and the catalog of the journal refer to them.
 */

#include <errno.h>
#include <string.h>

#include "outcome.h"
#include "util.h"

static const char *uicc_name(enum uicc_outcome outcome) {
    switch (outcome) {
    case UICC_E_SERVICE_ABSENT:
        return "uicc-service-absent";
    case UICC_E_READER_ABSENT:
        return "uicc-reader-absent";
    case UICC_E_CARD_ABSENT:
        return "uicc-card-absent";
    case UICC_E_SILENT:
        return "uicc-silent";
    case UICC_E_RESET:
        return "uicc-reset";
    case UICC_E_BUSY:
        return "uicc-busy";
    case UICC_E_DENIED:
        return "uicc-denied";
    case UICC_E_TRANSPORT:
        return "uicc-transport";
    case UICC_E_MALFORMED:
        return "uicc-malformed";
    case UICC_E_STATUS:
        return "uicc-status";
    case UICC_E_NO_APPLICATION:
        return "uicc-no-application";
    case UICC_E_NO_CHANNEL:
        return "uicc-no-channel";
    case UICC_E_PIN_REQUIRED:
        return "uicc-pin-required";
    case UICC_E_PIN_BLOCKED:
        return "uicc-pin-blocked";
    case UICC_E_SYNC:
        return "uicc-sync";
    case UICC_E_MAC:
        return "uicc-mac";
    case UICC_E_CONTEXT:
        return "uicc-context";
    case UICC_E_IDENTITY:
        return "uicc-identity";
    case UICC_E_NOT_FOUND:
        return "uicc-not-found";
    case UICC_E_UNCONFIGURED:
        return "uicc-unconfigured";
    case UICC_E_CONDITIONS:
        return "uicc-conditions";
    case UICC_E_FRESHNESS:
        return "uicc-freshness";
    case UICC_E_MEMORY:
        return "uicc-memory";
    case UICC_E_NAF_ID:
        return "uicc-naf-id";
    }
    return NULL;
}

static const char *ub_name(enum ub_outcome outcome) {
    switch (outcome) {
    case UB_E_REFUSED:
        return "ub-refused";
    case UB_E_UNKNOWN:
        return "ub-unknown";
    case UB_E_BUSY:
        return "ub-busy";
    case UB_E_CHALLENGE:
        return "ub-challenge";
    case UB_E_NONCE:
        return "ub-nonce";
    case UB_E_RESYNC:
        return "ub-resync";
    case UB_E_RESPONSE_REJECTED:
        return "ub-response-rejected";
    case UB_E_NETWORK_AUTH:
        return "ub-network-auth";
    case UB_E_RSPAUTH_MISSING:
        return "ub-rspauth-missing";
    case UB_E_RSPAUTH_WRONG:
        return "ub-rspauth-wrong";
    case UB_E_INFO_MALFORMED:
        return "ub-info-malformed";
    case UB_E_LIFETIME:
        return "ub-lifetime";
    case UB_E_CANCELLED:
        return "ub-cancelled";
    case UB_E_HTTPS:
        return "ub-https";
    case UB_E_PUSH_MALFORMED:
        return "ub-push-malformed";
    case UB_E_PUSH_MAC:
        return "ub-push-mac";
    }
    return NULL;
}

static const char *http_name(enum http_outcome outcome) {
    switch (outcome) {
    case HTTP_E_RESOLVE:
        return "http-resolve";
    case HTTP_E_CONNECT:
        return "http-connect";
    case HTTP_E_TIMEOUT:
        return "http-timeout";
    case HTTP_E_TLS:
        return "http-tls";
    case HTTP_E_PROTOCOL:
        return "http-protocol";
    case HTTP_E_TOO_LARGE:
        return "http-too-large";
    case HTTP_E_HELPER:
        return "http-helper";
    case HTTP_E_CREDENTIAL:
        return "http-credential";
    case HTTP_E_PSK:
        return "http-psk";
    case HTTP_E_OWN_CERTIFICATE:
        return "http-own-certificate";
    case HTTP_E_OWN_EXPIRED:
        return "http-own-expired";
    case HTTP_E_MASTER_SECRET:
        return "http-master-secret";
    }
    return NULL;
}

static const char *keys_name(enum keys_outcome outcome) {
    switch (outcome) {
    case KEYS_E_NONE:
        return "keys-none";
    case KEYS_E_EXPIRED:
        return "keys-expired";
    case KEYS_E_NAME:
        return "keys-name";
    case KEYS_E_TYPE:
        return "keys-type";
    case KEYS_E_UA_PROTOCOL:
        return "keys-ua-protocol";
    }
    return NULL;
}

static const char *se_name(enum se_outcome outcome) {
    switch (outcome) {
    case SE_E_COMMAND:
        return "se-command";
    case SE_E_CARD_RULES:
        return "se-card-rules";
    case SE_E_CLOSED:
        return "se-closed";
    }
    return NULL;
}

static const char *access_name(enum access_outcome outcome) {
    switch (outcome) {
    case ACCESS_E_DENIED:
        return "access-denied";
    case ACCESS_E_QUOTA:
        return "access-quota";
    case ACCESS_E_TOO_MANY:
        return "access-too-many";
    }
    return NULL;
}

#define BASE_MASK 0xff00

/* errno values have no fixed list, so their words are made; a buffer a thread keeps the answer borrowable. */
static const char *errno_name(int code) {
    static _Thread_local char name[32];

    (void)snprintf(name, sizeof(name), code < 0 ? "errno-%u" : "outcome-%u",
                   code < 0 ? 0u - (unsigned)code : (unsigned)code);
    return name;
}

static const char *peer_name(enum peer_outcome outcome) {
    switch (outcome) {
    case PEER_E_EXPIRED:
        return "peer-expired";
    case PEER_E_NOT_YET:
        return "peer-not-yet";
    case PEER_E_UNTRUSTED:
        return "peer-untrusted";
    case PEER_E_ROOT:
        return "peer-root";
    case PEER_E_NAME:
        return "peer-name";
    case PEER_E_KEY:
        return "peer-key";
    case PEER_E_KEY_USAGE:
        return "peer-key-usage";
    case PEER_E_CONSTRAINT:
        return "peer-constraint";
    case PEER_E_REVOKED:
        return "peer-revoked";
    case PEER_E_STATUS:
        return "peer-status";
    case PEER_E_MALFORMED:
        return "peer-malformed";
    }
    return NULL;
}

static const char *mef_name(enum mef_outcome outcome) {
    switch (outcome) {
    case MEF_E_REFUSED:
        return "mef-refused";
    case MEF_E_TOKEN:
        return "mef-token";
    case MEF_E_UNKNOWN:
        return "mef-unknown";
    case MEF_E_BUSY:
        return "mef-busy";
    case MEF_E_CONFLICT:
        return "mef-conflict";
    case MEF_E_MALFORMED:
        return "mef-malformed";
    case MEF_E_LIFETIME:
        return "mef-lifetime";
    case MEF_E_CHANGED:
        return "mef-changed";
    }
    return NULL;
}

static const char *est_name(enum est_outcome outcome) {
    switch (outcome) {
    case EST_E_REFUSED:
        return "est-refused";
    case EST_E_PENDING:
        return "est-pending";
    case EST_E_BUSY:
        return "est-busy";
    case EST_E_MALFORMED:
        return "est-malformed";
    case EST_E_CERTIFICATE:
        return "est-certificate";
    }
    return NULL;
}

static const char *record_name(enum record_outcome outcome) {
    switch (outcome) {
    case RECORD_E_NONE:
        return "record-none";
    case RECORD_E_DAMAGED:
        return "record-damaged";
    case RECORD_E_VERSION:
        return "record-version";
    }
    return NULL;
}

static const char *instruction_name(enum instruction_outcome outcome) {
    switch (outcome) {
    case INSTRUCTION_E_MALFORMED:
        return "instruction-malformed";
    case INSTRUCTION_E_SIGNATURE:
        return "instruction-signature";
    case INSTRUCTION_E_SIGNER:
        return "instruction-signer";
    case INSTRUCTION_E_REPLAY:
        return "instruction-replay";
    case INSTRUCTION_E_INVALID:
        return "instruction-invalid";
    }
    return NULL;
}

static const char *enrol_name(enum enrol_outcome outcome) {
    switch (outcome) {
    case ENROL_E_UNCONFIGURED:
        return "enrol-unconfigured";
    case ENROL_E_METHODS:
        return "enrol-methods";
    case ENROL_E_CREDENTIAL:
        return "enrol-credential";
    case ENROL_E_SEALING:
        return "enrol-sealing";
    case ENROL_E_KIND:
        return "enrol-kind";
    case ENROL_E_EXPIRED:
        return "enrol-expired";
    case ENROL_E_SECURE_ENVIRONMENT:
        return "enrol-secure-environment";
    }
    return NULL;
}

/* Of a code that is one of the module's whose base it has. */
static const char *module_name(int code) {
    switch (code & BASE_MASK) {
    case OUTCOME_UICC_BASE:
        return uicc_name((enum uicc_outcome)code);
    case OUTCOME_UB_BASE:
        return ub_name((enum ub_outcome)code);
    case OUTCOME_HTTP_BASE:
        return http_name((enum http_outcome)code);
    case OUTCOME_KEYS_BASE:
        return keys_name((enum keys_outcome)code);
    case OUTCOME_ACCESS_BASE:
        return access_name((enum access_outcome)code);
    case OUTCOME_SE_BASE:
        return se_name((enum se_outcome)code);
    case OUTCOME_PEER_BASE:
        return peer_name((enum peer_outcome)code);
    case OUTCOME_MEF_BASE:
        return mef_name((enum mef_outcome)code);
    case OUTCOME_EST_BASE:
        return est_name((enum est_outcome)code);
    case OUTCOME_RECORD_BASE:
        return record_name((enum record_outcome)code);
    case OUTCOME_INSTRUCTION_BASE:
        return instruction_name((enum instruction_outcome)code);
    case OUTCOME_ENROL_BASE:
        return enrol_name((enum enrol_outcome)code);
    default: /* an errno, not an enum */
        return NULL;
    }
}

const char *outcome_name(int code) {
    const char *name = code > 0 ? module_name(code) : NULL;

    if (code == 0)
        return "done";
    return name ? name : errno_name(code);
}

/* What a text quotes may come from a card or the network; it leaves as one line of UTF-8 (D-Bus takes no other). */
static void make_printable(char *text) {
    size_t length = strlen(text), octets;

    for (size_t i = 0; i < length; i += octets) {
        octets = utf8_printable(text + i, length - i);
        if (octets == 0) {
            text[i] = '?';
            octets = 1;
        }
    }
}

int failure_set(struct failure *failure, int code, const char *format, ...) {
    int saved_errno = errno;
    va_list arguments;

    if (failure && failure->code == 0) {
        failure->code = code;
        va_start(arguments, format);
        (void)vsnprintf(failure->text, sizeof(failure->text), format, arguments);
        va_end(arguments);
        make_printable(failure->text);
    }
    errno = saved_errno;
    return code;
}

void failure_describe(const struct failure *failure, char ret[FAILURE_DESCRIPTION_MAX]) {
    const char *text = failure->text[0] ? failure->text : outcome_name(failure->code);
    const char *remedy = strchr(text, ';') ? "" : outcome_remedy(failure->code);
    size_t length = strlen(text);

    while (length > 0 && strchr(".?", text[length - 1]))
        length--;
    (void)snprintf(ret, FAILURE_DESCRIPTION_MAX, "%.*s.%s%s", (int)length, text,
                   remedy[0] ? " " : "", remedy);
}

void failure_clear(struct failure *failure) {
    *failure = (struct failure){0};
}
