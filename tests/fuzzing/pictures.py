"""Take PNG and JPEG apart into chunks and segments, damage these, and join them with right lengths and checksums."""

import random
import struct
import zlib
from functools import cache
from typing import Final

import numpy as np
from PIL import Image

from tests import files
from tests.fuzzing.mutation import EXTREMES, LENGTHS, scratched, shuffled

Part = tuple[bytes, bytes]

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_ODD_CHUNKS: Final = (b"zTXt", b"iTXt", b"iCCP", b"tRNS", b"PLTE", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"gAMA", b"IDAT")
_ODD_MARKERS: Final = (0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC9, 0xDA, 0xDB, 0xDC, 0xDD, 0xE0, 0xE1, 0xE2, 0xEE, 0xFE)


def _scene() -> Image.Image:
    ramp = np.add.outer(np.arange(120) * 2, np.arange(100)) % 256
    return Image.fromarray(ramp.astype(np.uint8))


@cache
def pngs() -> list[bytes]:
    """Grey, deep, colour, palette, transparent and interlaced."""
    scene = _scene()
    deep = np.asarray(scene).astype(np.uint16) * 257
    return [
        files.encoded(scene, "PNG"),
        files.png(deep),
        files.encoded(scene.convert("RGB"), "PNG"),
        files.encoded(scene.convert("P"), "PNG", transparency=3),
        files.encoded(scene.convert("LA"), "PNG"),
        files.encoded(scene.convert("1"), "PNG"),
    ]


@cache
def jpegs() -> list[bytes]:
    """Grey, colour, progressive, CMYK and with restarts."""
    scene = _scene()
    return [
        files.encoded(scene, "JPEG"),
        files.encoded(
            scene.convert("RGB"), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
        ),
        files.encoded(scene.convert("RGB"), "JPEG", progressive=True),
        files.encoded(scene.convert("CMYK"), "JPEG"),
        files.encoded(scene, "JPEG", restart_marker_blocks=4),
    ]


def png(rng: random.Random) -> bytes:
    """A damaged PNG."""
    chunks = _chunks(rng.choice(pngs()))
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(chunks))
        kind, body = chunks[at]
        match rng.randrange(6):
            case 0:
                chunks = shuffled(chunks, rng)
            case 1:
                chunks[0] = (b"IHDR", _header(rng, chunks[0][1]))
            case 2:
                chunks[at] = (kind, scratched(body, rng))
            case 3 if kind == b"IDAT":  # inside the compressed data, which has only filters and pixels
                chunks[at] = (kind, zlib.compress(scratched(_inflated(body), rng)))
            case 4:
                chunks.insert(rng.randrange(len(chunks)) + 1, (rng.choice(_ODD_CHUNKS), _odd_body(rng)))
            case _:
                chunks[at] = (rng.choice(_ODD_CHUNKS), body)
    data = _SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return scratched(data, rng) if rng.random() < 0.1 else data


def _chunks(data: bytes) -> list[Part]:
    chunks, at = [], len(_SIGNATURE)
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def _header(rng: random.Random, body: bytes) -> bytes:
    fields = list(struct.unpack(">IIBBBBB", body)) if len(body) == 13 else [1, 1, 8, 0, 0, 0, 0]
    at = rng.randrange(len(fields))
    fields[at] = rng.choice(LENGTHS) if at < 2 else rng.choice((*EXTREMES, 3, 4, 6, 8, 16))
    return struct.pack(">IIBBBBB", *fields)


def _inflated(body: bytes) -> bytes:
    try:
        return zlib.decompress(body)
    except zlib.error:
        return body


def _odd_body(rng: random.Random) -> bytes:
    text = b"Comment\0\0"
    return rng.choice(
        (b"", text + zlib.compress(bytes(rng.choice((10, 1 << 22)))), rng.randbytes(rng.choice((3, 26, 768))))
    )


def jpeg(rng: random.Random) -> bytes:
    """A damaged JPEG."""
    segments, scan = _segments(rng.choice(jpegs()))
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(segments))
        kind, body = segments[at]
        match rng.randrange(5):
            case 0:
                segments = shuffled(segments, rng)
            case 1:
                segments[at] = (kind, scratched(body, rng))
            case 2:
                segments[at] = (bytes([rng.choice(_ODD_MARKERS)]), body)
            case 3:
                scan = scratched(scan, rng, reach=len(scan))
            case _:
                segments.insert(
                    at, (bytes([rng.choice(_ODD_MARKERS)]), rng.randbytes(rng.choice((1, 6, 17, 64, 3000))))
                )
    head = b"".join(b"\xff" + kind + struct.pack(">H", min(len(body) + 2, 65_535)) + body for kind, body in segments)
    data = b"\xff\xd8" + head + scan
    return scratched(data, rng) if rng.random() < 0.1 else data


def _segments(data: bytes) -> tuple[list[Part], bytes]:
    """The segments to the first scan's header, and what follows it."""
    segments, at = [], 2
    while True:
        (length,) = struct.unpack_from(">H", data, at + 2)
        segments.append((data[at + 1 : at + 2], data[at + 4 : at + 2 + length]))
        at += 2 + length
        if segments[-1][0] == b"\xda":
            return segments, data[at:]
