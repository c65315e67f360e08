/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The fallback chain: verdicts, and the order of the methods.
 *
 * A refusal is not gone around: whoever was told no by somebody who knows it, and then comes in by another door, has done
 * what the one who said no did not want. Everything else that fails lets the next method try.
 */

#include <stdio.h>
#include <string.h>

#include "enrol-chain.h"
#include "util.h"

/* Those that are neither "not now" nor fatal. */
static const struct {
    int code;
    enum agent_enrol_verdict verdict;
} verdicts[] = {
    {UICC_E_DENIED, AGENT_ENROL_NEVER},       {UICC_E_NO_APPLICATION, AGENT_ENROL_NEVER},
    {UICC_E_NO_CHANNEL, AGENT_ENROL_NEVER},   {UICC_E_PIN_REQUIRED, AGENT_ENROL_NEVER},
    {UICC_E_PIN_BLOCKED, AGENT_ENROL_NEVER},  {UICC_E_CONTEXT, AGENT_ENROL_NEVER},
    {UICC_E_IDENTITY, AGENT_ENROL_NEVER},     {UICC_E_NOT_FOUND, AGENT_ENROL_NEVER},
    {UICC_E_UNCONFIGURED, AGENT_ENROL_NEVER}, {UICC_E_NAF_ID, AGENT_ENROL_NEVER},
    {UB_E_HTTPS, AGENT_ENROL_NEVER},          {HTTP_E_CREDENTIAL, AGENT_ENROL_NEVER},
    {HTTP_E_OWN_EXPIRED, AGENT_ENROL_NEVER},  {ENROL_E_CREDENTIAL, AGENT_ENROL_NEVER},
    {ENROL_E_SEALING, AGENT_ENROL_NEVER},     {ENROL_E_KIND, AGENT_ENROL_NEVER},
    {UB_E_REFUSED, AGENT_ENROL_REFUSED},      {UB_E_RESPONSE_REJECTED, AGENT_ENROL_REFUSED},
    {HTTP_E_PSK, AGENT_ENROL_REFUSED},        {HTTP_E_OWN_CERTIFICATE, AGENT_ENROL_REFUSED},
    {MEF_E_REFUSED, AGENT_ENROL_REFUSED},     {MEF_E_TOKEN, AGENT_ENROL_REFUSED},
    {MEF_E_CONFLICT, AGENT_ENROL_REFUSED},    {EST_E_REFUSED, AGENT_ENROL_REFUSED},
};

enum agent_enrol_verdict enrol_verdict(int code) {
    if (code == 0)
        return AGENT_ENROL_WORKED;
    for (size_t i = 0; i < ELEMENTS(verdicts); i++)
        if (verdicts[i].code == code)
            return verdicts[i].verdict;
    return AGENT_ENROL_NOT_NOW;
}

int enrol_chain_next(const struct enrol_profile *profile, const struct enrol_attempt *attempts,
                     int tried) {
    enum agent_enrol_verdict verdict = attempts[tried].verdict;

    if (verdict == AGENT_ENROL_WORKED || (size_t)tried + 1 >= profile->methods_count)
        return -1;
    if (verdict == AGENT_ENROL_REFUSED && profile->after_refusal == ENROL_REFUSED_STOP)
        return -1;
    return tried + 1;
}

int enrol_chain_better(const struct enrol_attempt *attempts, int from, int current) {
    for (int i = from; i < current; i++)
        if (attempts[i].verdict == AGENT_ENROL_NOT_NOW ||
            attempts[i].verdict == AGENT_ENROL_UNTRIED)
            return i;
    return -1;
}

void enrol_chain_explain(const struct enrol_profile *profile, const struct enrol_attempt *attempts,
                         struct failure *ret) {
    size_t tried = 0, share;
    char text[FAILURE_TEXT_MAX];
    int length;

    for (size_t i = 0; i < profile->methods_count; i++)
        tried += attempts[i].failure.code != 0;
    if (profile->methods_count == 1 || tried == 0) {
        *ret = attempts[0].failure;
        return;
    }
    /* Each gets its share, so that a long reason of the first hides none of the others. */
    share = (FAILURE_TEXT_MAX - 64) / tried - sizeof("certificate: ");
    length = snprintf(text, sizeof(text), "no method of \"%s\" worked", profile->name);
    for (size_t i = 0; i < profile->methods_count; i++)
        if (attempts[i].failure.code != 0 && (size_t)length < sizeof(text))
            length += snprintf(text + length, sizeof(text) - (size_t)length, ", %s: %.*s",
                               enrol_method_name(profile->methods[i]),
                               (int)strcspn(attempts[i].failure.text, ";") < (int)share
                                   ? (int)strcspn(attempts[i].failure.text, ";")
                                   : (int)share,
                               attempts[i].failure.text);
    failure_clear(ret);
    (void)failure_set(ret, ENROL_E_METHODS, "%s", text);
}
