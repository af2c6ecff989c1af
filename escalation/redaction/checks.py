"""What tells a value of a format from what only looks like one: checksums and likelihood."""

import math
import re
from collections import Counter
from collections.abc import Callable

# Length of an IBAN by country: SWIFT, IBAN Registry, release 99.
_IBAN = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22,
    "BI": 27, "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27,
    "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27,
    "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28,
    "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28,
    "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22,
    "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23,
    "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24,
    "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28,
    "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip


def luhn(value: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(map(int, reversed(_digits(value)))):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def card(value: str) -> bool:
    """A card number of a network that is in use, by its first digits and its length."""
    digits = _digits(value)
    if len(set(digits)) < 4:
        return False
    two, four, length = int(digits[:2]), int(digits[:4]), len(digits)
    known = (
        (digits[0] == "4" and length in (13, 16, 19))
        or ((51 <= two <= 55 or 2221 <= four <= 2720) and length == 16)
        or (two in (34, 37) and length == 15)
        or ((four == 6011 or two in (64, 65, 62) or 3528 <= four <= 3589) and 16 <= length <= 19)
        or (two in (30, 36, 38, 39) and length == 14)
    )
    return known and luhn(digits)


def iban(value: str) -> bool:
    """ISO 13616: the length of the country, and 1 as the remainder by 97."""
    plain = re.sub(r"[ -]", "", value).upper()
    if _IBAN.get(plain[:2]) != len(plain):
        return False
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def german_tax(value: str) -> bool:
    """Steueridentifikationsnummer: ISO 7064 mod 11,10; ten digits of which one repeats."""
    digits = _digits(value)
    counts = Counter(digits[:10])
    if digits[0] == "0" or len(counts) not in (8, 9) or max(counts.values()) > 3:
        return False
    product = 10
    for digit in map(int, digits[:10]):
        product = ((digit + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(digits[10])


def social_security(value: str) -> bool:
    """United States: no area 000, 666 or 9xx, no group 00, no serial 0000 (SSA, 2011)."""
    digits = _digits(value)
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in ("000", "666") and area[0] != "9" and group != "00" and serial != "0000"


def french(value: str) -> bool:
    """Numéro de sécurité sociale: the last two digits are 97 minus the rest modulo 97."""
    plain = value.replace(" ", "").upper().replace("2A", "19").replace("2B", "18")
    return 97 - int(plain[:13]) % 97 == int(plain[13:])


def spanish(value: str) -> bool:
    """DNI and NIE: the letter is that of the number modulo 23."""
    plain = value.upper().replace("-", "")
    number = int(plain[:-1].translate(str.maketrans("XYZ", "012")))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23] == plain[-1]


def italian(value: str) -> bool:
    """Codice fiscale: the last letter is a weighted sum of the others modulo 26."""
    odd = dict(
        zip(
            "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20,
             11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
            strict=True,
        )
    )  # fmt: skip
    plain = value.upper()
    even = [int(c) if c.isdigit() else ord(c) - ord("A") for c in plain[1:15:2]]
    return chr(ord("A") + (sum(odd[c] for c in plain[:15:2]) + sum(even)) % 26) == plain[15]


def dutch(value: str) -> bool:
    """Burgerservicenummer: the test of eleven."""
    digits = [int(c) for c in _digits(value)]
    return sum(d * w for d, w in zip(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1), strict=True)) % 11 == 0


def british_health(value: str) -> bool:
    """NHS number: modulo 11 with weights from ten down."""
    digits = [int(c) for c in _digits(value)]
    rest = 11 - sum(d * w for d, w in zip(digits, range(10, 1, -1), strict=False)) % 11
    return rest != 10 and rest % 11 == digits[9]


def polish(value: str) -> bool:
    """PESEL: weights 1, 3, 7, 9."""
    digits = [int(c) for c in _digits(value)]
    weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)
    return sum(d * w for d, w in zip(digits, weights, strict=True)) % 10 == 0 and any(digits)


def brazilian(value: str) -> bool:
    """CPF: two check digits, each modulo 11."""
    digits = [int(c) for c in _digits(value)]
    if len(set(digits)) == 1:
        return False
    for length in (9, 10):
        total = sum(d * (length + 1 - n) for n, d in enumerate(digits[:length]))
        if total * 10 % 11 % 10 != digits[length]:
            return False
    return True


def mail(value: str) -> bool:
    """An address that may be somebody's: not of a name reserved for examples (RFC 2606)."""
    name, _, host = value.lower().rpartition("@")
    labels = host.split(".")
    if labels[-1] in ("test", "example", "invalid", "localhost", "local", "internal"):
        return False
    return "example" not in labels[-2:] and name not in ("git", "user", "noreply", "no-reply")


def phone(value: str) -> bool:
    """As many digits as ITU-T E.164 allows, and not one digit over and over."""
    digits = _digits(value)
    return 8 <= len(digits) <= 15 and len(set(digits)) > 2


def json_web_token(value: str) -> bool:
    """Three parts, the first of which says so: `{"alg"` or `{"typ"` in base 64."""
    return value.count(".") == 2 and len(value) > 40


def pem(value: str) -> bool:
    """A key between the lines that frame it, not the two lines as some program knows them."""
    return bool(re.search(r"[A-Za-z0-9+/]{16}", value.partition("KEY")[2]))


def key_lines(value: str) -> bool:
    """Random in base 64; a digest in hexadecimal, or a table of words, is not."""
    kinds = (r"[a-z]", r"[A-Z]", r"\d")
    return entropy(value) >= 4.5 and all(re.search(kind, value) for kind in kinds)


def key_like(value: str) -> bool:
    """Random rather than written: letters and digits mixed, and much information for its size."""
    if not written_out(value):
        return False
    has_digit, has_letter = bool(re.search(r"\d", value)), bool(re.search(r"[A-Za-z]", value))
    return has_digit and has_letter and entropy(value) >= 3.0


def password_like(value: str) -> bool:
    """Somebody's password rather than a name, a reference or filler."""
    if not written_out(value):
        return False
    kinds = [bool(re.search(p, value)) for p in (r"[a-z]", r"[A-Z]", r"\d", r"[^A-Za-z\d_]")]
    # A lower-case word with underscores or dashes is a name: `password_field`.
    if re.fullmatch(r"[a-z]+([-_. ][a-z]+)*|[A-Z]+(_[A-Z]+)*|[A-Za-z]+", value):
        return False
    return sum(kinds) >= 2


def bare(check: Callable[[str], bool]) -> Callable[[str], bool]:
    """`check` for a value without quotes, which may be the name of what holds it."""
    return lambda value: check(value) and not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", value)


# What is written where a secret will stand, and what is looked up where it stands.
_FILLER = re.compile(
    r"(?i)example|change.?me|replace|placeholder|redacted|dummy|sample|your[-_ ]|my[-_](?:secret|"
    r"password|token|key)|x{4,}|\*{3,}|\.{3}|<[^>]*>|\$\{|\$\(|\{\{|%\(|%s|\{[a-z_.]*\}|"
    r"^(?:os\.|process\.|env[.\[]|self\.|config[.\[]|settings[.\[]|getenv)|wicket_(?:secret|personal)_"
)


def written_out(value: str) -> bool:
    """The value itself, not filler and not an expression that gets it from elsewhere."""
    return len(set(value)) > 3 and not _FILLER.search(value) and "(" not in value


def entropy(value: str) -> float:
    """Bits per character, by Shannon."""
    total = len(value)
    return -sum(n / total * math.log2(n / total) for n in Counter(value).values())


def _digits(value: str) -> str:
    return re.sub(r"\D", "", value)


CHECKS: dict[str, Callable[[str], bool]] = {
    "anything": lambda _value: True,
    "written-out": written_out,
    "key": key_like,
    "password": password_like,
    "bare-key": bare(key_like),
    "bare-password": bare(password_like),
    "jwt": json_web_token,
    "pem": pem,
    "key-lines": key_lines,
    "card": card,
    "iban": iban,
    "mail": mail,
    "phone": phone,
    "de-tax": german_tax,
    "us-ssn": social_security,
    "fr-nir": french,
    "es-dni": spanish,
    "it-cf": italian,
    "nl-bsn": dutch,
    "gb-nhs": british_health,
    "pl-pesel": polish,
    "br-cpf": brazilian,
}
