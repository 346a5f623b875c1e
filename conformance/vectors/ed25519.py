"""Ed25519 (RFC 8032 section 5.1), slow and plain, for making vectors. Never for real keys.

`verify` is the plain check of the RFC without any of the strict rules, so that a vector can
show what plain verification lets through.
"""
import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def _add(a, b):
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    e = (y1 + x1) * (y2 + x2) - (y1 - x1) * (y2 - x2)
    f = 2 * (z1 * z2 - D * t1 * t2)
    g = 2 * (z1 * z2 + D * t1 * t2)
    h = (y1 + x1) * (y2 + x2) + (y1 - x1) * (y2 - x2)
    # 2Z1Z2 - 2dT1T2 and so on: the factor 2 is in e and h as well.
    return e * f % P, g * h % P, f * g % P, e * h % P


NEUTRAL = (0, 1, 1, 0)


def multiply(n, point):
    result = NEUTRAL
    while n:
        if n & 1:
            result = _add(result, point)
        point = _add(point, point)
        n >>= 1
    return result


def negate(point):
    x, y, z, t = point
    return -x % P, y, z, -t % P


def add(a, b):
    return _add(a, b)


def equal(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def _recover_x(y, sign):
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if x2 == 0:
        return 0
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * SQRT_M1 % P
    if (x * x - x2) % P:
        return None
    return P - x if x & 1 != sign else x


_GY = 4 * pow(5, P - 2, P) % P
_GX = _recover_x(_GY, 0)
BASE = (_GX, _GY, 1, _GX * _GY % P)


def compress(point):
    x, y, z, _ = point
    inverse = pow(z, P - 2, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decompress(data):
    """A point, also from a non-canonical encoding; None where there is none."""
    if len(data) != 32:
        return None
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, (number & (1 << 255) - 1) % P
    x = _recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def is_small_order(point):
    return equal(multiply(8, point), NEUTRAL)


def _sha512_int(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def _expand(seed):
    h = hashlib.sha512(seed).digest()
    a = int.from_bytes(h[:32], "little")
    return (a & (1 << 254) - 8) | 1 << 254, h[32:]


def scalar(seed):
    return _expand(seed)[0]


def public_key(seed):
    return compress(multiply(_expand(seed)[0], BASE))


def challenge(r, a, message):
    return _sha512_int(r, a, message) % L


def sign(seed, message):
    a, prefix = _expand(seed)
    key = compress(multiply(a, BASE))
    r = _sha512_int(prefix, message) % L
    point = compress(multiply(r, BASE))
    s = (r + challenge(point, key, message) * a) % L
    return point + s.to_bytes(32, "little")


def verify(key, message, signature, check_s=True):
    if len(signature) != 64:
        return False
    a, r = decompress(key), decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or (check_s and s >= L):
        return False
    k = challenge(signature[:32], key, message)
    return equal(multiply(s, BASE), add(r, multiply(k, a)))


def verify_strict(key, message, signature):
    """As identity.md asks: IDN-007, and IDN-008 as well."""
    if len(key) != 32 or len(signature) != 64:
        return False
    a, r = decompress(key), decompress(signature[:32])
    if a is None or r is None or is_small_order(a) or is_small_order(r):
        return False
    return verify(key, message, signature)


def small_order_encodings():
    """All encodings of the 8 points of small order, canonical ones first."""
    points = []
    candidate = 2
    while True:  # a point of order 8: L times a point of the whole curve
        data = candidate.to_bytes(32, "little")
        point = decompress(data)
        candidate += 1
        if point is None:
            continue
        torsion = multiply(L, point)
        if not equal(multiply(4, torsion), NEUTRAL):
            break
    point = NEUTRAL
    for _ in range(8):
        points.append(compress(point))
        point = add(point, torsion)
    points.sort()
    others = []
    for canonical in points:
        number = int.from_bytes(canonical, "little")
        sign, y = number >> 255, number & (1 << 255) - 1
        zero_x = y in (1, P - 1)
        for value in (y, y + P):
            for bit in ((0, 1) if zero_x else (sign,)):
                if value < 1 << 255:
                    data = (value | bit << 255).to_bytes(32, "little")
                    if data not in points and data not in others:
                        others.append(data)
    return points, others
