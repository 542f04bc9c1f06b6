"""The style sheet of the page. It supports light and dark mode, and narrow screens."""

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --card: #f5f7f9; --ink: #1b1f24; --muted: #5b6470; --grid: #dfe3e8;
  --wave: #8793a1; --speech: #3b4754; --link: #0072b2; --plain: #f4f5f7; --hatch: #5b6470; --cursor: #c4001a;
  --warn: #694b00; --on-warn: #fff4d6; --here: #e8f1f8; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --card: #1d2226; --ink: #e8eaed; --muted: #a6aeb8;
  --grid: #343b42; --wave: #7b8794; --speech: #c3cad2; --link: #7cc0f2; --plain: #2a3036; --hatch: #a6aeb8;
  --cursor: #ff6b7d; --warn: #ffd98a; --on-warn: #40300a; --here: #1d3140; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.25rem clamp(1rem, 4vw, 2.5rem) 4rem; max-width: 76rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
h1 { margin: 0 0 .25rem; font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 .5rem; font-size: 1.2rem; }
p { margin: .4rem 0; max-width: 50rem; }
a { color: var(--link); }
.note { color: var(--muted); font-size: .875rem; }
.limits { display: inline-block; margin: .5rem 0 0; padding: .35rem .75rem; border-left: .3rem solid;
  border-radius: .4rem; background: var(--on-warn); color: var(--warn); font-size: .925rem; }
audio { display: block; width: 100%; margin: 1rem 0 .25rem; }
.tools { display: flex; align-items: center; gap: .4rem; margin: 1rem 0 .4rem; }
.tools #time { margin-left: auto; font-variant-numeric: tabular-nums; font-weight: 600; white-space: nowrap; }
button { min-width: 2.25rem; min-height: 2.25rem; padding: .2rem .7rem; border: 1px solid var(--grid);
  border-radius: .4rem; background: var(--card); color: var(--ink); font: inherit; cursor: pointer; }
button:hover:not(:disabled) { border-color: var(--muted); }
button:disabled { color: var(--muted); opacity: .55; cursor: default; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.scroll { position: relative; overflow-x: auto; overflow-y: hidden; border: 1px solid var(--grid); border-radius: .4rem;
  cursor: crosshair; touch-action: pan-x pan-y; }
.scroll.fitted { overflow-x: hidden; touch-action: pan-y; }
.spacer { position: relative; min-width: 100%; }
canvas { position: sticky; left: 0; display: block; }
.cursor { position: absolute; top: 0; bottom: 0; left: 0; width: 2px; margin-left: -1px; background: var(--cursor);
  pointer-events: none; }
.cursor::before { content: ""; position: absolute; top: 0; left: -4px; border: 5px solid transparent;
  border-top-color: var(--cursor); }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1rem; margin: .6rem 0; padding: 0; list-style: none;
  font-size: .9rem; }
.swatch { display: inline-block; width: .8em; height: .8em; margin-right: .4em; border-radius: .15em;
  vertical-align: -.05em; box-shadow: inset 0 0 0 1px color-mix(in srgb, var(--ink) 25%, transparent); }
.hatched { background: repeating-linear-gradient(135deg, var(--plain) 0 2px, var(--hatch) 2px 3px); }
.now { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: .75rem;
  margin-top: .75rem; }
.now > div { padding: .6rem .9rem .75rem; border-radius: .5rem; background: var(--card); }
.now h3 { margin: 0 0 .3rem; font-size: 1rem; }
.now small { color: var(--muted); font-weight: 400; font-size: .875rem; }
.meters { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); gap: .1rem 1.5rem;
  margin: 0; padding: 0; list-style: none; }
.meters li { display: grid; grid-template-columns: 6.5rem 1fr 3.2rem; align-items: center; gap: .5rem;
  font-size: .9rem; }
.meters li > :first-child { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.meters i { display: block; height: .75rem; border-radius: .15rem; overflow: hidden;
  background: color-mix(in srgb, var(--ink) 7%, transparent); }
.meters b { display: block; height: 100%; width: 0; border-radius: .15rem;
  box-shadow: inset 0 0 0 1px color-mix(in srgb, var(--ink) 25%, transparent); }
.meters span:last-child { text-align: right; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .925rem; }
th, td { padding: .2rem .75rem .2rem 0; border-bottom: 1px solid var(--grid); text-align: left; white-space: nowrap; }
thead th { color: var(--muted); font-weight: 600; font-size: .85rem; }
tbody tr { cursor: pointer; }
tbody tr:hover { background: var(--card); }
tbody tr[aria-current] { background: var(--here); }
td button { min-height: 1.9rem; padding: .05rem .6rem; }
@media (max-width: 30rem) { table { font-size: .85rem; } thead th { font-size: .8rem; } th, td { padding-right: .4rem; }
  td:last-child { white-space: normal; } td button { padding: .05rem .35rem; } .tools { flex-wrap: wrap; } }
@media print { .tools, audio, .keys, #more { display: none; } }
"""
