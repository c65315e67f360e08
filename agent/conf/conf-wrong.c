/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What can be wrong with a text.
 *
 * These values end up in URLs, HTTP header fields, quoted strings and program names. Whatever could end one of those
 * early, or smuggle another in, is refused here, where there is still a file and a line to name.
 */

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "conf-table.h"
#include "util.h"

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
/* RFC 9110 5.6.2 */
#define TCHAR     LOWER UPPER DIGITS "!#$%&'*+-.^_`|~"
#define LABEL_MAX 63u

const char *conf_wrong_plain(const char *text) {
    return text_is_plain(text, strlen(text)) ? NULL : "not printable ASCII";
}

const char *conf_wrong_quotable(const char *text) {
    if (strpbrk(text, "\"\\"))
        return "a quote or backslash in it";
    return conf_wrong_plain(text);
}

/* It becomes part of a program's name, so no slash and no dot. */
const char *conf_wrong_transport(const char *text) {
    return text[strspn(text, LOWER DIGITS "-")] == '\0' ? NULL : "not the name of a transport";
}

const char *conf_wrong_card(const char *text) {
    return text[strspn(text, LOWER DIGITS "-")] == '\0' ? NULL : "not the name of a card";
}

const char *conf_wrong_path(const char *text) {
    if (text[0] != '/')
        return "not an absolute path";
    return conf_wrong_plain(text);
}

const char *conf_wrong_impi(const char *text) {
    const char *at = strchr(text, '@');

    if (!at || at == text || at[1] == '\0' || strchr(at + 1, '@'))
        return "not user@realm";
    if (strpbrk(text, " \t\"\\"))
        return "a space, quote or backslash in it";
    return conf_wrong_plain(text);
}

static const char *wrong_label(const char *label, size_t length) {
    if (length == 0)
        return "an empty label in the name";
    if (length > LABEL_MAX)
        return "a label of more than 63 octets in the name";
    if (label[0] == '-' || label[length - 1] == '-')
        return "a label starts or ends with a hyphen";
    return NULL;
}

static const char *wrong_host(const char *text, size_t length) {
    size_t start = 0;

    if (strspn(text, LOWER UPPER DIGITS "-_.") < length)
        return "not the name of a host";
    for (size_t i = 0; i <= length; i++) {
        const char *wrong;

        if (i < length && text[i] != '.')
            continue;
        wrong = wrong_label(text + start, i - start);
        if (wrong)
            return wrong;
        start = i + 1;
    }
    return NULL;
}

const char *conf_wrong_host(const char *text) {
    return wrong_host(text, strlen(text));
}

const char *conf_wrong_scheme(const char *text) {
    if (strcmp(text, "http") == 0 || strcmp(text, "https") == 0)
        return NULL;
    return "not a scheme that is supported";
}

/* It stands in the request line, and in a quoted string of the Digest. */
const char *conf_wrong_target(const char *text) {
    if (text[0] != '/')
        return "does not start with /";
    if (strpbrk(text, " \t\"\\#<>"))
        return "a character in it that must be percent-encoded";
    return conf_wrong_plain(text);
}

static const char *wrong_port(const char *text) {
    size_t length = strspn(text, DIGITS);
    unsigned long port;

    if (length == 0 || length > 5 || text[length] != '\0')
        return "the port is not a number";
    port = strtoul(text, NULL, 10);
    return port >= 1 && port <= 65535 ? NULL : "the port is out of range";
}

static const char *wrong_bracketed(const char *text) {
    const char *close = strchr(text, ']');
    char address[INET6_ADDRSTRLEN];
    struct in6_addr in6;
    size_t length;

    if (!close || close[1] != ':')
        return "\"]:PORT\" is missing";
    length = (size_t)(close - text) - 1;
    if (length >= sizeof(address))
        return "not an IPv6 address between the brackets";
    memcpy(address, text + 1, length);
    address[length] = '\0';
    if (inet_pton(AF_INET6, address, &in6) != 1)
        return "not an IPv6 address between the brackets";
    return wrong_port(close + 2);
}

const char *conf_wrong_endpoint(const char *text) {
    const char *colon = strrchr(text, ':'), *wrong;

    if (text[0] == '[')
        return wrong_bracketed(text);
    if (!colon)
        return "the port is missing";
    if (strchr(text, ':') != colon)
        return "an IPv6 address needs brackets";
    wrong = wrong_host(text, (size_t)(colon - text));
    return wrong ? wrong : wrong_port(colon + 1);
}

const char *conf_wrong_authority(const char *text) {
    size_t length = strcspn(text, ":/");
    const char *wrong = wrong_host(text, length);
    char port[8];

    if (wrong)
        return wrong;
    text += length;
    if (*text == ':') {
        length = strcspn(++text, "/");
        if (length >= sizeof(port))
            return "the port is out of range";
        memcpy(port, text, length);
        port[length] = '\0';
        wrong = wrong_port(port);
        text += length;
    }
    if (wrong || *text == '\0')
        return wrong;
    return conf_wrong_target(text);
}

/* Fields that are ours, that HTTP's framing hangs on, or that would carry a secret. */
static bool header_is_reserved(const char *name, size_t length) {
    static const char *const reserved[] = {
        "Authorization",
        "Connection",
        "Content-Length",
        "Cookie",
        "Expect",
        "Host",
        "Proxy-Authorization",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "User-Agent",
    };

    for (size_t i = 0; i < ELEMENTS(reserved); i++)
        if (strlen(reserved[i]) == length && strncasecmp(name, reserved[i], length) == 0)
            return true;
    return false;
}

const char *conf_wrong_header(const char *text) {
    size_t length = strspn(text, TCHAR);

    if (length == 0 || text[length] != ':')
        return "not \"Name: value\"";
    if (header_is_reserved(text, length))
        return "this header field is keystrapd's own or would carry a secret";
    if (text[length + 1 + strspn(text + length + 1, " ")] == '\0')
        return "the header field has no value";
    return conf_wrong_plain(text);
}

/* A shell pattern for digits. */
const char *conf_wrong_digits(const char *text) {
    return text[strspn(text, DIGITS "*?[]!-")] == '\0' ? NULL : "not a pattern of digits";
}

const char *conf_wrong_mnc_length(const char *text) {
    return strcmp(text, "1") == 0 ? "no MNC has one digit" : NULL;
}
