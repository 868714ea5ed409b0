/* Mean ranks as a row of places each, and cross-scale metrics as heat maps. */

function startRanks() {
  const select = byId("r-group");
  if (!select) return;
  const name = (r) => `${r.dataset} · ${metricName(r.metric)} · ${r.protocol} (${r.scales.map(times).join(", ")})`;
  fill(select, DATA.rankings.map((ranking, place) => [place, name(ranking)]));
  const show = () => byId("ranks-table").replaceChildren(rankList(DATA.rankings[select.value]));
  select.addEventListener("change", show);
  show();
}

function rankList(ranking) {
  const last = Math.max(2, ...ranking.rows.map((row) => row.high || 0));
  const at = (rank) => `${(100 * (rank - 1)) / (last - 1)}%`;
  const rows = ranking.rows.map((row) => {
    const track = make("div", { class: "rank-track", "aria-hidden": "true" });
    if (row.mean !== null) {
      track.append(
        make("div", { class: "rank-range", style: `left:${at(row.low)};width:calc(${at(row.high)} - ${at(row.low)})` }),
        make("div", { class: "rank-dot", style: `left:${at(row.mean)}` }),
      );
    }
    const text = row.mean === null ? `${row.cells}/${row.of}` : row.mean.toFixed(2);
    return make("li", { class: "rank-row" },
      make("span", { class: "rank-name", text: DATA.cards[row.card].display }), track, make("span", { class: "rank-text", text }));
  });
  return make("ol", { style: "list-style:none;padding:0;margin:0" }, ...rows);
}

function startMatrices() {
  const select = byId("m-group");
  if (!select) return;
  const key = (m) => `${m.dataset} · ${metricName(m.metric)} (${DATA.cards[m.card].kind}${DATA.cards[m.card].kind === "reported" ? ": " + DATA.cards[m.card].source : ""})`;
  fill(select, unique(DATA.matrices.map(key)).map((text) => [text, text]));
  const show = () => {
    const own = DATA.matrices.filter((m) => key(m) === select.value);
    byId("matrices").replaceChildren(...own.map((m) => heatMap(m, own)));
  };
  select.addEventListener("change", show);
  show();
}

function heatMap(matrix, all) {
  const values = all.flatMap((m) => m.values.flat()).filter((v) => v !== null && Number.isFinite(v));
  const low = Math.min(...values);
  const high = Math.max(...values);
  const better = (DATA.metrics[matrix.metric] || {}).direction === "lower" ? (v) => (high - v) / (high - low || 1) : (v) => (v - low) / (high - low || 1);
  const head = make("tr", {}, make("td", { text: "of \\ with", class: "own" }), ...matrix.references.map((s) => make("th", { scope: "col", text: times(s) })));
  const rows = matrix.values.map((row, place) => make("tr", {},
    make("th", { scope: "row", text: times(matrix.scales[place]) }),
    ...row.map((value, column) => {
      if (value === null) return make("td", { class: "own", text: matrix.references[column] === matrix.scales[place] ? "·" : "–" });
      return make("td", { text: fixed(value, matrix.metric), style: `background:color-mix(in srgb, var(--heat) ${(6 + 34 * Math.min(1, Math.max(0, better(value)))).toFixed(1)}%, transparent)` });
    })));
  return make("table", { class: "matrix" }, make("caption", { text: DATA.cards[matrix.card].display, title: DATA.cards[matrix.card].display }), make("thead", {}, head), make("tbody", {}, ...rows));
}
