"""The few encodings that the vectors need: protobuf, QUIC varints, z-base-32, SDP."""
ZBASE32 = "ybndrfg8ejkmcpqxot1uwisza345h769"


def quic(value, length=None):
    """RFC 9000 section 16; the shortest form unless `length` is given."""
    for size, prefix in ((1, 0), (2, 1), (4, 2), (8, 3)):
        if (length is None or length == size) and value < 1 << (8 * size - 2):
            return (value | prefix << (8 * size - 2)).to_bytes(size, "big")
    raise ValueError(value)


def frame(kind, stream, payload=b""):
    return quic(kind) + quic(stream) + payload


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def message(*fields):
    """A protobuf message from (number, value): int, bytes, str, or a list of these (repeated).

    Values equal to the default of proto3 are left out; a list of int is packed.
    """
    out = bytearray()
    for number, value in fields:
        if isinstance(value, list):
            if value and all(isinstance(item, int) for item in value):
                packed = b"".join(varint(item) for item in value)
                out += varint(number << 3 | 2) + varint(len(packed)) + packed
            else:
                for item in value:
                    data = item.encode() if isinstance(item, str) else item
                    out += varint(number << 3 | 2) + varint(len(data)) + data
        elif isinstance(value, int):
            if value:
                out += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            if data:
                out += varint(number << 3 | 2) + varint(len(data)) + data
    return bytes(out)


def embedded(number, data):
    """A sub-message, present even when it is empty."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def zbase32(data):
    bits = int.from_bytes(data, "big") << 4
    return "".join(ZBASE32[bits >> shift & 31] for shift in range(255, -1, -5))


def fingerprint_line(digest, algorithm="sha-256"):
    return f"a=fingerprint:{algorithm} " + ":".join(f"{byte:02X}" for byte in digest)


def sdp(kind, fingerprints, candidates=(), session_level=()):
    """A short description with one data section, as `binding-webrtc.md` asks for."""
    lines = ["v=0", "o=- 4611731400430051336 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0"]
    lines += list(session_level)
    lines += [
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=mid:0",
        "a=ice-ufrag:" + {"offer": "vIsI", "answer": "AgEn"}[kind],
        "a=ice-pwd:" + {"offer": "visitorvisitorvisitor22", "answer": "agentagentagentagent22"}[kind],
        "a=ice-options:trickle",
        *fingerprints,
        "a=setup:" + {"offer": "actpass", "answer": "passive"}[kind],
        "a=sctp-port:5000",
        "a=max-message-size:262144",
        *("a=" + candidate for candidate in candidates),
    ]
    return "".join(line + "\r\n" for line in lines)
