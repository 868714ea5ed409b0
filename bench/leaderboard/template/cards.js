/* The card of a method and of one of its numbers, in a dialog. */

function factsList(facts) {
  const parts = [];
  for (const [heading, text] of facts) {
    if (text === "" || text === null || text === undefined) continue;
    parts.push(make("dt", { text: heading }), make("dd", typeof text === "string" ? { text } : {}, ...(typeof text === "string" ? [] : [text])));
  }
  return make("dl", { class: "facts" }, ...parts);
}

function showCard(entry) {
  const card = entry.method;
  byId("card-title").textContent = card.display;
  const tokens = make("span", { class: "tokens" }, ...entry.signature.split("|").filter(Boolean).map((token) => make("code", { text: token })));
  const interval = entry.low === null ? "" : `${fixed(entry.low, entry.metric)} to ${fixed(entry.high, entry.metric)} (95 %, over images)`;
  const number = factsList([
    ["Number", `${metricName(entry.metric)} ${entry.text} on ${entry.dataset} at ${times(entry.scale)}`],
    ["Seeds", entry.kind === "reported" ? "" : entry.seeds + (entry.sd === null ? "" : `, sd ${entry.sd.toPrecision(3)}`)],
    ["Interval", interval],
    ["Images", entry.expected ? `${entry.n} of ${entry.expected}` : ""],
    ["Rank", entry.rank === null ? "none" : `${entry.rank} of ${entry.of}`],
    ["Protocol", entry.protocol],
    ["Printed in", entry.table],
    ["Signature", entry.signature ? tokens : "not stated"],
    ["Time per image", seconds(entry.seconds)],
    ["Contamination", entry.contaminated || (entry.seen === "unknown" ? "unknown: nobody says what it was trained on" : "none known")],
    ["Note", entry.note],
  ]);
  const method = factsList([
    ["About", card.summary],
    ["Paper", card.paper],
    ["Licence", card.licence],
    ["Address", card.url],
    ["Source", `${card.kind}: ${card.source}`],
    ["Parameters", card.parameters === null ? "" : card.parameters.toLocaleString("en")],
    ["Trained at", card.train_scales ? `×${card.train_scales[0]} to ×${card.train_scales[1]}` : ""],
    ["Trained on", (card.train_sets || []).join(", ")],
    ["Trained by", card.minimised.map(metricName).join(", ")],
    ["Hardware", card.hardware],
    ["Notes", card.notes.join(" ")],
  ]);
  const parts = [make("h3", { text: "This number" }), number, make("h3", { text: "The method" }), method];
  const weights = Object.entries(card.weights);
  if (weights.length) parts.push(make("h3", { text: "Weights" }), factsList(weights));
  byId("card-body").replaceChildren(...parts);
  byId("card").showModal();
  byId("card").scrollTop = 0;
}

function startCards() {
  byId("card-close").addEventListener("click", () => byId("card").close());
  byId("card").addEventListener("click", (event) => {
    if (event.target === byId("card")) byId("card").close();
  });
}
