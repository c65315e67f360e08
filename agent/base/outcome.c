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

const char *outcome_name(int code) {
    const char *name = NULL;

    if (code == 0)
        return "done";
    if (code > 0 && (code & BASE_MASK) == OUTCOME_UICC_BASE)
        name = uicc_name((enum uicc_outcome)code);
    else if (code > 0 && (code & BASE_MASK) == OUTCOME_UB_BASE)
        name = ub_name((enum ub_outcome)code);
    else if (code > 0 && (code & BASE_MASK) == OUTCOME_HTTP_BASE)
        name = http_name((enum http_outcome)code);
    else if (code > 0 && (code & BASE_MASK) == OUTCOME_KEYS_BASE)
        name = keys_name((enum keys_outcome)code);
    else if (code > 0 && (code & BASE_MASK) == OUTCOME_ACCESS_BASE)
        name = access_name((enum access_outcome)code);
    else if (code > 0 && (code & BASE_MASK) == OUTCOME_SE_BASE)
        name = se_name((enum se_outcome)code);
    return name ? name : errno_name(code);
}

static const struct {
    int code;
    const char *remedy;
} remedies[] = {
    {UICC_E_SERVICE_ABSENT, "Start pcscd (systemctl start pcscd.socket), or the modem's service."},
    {UICC_E_READER_ABSENT,
     "Connect a card reader, or correct the reader's name in keystrap.conf; pcsc_scan lists them."},
    {UICC_E_CARD_ABSENT, "Insert the SIM."},
    {UICC_E_SILENT, "Take the SIM out and put it back; if it stays silent, try another reader."},
    {UICC_E_RESET, "Try again; if it happens often, find the other program that resets the SIM."},
    {UICC_E_BUSY, "End the program that holds the SIM for itself, or let it use shared mode."},
    {UICC_E_DENIED, "Allow keystrapd's user to use pcscd: install keystrap's polkit rule."},
    {UICC_E_TRANSPORT,
     "Look into the journal for what the transport program said last; reinstall it "
     "if it cannot be executed."},
    {UICC_E_MALFORMED, "The SIM or its reader is faulty or not a UICC; try another."},
    {UICC_E_STATUS, "Ask the operator whether the SIM is provisioned for this use."},
    {UICC_E_NO_APPLICATION, "Use a SIM with a USIM application; a 2G SIM cannot do GBA."},
    {UICC_E_NO_CHANNEL, "End other programs that hold logical channels of the SIM."},
    {UICC_E_PIN_REQUIRED, "Disable the SIM's PIN, or have the modem verify it."},
    {UICC_E_PIN_BLOCKED, "Unblock the PIN with the PUK in a phone or modem."},
    {UICC_E_SYNC,
     "Nothing: the network resynchronises by itself; ask the operator if it never does."},
    {UICC_E_MAC, "Check that the BSF is that of the SIM's operator."},
    {UICC_E_CONTEXT, "Use a SIM whose USIM supports authentication in the 3G context."},
    {UICC_E_IDENTITY, "Set the private identity (IMPI) and the BSF in keystrap.conf."},
    {UICC_E_NOT_FOUND, "Ask the operator whether the SIM is provisioned for this use."},
    {UICC_E_UNCONFIGURED, "See \"keystrapctl status\" for the cards that are configured."},
    {UICC_E_CONDITIONS, "Bootstrap again: the SIM has lost what the key would come from."},
    {UICC_E_FRESHNESS, "Bootstrap again; where it stays so, ask the operator about this SIM."},
    {UICC_E_MEMORY,
     "The SIM has no room: use GBA_ME (Mode=me), or ask the operator for another SIM."},
    {UICC_E_NAF_ID, "Use GBA_ME (Mode=me) for a NAF with a name of that length."},
    {HTTP_E_RESOLVE,
     "Check the name of the BSF and the gateway's DNS; BSF names are often known only "
     "in the operator's network."},
    {HTTP_E_CONNECT,
     "Check that the gateway's data connection is up and that nothing blocks the port."},
    {HTTP_E_TIMEOUT, "Try again later, or raise RequestTimeoutSec= in keystrap.conf."},
    {HTTP_E_TLS, "Check the gateway's clock, and the trust anchors set in keystrap.conf."},
    {HTTP_E_PROTOCOL,
     "Check the BSF's address: what answers there does not speak HTTP as a BSF does."},
    {HTTP_E_TOO_LARGE, "Check the BSF's address: what answers there is not a BSF."},
    {HTTP_E_HELPER, "Check that keystrap-http is installed, and the journal for why it ended."},
    {UB_E_REFUSED, "Ask the operator whether GBA is enabled for this subscription."},
    {UB_E_UNKNOWN, "Check the BSF's address: no BSF answers there."},
    {UB_E_BUSY, "Ask again later; the BSF cannot answer now."},
    {UB_E_CHALLENGE, "Check the BSF's address, and that the operator's BSF supports AKAv1-MD5."},
    {UB_E_NONCE, "Check the BSF's address: what answers there does not challenge with AKA."},
    {UB_E_RESYNC, "Ask the operator: its sequence number and the SIM's do not come together."},
    {UB_E_RESPONSE_REJECTED, "Check the private identity (IMPI) in keystrap.conf; ask the operator "
                             "whether it belongs to this SIM."},
    {UB_E_NETWORK_AUTH, "Check that the BSF is that of the SIM's operator."},
    {UB_E_RSPAUTH_MISSING,
     "Check the BSF's address; where the operator's BSF gives no proof, set RequireRspauth=no."},
    {UB_E_RSPAUTH_WRONG,
     "Check the BSF's address: what answers there does not know the SIM's key."},
    {UB_E_INFO_MALFORMED, "Ask the operator: its BSF does not answer as TS 24.109 says."},
    {UB_E_LIFETIME,
     "Check the gateway's clock; ask the operator for the lifetime that its BSF grants."},
    {UB_E_CANCELLED, "Ask again if the key is still wanted."},
    {UB_E_HTTPS, "Set Scheme=https in [GBA] of keystrap.conf, or another Mode=."},
    {UB_E_PUSH_MALFORMED, "Ask whoever runs the pushing server (NAF): its GBA Push Info is wrong."},
    {UB_E_PUSH_MAC,
     "Do not trust the sender; ask for a new GBA Push Info if it should be the operator."},
    {KEYS_E_NONE, "Ask for a bootstrap first (keystrapctl bootstrap)."},
    {KEYS_E_EXPIRED, "Ask for a new bootstrap (keystrapctl bootstrap)."},
    {KEYS_E_NAME, "Give the NAF's fully qualified domain name, as naf.example.org."},
    {KEYS_E_TYPE, "Ask for the external key (KeyType \"ext\"), which is also the default."},
    {KEYS_E_UA_PROTOCOL, "Give 5 octets of Ua security protocol identifier (TS 33.220 Annex H)."},
    {ACCESS_E_DENIED, "Add a rule to a file in /etc/keystrap/access.d that grants it."},
    {ACCESS_E_QUOTA, "Ask less often, or raise the quota in /etc/keystrap/access.d."},
    {SE_E_COMMAND, "Correct the command; org.keystrap.Agent1(5) says what may be sent."},
    {SE_E_CARD_RULES,
     "Ask the card's issuer for an access rule; DeviceAppHash= in access.d says who "
     "a principal is to it."},
    {SE_E_CLOSED, "Open the channel again."},
    {ACCESS_E_TOO_MANY, "Wait for the answers to earlier requests first."},
    {-ENOMEM, "Free memory, or raise the service's memory and memory-lock limits."},
    {-EMFILE, "Raise the service's limit of open files (LimitNOFILE=)."},
    {-ENOSPC, "Free space on the disk."},
};

const char *outcome_remedy(int code) {
    for (size_t i = 0; i < ELEMENTS(remedies); i++)
        if (remedies[i].code == code)
            return remedies[i].remedy;
    return "";
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
