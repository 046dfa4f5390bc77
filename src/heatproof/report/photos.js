// The photos: one at a time, large beside its maps; without this script all of them stand below each other.
{
  const root = document.getElementById("photos");
  const sheets = [...(root?.querySelectorAll(".sheet") ?? [])];
  const part = (selector) => root.querySelector(selector);
  const slider = root && part("input[type=range]");
  const views = [...(root?.querySelectorAll("[name=photos-view]") ?? [])];
  const thumbs = [];
  const now = { photo: 0, left: "", right: "0" };

  const tiles = (place) => [...sheets[place].querySelectorAll(".tile:not(.original)")];
  const under = (place) => Object.assign(sheets[place].querySelector(".photo").cloneNode(), { alt: "" });
  const limit = (value, most) => Math.min(Math.max(value, 0), most);

  /** Turn the tiles of a photo into buttons with the photo under each map; once, when it is first shown. */
  function prepare(place) {
    for (const [method, tile] of tiles(place).entries()) {
      const layers = tile.querySelector(".layers");
      if (layers.parentNode !== tile) return;
      const button = document.createElement("button");
      button.type = "button";
      button.addEventListener("click", () => { choose({ right: String(method) }); part(".stage").scrollIntoView({ block: "nearest" }); });
      layers.replaceWith(button);
      layers.prepend(under(place));
      button.append(layers);
    }
  }

  /** Fill one of the two large panes with a tile, or with the photo alone. */
  function fill(pane, method) {
    const box = pane.querySelector(".layers"), words = pane.querySelector("figcaption");
    const tile = method === "" ? sheets[now.photo].querySelector(".original") : tiles(now.photo)[method];
    const said = tile.querySelector("figcaption").cloneNode(true);
    box.style.cssText = sheets[now.photo].style.cssText;
    box.replaceChildren(...[...tile.querySelector(".layers").children].map((layer) => layer.cloneNode(true)));
    if (words.textContent !== said.textContent) words.replaceChildren(...said.childNodes);  // else it is read out again
  }

  /** One of some buttons is the chosen one: the only one in the order of Tab; focus goes with it. */
  function mark(buttons, chosen) {
    const focused = buttons.includes(document.activeElement);
    for (const [place, button] of buttons.entries()) {
      button.setAttribute("aria-pressed", String(place === chosen));
      button.tabIndex = place === chosen ? 0 : -1;
    }
    if (focused) buttons[chosen].focus({ preventScroll: true });
  }

  /** Change the photo or a method and show it. */
  function choose(change) {
    const inGrid = document.activeElement?.closest?.("#photos .tile") != null;
    Object.assign(now, change);
    prepare(now.photo);
    sheets.forEach((sheet, place) => { sheet.hidden = place !== now.photo; });
    mark(thumbs, now.photo);
    part(".thumbs").scrollLeft = thumbs[now.photo].offsetLeft - part(".thumbs").clientWidth / 2;
    const buttons = tiles(now.photo).map((tile) => tile.querySelector("button"));
    mark(buttons, Number(now.right));
    if (inGrid) buttons[Number(now.right)].focus({ preventScroll: true });
    buttons.forEach((button, method) => button.classList.toggle("kept", String(method) === now.left));
    for (const side of ["left", "right"]) {
      fill(part(`.pane.${side}`), now[side]);
      part(`select.${side}`).value = now[side];
    }
    root.dataset.left = now.left;
    const title = `${now.photo + 1} of ${sheets.length}: ${sheets[now.photo].querySelector("h3").textContent}`;
    if (part(".chosen").textContent !== title) part(".chosen").textContent = title;
  }

  function cover(percent) {
    slider.value = percent;
    part("output").textContent = `${slider.value} %`;
    root.style.setProperty("--opacity", slider.value / 100);
  }

  function look(view) {
    root.dataset.view = view;
    for (const choice of views) choice.checked = choice.value === view;
  }

  const step = (by) => choose({ right: String(limit(Number(now.right) + by, tiles(0).length - 1)) });
  const turn = (by) => choose({ photo: limit(now.photo + by, sheets.length - 1) });
  const keys = {
    ArrowLeft: () => turn(-1), ArrowRight: () => turn(1), ArrowUp: () => step(-1), ArrowDown: () => step(1),
    "+": () => cover(Number(slider.value) + 10), "=": () => cover(Number(slider.value) + 10), "-": () => cover(Number(slider.value) - 10),
    v: () => look(root.dataset.view === "absolute" ? "diverging" : "absolute"),
    c: () => choose({ left: now.left === now.right ? "" : now.right }),
  };

  /** Whether an element does something of its own with a key. */
  const takes = (element, key) => element.matches("select") || (element.matches("input") && key.startsWith("Arrow"));

  if (sheets.length) {
    now.right = String(Math.max(tiles(0).findIndex((tile) => !tile.querySelector(".note")), 0));
    for (const [place, sheet] of sheets.entries()) {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-label", sheet.querySelector("h3").textContent);
      button.append(under(place));
      button.addEventListener("click", () => choose({ photo: place }));
      thumbs.push(button);
    }
    part(".thumbs").append(...thumbs);
    for (const side of ["left", "right"]) part(`select.${side}`).addEventListener("change", (event) => choose({ [side]: event.target.value }));
    for (const choice of views) choice.addEventListener("change", () => look(choice.value));
    slider.addEventListener("input", () => cover(slider.value));
    root.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey || !(event.key in keys) || takes(event.target, event.key)) return;
      event.preventDefault();
      event.stopPropagation();
      keys[event.key]();
    });
    cover(slider.value);
    look(views.find((choice) => choice.checked).value);
    choose({});
  }
}
