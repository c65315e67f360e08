/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The names and numbers of the exchange with a MEF: the only table of them. docs/MEF.md says why they are what they are.
 */

/* Resources, as they wrap a body. */
#define MEF_NAME_CLIENT_REG    "sec:mefClientReg"
#define MEF_NAME_CLIENT_CFG    "sec:mefClientCfg"
#define MEF_NAME_KEY_REG       "sec:symmKeyReg"
#define MEF_NAME_CLIENT_CMD    "sec:mefClientCmd"
#define MEF_NAME_INDICATION    "sec:enrolmentIndication"
#define MEF_NAME_INSTRUCTION   "sec:enrolmentInstruction"

/* Resource types. */
#define MEF_TYPE_CLIENT_REG 40001
#define MEF_TYPE_KEY_REG    40002

/* Attributes. */
#define MEF_ATTR_FQDN          "fqdn"
#define MEF_ATTR_EXPIRATION    "expirationTime"
#define MEF_ATTR_ADMIN_FQDN    "adminFQDN"
#define MEF_ATTR_LABELS        "labels"
#define MEF_ATTR_TOKEN         "enrolmentToken"
#define MEF_ATTR_CLIENT_REG_ID "clientRegID"
#define MEF_ATTR_ASSIGNED_KEY  "assignedSymmKeyID"
#define MEF_ATTR_COMMAND       "mefClientCmd"
#define MEF_ATTR_HTTP_PORT     "httpPort"
#define MEF_ATTR_COAP_PORT     "coapPort"
#define MEF_ATTR_EST           "estBaseURI"
#define MEF_ATTR_SUID          "SUID"
#define MEF_ATTR_TARGETS       "targetIDs"
#define MEF_ATTR_KEY_VALUE     "keyValue"
#define MEF_ATTR_KEY_ID        "relativeKeyID"
#define MEF_ATTR_SOURCE        "sourceClientID"

/* Commands. */
#define MEF_ATTR_CMD_ID           "cmdID"
#define MEF_ATTR_CMD_STATUS       "cmdStatusCode"
#define MEF_ATTR_CMD_DESCRIPTION  "cmdDescription"
#define MEF_ATTR_CMD_CLASS        "cmdClassID"
#define MEF_ATTR_CMD_ARGS         "cmdArgs"
#define MEF_ATTR_CMD_NO_MORE      "noMoreCmdArgs"
#define MEF_ATTR_CMD_RETRY        "retryDuration"
#define MEF_ATTR_CMD_CERT_PROV    "certProvCmdArgs"
#define MEF_ATTR_CMD_PROTOCOL     "certProvProtocolID"
#define MEF_ATTR_CMD_URI          "URI"
#define MEF_ATTR_CMD_SUBJECT_TYPE "certSubjectType"
#define MEF_ATTR_CMD_SUBJECT      "certSubjectID"
#define MEF_ATTR_CMD_DEV_CFG      "devCfgCmdArgs"
#define MEF_ATTR_CMD_DEV_URI      "deviceConfigURI"
#define MEF_ATTR_CMD_MO_NODE      "MONodeCmdArgs"
#define MEF_ATTR_CMD_PATH         "objectPath"
#define MEF_ATTR_CMD_OBJECT_TYPE  "objectTypeID"
#define MEF_ATTR_CMD_SPECIFIC     "objectTypeSpecificArgs"

#define MEF_PATH_CLIENT_CFG "mefClientCfg" /* below a registration */

/* The older exchange (TS-0003 8.3.2.1). */
#define MEF_PATH_INDICATION    "enrolmentIndication"
#define MEF_PATH_FETCH         "/fetchCredentials/"
#define MEF_ATTR_INSTRUCTIONS  "instructions"
#define MEF_ATTR_CERT_ENROL    "certificateEnrolmentIndication"
#define MEF_ATTR_MAF_ENROL     "mafEnrolmentIndication"
#define MEF_ATTR_REMOTE_MGMT   "remoteManagementIndication"
#define MEF_ATTR_STATUS        "Status"
#define MEF_ATTR_CREDENTIAL    "Credential"
#define MEF_ATTR_ENROLEE       "EnroleeID"
#define MEF_ATTR_LIFETIME      "Lifetime"
#define MEF_ATTR_ERROR_STRING  "ErrorString"

/* Of a refusal. */
#define MEF_ATTR_ERROR "error"

/* Response status codes (TS-0004 6.6). */
#define MEF_RSC_CREATED     2001
#define MEF_RSC_OK          2000
#define MEF_RSC_DELETED     2002
#define MEF_RSC_UPDATED     2004
#define MEF_RSC_NOT_FOUND   4004
#define MEF_RSC_CONFLICT    4105
#define MEF_RSC_TOKEN       4107

/* Fields of HTTP, which are options in CoAP (TS-0009 6.4). */
#define MEF_FIELD_ORIGIN  "X-M2M-Origin"
#define MEF_FIELD_NUMBER  "X-M2M-RI"
#define MEF_FIELD_RELEASE "X-M2M-RVI"
#define MEF_FIELD_RSC     "X-M2M-RSC"
#define MEF_RELEASE       "3"
#define MEF_MEDIA_HTTP    "application/vnd.onem2m-res+json"
#define MEF_MEDIA_COAP    "application/json"
