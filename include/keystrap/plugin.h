/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The transport protocol, version 1: how keystrapd speaks to the programs that touch a card.
 *
 * A transport is a program in keystrapd's plug-in directory (uicc-pcsc, uicc-qmi, or a vendor's own, in any
 * language). keystrapd starts it with an AF_UNIX SOCK_SEQPACKET socket on descriptor 3 (KEYSTRAP_PLUGIN_FD),
 * stderr to the journal, an empty environment but for what the operator passes, no other descriptor, and a
 * parent-death signal. When the socket is closed the program ends.
 *
 * One packet is one message: a header of 12 octets, then fields. All numbers are big-endian.
 *
 *   header: u8 version (1), u8 type, u16 zero, u32 serial, u32 length of the fields
 *   field:  u8 tag, u8 zero, u16 length, then that many octets
 *
 * A receiver skips fields whose tag it does not know, and refuses a packet whose lengths do not add up. A
 * message has each field at most once. Whoever is refused is ended; nothing is repaired.
 *
 * keystrapd sends one request at a time and waits for the ANSWER with the same serial. The program may send
 * STATE at any time, with serial 0.
 *
 *   keystrapd                                   program
 *   HELLO {OPTION..., TOKEN?}             ->
 *                                         <-    HELLO {NAME, CAPABILITIES}
 *                                         <-    STATE {CARD_STATE, READER, ATR?, TEXT?, TOKEN?} (at once, then at change)
 *   BEGIN {}                              ->    take the card for one transaction
 *                                         <-    ANSWER {RESULT}
 *   APDU {COMMAND, CHANNEL?}              ->    exactly one exchange; GET RESPONSE and 6Cxx are keystrapd's
 *                                         <-    ANSWER {RESULT, RESPONSE}
 *   END {}                                ->    leave the card as it is
 *                                         <-    ANSWER {RESULT}
 *   OPEN_CHANNEL {AID}                    ->    only with CAPABILITY_CHANNELS
 *                                         <-    ANSWER {RESULT, CHANNEL, RESPONSE (answer to SELECT, SW)}
 *   CLOSE_CHANNEL {CHANNEL, AID?}         ->    with AID: a program that was killed left it open; close it only where
 *                                               this application, or one that begins so, is selected on it
 *                                         <-    ANSWER {RESULT}
 *   IDENTITY {}                           ->    only with CAPABILITY_AKA: modems that give no APDUs
 *                                         <-    ANSWER {RESULT, ICCID?, IMSI?, EF_AD?, SERVICES?, AID?, IMPI?}
 *   AUTHENTICATE {AID, CONTEXT, COMMAND}  ->    likewise; COMMAND is the data field of AUTHENTICATE, CONTEXT its P2
 *                                         <-    ANSWER {RESULT, RESPONSE (as the card's: data, SW1, SW2)}
 *   NEXT {}                               ->    only with CAPABILITY_SEVERAL: leave this card, take the next reader
 *                                               or slot that has one, in a circle
 *                                         <-    ANSWER {RESULT}, and STATE with the card that is in use now before
 *                                               it; CARD_ABSENT where no other has a card, and nothing changed
 *   RESET {}                              ->    reset the card
 *                                         <-    ANSWER {RESULT}
 *   BYE {}                                ->    leave and exit(0)
 *
 * A program wipes what passed through it: COMMAND and RESPONSE may hold RAND, RES, CK, IK and PINs.
 */

#include <stdint.h>

#define KEYSTRAP_PLUGIN_VERSION 1
#define KEYSTRAP_PLUGIN_FD 3
#define KEYSTRAP_PLUGIN_HEADER_LENGTH 12

enum keystrap_plugin_type {
    KEYSTRAP_PLUGIN_HELLO = 1,
    KEYSTRAP_PLUGIN_STATE = 2,
    KEYSTRAP_PLUGIN_ANSWER = 3,
    KEYSTRAP_PLUGIN_BEGIN = 4,
    KEYSTRAP_PLUGIN_END = 5,
    KEYSTRAP_PLUGIN_APDU = 6,
    KEYSTRAP_PLUGIN_OPEN_CHANNEL = 7,
    KEYSTRAP_PLUGIN_CLOSE_CHANNEL = 8,
    KEYSTRAP_PLUGIN_RESET = 9,
    KEYSTRAP_PLUGIN_IDENTITY = 10,
    KEYSTRAP_PLUGIN_AUTHENTICATE = 11,
    KEYSTRAP_PLUGIN_BYE = 12,
    KEYSTRAP_PLUGIN_NEXT = 13,
};

enum keystrap_plugin_field {
    KEYSTRAP_FIELD_NAME = 1,         /* text, the transport: "pcsc" */
    KEYSTRAP_FIELD_CAPABILITIES = 2, /* u32, see below */
    KEYSTRAP_FIELD_READER_PATTERN = 3, /* text, option: shell pattern of readers to look at */
    KEYSTRAP_FIELD_CARD_STATE = 4,   /* u8, enum keystrap_card_state */
    KEYSTRAP_FIELD_READER = 5,       /* text, the reader's or device's name */
    KEYSTRAP_FIELD_ATR = 6,          /* octets */
    KEYSTRAP_FIELD_TEXT = 7,         /* text, a reason for people */
    KEYSTRAP_FIELD_RESULT = 8,       /* u8, enum keystrap_plugin_result */
    KEYSTRAP_FIELD_COMMAND = 9,      /* octets, command APDU */
    KEYSTRAP_FIELD_RESPONSE = 10,    /* octets, response APDU: data, SW1, SW2 */
    KEYSTRAP_FIELD_CHANNEL = 11,     /* u8, where the transport keeps the channel beside the APDU */
    KEYSTRAP_FIELD_AID = 12,         /* octets */
    KEYSTRAP_FIELD_DEVICE = 13,      /* text, option: device path */
    KEYSTRAP_FIELD_SLOT = 14,        /* u8, option: the modem's slot, from 1; absent: the active one */
    KEYSTRAP_FIELD_FLAGS = 15,       /* u32, option: enum keystrap_plugin_flag */
    KEYSTRAP_FIELD_ICCID = 16,       /* text, digits */
    KEYSTRAP_FIELD_IMSI = 17,        /* text, digits */
    KEYSTRAP_FIELD_EF_AD = 18,       /* octets of the file */
    KEYSTRAP_FIELD_SERVICES = 19,    /* octets of EF_UST or EF_IST */
    KEYSTRAP_FIELD_IMPI = 20,        /* text, from EF_IMPI of an ISIM */
    KEYSTRAP_FIELD_CONTEXT = 21,     /* u8, P2 of AUTHENTICATE: 80, 81 or 84 */
    KEYSTRAP_FIELD_TIMEOUT = 22,     /* u32, option, ms: a program that leaves a request unanswered for longer is killed */
    KEYSTRAP_FIELD_TOKEN = 23,       /* octets, in STATE: what this program holds and cannot give back when it is killed;
                                      * in HELLO: the last of a program that was killed some seconds ago at most */
};

enum keystrap_plugin_capability {
    KEYSTRAP_CAPABILITY_APDU = 1,     /* APDU works */
    KEYSTRAP_CAPABILITY_CHANNELS = 2, /* OPEN_CHANNEL and CLOSE_CHANNEL, not MANAGE CHANNEL, open channels */
    KEYSTRAP_CAPABILITY_AKA = 4,      /* IDENTITY and AUTHENTICATE work */
    KEYSTRAP_CAPABILITY_SEVERAL = 8,  /* NEXT works */
};

enum keystrap_plugin_flag {
    KEYSTRAP_FLAG_DIRECT = 1, /* open the device without the proxy that shares it */
    KEYSTRAP_FLAG_AKA = 2,    /* have the modem run AKA (CAPABILITY_AKA alone), though it could pass APDUs */
};

enum keystrap_card_state {
    KEYSTRAP_CARD_SERVICE_ABSENT = 1, /* pcscd, proxy or modem does not answer */
    KEYSTRAP_CARD_READER_ABSENT = 2,
    KEYSTRAP_CARD_ABSENT = 3,
    KEYSTRAP_CARD_MUTE = 4, /* a card that does not answer to reset */
    KEYSTRAP_CARD_PRESENT = 5,
};

enum keystrap_plugin_result {
    KEYSTRAP_RESULT_OK = 0,
    KEYSTRAP_RESULT_CARD_ABSENT = 1,
    KEYSTRAP_RESULT_CARD_RESET = 2, /* somebody reset the card; this command did not reach it */
    KEYSTRAP_RESULT_BUSY = 3,
    KEYSTRAP_RESULT_DENIED = 4,
    KEYSTRAP_RESULT_UNSUPPORTED = 5,
    KEYSTRAP_RESULT_COMMUNICATION = 6, /* the card's answer was lost: the command may have been executed */
    KEYSTRAP_RESULT_INVALID = 7,       /* the request was malformed */
    KEYSTRAP_RESULT_FAILED = 8,        /* anything else; TEXT says what */
    KEYSTRAP_RESULT_SERVICE_ABSENT = 9,
    KEYSTRAP_RESULT_NO_CHANNEL = 10, /* OPEN_CHANNEL: none is free */
    KEYSTRAP_RESULT_NO_APPLICATION = 11, /* OPEN_CHANNEL: the card has none with that AID; 6A82 in RESPONSE says the same */
};
