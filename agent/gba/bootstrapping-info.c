/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * BootstrappingInfo (TS 24.109 Annex C): the B-TID and how long the key lives.
 *
 * Expat reads the XML; this takes three elements out of it and skips what later releases or operators put
 * beside them. Document types are refused, and with them every entity that could grow or reach out. What stands
 * twice is refused: two readers could pick different ones.
 */

#include <errno.h>
#include <string.h>

#include <expat.h>

#include "datetime.h"
#include "gba.h"
#include "util.h"

/* Between namespace and name; a character that XML does not have. */
#define SEPARATOR '\f'
#define NAME(n)   "uri:3gpp-gba\f" n

#define ELEMENT_TEXT_MAX (BTID_MAX + 256u) /* white space around it is taken off */

enum info_field {
    FIELD_NONE,
    FIELD_BTID,
    FIELD_LIFETIME,
    FIELD_CURRENTTIME,
    FIELDS_COUNT,
};

struct info_parser {
    XML_Parser xml;
    struct bootstrapping_info info;
    bool seen[FIELDS_COUNT];
    unsigned depth;
    bool in_extension;
    enum info_field field; /* whose text is being collected */
    char text[ELEMENT_TEXT_MAX + 1];
    size_t text_length;
    const char *error;
};

static void info_stop(struct info_parser *parser, const char *error) {
    if (!parser->error)
        parser->error = error;
    (void)XML_StopParser(parser->xml, XML_FALSE);
}

static enum info_field info_field_of(const struct info_parser *parser, const char *name) {
    if (parser->depth == 2 && strcmp(name, NAME("btid")) == 0)
        return FIELD_BTID;
    if (parser->depth == 2 && strcmp(name, NAME("lifetime")) == 0)
        return FIELD_LIFETIME;
    if ((parser->depth == 2 || (parser->depth == 3 && parser->in_extension)) &&
        strcmp(name, NAME("currenttime")) == 0)
        return FIELD_CURRENTTIME;
    /* An Extension holds anything, so its content may come without our namespace. */
    if (parser->depth == 3 && parser->in_extension && strcmp(name, "currenttime") == 0)
        return FIELD_CURRENTTIME;
    return FIELD_NONE;
}

/* Go into the element @name. Returns why it may not stand here, or NULL. */
static const char *info_enter(struct info_parser *parser, const char *name) {
    if (++parser->depth > XML_DEPTH_MAX)
        return "elements are nested too deep";
    if (parser->depth == 1 && strcmp(name, NAME("BootstrappingInfo")) != 0)
        return "the root is not BootstrappingInfo of namespace uri:3gpp-gba";
    if (parser->field != FIELD_NONE)
        return "there is an element within btid, lifetime or currenttime";
    if (parser->depth == 2 && strcmp(name, NAME("Extension")) == 0)
        parser->in_extension = true;

    parser->field = info_field_of(parser, name);
    if (parser->field == FIELD_NONE)
        return NULL;
    if (parser->seen[parser->field])
        return "btid, lifetime or currenttime stands there twice";
    parser->seen[parser->field] = true;
    parser->text_length = 0;
    return NULL;
}

static void XMLCALL info_element_start(void *userdata, const XML_Char *name,
                                       const XML_Char **attributes _unused_) {
    struct info_parser *parser = userdata;
    const char *error = parser->error ? NULL : info_enter(parser, name);

    if (error)
        info_stop(parser, error);
}

static void XMLCALL info_text(void *userdata, const XML_Char *text, int length) {
    struct info_parser *parser = userdata;

    if (parser->error || parser->field == FIELD_NONE)
        return;
    if ((size_t)length > ELEMENT_TEXT_MAX - parser->text_length) {
        info_stop(parser, "btid, lifetime or currenttime is too long");
        return;
    }
    memcpy(parser->text + parser->text_length, text, (size_t)length);
    parser->text_length += (size_t)length;
}

static bool is_xml_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The collected text without the white space around it. */
static const char *info_trimmed(struct info_parser *parser) {
    const char *start = parser->text;

    while (parser->text_length > 0 && is_xml_space(parser->text[parser->text_length - 1]))
        parser->text_length--;
    parser->text[parser->text_length] = 0;
    while (is_xml_space(*start))
        start++;
    return start;
}

static bool info_btid(struct info_parser *parser, const char *text) {
    size_t length = strlen(text);

    if (length == 0 || length > BTID_MAX || !text_is_plain(text, length) || strchr(text, ' '))
        return false;
    memcpy(parser->info.btid, text, length + 1);
    return true;
}

static void info_field_end(struct info_parser *parser) {
    const char *text = info_trimmed(parser);

    switch (parser->field) {
    case FIELD_BTID:
        if (!info_btid(parser, text))
            info_stop(parser, "the B-TID is not 1 to 512 printable characters");
        break;
    case FIELD_LIFETIME:
        if (strlen(text) > LIFETIME_TEXT_MAX || xs_datetime_parse(text, &parser->info.lifetime) < 0)
            info_stop(parser, "lifetime is not a date and time");
        else
            (void)strcpy(parser->info.lifetime_text, text);
        break;
    case FIELD_CURRENTTIME:
        if (xs_datetime_parse(text, &parser->info.currenttime) < 0)
            info_stop(parser, "currenttime is not a date and time");
        break;
    case FIELD_NONE:
    case FIELDS_COUNT:
        break;
    }
}

static void XMLCALL info_element_end(void *userdata, const XML_Char *name _unused_) {
    struct info_parser *parser = userdata;

    if (parser->error)
        return;
    info_field_end(parser);
    parser->field = FIELD_NONE;
    if (--parser->depth == 1)
        parser->in_extension = false;
}

static void XMLCALL info_doctype(void *userdata, const XML_Char *name _unused_,
                                 const XML_Char *system_id _unused_,
                                 const XML_Char *public_id _unused_, int internal _unused_) {
    info_stop(userdata, "it declares a document type");
}

static void xml_parser_freep(XML_Parser *xml) {
    XML_ParserFree(*xml);
}

int bootstrapping_info_parse(const uint8_t *body, size_t length, struct bootstrapping_info *ret,
                             struct failure *failure) {
    _cleanup_(xml_parser_freep) XML_Parser xml = NULL;
    struct info_parser parser = {0};

    if (length == 0 || length > HTTP_BODY_MAX)
        return failure_set(failure, UB_E_INFO_MALFORMED,
                           "BootstrappingInfo is empty or longer than %u octets", HTTP_BODY_MAX);
    xml = XML_ParserCreateNS(NULL, SEPARATOR);
    if (!xml)
        return failure_set(failure, -ENOMEM, "out of memory");
    parser.xml = xml;
    XML_SetUserData(xml, &parser);
    XML_SetElementHandler(xml, info_element_start, info_element_end);
    XML_SetCharacterDataHandler(xml, info_text);
    XML_SetStartDoctypeDeclHandler(xml, info_doctype);

    if (XML_Parse(xml, (const char *)body, (int)length, XML_TRUE) != XML_STATUS_OK) {
        if (!parser.error && XML_GetErrorCode(xml) == XML_ERROR_NO_MEMORY)
            return failure_set(failure, -ENOMEM, "out of memory");
        return failure_set(failure, UB_E_INFO_MALFORMED,
                           "BootstrappingInfo is malformed: %s (line %lu)",
                           parser.error ? parser.error : XML_ErrorString(XML_GetErrorCode(xml)),
                           XML_GetCurrentLineNumber(xml));
    }
    if (!parser.seen[FIELD_BTID] || !parser.seen[FIELD_LIFETIME])
        return failure_set(failure, UB_E_INFO_MALFORMED, "BootstrappingInfo has no %s",
                           parser.seen[FIELD_BTID] ? "lifetime" : "btid");
    parser.info.has_currenttime = parser.seen[FIELD_CURRENTTIME];
    *ret = parser.info;
    return 0;
}
