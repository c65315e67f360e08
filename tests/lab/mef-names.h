/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The names and numbers of docs/MEF.md, in one place: when the true ones of TS-0032 are at hand, this is what changes.
 */

/* Resource types. */
#define MEF_TYPE_CLIENT_REG 40001
#define MEF_TYPE_KEY_REG    40002

/* Response status codes, each with its status of HTTP. */
#define MEF_OK             200, 2000
#define MEF_CREATED        201, 2001
#define MEF_DELETED        200, 2002
#define MEF_UPDATED        200, 2004
#define MEF_BAD_REQUEST    400, 4000
#define MEF_NO_ACCESS      403, 4103
#define MEF_TOKEN_REFUSED  403, 4107
#define MEF_NOT_FOUND      404, 4004
#define MEF_CONFLICT       409, 4105
#define MEF_INTERNAL_ERROR 500, 5000
#define MEF_BUSY           503, 5103

/* Paths. */
#define PATH_CFG        "mefClientCfg"
#define PATH_CMD        "cmd" /* what mefClientCmd of a registration says */
#define PATH_INDICATION "/enrolmentIndication"
#define PATH_FETCH      "/fetchCredentials/"

/* What a body is, and what is in it. */
#define NAME_CLIENT_REG  "sec:mefClientReg"
#define NAME_CLIENT_CFG  "sec:mefClientCfg"
#define NAME_CLIENT_CMD  "sec:mefClientCmd"
#define NAME_KEY_REG     "sec:symmKeyReg"
#define NAME_INDICATION  "sec:enrolmentIndication"
#define NAME_INSTRUCTION "sec:enrolmentInstruction"

#define NAME_ADMIN_FQDN       "adminFQDN"
#define NAME_CLIENT_ID        "clientID"
#define NAME_CLIENT_REG_ID    "clientRegID"
#define NAME_CMD_ARGS         "cmdArgs"
#define NAME_CMD_CLASS        "cmdClassID"
#define NAME_CMD_DESCRIPTION  "cmdDescription"
#define NAME_CMD_ID           "cmdID"
#define NAME_CMD_REFERENCE    "mefClientCmd"
#define NAME_CMD_STATUS       "cmdStatusCode"
#define NAME_COAP_PORT        "coapPort"
#define NAME_ERROR            "error"
#define NAME_EST_BASE         "estBaseURI"
#define NAME_EXPIRES          "expirationTime"
#define NAME_FQDN             "fqdn"
#define NAME_HTTP_PORT        "httpPort"
#define NAME_KEY_VALUE        "keyValue"
#define NAME_LABELS           "labels"
#define NAME_RELATIVE_KEY_ID  "relativeKeyID"
#define NAME_SOURCE_CLIENT_ID "sourceClientID"
#define NAME_SUID             "SUID"
#define NAME_TARGET_IDS       "targetIDs"
#define NAME_TOKEN            "enrolmentToken"

/* Of the older exchange. */
#define NAME_CERTIFICATE_WANTED "certificateEnrolmentIndication"
#define NAME_CREDENTIAL         "Credential"
#define NAME_ENROLEE_ID         "EnroleeID"
#define NAME_ERROR_STRING       "ErrorString"
#define NAME_INSTRUCTIONS       "instructions"
#define NAME_INSTRUCTION_TYPE   "instructionType"
#define NAME_LIFETIME           "Lifetime"
#define NAME_MAF_WANTED         "mafEnrolmentIndication"
#define NAME_MANAGEMENT_WANTED  "remoteManagementIndication"
#define NAME_STATUS             "Status"
#define NAME_URI                "URI"

/* Arguments of commands. */
#define NAME_NO_MORE_ARGS   "noMoreCmdArgs"
#define NAME_CERT_PROV_ARGS "certProvCmdArgs"
#define NAME_DEV_CFG_ARGS   "devCfgCmdArgs"
#define NAME_MO_NODE_ARGS   "MONodeCmdArgs"
