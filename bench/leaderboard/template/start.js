/* Start the parts in the order of the page; the theme redraws what has colours of its own. */

const THEMES = ["auto", "light", "dark"];

function startTheme(redraw) {
  const root = document.documentElement;
  const name = () => (THEMES.includes(root.dataset.theme) ? root.dataset.theme : "auto");
  const label = () => { byId("theme").textContent = "Theme: " + name(); };
  byId("theme").addEventListener("click", () => {
    root.dataset.theme = THEMES[(THEMES.indexOf(name()) + 1) % THEMES.length];
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* a browser may keep nothing for files */ }
    label();
    redraw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  label();
}

startTable();
startCards();
startCopy();
startTheme(startPlots());
startRanks();
startMatrices();
startViewer();
document.documentElement.dataset.ready = "true";
