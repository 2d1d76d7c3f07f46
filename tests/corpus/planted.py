"""Secrets of many kinds in code as people write it, to be found again. Each is drawn at random and put together here, so that no file of
this repository holds anything that looks like one."""

from __future__ import annotations

import base64
import json
import random
import string
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

ALNUM = string.ascii_letters + string.digits
WORD = ALNUM + "_-"
HEX = "0123456789abcdef"
Draw = Callable[[random.Random], str]


@dataclass(frozen=True)
class Planted:
    """A file with one secret in it."""

    kind: str
    secret: str
    language: str
    content: str


def chars(some: random.Random, alphabet: str, count: int) -> str:
    return "".join(some.choices(alphabet, k=count))


def form(prefix: str, alphabet: str, count: int, suffix: str = "") -> Draw:
    return lambda some: prefix + chars(some, alphabet, count) + suffix


def encoded(some: random.Random, count: int) -> str:
    return base64.b64encode(some.randbytes(count)).decode()


def pem(label: str, count: int) -> Draw:
    def draw(some: random.Random) -> str:
        body = encoded(some, count)
        lines = [body[start : start + 64] for start in range(0, len(body), 64)]
        return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----"])

    return draw


def jwt(some: random.Random) -> str:
    head, claims = {"alg": "HS256", "typ": "JWT"}, {"sub": chars(some, string.digits, 10), "name": "A. Nobody", "iat": 1516239022}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()) for part in (head, claims)]
    return ".".join(part.decode().rstrip("=") for part in [*parts, base64.urlsafe_b64encode(some.randbytes(32))])


def slack(letter: str, numbers: int, alphabet: str, count: int) -> Draw:
    return lambda some: "-".join([f"xox{letter}", *(chars(some, string.digits, 12) for _ in range(numbers)), chars(some, alphabet, count)])


def chosen(some: random.Random) -> str:
    """A password as people choose them."""
    word = some.choice(["Winter", "dragon", "Liverpool", "sunshine", "correcthorse", "Admin", "qwerty"])
    return word + some.choice(["!", "#", "", "@", "$"]) + chars(some, string.digits, some.randint(2, 4)) + some.choice(["", "!", "x?"])


FORMS: dict[str, Draw] = {  # told by their form, wherever they stand
    "AWS access key": form("AK" + "IA", string.ascii_uppercase + "234567", 16),
    "GitHub token": form("gh" + "p_", ALNUM, 36),
    "GitHub OAuth token": form("gh" + "o_", ALNUM, 36),
    "GitHub fine-grained token": lambda some: f"github{'_pat'}_{chars(some, ALNUM, 22)}_{chars(some, ALNUM, 59)}",
    "GitLab token": form("glp" + "at-", WORD, 20),
    "Slack bot token": slack("b", 2, ALNUM, 24),
    "Slack user token": slack("p", 3, HEX, 32),
    "Slack webhook": lambda some: (
        "https://hooks.slack" + f".com/services/T{chars(some, string.ascii_uppercase, 8)}/B"
        f"{chars(some, string.ascii_uppercase, 8)}/{chars(some, ALNUM, 24)}"
    ),
    "Stripe key": form("sk" + "_live_", ALNUM, 24),
    "Stripe restricted key": form("rk" + "_live_", ALNUM, 24),
    "Google API key": form("AI" + "za", WORD, 35),
    "Google OAuth secret": form("GOC" + "SPX-", WORD, 28),
    "Azure AD secret": lambda some: f"{chars(some, ALNUM, 3)}8Q{'~'}{chars(some, ALNUM, 34)}",
    "RSA private key": pem("RSA " + "PRIVATE KEY", 1190),
    "PKCS8 private key": pem("PRIVATE " + "KEY", 1218),
    "EC private key": pem("EC " + "PRIVATE KEY", 121),
    "OpenSSH private key": pem("OPENSSH " + "PRIVATE KEY", 400),
    "JWT": jwt,
    "npm token": form("np" + "m_", ALNUM, 36),
    "PyPI token": form("py" + "pi-AgEIcHlwaS5vcmc", WORD, 120),
    "SendGrid key": lambda some: f"S{'G.'}{chars(some, WORD, 22)}.{chars(some, WORD, 43)}",
    "Twilio key": form("S" + "K", HEX, 32),
    "Telegram token": lambda some: f"{chars(some, '123456789', 10)}:A{'A'}{chars(some, WORD, 33)}",
    "OpenAI key": lambda some: f"sk-{chars(some, ALNUM, 20)}T3Blbk{'FJ'}{chars(some, ALNUM, 20)}",
    "Anthropic key": form("sk-" + "ant-api03-", WORD, 93, "AA"),
    "Hugging Face token": form("h" + "f_", string.ascii_letters, 34),
    "DigitalOcean token": form("dop" + "_v1_", HEX, 64),
    "Docker Hub token": form("dckr" + "_pat_", WORD, 27),
    "Vault token": form("hv" + "s.", WORD, 92),
    "Databricks token": form("dap" + "i", HEX, 32),
    "Shopify token": form("shp" + "at_", HEX, 32),
}
PLACES = (  # (language, file) with %s for the secret
    ("Python", "import requests\n\nTOKEN = '''%s'''\n\n\ndef fetch(url):\n    return requests.get(url, headers={'X-Auth': TOKEN})\n"),
    ("JavaScript", "const client = new Client({\n  // rotate this one day\n  auth: `%s`,\n});\n\nmodule.exports = client;\n"),
    ("Go", 'package main\n\nimport "os"\n\nfunc main() {\n\tos.Setenv("AUTH", `%s`)\n}\n'),
    ("Shell", '#!/bin/sh\nset -e\nAUTH="%s"\nexport AUTH\nexec ./serve --port 80\n'),
    ("Java", 'class Settings {\n    static final String AUTH = "%s";\n\n    String auth() {\n        return AUTH;\n    }\n}\n'),
    ("C", '#include <stdio.h>\n\n/* for testing: %s */\nint main(void) {\n    return puts("hello");\n}\n'),
)
NAMED: dict[str, tuple[Draw, tuple[tuple[str, str], ...]]] = {  # told by what stands beside them
    "AWS secret key": (
        lambda some: encoded(some, 30),
        (
            ("Python", 's3 = boto3.client(\n    "s3",\n    aws_secret_access_key="%s",\n)\n'),
            ("Shell", "export AWS_SECRET_ACCESS_KEY=%s\naws s3 ls\n"),
            ("Java", 'class S3 {\n    String secretKey = "%s";\n}\n'),
        ),
    ),
    "Azure storage key": (
        lambda some: encoded(some, 64),
        (("C#", 'var c = "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=%s;EndpointSuffix=core.windows.net";\n'),),
    ),
    "Heroku key": (
        lambda some: str(uuid.UUID(bytes=some.randbytes(16))),
        (("Shell", "export HEROKU_API_KEY=%s\n"), ("Ruby", 'heroku = Heroku.new(heroku_api_key: "%s")\n')),
    ),
    "key in hex": (
        form("", HEX, 40),
        (
            ("Python", 'api_key = "%s"\n\nclient = Client(api_key)\n'),
            ("JavaScript", 'export const config = { clientSecret: "%s", retries: 3 };\n'),
            ("PHP", "<?php\ndefine('API_KEY', '%s');\n"),
            ("Kotlin", 'val apiKey: String = "%s"\n'),
        ),
    ),
    "key of letters and digits": (
        form("", ALNUM, 32),
        (
            ("TypeScript", "const token: string = '%s';\n"),
            ("Go", 'var authToken = "%s"\n'),
            ("Jupyter Notebook", '# %%\nimport openweather\nACCESS_TOKEN = "%s"\nopenweather.login(ACCESS_TOKEN)\n'),
            ("Swift", 'let apiKey = "%s"\n'),
        ),
    ),
    "password of a URL": (
        chosen,
        (
            ("Python", 'engine = create_engine("postgresql://app:%s@db.corp.net:5432/app")\n'),
            ("Shell", "git clone https://deploy:%s@git.corp.net/shop.git\n"),
            ("JavaScript", "mongoose.connect('mongodb+srv://root:%s@cluster0.ab1cd.mongodb.net/shop');\n"),
        ),
    ),
    "password": (
        chosen,
        (
            ("Python", 'connection = connect(host="db", user="root", password="%s")\n'),
            ("Java", 'DataSource source() {\n    source.setPassword("%s");\n    return source;\n}\n'),
            ("PHP", "<?php\n$db['password'] = '%s';\n"),
            ("SQL", "CREATE USER shop WITH PASSWORD '%s';\n"),
            ("Shell", "export DB_PASSWORD=%s\n./migrate\n"),
            ("C#", 'var c = "Server=db;Database=shop;User Id=sa;" + Secret;\nstring password = "%s";\n'),
            ("Ruby", "config = { adapter: 'mysql2', :password => '%s' }\n"),
            ("Go", 'cfg := mysql.Config{User: "root", Passwd: "%s"}\n'),
        ),
    ),
    "password of curl": (chosen, (("Shell", "curl -s -u admin:%s https://api.corp.net/v1/jobs\n"),)),
}


def planted(each: int = 8, seed: int = 0) -> Iterator[Planted]:
    """`each` files of every kind."""
    some = random.Random(seed)
    kinds = {kind: (draw, PLACES) for kind, draw in FORMS.items()} | NAMED
    for kind, (draw, places) in kinds.items():
        for number in range(each):
            language, content = places[number % len(places)]
            secret = draw(some)
            yield Planted(kind, secret, language, content.replace("%s", secret))
