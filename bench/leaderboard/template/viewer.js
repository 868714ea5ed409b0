/* Images of the methods: a slider between two, all zoomed together, or their error maps. */

const VIEWER = { mode: "slider", zooms: [], leading: null };

function startViewer() {
  if (!DATA.scenes.length) return;
  const names = unique(DATA.scenes.map((scene) => JSON.stringify([scene.dataset, scene.image])));
  fill(byId("v-image"), names.map((name) => [name, JSON.parse(name).reverse().join(" · ")]));
  byId("v-image").addEventListener("change", chooseScale);
  byId("v-scale").addEventListener("change", chooseSides);
  byId("v-left").addEventListener("change", showScene);
  byId("v-right").addEventListener("change", showScene);
  document.querySelectorAll(".modes button").forEach((button) => button.addEventListener("click", () => {
    VIEWER.mode = button.dataset.mode;
    document.querySelectorAll(".modes button").forEach((b) => b.setAttribute("aria-pressed", String(b === button)));
    showScene();
  }));
  fillScale();
  fillSides();
  whenSeen(byId("images"), showScene);
}

const scenesOfImage = () => DATA.scenes.filter((scene) => JSON.stringify([scene.dataset, scene.image]) === byId("v-image").value);
const scene = () => scenesOfImage()[byId("v-scale").value];

function fillScale() {
  const own = scenesOfImage();
  fill(byId("v-scale"), own.map((one, place) => [place, times(one.scale)]), byId("v-scale").value || String(Math.min(1, own.length - 1)));
}

function chooseScale() {
  fillScale();
  chooseSides();
}

/** What may stand on a side: the methods, HR and LR. */
function sides(one) {
  const shots = one.shots.map((shot) => ({ key: "m" + shot.card, name: DATA.cards[shot.card].display, path: shot.path, error: shot.error, thumbnail: shot.thumbnail }));
  const given = [["hr", "HR (reference)"], ["lr", "LR (input)"]].filter(([key]) => one[key]);
  return [...shots, ...given.map(([key, name]) => ({ key, name, path: one[key], error: "", thumbnail: null }))];
}

function fillSides() {
  const all = sides(scene());
  const choices = all.map((side) => [side.key, side.name]);
  const methods = all.filter((side) => side.thumbnail);
  const keep = (id, otherwise) => (all.some((side) => side.key === byId(id).value) ? byId(id).value : otherwise);
  fill(byId("v-left"), choices, keep("v-left", scene().lr ? "lr" : methods[0].key));
  fill(byId("v-right"), choices, keep("v-right", methods[methods.length - 1].key));
  byId("v-thumbs").replaceChildren(...methods.map((side) => make("button", {
    type: "button", "data-side": side.key, onclick: () => { byId("v-right").value = side.key; showScene(); },
  }, make("img", { src: side.thumbnail, alt: "" }), make("span", { text: side.name }))));
}

function chooseSides() {
  fillSides();
  showScene();
}

function closeZooms() {
  VIEWER.zooms.forEach((zoom) => zoom.destroy());
  VIEWER.zooms = [];
}

function showScene() {
  closeZooms();
  const one = scene();
  const all = sides(one);
  document.querySelectorAll("#v-thumbs button").forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.side === byId("v-right").value)));
  const show = { slider: showSlider, zoom: showZoom, errors: showErrors }[VIEWER.mode];
  show(one, all);
}

const picture = (side, one, extra = {}) => make("img", { src: side.path, alt: `${one.image} at ${times(one.scale)}: ${side.name}`, width: one.size[1], height: one.size[0], class: side.key === "lr" ? "lr" : null, ...extra });

function showSlider(one, all) {
  const [left, right] = ["v-left", "v-right"].map((id) => all.find((side) => side.key === byId(id).value));
  const slider = make("img-comparison-slider", { tabindex: "0", role: "group", "aria-label": `Slider between ${left.name} and ${right.name}; arrow keys move it`, style: `aspect-ratio:${one.size[1]}/${one.size[0]}` },
    picture(left, one, { slot: "first" }), picture(right, one, { slot: "second" }));
  const heads = make("div", { class: "sides" }, make("span", { text: "◀ " + left.name }), make("span", { text: right.name + " ▶" }));
  byId("viewer").replaceChildren(make("div", { class: "slider-box" }, heads, slider));
  byId("v-note").textContent = `${one.image} of ${one.dataset} at ${times(one.scale)}, ${one.size[1]} × ${one.size[0]} pixels. Drag, or use the arrow keys.`;
}

function showErrors(one, all) {
  const maps = all.filter((side) => side.error);
  const figures = maps.map((side) => make("figure", { class: "panel" }, picture({ ...side, path: side.error, name: "error of " + side.name }, one), make("figcaption", { text: side.name })));
  byId("viewer").replaceChildren(make("div", { class: "panels" }, ...figures));
  byId("v-note").textContent = maps.length ? "Absolute difference from HR, mean over channels: black is none, white 20 % of the range or more." : "No error maps: the reference could not be made again.";
}

function showZoom(one, all) {
  const panels = all.map((side) => {
    const box = make("div", { class: "zoom", style: `aspect-ratio:${one.size[1]}/${one.size[0]}` });
    return { side, box, figure: make("figure", { class: "panel" }, box, make("figcaption", { text: side.name })) };
  });
  const button = (label, text, work) => make("button", { type: "button", "aria-label": label, text, onclick: work });
  const every = (work) => () => { if (VIEWER.zooms[0]) work(VIEWER.zooms[0].viewport); };
  const buttons = make("div", { class: "zoom-buttons", role: "group", "aria-label": "Zoom of all panels" },
    button("Zoom in", "+", every((v) => v.zoomBy(1.6).applyConstraints())),
    button("Zoom out", "−", every((v) => v.zoomBy(1 / 1.6).applyConstraints())),
    button("Whole image", "Whole", every((v) => v.goHome())));
  byId("viewer").replaceChildren(buttons, make("div", { class: "panels" }, ...panels.map((panel) => panel.figure)));
  VIEWER.zooms = panels.map((panel) => openZoom(panel.box, panel.side));
  byId("v-note").textContent = "Scroll, pinch or drag in any panel; with the keyboard + − 0 and the arrows in a focused one.";
}

function openZoom(box, side) {
  const zoom = OpenSeadragon({
    element: box, tileSources: { type: "image", url: side.path, buildPyramid: false }, drawer: "canvas", showNavigationControl: false,
    imageSmoothingEnabled: false, maxZoomPixelRatio: 24, animationTime: 0.25, visibilityRatio: 1, constrainDuringPan: true, gestureSettingsMouse: { clickToZoom: false },
  });
  zoom.canvas.setAttribute("aria-label", `${side.name}, zoomable`);
  zoom.canvas.setAttribute("role", "application");
  const follow = () => {
    if (VIEWER.leading) return;
    VIEWER.leading = zoom;
    const viewport = zoom.viewport;
    VIEWER.zooms.forEach((other) => {
      if (other === zoom || !other.isOpen()) return;
      other.viewport.zoomTo(viewport.getZoom(), null, false);
      other.viewport.panTo(viewport.getCenter(), false);
    });
    VIEWER.leading = null;
  };
  zoom.addHandler("zoom", follow);
  zoom.addHandler("pan", follow);
  return zoom;
}
