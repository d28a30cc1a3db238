"""Style sheet of the reports, light or dark as the reader prefers.

Colours are those of the operator's window (a test holds them together). On paper it is always
light, and nothing is torn apart between two pages.
"""

LIGHT = {
    "ground": "#ffffff", "panel": "#f3f5f7", "text": "#15191e", "dim": "#56606b",
    "line": "#7c8793", "accent": "#0067a3", "good": "#007a58", "bad": "#9c1a1a",
    "doubtful": "#8f5a00", "ink": "#ffffff",
}  # fmt: skip
DARK = {
    "ground": "#101418", "panel": "#181d23", "text": "#e8ebef", "dim": "#9aa5b1",
    "line": "#6b7683", "accent": "#56b4e9", "good": "#2bb88a", "bad": "#ff7a52",
    "doubtful": "#f0b429", "ink": "#101418",
}  # fmt: skip


def variables(colours: dict[str, str]) -> str:
    """Colours as CSS variables."""
    return "".join(f"--{name}:{value};" for name, value in colours.items())


STYLE = f"""
:root {{ color-scheme: light dark; {variables(LIGHT)} }}
@media screen and (prefers-color-scheme: dark) {{ :root {{ {variables(DARK)} }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: var(--ground); color: var(--text);
  font: 15px/1.55 Inter, "Noto Sans", "Segoe UI", system-ui, "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums; }}
main {{ max-width: 944px; margin: 0 auto; padding: 40px 32px 64px; }}
.dim {{ color: var(--dim); }}
.over {{ color: var(--dim); font-size: 13px; margin: 0; }}
h1 {{ font-size: 26px; line-height: 1.25; margin: 4px 0 2px; overflow-wrap: anywhere; }}
h2 {{ font-size: 18px; line-height: 1.3; margin: 52px 0 4px; }}
h3 {{ font-size: 15px; margin: 28px 0 6px; }}
p {{ margin: 6px 0 12px; max-width: 74ch; }}
h2 + p, h3 + p {{ color: var(--dim); }}
ul {{ margin: 6px 0 12px; padding-left: 20px; max-width: 74ch; }}
li {{ margin: 4px 0; }}
.headline {{ display: flex; flex-wrap: wrap; align-items: center; gap: 12px 36px; margin: 24px 0 0;
  padding: 22px 26px; background: var(--panel); border-radius: 10px;
  border-left: 6px solid var(--tone); }}
.headline .number {{ font-size: 50px; line-height: 1.05; font-weight: 700; color: var(--tone);
  white-space: nowrap; letter-spacing: -0.01em; }}
.headline .under {{ color: var(--dim); font-size: 13px; }}
.headline .words {{ flex: 1 1 340px; }}
.said {{ font-size: 16px; font-weight: 600; }}
.badge {{ display: inline-block; background: var(--tone); color: var(--ink); font-weight: 700;
  padding: 3px 13px 4px; border-radius: 20px; font-size: 15px; }}
.headline p {{ margin: 8px 0 0; }}
.good {{ --tone: var(--good); }} .bad {{ --tone: var(--bad); }}
.doubtful {{ --tone: var(--doubtful); }}
.figure {{ margin: 14px 0 4px; overflow-x: auto; }}
.pair {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(400px, 1fr)); gap: 0 48px; }}
.pair > div {{ min-width: 0; }}
svg {{ max-width: 100%; height: auto; display: block; font-size: 13px; }}
svg text {{ fill: var(--text); }} svg text.dim {{ fill: var(--dim); font-size: 12px; }}
svg text.strong {{ font-weight: 650; }} svg text.small {{ font-size: 11px; }}
svg text.high {{ fill: var(--ink); }}
svg text.halo {{ paint-order: stroke; stroke: var(--ground); stroke-width: 5px; }}
@media screen and (prefers-color-scheme: dark) {{ svg text.mid {{ fill: var(--ink); }} }}
svg .grid {{ stroke: var(--line); stroke-opacity: 0.28; }}
svg .chance {{ stroke: var(--text); stroke-width: 1.3; stroke-dasharray: 5 4; fill: none; }}
svg .whisker {{ stroke: var(--accent); stroke-width: 2; stroke-opacity: 0.65; }}
svg .mark {{ fill: var(--accent); stroke: var(--accent); stroke-width: 2; }}
svg .hollow {{ fill: var(--ground); }}
svg .band {{ fill: var(--panel); }}
svg .ground {{ fill: var(--panel); }} svg .cell {{ fill: var(--accent); }}
svg .diagonal {{ stroke: var(--text); stroke-width: 1.2; }}
svg .tick {{ stroke: var(--text); stroke-width: 1.5; }}
.table {{ overflow-x: auto; margin: 10px 0 6px; }}
table {{ border-collapse: collapse; font-size: 14px; min-width: 62%; }}
table.wide {{ width: 100%; }}
th, td {{ text-align: right; padding: 6px 14px 6px 0; vertical-align: top; white-space: nowrap;
  border-bottom: 1px solid color-mix(in srgb, var(--line) 32%, transparent); }}
th {{ color: var(--dim); font-weight: 600; font-size: 12.5px; border-bottom-color: var(--line); }}
th:first-child, td:first-child, .words-cell {{ text-align: left; }}
td:last-child, th:last-child {{ padding-right: 0; }}
td.words-cell {{ white-space: normal; min-width: 200px; }}
td.words-cell:last-child {{ min-width: 100px; width: 16%; }}
td .sub {{ margin-left: 8px; color: var(--dim); font-size: 12px; }}
td b {{ font-weight: 650; }}
.stack .sub {{ display: block; }}
.pass {{ color: var(--good); }} .fail {{ color: var(--bad); font-weight: 650; }}
footer {{ margin-top: 56px; padding-top: 14px; color: var(--dim); font-size: 13px;
  border-top: 1px solid color-mix(in srgb, var(--line) 40%, transparent); }}
footer p {{ overflow-wrap: anywhere; }}
@media screen and (max-width: 900px) {{ .dots svg, .dots svg text.dim {{ font-size: 15px; }}
  table.wide {{ font-size: 13px; }} table.wide th, table.wide td {{ padding-right: 8px; }}
  table.wide th, table.wide td:first-child {{ white-space: normal; }} }}
@media (max-width: 640px) {{ main {{ padding: 24px 16px 40px; }} .pair {{ display: block; }}
  .figure svg {{ min-width: 620px; }} .pair svg {{ min-width: 0; }}
  .headline {{ padding: 18px; }} }}
@media print {{ main {{ max-width: none; padding: 0; }} body {{ font-size: 11pt; }}
  h2 {{ margin-top: 24pt; }} h2, h3, h2 + p, h3 + p {{ break-after: avoid; }}
  .figure, .headline, tr, li {{ break-inside: avoid; }}
  * {{ -webkit-print-color-adjust: exact; print-color-adjust: exact; }}
  .table, .figure {{ overflow: visible; }} }}
"""
