"""Made-up secrets and personal data, planted into real source files as people write them."""

import base64
import random
import string
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

LETTERS = string.ascii_letters + string.digits
HEX = "0123456789abcdef"

Dice = random.Random


@dataclass(frozen=True, slots=True)
class Planted:
    """`text` holds `value`, which is of the kind `kind`."""

    kind: str
    value: str
    text: str


def of(dice: Dice, alphabet: str, length: int) -> str:
    return "".join(dice.choice(alphabet) for _ in range(length))


def jwt(dice: Dice) -> str:
    def part(said: str) -> str:
        return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")

    claims = f'{{"sub":"{of(dice, HEX, 12)}","exp":{dice.randint(1 << 30, 1 << 31)}}}'
    head = part('{"alg":"RS256","typ":"JWT"}')
    return f"{head}.{part(claims)}.{of(dice, LETTERS + '-_', 86)}"


def pem(dice: Dice) -> str:
    kind = dice.choice(("RSA ", "EC ", "", "OPENSSH ", "ENCRYPTED "))
    lines = [of(dice, LETTERS + "+/", 64) for _ in range(dice.randint(3, 25))]
    return "\n".join(
        (f"-----BEGIN {kind}PRIVATE KEY-----", *lines, f"-----END {kind}PRIVATE KEY-----")
    )


def password(dice: Dice) -> str:
    """As a password manager or a policy makes people write one."""
    words = ["winter", "Kestrel", "harbour", "Tulip", "granite", "Osprey", "cobalt"]
    made = dice.choice(words) + dice.choice("!-_.#") + of(dice, string.digits, 3)
    return dice.choice((made, of(dice, LETTERS + "!#%&*+-.^_~", dice.randint(10, 24)) + "7"))


def luhn(digits: str) -> str:
    total = 0
    for place, digit in enumerate(map(int, reversed(digits))):
        doubled = digit if place % 2 else digit * 2
        total += doubled - 9 if doubled > 9 else doubled
    return digits + str(-total % 10)


def card(dice: Dice) -> str:
    start, length = dice.choice((("4539", 16), ("5425", 16), ("3782", 15), ("6011", 16)))
    digits = luhn(start + of(dice, string.digits, length - len(start) - 1))
    if length == 16 and dice.random() < 0.5:
        return " ".join(digits[n : n + 4] for n in range(0, 16, 4))
    return digits


def iban(dice: Dice) -> str:
    country, length = dice.choice((("DE", 18), ("ES", 20), ("FR", 23), ("NL", 14), ("CH", 17)))
    body = ("ABNA" if country == "NL" else "") + of(dice, string.digits, length)
    body = body[:length]
    number = int("".join(str(int(c, 36)) for c in body + country + "00"))
    plain = f"{country}{98 - number % 97:02}{body}"
    spaced = " ".join(plain[n : n + 4] for n in range(0, len(plain), 4))
    return dice.choice((plain, spaced))


def spanish(dice: Dice) -> str:
    number = dice.randint(10_000_000, 99_999_999)
    return f"{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


def phone(dice: Dice) -> str:
    country = dice.choice(("+49", "+44", "+33", "+1", "+39"))
    rest = [of(dice, "23456789", 3), of(dice, string.digits, 3), of(dice, string.digits, 4)]
    return dice.choice((" ", "-")).join((country, *rest))


def mail(dice: Dice) -> str:
    first, last = (
        dice.choice(("maria", "jan", "aylin")),
        dice.choice(("keller", "de-vries", "kaya")),
    )
    host = dice.choice(("bank-nord.de", "mail.co.uk", "corp.io"))
    return f"{first}{dice.choice('._-')}{last}{dice.randint(1, 99)}@{host}"


KINDS: dict[str, Callable[[Dice], str]] = {
    "aws-id": lambda d: "AKIA" + of(d, string.ascii_uppercase + "234567", 16),
    "aws-secret": lambda d: of(d, LETTERS + "/+", 40),
    "github": lambda d: f"gh{d.choice('pousr')}_" + of(d, LETTERS, 36),
    "gitlab": lambda d: "glpat-" + of(d, LETTERS + "-_", 20),
    "slack": lambda d: (
        f"xoxb-{of(d, string.digits, 11)}-{of(d, string.digits, 12)}-{of(d, LETTERS, 24)}"
    ),
    "stripe": lambda d: "sk_live_" + of(d, LETTERS, 24),
    "openai": lambda d: "sk-proj-" + of(d, LETTERS + "-_", 64),
    "anthropic": lambda d: "sk-ant-api03-" + of(d, LETTERS + "-_", 93) + "AA",
    "google": lambda d: "AIza" + of(d, LETTERS + "-_", 35),
    "npm": lambda d: "npm_" + of(d, LETTERS, 36),
    "sendgrid": lambda d: f"SG.{of(d, LETTERS, 22)}.{of(d, LETTERS, 43)}",
    "jwt": jwt,
    "pem": pem,
    "password": password,
    "hex-key": lambda d: of(d, HEX, d.choice((32, 40, 64))),
    "card": card,
    "iban": iban,
    "spanish": spanish,
    "phone": phone,
    "mail": mail,
}
PERSONAL = ("card", "iban", "spanish", "phone", "mail")

_ANYWHERE = [
    'CLIENT = connect("{}")',
    "# remove before release: {}",
    '    "value": "{}",',
    "curl -H 'X-Auth: {}' https://api.corp.io/v2",
    "const header = `{}`;",
    "value: {}",
]
_NAMED = [
    '{name} = "{}"',
    "    self.{name} = '{}'",
    '{name}: str = "{}"',
    '  "{name}": "{}",',
    "  {name}: {}",
    "export {NAME}={}",
    "{NAME}={}",
    'const {name} = "{}";',
    'os.environ["{NAME}"] = "{}"',
]
_NAMES = {
    "password": ("db_password", "admin_passwd", "smtp_pwd", "passphrase"),
    "hex-key": ("api_key", "client_secret", "signing_key", "access_token"),
    "aws-secret": ("aws_secret_access_key", "aws_secret_key"),
}


def planted(seed: int, count: int) -> Iterator[Planted]:
    """`count` of each kind, each in a file of the standard library, at the end of some line."""
    dice = random.Random(seed)
    sources = clean_sources()
    for kind, make in KINDS.items():
        for _ in range(count):
            value = make(dice)
            names = _NAMES.get(kind)
            way = dice.choice(_NAMED if names else _ANYWHERE)
            name = dice.choice(names or ("x",))
            if kind == "pem":
                way = dice.choice(('KEY = """{}"""', "{}", "  key: |\n    {}"))
            line = way.replace("{name}", name).replace("{NAME}", name.upper()).replace("{}", value)
            lines = dice.choice(sources).splitlines()
            lines.insert(dice.randrange(len(lines)), line)
            yield Planted(kind, value, "\n".join(lines))


def clean_sources() -> list[str]:
    """Modules of the standard library, which hold no secrets; of moderate size."""
    folder = Path(sysconfig.get_path("stdlib"))
    texts = [p.read_text("utf-8", "replace") for p in sorted(folder.glob("*.py"))]
    return [text for text in texts if 2_000 < len(text) < 30_000]
