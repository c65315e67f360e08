/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The error map.
 *
 * The only place where an outcome gets its name on the bus. Daemon and client library share the table, so that
 * what one sends the other understands. A name once published is never given another meaning.
 */

#include <errno.h>
#include <string.h>
#include <systemd/sd-bus-protocol.h>

#include "error-map.h"
#include "outcome.h"
#include "util.h"

static const struct error_map_entry entries[] = {
    /* The UICC and the way to it. */
    {UICC_E_SERVICE_ABSENT, ERROR_PREFIX "CardServiceAbsent", -ENODEV},
    {UICC_E_READER_ABSENT, ERROR_PREFIX "ReaderAbsent", -ENODEV},
    {UICC_E_CARD_ABSENT, ERROR_PREFIX "CardAbsent", -ENODEV},
    {UICC_E_SILENT, ERROR_PREFIX "CardSilent", -ETIMEDOUT},
    {UICC_E_RESET, ERROR_PREFIX "CardReset", -EIO},
    {UICC_E_BUSY, ERROR_PREFIX "CardBusy", -EBUSY},
    {UICC_E_DENIED, ERROR_PREFIX "CardAccessDenied", -ENODEV},
    {UICC_E_TRANSPORT, ERROR_PREFIX "TransportFailed", -EIO},
    {UICC_E_MALFORMED, ERROR_PREFIX "CardAnswerMalformed", -EIO},
    {UICC_E_STATUS, ERROR_PREFIX "CardRefused", -EKEYREJECTED},
    {UICC_E_NO_APPLICATION, ERROR_PREFIX "NoApplication", -ENODEV},
    {UICC_E_NO_CHANNEL, ERROR_PREFIX "NoChannel", -EIO},
    {UICC_E_PIN_REQUIRED, ERROR_PREFIX "PinRequired", -EKEYREJECTED},
    {UICC_E_PIN_BLOCKED, ERROR_PREFIX "PinBlocked", -EKEYREJECTED},
    {UICC_E_SYNC, ERROR_PREFIX "SynchronisationFailure", -EKEYREJECTED},
    {UICC_E_MAC, ERROR_PREFIX "CardRejectedNetwork", -EKEYREJECTED},
    {UICC_E_CONTEXT, ERROR_PREFIX "ContextNotSupported", -EKEYREJECTED},
    {UICC_E_IDENTITY, ERROR_PREFIX "IdentityUnusable", -EIO},
    {UICC_E_NOT_FOUND, ERROR_PREFIX "CardFileNotFound", -EIO},
    {UICC_E_UNCONFIGURED, ERROR_PREFIX "CardUnknown", -EINVAL},
    {UICC_E_CONDITIONS, ERROR_PREFIX "CardConditions", -EIO},
    {UICC_E_FRESHNESS, ERROR_PREFIX "KeyFreshness", -EKEYREJECTED},
    {UICC_E_MEMORY, ERROR_PREFIX "CardMemory", -EIO},
    {UICC_E_NAF_ID, ERROR_PREFIX "NafIdTooLong", -EINVAL},
    /* Fetching over HTTP. */
    {HTTP_E_RESOLVE, ERROR_PREFIX "BsfNameUnresolved", -EHOSTUNREACH},
    {HTTP_E_CONNECT, ERROR_PREFIX "BsfUnreachable", -EHOSTUNREACH},
    {HTTP_E_TIMEOUT, ERROR_PREFIX "BsfTimeout", -ETIMEDOUT},
    {HTTP_E_TLS, ERROR_PREFIX "BsfTlsFailed", -EHOSTUNREACH},
    {HTTP_E_PROTOCOL, ERROR_PREFIX "BsfProtocol", -EHOSTUNREACH},
    {HTTP_E_TOO_LARGE, ERROR_PREFIX "BsfAnswerTooLarge", -EIO},
    {HTTP_E_HELPER, ERROR_PREFIX "HttpHelperFailed", -EIO},
    {HTTP_E_CREDENTIAL, ERROR_PREFIX "OwnCredentialUnusable", -EINVAL},
    {HTTP_E_PSK, ERROR_PREFIX "PskRefused", -EKEYREJECTED},
    {HTTP_E_OWN_CERTIFICATE, ERROR_PREFIX "OwnCertificateRefused", -EKEYREJECTED},
    {HTTP_E_OWN_EXPIRED, ERROR_PREFIX "OwnCertificateExpired", -EKEYREJECTED},
    {HTTP_E_MASTER_SECRET, ERROR_PREFIX "NoExtendedMasterSecret", -EHOSTUNREACH},
    /* The bootstrap over Ub. */
    {UB_E_REFUSED, ERROR_PREFIX "BsfRefused", -EKEYREJECTED},
    {UB_E_UNKNOWN, ERROR_PREFIX "BsfUnknown", -EHOSTUNREACH},
    {UB_E_BUSY, ERROR_PREFIX "BsfBusy", -EHOSTUNREACH},
    {UB_E_CHALLENGE, ERROR_PREFIX "ChallengeUnusable", -EIO},
    {UB_E_NONCE, ERROR_PREFIX "NonceMalformed", -EIO},
    {UB_E_RESYNC, ERROR_PREFIX "ResynchronisationFailed", -EKEYREJECTED},
    {UB_E_RESPONSE_REJECTED, ERROR_PREFIX "ResponseRejected", -EKEYREJECTED},
    {UB_E_NETWORK_AUTH, ERROR_PREFIX "NetworkNotAuthentic", -EKEYREJECTED},
    {UB_E_RSPAUTH_MISSING, ERROR_PREFIX "BsfProofMissing", -EKEYREJECTED},
    {UB_E_RSPAUTH_WRONG, ERROR_PREFIX "BsfProofWrong", -EKEYREJECTED},
    {UB_E_INFO_MALFORMED, ERROR_PREFIX "BootstrappingInfoMalformed", -EIO},
    {UB_E_LIFETIME, ERROR_PREFIX "LifetimeUnusable", -EIO},
    {UB_E_CANCELLED, ERROR_PREFIX "Cancelled", -ESRCH},
    {UB_E_HTTPS, ERROR_PREFIX "HttpsNeeded", -EINVAL},
    {UB_E_PUSH_MALFORMED, ERROR_PREFIX "PushInfoMalformed", -EINVAL},
    {UB_E_PUSH_MAC, ERROR_PREFIX "PushInfoNotAuthentic", -EKEYREJECTED},
    /* The keys. */
    {KEYS_E_NONE, ERROR_PREFIX "NoKey", -EIO},
    {KEYS_E_EXPIRED, ERROR_PREFIX "KeyExpired", -EIO},
    {KEYS_E_NAME, ERROR_PREFIX "NafNameInvalid", -EINVAL},
    {KEYS_E_TYPE, ERROR_PREFIX "KeyTypeUnavailable", -EINVAL},
    {KEYS_E_UA_PROTOCOL, ERROR_PREFIX "UaProtocolInvalid", -EINVAL},
    /* Who may. */
    {ACCESS_E_DENIED, ERROR_PREFIX "AccessDenied", -EACCES},
    {ACCESS_E_QUOTA, ERROR_PREFIX "QuotaExceeded", -EBUSY},
    {ACCESS_E_TOO_MANY, ERROR_PREFIX "TooManyRequests", -EBUSY},
    /* Applications on the card. */
    {SE_E_COMMAND, ERROR_PREFIX "CommandRefused", -EINVAL},
    {SE_E_CARD_RULES, ERROR_PREFIX "CardRulesDeny", -EACCES},
    {SE_E_CLOSED, ERROR_PREFIX "ChannelClosed", -EIO},
    /* The other end's certificate. */
    {PEER_E_EXPIRED, ERROR_PREFIX "PeerCertificateExpired", -EHOSTUNREACH},
    {PEER_E_NOT_YET, ERROR_PREFIX "PeerCertificateNotYetValid", -EHOSTUNREACH},
    {PEER_E_UNTRUSTED, ERROR_PREFIX "PeerUntrusted", -EHOSTUNREACH},
    {PEER_E_ROOT, ERROR_PREFIX "PeerRootOfTrust", -EHOSTUNREACH},
    {PEER_E_NAME, ERROR_PREFIX "PeerName", -EHOSTUNREACH},
    {PEER_E_KEY, ERROR_PREFIX "PeerKey", -EHOSTUNREACH},
    {PEER_E_KEY_USAGE, ERROR_PREFIX "PeerKeyUsage", -EHOSTUNREACH},
    {PEER_E_CONSTRAINT, ERROR_PREFIX "PeerNameConstraint", -EHOSTUNREACH},
    {PEER_E_REVOKED, ERROR_PREFIX "PeerCertificateRevoked", -EHOSTUNREACH},
    {PEER_E_STATUS, ERROR_PREFIX "PeerStatusUnknown", -EHOSTUNREACH},
    {PEER_E_MALFORMED, ERROR_PREFIX "PeerCertificateMalformed", -EHOSTUNREACH},
    /* The exchange with a MEF. */
    {MEF_E_REFUSED, ERROR_PREFIX "MefRefused", -EKEYREJECTED},
    {MEF_E_TOKEN, ERROR_PREFIX "TokenRefused", -EKEYREJECTED},
    {MEF_E_UNKNOWN, ERROR_PREFIX "MefUnknown", -EHOSTUNREACH},
    {MEF_E_BUSY, ERROR_PREFIX "MefBusy", -EHOSTUNREACH},
    {MEF_E_CONFLICT, ERROR_PREFIX "MefConflict", -EKEYREJECTED},
    {MEF_E_MALFORMED, ERROR_PREFIX "MefAnswerMalformed", -EIO},
    {MEF_E_LIFETIME, ERROR_PREFIX "MefLifetime", -EIO},
    {MEF_E_CHANGED, ERROR_PREFIX "MefChanged", -EIO},
    /* Certificate provisioning. */
    {EST_E_REFUSED, ERROR_PREFIX "EstRefused", -EKEYREJECTED},
    {EST_E_PENDING, ERROR_PREFIX "EstPending", -EBUSY},
    {EST_E_BUSY, ERROR_PREFIX "EstBusy", -EHOSTUNREACH},
    {EST_E_MALFORMED, ERROR_PREFIX "EstAnswerMalformed", -EIO},
    {EST_E_CERTIFICATE, ERROR_PREFIX "EstCertificateUnusable", -EIO},
    /* Records. */
    {RECORD_E_NONE, ERROR_PREFIX "NoRecord", -EIO},
    {RECORD_E_DAMAGED, ERROR_PREFIX "RecordDamaged", -EIO},
    {RECORD_E_VERSION, ERROR_PREFIX "RecordVersion", -EIO},
    /* Instruction documents. */
    {INSTRUCTION_E_MALFORMED, ERROR_PREFIX "InstructionMalformed", -EINVAL},
    {INSTRUCTION_E_SIGNATURE, ERROR_PREFIX "InstructionNotAuthentic", -EKEYREJECTED},
    {INSTRUCTION_E_SIGNER, ERROR_PREFIX "InstructionSignerUnconfigured", -EKEYREJECTED},
    {INSTRUCTION_E_REPLAY, ERROR_PREFIX "InstructionReplayed", -EKEYREJECTED},
    {INSTRUCTION_E_INVALID, ERROR_PREFIX "InstructionInvalid", -EINVAL},
    /* Enrolment as a whole. */
    {ENROL_E_UNCONFIGURED, ERROR_PREFIX "ProfileUnknown", -EINVAL},
    {ENROL_E_METHODS, ERROR_PREFIX "EnrolmentFailed", -EKEYREJECTED},
    {ENROL_E_CREDENTIAL, ERROR_PREFIX "CredentialUnusable", -EINVAL},
    {ENROL_E_SEALING, ERROR_PREFIX "NoSealingKey", -EIO},
    {ENROL_E_KIND, ERROR_PREFIX "KeyKindUnavailable", -EINVAL},
    {ENROL_E_EXPIRED, ERROR_PREFIX "EnrolmentExpired", -EIO},
    {ENROL_E_SECURE_ENVIRONMENT, ERROR_PREFIX "SecureEnvironmentFailed", -EIO},
    /* Of the bus's side alone. */
    {0, ERROR_UNKNOWN_OPTION, -EINVAL},
    {0, ERROR_INVALID_OPTION, -EINVAL},
    {0, ERROR_UNKNOWN_CALLER, -EACCES},
    {0, ERROR_INTERNAL, -EIO},
    /* The machine. */
    {-ENOMEM, SD_BUS_ERROR_NO_MEMORY, -ENOMEM},
    {-EINVAL, SD_BUS_ERROR_INVALID_ARGS, -EINVAL},
    {-EMFILE, SD_BUS_ERROR_LIMITS_EXCEEDED, -EBUSY},
    {-ENFILE, SD_BUS_ERROR_LIMITS_EXCEEDED, -EBUSY},
    {-ENOBUFS, SD_BUS_ERROR_LIMITS_EXCEEDED, -EBUSY},
    {-ETIMEDOUT, SD_BUS_ERROR_TIMEOUT, -ETIMEDOUT},
    {-EOPNOTSUPP, SD_BUS_ERROR_NOT_SUPPORTED, -EIO},
    /* What only the bus daemon says. */
    {0, SD_BUS_ERROR_ACCESS_DENIED, -EACCES},
    {0, SD_BUS_ERROR_SERVICE_UNKNOWN, -ESRCH},
    {0, SD_BUS_ERROR_NAME_HAS_NO_OWNER, -ESRCH},
    {0, SD_BUS_ERROR_NO_REPLY, -ESRCH},
    {0, SD_BUS_ERROR_DISCONNECTED, -ESRCH},
    {0, SD_BUS_ERROR_NO_SERVER, -ESRCH},
    {0, SD_BUS_ERROR_UNKNOWN_METHOD, -EBADMSG},
    {0, SD_BUS_ERROR_UNKNOWN_OBJECT, -EBADMSG},
    {0, SD_BUS_ERROR_UNKNOWN_INTERFACE, -EBADMSG},
    {0, SD_BUS_ERROR_INCONSISTENT_MESSAGE, -EBADMSG},
};

const char *error_map_name(int code) {
    for (size_t i = 0; code != 0 && i < ELEMENTS(entries); i++)
        if (entries[i].code == code)
            return entries[i].name;
    return ERROR_INTERNAL;
}

int error_map_client(const char *name) {
    static const char spawn[] = "org.freedesktop.DBus.Error.Spawn.";

    for (size_t i = 0; name && i < ELEMENTS(entries); i++)
        if (strcmp(entries[i].name, name) == 0)
            return entries[i].client;
    if (name && strncmp(name, spawn, sizeof(spawn) - 1) == 0)
        return -ESRCH;
    return -EIO;
}

const struct error_map_entry *error_map_at(size_t index) {
    return index < ELEMENTS(entries) ? &entries[index] : NULL;
}
