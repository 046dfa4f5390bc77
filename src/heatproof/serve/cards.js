// The maps: one card for each method, one tile in it for each class.
const ALIKE = .5;  // as the audit's bound for maps of unrelated networks

class Cards {
  constructor(about) { Object.assign(this, { about, cards: new Map(), clock: null }); }

  // Cards of these methods, in this order; those whose maps are of another photo, model or classes are worked on again.
  // Returns the methods that have no map yet.
  prepare(methods, key, classes) {
    for (const [name, card] of this.cards) if (!methods.includes(name)) { card.root.remove(); this.cards.delete(name); }
    find("cards").style.setProperty("--classes", classes);
    for (const name of methods) {
      if (!this.cards.has(name)) this.cards.set(name, this.made(name));
      find("cards").append(this.cards.get(name).root);
    }
    const missing = methods.filter((name) => this.cards.get(name).key !== key);
    for (const name of missing) this.wait(this.cards.get(name));
    return missing;
  }

  made(name) {
    const time = make("span", { className: "note" });
    const body = make("div");
    const root = make("article", { className: "map-card" }, make("header", {}, make("h3", { textContent: name }), time), body);
    root.dataset.method = name;
    return { name, root, time, body, key: null };
  }

  wait(card) {
    card.key = null;
    card.time.textContent = "waits";
    card.root.setAttribute("aria-busy", "true");
    if (!card.body.querySelector(".layers")) card.body.replaceChildren(make("div", { className: "frame" }));
  }

  started(name) {
    const card = this.cards.get(name), began = performance.now();
    const tick = () => { card.time.textContent = `${((performance.now() - began) / 1000).toFixed(0)} s …`; };
    this.stopped();
    tick();
    this.clock = setInterval(tick, 1000);
  }

  stopped() { clearInterval(this.clock); }

  // Those that still wait, once nobody computes them.
  abandon() { for (const card of this.cards.values()) if (!card.key) card.time.textContent = "stopped"; }

  // A method's maps, or why there are none.
  finished(name, key, content, time = "") {
    this.stopped();
    const card = this.cards.get(name);
    card.key = key;
    card.time.textContent = time;
    card.root.removeAttribute("aria-busy");
    card.body.replaceChildren(content);
  }

  maps(name, key, event) {
    const tiles = event.tiles.map((tile, place) => this.tile(name, tile, place, event.tiles.length > 1));
    const seconds = event.seconds < 10 ? event.seconds.toFixed(1) : event.seconds.toFixed(0);
    this.finished(name, key, make("div", { className: "tiles" }, ...tiles), `${seconds} s`);
  }

  refused(name, key, why) { this.finished(name, key, make("p", { className: "why", textContent: why }), "not possible"); }

  tile(name, tile, place, several) {
    const { look, labels, stem } = this.about();
    const picture = make("img", { src: look.picture, alt: "" });
    const views = ["absolute", "diverging"].map((view) => make("img", {
      src: tile[view], className: `map ${view}`, alt: `${view === "absolute" ? "Magnitude" : "Signed"} map of ${name} for ${labels[place]}`,
    }));
    const small = Math.max(look.width, look.height) <= 72;
    const layers = make("div", { className: `layers${small ? " small-map" : ""}` }, picture, ...views);
    const save = make("button", { type: "button", textContent: "PNG" });
    save.setAttribute("aria-label", `Save the map of ${name} for ${labels[place]} as PNG`);
    save.addEventListener("click", () => {
      const view = find("results").dataset.view;
      download(tile[view], `${[stem, name, labels[place], view].join(" ").replace(/[^\p{L}\p{N}.=-]+/gu, "_")}.png`);
    });
    const said = [several && labels[place], tile.empty && "zero everywhere"].filter(Boolean).join(" · ");
    const caption = make("figcaption", {}, make("span", { className: "line" }, make("span", { textContent: said }), save),
      make("span", { className: "hint" }));
    return make("figure", { className: "tile" }, layers, caption);
  }

  tested(name, scores) {
    const hints = this.cards.get(name)?.root.querySelectorAll(".hint") ?? [];
    scores.forEach((score, place) => { if (hints[place]) this.hint(hints[place], score); });
  }

  hint(place, { signed, absolute }) {
    const value = Math.max(signed ?? -1, absolute ?? -1);
    if (signed === null && absolute === null) { place.textContent = "one of the two maps is constant: nothing to compare"; return; }
    const said = (number) => number === null ? "–" : number.toFixed(2).replace("-0.00", "0.00").replace("-", "−");
    const word = value >= ALIKE ? "alike" : "differs";
    place.classList.toggle("alike", value >= ALIKE);
    place.title = "Spearman correlation of this map with that of one network with random weights; a hint, not a verdict";
    place.replaceChildren(make("b", { textContent: word }), ` · random network: ${said(absolute)} absolute, ${said(signed)} signed`);
  }
}
