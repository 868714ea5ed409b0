/* What the filters leave, as CSV or as a LaTeX table, on the clipboard. */

const CSV_COLUMNS = ["kind", "source", "table", "method", "dataset", "scale", "metric", "value", "text", "n", "expected", "seeds", "rank", "of", "signature", "protocol", "seen", "contaminated", "note"];
/** A text as a cell: a spreadsheet runs what begins with =, +, - or @, so that gets a ' before it, as in leaderboard.csv. */
const shielded = (text) => (/^'*[=+\-@\t\r]/.test(text) && text !== "-" && Number.isNaN(Number(text)) ? "'" + text : text);
const quoteCsv = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
/** A value as leaderboard.csv has it. */
function csvCell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : value > 0 ? "inf" : "-inf";
  return quoteCsv(shielded(String(value)));
}

function asCsv(entries) {
  const lines = entries.map((entry) => {
    const own = { ...entry, method: entry.method.display, source: entry.method.source };
    return CSV_COLUMNS.map((name) => csvCell(own[name])).join(",");
  });
  return [CSV_COLUMNS.join(","), ...lines].join("\n") + "\n";
}

const LATEX = { "\\": "\\textbackslash{}", "{": "\\{", "}": "\\}", "$": "\\$", "&": "\\&", "#": "\\#", "_": "\\_", "%": "\\%", "^": "\\textasciicircum{}", "~": "\\textasciitilde{}", "|": "\\textbar{}", "<": "\\textless{}", ">": "\\textgreater{}", "×": "$\\times$", "↑": "$\\uparrow$", "↓": "$\\downarrow$", "∞": "$\\infty$", "±": "$\\pm$", "†": "\\dag{}", "‡": "\\ddag{}" };
const latex = (text) => String(text).replace(/[\\{}$&#_%^~|<>×↑↓∞±†‡]/g, (sign) => LATEX[sign]);

/** Methods by columns of one dataset, scale, metric and signature; ranks are never mixed, so each has its own column. */
function asLatex(entries) {
  const columns = new Map();
  for (const entry of entries) {
    const key = JSON.stringify([entry.dataset, entry.metric, entry.scale, entry.how, entry.expected]);
    if (!columns.has(key)) columns.set(key, entry);
  }
  const keys = [...columns.keys()];
  const methods = unique(entries.map((entry) => entry.card));
  const cells = new Map(entries.map((entry) => [JSON.stringify([entry.dataset, entry.metric, entry.scale, entry.how, entry.expected]) + entry.card, entry]));
  const heads = keys.map((key) => {
    const entry = columns.get(key);
    return `\\shortstack{${latex(entry.dataset)}\\\\${latex(metricName(entry.metric) + arrow(entry.metric))} ${latex(times(entry.scale))}}`;
  });
  const lines = methods.map((card) => {
    const texts = keys.map((key) => {
      const entry = cells.get(key + card);
      if (!entry) return "--";
      return (entry.rank === 1 ? `\\textbf{${latex(entry.text)}}` : latex(entry.text)) + latex(marksOf(entry));
    });
    // braces: a name that begins with "[" would be read as an argument of the line break before it
    return `{}${latex(DATA.cards[card].display)} & ${texts.join(" & ")} \\\\`;
  });
  const signatures = unique(entries.map((entry) => entry.signature).filter(Boolean));
  return [
    ...signatures.map((text) => `% ${text.replace(/\s+/g, " ")}`),
    `\\begin{tabular}{l${"r".repeat(keys.length)}}`,
    "\\toprule",
    `Method & ${heads.join(" & ")} \\\\`,
    "\\midrule",
    ...lines,
    "\\bottomrule",
    "\\end{tabular}",
    "",
  ].join("\n");
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = make("textarea", { "aria-hidden": "true", style: "position:fixed;left:-100rem" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say(`Copied ${what}`);
}

function startCopy() {
  byId("copy-csv").addEventListener("click", () => copy(asCsv(shownEntries()), "the rows as CSV"));
  byId("copy-latex").addEventListener("click", () => copy(asLatex(shownEntries()), "a LaTeX table"));
}
