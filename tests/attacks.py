"""Names that attack whatever shows them: pages, terminals, tables, figures, folders."""

from __future__ import annotations

AWAY = "http://attack.invalid"
ATTACKS = {
    "script": "</script><script>alert('script')</script>",
    "image": f"<img src={AWAY}/a.png onerror=alert('image')>",
    "drawing": "<svg/onload=alert('drawing')><text></svg>",
    "style": f"</style><style>@import '{AWAY}/a.css'; body {{ background: url({AWAY}/b.png) }}</style>",
    "closing": f"</title></td></p></svg></details></textarea><iframe src={AWAY}></iframe>",
    "double quote": '" onmouseover="alert(\'double\')" autofocus onfocus="alert(\'focus\')" x="',
    "single quote": "' onclick='alert(1)' x='",
    "link": "<a href=javascript:alert('link') id=strips>javascript:alert('link')</a>",
    "refresh": f"<meta http-equiv=refresh content='0;url={AWAY}'><base href={AWAY}>",
    "form": f"<form action={AWAY}><button>send</button><input type=radio name=view value='<b>'></form>",
    "template": "{{7*7}}{% for x in y %}${7*7}#{7*7}",
    "mathematics": "$\\frac{$ \\undefined{ $x^2$",
    "comment": "<!-- ]]> <![CDATA[ --!>",
    "entity": "&lt;script&gt;alert(1)&#60;/script&#62;",
    "escape": "\x1b[31mred\x1b]0;title\x07\x9b2J\r",
    "null": "no\x00thing",
    "direction": "gnp\u202e.exe\u2066",
    "formula": '=HYPERLINK("http://attack.invalid")',
    "parent": "../../../../attack",
}
EVIL = " ".join(ATTACKS.values())
UNDECODABLE = EVIL + "\udcff"
"""What Python makes of a file name whose bytes are no UTF-8."""
