#!/usr/bin/env python3
"""Blanks, inside a program that Foundation is linked into, the data of ICU that Legato never asks for.

usage: trim-icu.py PROGRAM

Foundation brings ICU's tables for every language: 30 MB, a third of a compressed bundle. Legato formats numbers and
text as the root locale does, so the other languages' tables, collation, dictionaries and character sets go: their
entries leave ICU's table of contents, where ICU looks before it falls back to the root, and their bytes become zeros,
which compress to nothing. The file keeps its size and its layout.

Where the data cannot be found (another Foundation), the program stays as it is.
"""
import re
import struct
import sys

KEPT = re.compile(
    r"""(curr|lang|region|unit|zone|rbnf|coll|brkitr)?/?
        (root|en|en_US|en_US_POSIX|pool|res_index|supplementalData|numberingSystems|likelySubtags|metadata
        |metaZones|timezoneTypes|windowsZones|zoneinfo64|keyTypeData|dayPeriods|pluralRanges|plurals
        |genderList|icuver|icustd|currencyNumericCodes|units|grammaticalFeatures|tzdbNames|ulayout)\.res
        |.*\.(nrm|icu)|brkitr/(char|word|line|sent|title)\.brk""",
    re.VERBOSE,
)


def find(data):
    """Offset of ICU's package: its header holds two magic bytes, then its format, 'CmnD'."""
    at = data.find(b"CmnD")
    while at >= 0:
        start = at - 12
        size, magic = struct.unpack_from("<H2s", data, start)
        if magic == b"\xda\x27" and 16 <= size <= 4096:
            return start, start + size
        at = data.find(b"CmnD", at + 1)
    return None


def main(path):
    with open(path, "rb") as file:
        data = bytearray(file.read())
    found = find(data)
    if not found:
        print(f"{path}: holds no data of ICU that could be trimmed", file=sys.stderr)
        return
    _, base = found
    count = struct.unpack_from("<I", data, base)[0]
    entries = [struct.unpack_from("<II", data, base + 4 + 8 * i) for i in range(count)]
    kept, freed = [], 0
    for i, (name_at, data_at) in enumerate(entries):
        end = data.index(0, base + name_at)
        name = data[base + name_at : end].decode().split("/", 1)[1]
        # How long the last item is, nothing says: it stays.
        if i == count - 1 or KEPT.fullmatch(name):
            kept.append((name_at, data_at))
            continue
        next_at = entries[i + 1][1]
        data[base + data_at : base + next_at] = bytes(next_at - data_at)
        freed += next_at - data_at
    struct.pack_into("<I", data, base, len(kept))
    for i, entry in enumerate(kept):
        struct.pack_into("<II", data, base + 4 + 8 * i, *entry)
    with open(path, "wb") as file:
        file.write(data)
    print(f"{path}: {freed / 1e6:.1f} MB of ICU's data blanked, {len(kept)} of {count} tables kept")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
