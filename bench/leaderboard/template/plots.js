/* Perception against distortion, and metrics over scale; drawn when they first come near the screen. */

const COLOURS = { light: ["#0072b2", "#c04a00", "#007a5a", "#a0408c", "#8a6d00", "#2f6f8f", "#7a4a2a", "#555555"], dark: ["#56b4e9", "#ff9955", "#3fc79a", "#e58fce", "#e8d04c", "#9ad0e6", "#d2a679", "#bbbbbb"] };
const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "x", "star", "triangle-down"];
const DASHES = ["solid", "dash", "dot", "dashdot"];
const isDark = () => {
  const theme = document.documentElement.dataset.theme;
  return theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
};

/** A colour of the style sheet as it is in force. */
function token(name) {
  const probe = make("span", { style: `color:var(${name});display:none` });
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

/** Entries that a plot may show together: one dataset under one protocol, or in one printed table. */
function plotGroups() {
  const groups = new Map();
  for (const entry of ENTRIES) {
    if (entry.value === null || entry.scale === null || !Number.isFinite(entry.value)) continue;
    const key = JSON.stringify([entry.dataset, entry.how, entry.expected, entry.kind]);
    const images = entry.expected ? `, ${entry.expected} image${entry.expected > 1 ? "s" : ""}` : "";
    if (!groups.has(key)) groups.set(key, { name: `${entry.dataset} · ${entry.how}${images} (${entry.kind})`, entries: [] });
    groups.get(key).entries.push(entry);
  }
  return [...groups.values()];
}

function look(place) {
  const colours = COLOURS[isDark() ? "dark" : "light"];
  return { colour: colours[place % colours.length], symbol: SYMBOLS[Math.floor(place / colours.length + place) % SYMBOLS.length], dash: DASHES[Math.floor(place / colours.length) % DASHES.length] };
}

function layout(x, y) {
  const axis = (title, extra) => ({ ...extra, title: { text: title }, gridcolor: token("--line"), zerolinecolor: token("--line"), linecolor: token("--soft"), automargin: true });
  const narrow = innerWidth < 700;
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: token("--ink"), family: getComputedStyle(document.body).fontFamily, size: 13 },
    margin: { l: 60, r: 20, t: 20, b: 50 },
    xaxis: axis(x.title, x), yaxis: axis(y.title, y),
    legend: narrow ? { orientation: "h", y: -0.25 } : { x: 1.02, y: 1 },
    hovermode: "closest", hoverlabel: { bgcolor: token("--raised"), bordercolor: token("--line"), font: { color: token("--ink") } },
    showlegend: true, shapes: [], annotations: [],
  };
}

const draw = (id, traces, shape) => Plotly.react(id, traces, shape, { displayModeBar: false, responsive: true });

/** One metric of one entry per method and scale; a second signature of the same is a method line of its own. */
function lines(entries, metric) {
  const found = new Map();
  for (const entry of entries) {
    if (entry.metric !== metric) continue;
    const key = entry.card;
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(entry);
  }
  for (const own of found.values()) own.sort((a, b) => scaleOrder(a.scale) - scaleOrder(b.scale));
  return found;
}

function startTradeoff(groups) {
  const [group, scale, across, up] = ["t-group", "t-scale", "t-x", "t-y"].map(byId);
  const two = groups.filter((one) => unique(one.entries.map((e) => e.metric)).length > 1);
  fill(group, two.map((one, place) => [place, one.name]));
  let seen = false;
  const show = () => seen && two.length && drawTradeoff(two[group.value].entries, scale.value, across.value, up.value);
  const choose = () => {
    if (!two.length) return;
    const entries = two[group.value].entries;
    const metrics = unique(entries.map((e) => e.metric));
    const first = metrics.find((m) => (DATA.metrics[m] || {}).direction === "higher") || metrics[0];
    const second = metrics.find((m) => m !== first && (DATA.metrics[m] || {}).direction === "lower") || metrics.find((m) => m !== first);
    const named = metrics.map((m) => [m, metricName(m)]);
    fill(across, named, metrics.includes(across.value) ? across.value : first);
    fill(up, named, metrics.includes(up.value) ? up.value : second);
    fill(scale, [["", "all"], ...unique(entries.map((e) => e.scale)).sort((a, b) => scaleOrder(a) - scaleOrder(b)).map((s) => [s, times(s)])]);
    show();
  };
  group.addEventListener("change", choose);
  [scale, across, up].forEach((one) => one.addEventListener("change", show));
  choose();
  whenSeen(byId("tradeoff-plot"), () => { seen = true; show(); });
  return show;
}

function drawTradeoff(entries, scale, xName, yName) {
  const kept = entries.filter((e) => !scale || String(e.scale) === scale);
  const xs = lines(kept, xName);
  const ys = lines(kept, yName);
  const rows = [];
  const traces = [...xs.keys()].filter((card) => ys.has(card)).map((card, place) => {
    const pairs = xs.get(card).map((a) => [a, ys.get(card).find((b) => b.scale === a.scale)]).filter(([, b]) => b);
    pairs.forEach(([a, b]) => rows.push([DATA.cards[card].display, times(a.scale), a.text, b.text]));
    const own = look(place);
    return {
      name: DATA.cards[card].display, x: pairs.map(([a]) => a.value), y: pairs.map(([, b]) => b.value),
      text: pairs.map(([a]) => times(a.scale)), mode: scale ? "markers" : "lines+markers+text", textposition: "top center", textfont: { size: 11 },
      marker: { size: 11, color: own.colour, symbol: own.symbol }, line: { color: own.colour, width: 1, dash: own.dash },
      hovertemplate: `%{text}: ${metricName(xName)} %{x}, ${metricName(yName)} %{y}<extra>${escapeHtml(DATA.cards[card].display)}</extra>`,
    };
  });
  const reversed = (name) => ((DATA.metrics[name] || {}).direction === "lower" ? "reversed" : true);
  const shape = layout({ title: metricName(xName) + arrow(xName), autorange: reversed(xName) }, { title: metricName(yName) + arrow(yName), autorange: reversed(yName) });
  draw("tradeoff-plot", traces, shape);
  byId("tradeoff-numbers").replaceChildren(numbersTable(["Method", "Scale", metricName(xName), metricName(yName)], rows));
}

function startCurves(every) {
  const groups = every.filter((one) => one.entries.some((e) => typeof e.scale === "number"));
  const [group, metric, bands] = ["c-group", "c-metric", "c-bands"].map(byId);
  fill(group, groups.map((one, place) => [place, one.name]));
  let seen = false;
  const show = () => seen && groups.length && drawCurves(groups[group.value].entries, metric.value, bands.value);
  const choose = () => {
    if (!groups.length) return;
    const entries = groups[group.value].entries;
    fill(metric, unique(entries.map((e) => e.metric)).map((m) => [m, metricName(m)]));
    const sure = unique(entries.filter((e) => e.low !== null).map((e) => e.card));
    fill(bands, [...sure.map((card) => [card, DATA.cards[card].display]), ["all", "all methods"], ["none", "none"]]);
    show();
  };
  group.addEventListener("change", choose);
  [metric, bands].forEach((one) => one.addEventListener("change", show));
  choose();
  whenSeen(byId("curves-plot"), () => { seen = true; show(); });
  return show;
}

function drawCurves(all, metric, bands) {
  // a scale of one factor per axis has no place on an axis of one
  const entries = all.filter((e) => typeof e.scale === "number");
  const traces = [];
  const rows = [];
  const ranges = new Map();
  [...lines(entries, metric)].forEach(([card, own], place) => {
    const name = DATA.cards[card].display;
    const { colour, symbol, dash } = look(place);
    const sure = own.filter((e) => e.low !== null);
    if ((bands === "all" || bands === String(card)) && sure.length > 1) {
      traces.push({
        x: [...sure.map((e) => e.scale), ...sure.map((e) => e.scale).reverse()], y: [...sure.map((e) => e.high), ...sure.map((e) => e.low).reverse()],
        mode: "lines", fill: "toself", fillcolor: colour + "2b", line: { width: 0 }, hoverinfo: "skip", showlegend: false, legendgroup: name, name,
      });
    }
    traces.push({
      name, legendgroup: name, x: own.map((e) => e.scale), y: own.map((e) => e.value), mode: "lines+markers",
      marker: { color: colour, symbol, size: 8 }, line: { color: colour, dash, width: 2 },
      hovertemplate: `×%{x}: %{y}<extra>${escapeHtml(name)}</extra>`,
    });
    own.forEach((e) => rows.push([name, times(e.scale), e.text, e.low === null ? "" : fixed(e.low, metric), e.low === null ? "" : fixed(e.high, metric)]));
    const range = DATA.cards[card].train_scales;
    if (range) ranges.set(String(range), [...(ranges.get(String(range)) || []), name]);
  });
  const scales = unique(entries.map((e) => e.scale)).sort((a, b) => a - b);
  const pad = 1.12;
  const shape = layout(
    { title: "Scale", type: "log", tickvals: scales, ticktext: scales.map(times), range: [Math.log10(scales[0] / pad), Math.log10(scales[scales.length - 1] * pad)] },
    { title: metricName(metric) + arrow(metric) },
  );
  for (const [range] of ranges) {
    const [low, high] = range.split(",").map(Number);
    shape.shapes.push({ type: "rect", xref: "x", yref: "paper", x0: Math.max(low, scales[0] / pad), x1: high, y0: 0, y1: 1, fillcolor: token("--accent"), opacity: 0.08, line: { width: 0 }, layer: "below" });
  }
  draw("curves-plot", traces, shape);
  byId("curves-note").textContent = [...ranges].map(([range, names]) => `Shaded: ×${range.replace(",", " to ×")}, the training range of ${names.join(", ")}.`).join(" ");
  byId("curves-numbers").replaceChildren(numbersTable(["Method", "Scale", metricName(metric), "95 % from", "to"], rows));
}

function startPlots() {
  const groups = plotGroups();
  const again = [startTradeoff(groups), startCurves(groups)];
  return () => again.forEach((show) => show());
}
