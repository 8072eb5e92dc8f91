"""Forms in the format that clients send."""

BOUNDARY = "x"
FORM = f"multipart/form-data; boundary={BOUNDARY}"

FILE = b'Content-Disposition: form-data; name="files"; filename="f"\r\nContent-Type: image/png\r\n\r\n'
TEXT = b'Content-Disposition: form-data; name="study"\r\n\r\n'


def part(content: bytes, head: bytes = FILE) -> bytes:
    """A part with its delimiter."""
    return b"--x\r\n" + head + content + b"\r\n"


def form(*files: bytes, end: bytes = b"--x--\r\n") -> bytes:
    """A form with files."""
    return b"".join(map(part, files)) + end
