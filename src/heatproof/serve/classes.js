// The classes that are explained: the most probable ones with boxes to tick, and a search over all of them.
const SHOWN = 40;

class Classes {
  constructor(most, changed) {
    Object.assign(this, { most, changed, chosen: [], listed: [], look: null, model: null, active: -1 });
    const input = find("find");
    input.addEventListener("input", () => this.search());
    input.addEventListener("focus", () => this.search());
    input.addEventListener("blur", () => this.close());
    input.addEventListener("keydown", (event) => this.key(event));
    find("matches").addEventListener("pointerdown", (event) => {
      event.preventDefault();  // the input keeps the focus
      const option = event.target.closest("li[data-number]");
      if (option) this.pick(Number(option.dataset.number));
    });
  }

  name(number) { return this.model.names[number] ?? `class ${number}`; }
  chance(number) { const c = this.look.chances[number]; return c < .01 ? "< 1 %" : `${Math.round(100 * c)} %`; }

  // Another photo or model: the same classes stay chosen only for the same model.
  show(model, look, keep) {
    Object.assign(this, { model, look });
    this.chosen = keep && this.chosen.length ? this.chosen : [look.best[0]];
    this.listed = [...look.best, ...this.chosen.filter((number) => !look.best.includes(number))];
    note("class-note", this.most > 1 ? `Tick up to ${this.most} to compare their maps.` : "");
    find("class-part").hidden = false;
    this.draw();
  }

  draw() {
    find("classes").replaceChildren(...this.listed.map((number) => this.row(number)));
    this.mark();
  }

  // Ticks, and no more boxes to tick than classes that can be compared.
  mark() {
    for (const box of find("classes").querySelectorAll("input")) {
      box.checked = this.chosen.includes(Number(box.dataset.number));
      box.disabled = !box.checked && this.chosen.length >= this.most;
    }
  }

  row(number) {
    const box = make("input", { type: "checkbox" });
    box.dataset.number = number;
    box.addEventListener("change", () => this.toggle(number));
    const bar = make("meter", { min: 0, max: 1, value: this.look.chances[number] });
    bar.setAttribute("aria-hidden", "true");
    return make("li", {}, make("label", {}, box, make("span", { textContent: this.name(number) })),
      make("span", { className: "chance", textContent: this.chance(number) }), bar);
  }

  toggle(number) {
    const rest = this.chosen.filter((one) => one !== number);
    this.chosen = rest.length < this.chosen.length ? rest : [...this.chosen, number];
    this.mark();
    this.changed();
  }

  pick(number) {
    if (!this.listed.includes(number)) this.listed.push(number);
    if (!this.chosen.includes(number)) this.chosen = [...this.chosen.slice(0, this.most - 1), number];
    find("find").value = "";
    this.close();
    this.draw();
    this.changed();
  }

  // By all words of what is typed, or the number; the most probable first.
  search() {
    if (!this.look) return;
    const words = find("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (number) => words.every((word) => this.name(number).toLowerCase().includes(word) || word === String(number));
    const found = this.look.chances.map((_, number) => number).filter(fits);
    found.sort((a, b) => this.look.chances[b] - this.look.chances[a]);
    const options = found.slice(0, SHOWN).map((number, place) => {
      const option = make("li", { id: `match-${place}` }, make("b", { textContent: this.name(number) }), make("span", { textContent: this.chance(number) }));
      option.setAttribute("role", "option");
      option.dataset.number = number;
      return option;
    });
    if (!options.length) {
      const none = make("li", { textContent: "no class of this name" });
      none.setAttribute("role", "option");
      none.setAttribute("aria-disabled", "true");
      options.push(none);
    }
    find("matches").replaceChildren(...options);
    find("matches").hidden = false;
    find("find").setAttribute("aria-expanded", "true");
    this.point(words.length && found.length ? 0 : -1);
  }

  point(place) {
    const options = [...find("matches").querySelectorAll("[data-number]")];
    this.active = options.length ? Math.max(-1, Math.min(place, options.length - 1)) : -1;
    options.forEach((option, at) => option.setAttribute("aria-selected", String(at === this.active)));
    options[this.active]?.scrollIntoView({ block: "nearest" });
    if (this.active < 0) find("find").removeAttribute("aria-activedescendant");
    else find("find").setAttribute("aria-activedescendant", options[this.active].id);
  }

  key(event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (find("matches").hidden) this.search();
      this.point(this.active + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Enter") {
      const option = find("matches").hidden ? null : find("matches").querySelector("[aria-selected=true]");
      if (option) this.pick(Number(option.dataset.number));
    } else if (event.key === "Escape") {
      this.close();
    } else return;
    event.preventDefault();
  }

  close() {
    find("matches").hidden = true;
    find("find").setAttribute("aria-expanded", "false");
    find("find").removeAttribute("aria-activedescendant");
  }
}
