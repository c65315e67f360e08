#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A reader of UICCs that knows TS 102 221 and nothing of keystrap or its lab.

usage: usim-reader.py [--isim] [--gba] [--pin PIN]

Walks MF, EF_DIR, EF_ICCID and every application that EF_DIR names in the first reader that has a card, parses each FCP
with a parser of its own, and holds what it says against what the card does. Prints a line for each file; exits with 1
when something is not as the specification has it.
"""
import argparse
import sys

from smartcard.System import readers

USIM, ISIM = "A0000000871002", "A0000000871004"
# FID: name, structure ("T" transparent, "L" linear fixed), whether reading wants the PIN
USIM_FILES = {0x6F07: ("EF_IMSI", "T", True), 0x6FAD: ("EF_AD", "T", False), 0x6F38: ("EF_UST", "T", True),
              0x6F06: ("EF_ARR", "L", False), 0x6FB7: ("EF_ECC", "L", False)}
USIM_GBA = {0x6FD6: ("EF_GBABP", "T", True), 0x6FDA: ("EF_GBANL", "L", True)}
ISIM_FILES = {0x6F02: ("EF_IMPI", "T", True), 0x6F03: ("EF_DOMAIN", "T", True), 0x6F04: ("EF_IMPU", "L", True),
              0x6F07: ("EF_IST", "T", True), 0x6FAD: ("EF_AD", "T", False), 0x6F06: ("EF_ARR", "L", False)}
ISIM_GBA = {0x6FD5: ("EF_GBABP", "T", True), 0x6FD7: ("EF_GBANL", "L", True)}
wrong = 0


def check(condition, text):
    global wrong
    if not condition:
        wrong += 1
        print("WRONG:", text)
    return condition


def tlvs(data):
    """One-octet tags (all that an FCP has), lengths of one or two octets."""
    found, at = [], 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length == 0x81:
            length, at = data[at], at + 1
        assert at + length <= len(data), "a length that does not fit"
        found.append((tag, data[at:at + length]))
        at += length
    return found


class Card:
    def __init__(self):
        with_card = [r for r in readers() if self.try_reader(r)]
        assert with_card, "no reader has a card"

    def try_reader(self, reader):
        connection = reader.createConnection()
        try:
            connection.connect()
        except Exception:
            return False
        self.connection = connection
        return True

    def send(self, text):
        """One command; GET RESPONSE and the right length where the card asks for them."""
        apdu = bytes.fromhex(text)
        data, sw1, sw2 = self.connection.transmit(list(apdu))
        if sw1 == 0x6C:
            data, sw1, sw2 = self.connection.transmit(list(apdu[:4]) + [sw2])
        while sw1 == 0x61:
            more, sw1, sw2 = self.connection.transmit([apdu[0] & 3, 0xC0, 0, 0, sw2])
            data = data + more
        return bytes(data), sw1 << 8 | sw2

    def select(self, fid):
        return self.send("00A4000402%04X00" % fid)


def look_at_fcp(name, data):
    """TS 102 221 11.1.1.3: what every FCP has, and what one of a file or a directory has. The objects by tag."""
    outer = tlvs(data)
    if not check(len(outer) == 1 and outer[0][0] == 0x62, name + ": not one FCP template"):
        return None
    objects = dict(tlvs(outer[0][1]))
    check(0x82 in objects and len(objects[0x82]) in (2, 5), name + ": no file descriptor")
    check(0x83 in objects or 0x84 in objects, name + ": neither identifier nor name")
    check(objects.get(0x8A) == b"\x05", name + ": not activated")
    check(any(tag in objects for tag in (0x8B, 0x8C, 0xAB)), name + ": no security attributes")
    check(objects[0x82][1] == 0x21, name + ": data coding is not 21")
    if objects[0x82][0] & 0x38 == 0x38:
        check(0xC6 in objects, name + ": a directory without PIN status")
        look_at_pins(name, objects.get(0xC6, b""))
    else:
        check(0x80 in objects and len(objects[0x80]) >= 2, name + ": no file size")
        check(0x88 not in objects or (len(objects[0x88]) <= 1), name + ": SFI of more than an octet")
    return objects


def look_at_pins(name, template):
    objects = tlvs(template)
    check(objects and objects[0][0] == 0x90, name + ": PIN status does not begin with PS_DO")
    references = [value[0] for tag, value in objects if tag == 0x83]
    check(0x01 in references, name + ": PIN1 is not listed")
    check(len(references) <= 8 * len(objects[0][1]), name + ": more PINs than PS_DO has bits")


def look_at_rule(card, name, objects, arr_records):
    """8B names EF_ARR and a record of it, which must be there. The rule in it is not read."""
    reference = objects.get(0x8B)
    if reference is None:
        return
    check(len(reference) == 3 and reference[:2] in (b"\x2f\x06", b"\x6f\x06"), name + ": odd reference to EF_ARR")
    check(1 <= reference[2] <= len(arr_records), "%s: record %d of EF_ARR is not there" % (name, reference[2]))


def read_records(card, name, objects):
    length, count = int.from_bytes(objects[0x82][2:4], "big"), objects[0x82][4]
    check(int.from_bytes(objects[0x80], "big") == length * count, name + ": size is not records times length")
    records = []
    for number in range(1, count + 1):
        data, sw = card.send("00B2%02X04%02X" % (number, length))
        if check(sw == 0x9000 and len(data) == length, "%s: record %d: %04X" % (name, number, sw)):
            records.append(data)
    check(card.send("00B2%02X04%02X" % (count + 1, length))[1] == 0x6A83, name + ": a record behind the last")
    check(card.connection.transmit([0x00, 0xB2, 1, 4, length - 1])[1] in (0x6C, 0x67),
          name + ": a record may be read in part")
    return records


def read_binary(card, name, objects):
    size = int.from_bytes(objects[0x80], "big")
    data, sw = card.send("00B00000%02X" % (size & 0xFF))
    check(sw == 0x9000 and len(data) == size, "%s: %d octets, %04X" % (name, len(data), sw))
    check(card.send("00B0%04X01" % size)[1] == 0x6B00, name + ": an octet behind the end")
    return data


def look_at_file(card, fid, name, structure, arr_records):
    data, sw = card.select(fid)
    if not check(sw == 0x9000, "%s: SELECT answered %04X" % (name, sw)):
        return None
    objects = look_at_fcp(name, data)
    check(objects[0x83] == fid.to_bytes(2, "big"), name + ": another identifier")
    kind = objects[0x82][0] & 0x07
    check(kind == (1 if structure == "T" else 2), name + ": another structure")
    if arr_records is not None:
        look_at_rule(card, name, objects, arr_records)
    content = read_binary(card, name, objects) if structure == "T" else read_records(card, name, objects)
    print("%-10s %s" % (name, (content if structure == "T" else content[0]).hex()[:48]))
    return content


def look_at_application(card, aid, files, pin):
    data, sw = card.send("00A40404%02X%s00" % (len(aid) // 2, aid))
    if not check(sw == 0x9000, "ADF %s: %04X" % (aid, sw)):
        return
    objects = look_at_fcp("ADF " + aid[:14], data)
    check(objects.get(0x84) == bytes.fromhex(aid), "ADF: the name is not its AID")
    if pin:
        for fid, (name, _, guarded) in files.items():
            card.select(fid)
            sw = card.send("00B0000001")[1] if files[fid][1] == "T" else card.send("00B2010400")[1]
            check((sw == 0x6982) == guarded, "%s: read without the PIN: %04X" % (name, sw))
        check(card.send("00200001")[1] == 0x63C3, "VERIFY without data does not tell three tries")
        padded = pin.encode().hex() + "FF" * (8 - len(pin))
        check(card.send("0020000108" + padded)[1] == 0x9000, "the PIN is refused")
    arr_records = look_at_file(card, 0x6F06, "EF_ARR", "L", None)
    for fid, (name, structure, _) in files.items():
        look_at_file(card, fid, name, structure, arr_records)
    card.select(0x6FAD)
    check(card.send("00D600000100")[1] == 0x6982, "EF_AD: who is no administrator may write")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--isim", action="store_true")
    parser.add_argument("--gba", action="store_true")
    parser.add_argument("--pin")
    options = parser.parse_args()
    card = Card()
    data, sw = card.select(0x3F00)
    check(sw == 0x9000, "MF: %04X" % sw)
    look_at_fcp("MF", data)
    arr = look_at_file(card, 0x2F06, "EF_ARR", "L", None)
    iccid = look_at_file(card, 0x2FE2, "EF_ICCID", "T", arr)
    check(len(iccid) == 10 and iccid[0] == 0x98, "EF_ICCID: not of telecommunications (89)")
    names = {}
    for record in look_at_file(card, 0x2F00, "EF_DIR", "L", arr):
        if record[0] == 0x61:
            objects = dict(tlvs(record[2:2 + record[1]]))
            names[objects[0x4F].hex().upper()] = objects.get(0x50, b"").decode()
    usims = [aid for aid in names if aid.startswith(USIM)]
    isims = [aid for aid in names if aid.startswith(ISIM)]
    check(len(usims) == 1 and len(isims) == options.isim, "EF_DIR names %s" % names)
    for aid in usims:
        look_at_application(card, aid, {**USIM_FILES, **(USIM_GBA if options.gba else {})}, options.pin)
    for aid in isims:
        look_at_application(card, aid, {**ISIM_FILES, **(ISIM_GBA if options.gba else {})}, None)
    print("wrong:", wrong)
    return 1 if wrong else 0


sys.exit(main())
