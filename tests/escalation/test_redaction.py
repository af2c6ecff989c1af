"""What is masked, what is not, and the way back."""

import base64
import random
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wicket.escalation.redaction import checks
from wicket.escalation.redaction.detection import find
from wicket.escalation.redaction.known import NOTHING, known
from wicket.escalation.redaction.masking import Masked, Masks, Misplaced
from wicket.escalation.redaction.rules import BadRules, Rule, joined, read, shipped

from .planted_secrets import PERSONAL, clean_sources, planted

PACK = shipped()
SECRET = "Zt6Vb9Wn1Lk5"


def masks(*secrets: str) -> Masks:
    return Masks(PACK, known(secrets), mark="7f3a")


@pytest.mark.parametrize("rule", PACK.rules, ids=lambda rule: rule.id)
def test_each_rule_finds_its_examples(rule: Rule) -> None:
    assert rule.examples
    assert rule.source.startswith(("https://", "CWE-", "ISO"))
    for example in rule.examples:
        assert rule.id in {one.rule for one in find(example, PACK, NOTHING)}


# What stands between the arrows is masked, and nothing else.
@pytest.mark.parametrize(
    "text",
    [
        "password = os.environ['DB_PASSWORD']",
        'password = "changeme"',
        'password = getpass("Password: ")',
        "password_field = form.password_field",
        'token = "${TOKEN}"',
        'API_KEY = "your-api-key-here-1234"',
        'token_url = "https://host/oauth/token"',
        "sha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'",
        "id = '123e4567-e89b-12d3-a456-426614174000'",
        "git clone git@github.com:owner/name.git",
        "see user@example.com",
        "postgres://localhost:5432/app",
        "https://user@host/path",
        "number = 4539578763621487",
        "x = 1234-56-7890",
        'if header == "-----BEGIN PRIVATE KEY-----":\n    read()',
        "csrf_token = request.csrf_token",
        "class TokenError(Exception): ...",
        'db_password: str = "«Zt6Vb9Wn1»"',
        "'password': '«hunter2»'",
        "redis://:«Zt6Vb9Wn1»@cache:6379/0",
        "AWS = '«AKIAZ7Q4WXK2M5N3P6RT»'  # gitleaks:allow",
        "AWS = '«AKIAZ7Q4WXK2M5N3P6RT»'  # pragma: allowlist secret",
        "ämter@@ «maria.keller@bank-nord.de», größe",
        "iban: «DE89 3704 0044 0532 0130 00»;",
        "a«\u200b»b, «\u202e»txt",
        "«\U000e0041\U000e0042»hidden",
        "AWS = '«AKIAZ7Q4\u200bWXK2\u200dM5N3P6RT»'",
        "Authorization: Bearer «k3Jv8Qw2Nz5Xm7Lp1Rt9»",
    ],
)
def test_what_is_masked(text: str) -> None:
    plain = re.sub("[«»]", "", text)
    wanted = re.findall("«(.*?)»", text, re.DOTALL)
    assert [plain[one.start : one.end] for one in find(plain, PACK, NOTHING)] == wanted


@pytest.mark.parametrize(
    ("check", "value", "holds"),
    [
        # Published examples of the bodies that give the numbers out.
        ("iban", "GB82 WEST 1234 5698 7654 32", True),
        ("iban", "GB82 WEST 1234 5698 7654 33", False),
        ("iban", "DE89370400440532013000", True),
        ("iban", "DE8937040044053201300", False),
        ("card", "4111 1111 1111 1111", False),
        ("card", "4539 5787 6362 1486", True),
        ("card", "378282246310005", True),
        ("card", "378282246310006", False),
        ("de-tax", "86095742719", True),
        ("de-tax", "86095742718", False),
        ("us-ssn", "536-90-4399", True),
        ("us-ssn", "666-90-4399", False),
        ("us-ssn", "078-00-1120", False),
        ("fr-nir", "255081416802538", True),
        ("fr-nir", "255081416802539", False),
        ("es-dni", "12345678Z", True),
        ("es-dni", "12345678A", False),
        ("es-dni", "X1234567L", True),
        ("it-cf", "RSSMRA85T10A562S", True),
        ("it-cf", "RSSMRA85T10A562T", False),
        ("nl-bsn", "111222333", True),
        ("nl-bsn", "111222334", False),
        ("gb-nhs", "943 476 5919", True),
        ("gb-nhs", "943 476 5918", False),
        ("pl-pesel", "44051401359", True),
        ("pl-pesel", "44051401358", False),
        ("br-cpf", "529.982.247-25", True),
        ("br-cpf", "529.982.247-26", False),
        ("mail", "a@example.org", False),
        ("mail", "noreply@corp.io", False),
    ],
)
def test_checksums(check: str, value: str, holds: bool) -> None:
    assert checks.CHECKS[check](value) is holds


def leaked(value: str, text: str) -> bool:
    """All of it, or of a long one the middle."""
    return value in text or (len(value) >= 20 and value[6:-6] in text)


def test_a_planted_corpus() -> None:
    """Recall by kind; nothing of a planted value may be left, not even a part."""
    missed: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for one in planted(seed=11, count=40):
        total[one.kind] += 1
        masked = masks().mask(one.text).text
        missed[one.kind] += leaked(one.value, masked)
    kinds = {"secret": set(total) - set(PERSONAL), "personal": set(PERSONAL)}
    for name, those in kinds.items():
        recall = 1 - sum(missed[k] for k in those) / sum(total[k] for k in those)
        print(f"\n{name}: recall {recall:.4f} of {sum(total[k] for k in those)}", dict(+missed))
        assert recall >= 0.98, missed


def test_clean_files_stay_as_they_are() -> None:
    """Of what is in the standard library little but its authors' addresses is masked."""
    lines = 0
    found: Counter[str] = Counter()
    for text in clean_sources():
        lines += text.count("\n")
        found.update(one.rule for one in find(text, PACK, NOTHING))
    wrong = found.total() - found["mail-address"]
    print(f"\n{lines} lines, masked: {dict(found)}")
    assert wrong / lines < 1 / 5_000


@pytest.mark.parametrize(
    "way",
    [
        lambda s: s,
        lambda s: s[::-1],
        lambda s: s.encode().hex(),
        lambda s: base64.b64encode(s.encode()).decode().rstrip("="),
        lambda s: base64.b64encode(b"user:" + s.encode()).decode().rstrip("="),
        lambda s: base64.urlsafe_b64encode(b"ab" + s.encode() + b"?").decode(),
        lambda s: s.replace("/", "%2F").replace("+", "%2B"),
    ],
)
@pytest.mark.parametrize("secret", ["plainwords-and-9", "a/b+c/d+e/f+g9", 'quo"te\\d-10'])
def test_a_known_secret_is_found_in_every_form(way: object, secret: str) -> None:
    assert callable(way)
    form = str(way(secret))
    masked = masks(secret).mask(f"before\n{form} after")
    assert form not in masked.text
    assert {cut.rule for cut in masked.cuts} == {"known-secret"}


@pytest.mark.parametrize("value", ["true", "8080", "localhost", "production", "/usr/bin", "word"])
def test_ordinary_settings_are_no_secrets(value: str) -> None:
    assert known([value]) == NOTHING


@given(st.integers(1, len(SECRET) - 1), st.text("ab c\n", max_size=20))
def test_a_secret_split_over_two_pieces(cut: int, around: str) -> None:
    """Of one file: all of it is found.  Of two: what is long enough to be known again."""
    one, other = around + "x " + SECRET[:cut], SECRET[cut:] + " y" + around
    first, second = masks(SECRET).mask_pieces([one, other])
    assert SECRET not in first.text + second.text
    assert SECRET[:cut] not in first.text.replace(around, "", 1).split()
    alone = masks(SECRET)
    apart = alone.mask(one).text, alone.mask(other).text
    assert max(sum(SECRET[:n] in apart[0] for n in range(8, len(SECRET))), 0) == 0


@given(st.lists(st.sampled_from(["ab ", "é", "\n", SECRET, "maria@corp.io ", "\u200b"])), st.data())
def test_an_edit_finds_its_way_back(parts: list[str], data: st.DataObject) -> None:
    """What an edit keeps comes back as it was, wherever the edit begins and ends."""
    text = "".join(parts)
    exchange = masks(SECRET)
    masked = exchange.mask(text)
    assert SECRET not in masked.text
    assert exchange.restored(masked, 0, len(masked.text), masked.text).text.replace(
        "\u200b", ""
    ) == text.replace("\u200b", "")
    start = data.draw(st.integers(0, len(masked.text)))
    end = data.draw(st.integers(start, len(masked.text)))
    try:
        edit = exchange.restored(masked, start, end, masked.text[start:end])
    except Misplaced:
        inside = [c for c in masked.cuts if c.start < start < c.end or c.start < end < c.end]
        assert inside
        return
    whole = text[: edit.start] + edit.text + text[edit.end :]
    assert whole.replace("\u200b", "") == text.replace("\u200b", "")
    assert edit.foreign == ()


@pytest.mark.parametrize(
    ("new", "wanted", "foreign"),
    [
        ("call(@1)", "call(Zt6Vb9Wn1Lk5)", 0),
        ("call(@1, @1)", "call(Zt6Vb9Wn1Lk5, @1)", 1),
        ("send(@2)", "send(@2)", 1),
        ("nothing", "nothing", 0),
    ],
)
def test_a_placeholder_comes_back_only_where_it_stood(new: str, wanted: str, foreign: int) -> None:
    exchange = masks(SECRET, "other-secret-2")
    masked = exchange.mask(f"a = {SECRET}\nb = other-secret-2\n")
    names = [masked.text[cut.start : cut.end] for cut in masked.cuts]

    def spelt(text: str) -> str:
        return text.replace("@1", names[0]).replace("@2", names[1])

    line = masked.text.index("\n")
    edit = exchange.restored(masked, 0, line, spelt(new))
    assert edit.text == spelt(wanted)
    assert len(edit.foreign) == foreign
    other = Masked("another file", ())
    assert exchange.restored(other, 0, 3, spelt("@1")).text == spelt("@1")
    assert exchange.foreign(spelt("@1 and @2")) == tuple(names)


@given(st.text(max_size=200))
def test_masking_twice_masks_no_more(text: str) -> None:
    once = masks(SECRET).mask(text + SECRET).text
    assert masks(SECRET).mask(once).text == once


def test_the_same_value_has_one_name_and_lines_keep_their_numbers() -> None:
    key = "-----BEGIN PRIVATE KEY-----\n" + "A7" * 32 + "\n-----END PRIVATE KEY-----"
    exchange = masks()
    masked = exchange.mask(f"k = '''{key}'''\nmail = 'maria@corp.io'\n# maria@corp.io\n")
    names = [masked.text[c.start : c.end].strip() for c in masked.cuts]
    assert names == ["WICKET_SECRET_1_7f3a", *["WICKET_PERSONAL_1_7f3a"] * 2]
    assert masked.text.count("\n") == 5
    assert Masks(PACK).mask("maria@corp.io").text != masked.text


def test_the_words_of_a_house() -> None:
    own = read(b'words = ["Nordbank", "Project Heron"]')
    both = joined([PACK, own])
    found = find("class NordbankClient: # project heron", both, NOTHING)
    assert [one.rule for one in found] == ["house-word"] * 2
    assert both.sha256 not in (PACK.sha256, own.sha256)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[[rule", "no TOML"),
        ("words = ['abc']", "too short"),
        ("words = 'abcd'", "list of texts"),
        ("other = 1", "unknown key other"),
        ("[[rule]]\nid = 'x'", "needs an id and a pattern"),
        ("[[rule]]\nid = 'x'\npattern = 'a'\nclass = 'y'", "class of rule x"),
        ("[[rule]]\nid = 'x'\npattern = 'a(?=b)'\nclass = 'secret'", "not one of RE2"),
        ("[[rule]]\nid = 'x'\npattern = 'a'\nclass = 'secret'\ncheck = 'no'", "unknown check"),
        ("[[rule]]\nid = 'x'\npattern = 'a'\nclass = 'secret'\ntypo = 1", "unknown key typo"),
    ],
)
def test_a_bad_rule_file_is_refused(content: str, reason: str) -> None:
    with pytest.raises(BadRules, match=reason):
        read(content.encode())


@pytest.mark.parametrize(
    "hostile",
    [
        "a@" * 40_000,
        "A" * 200_000,
        "password=" * 20_000,
        "0" * 100_000,
        "\n " * 50_000,
        "eyJ" * 40_000,
    ],
)
def test_no_text_makes_it_slow(hostile: str) -> None:
    """It ends; how fast is for the benchmark, but a pattern that backtracks would not end."""
    find(hostile, PACK, known([SECRET]))


def test_random_bytes_are_survived() -> None:
    dice = random.Random(1)
    for _ in range(50):
        text = "".join(chr(dice.choice((*range(128), 0xD800, 0x1F600, 0x202E))) for _ in range(500))
        masks(SECRET).mask(text)
