// The cards of an audit: films with a slider, the tally as a filter, and keys.
{
  const names = [...document.querySelectorAll("#stages option")].map((option) => option.label);
  const cards = [...document.querySelectorAll(".cards > .card")];

  // films: the pictures stand in the strips alone, and a tile is a window on their row
  const tile = (row, place) => {
    const box = document.createElement("div");
    box.className = "tile";
    for (const strip of row.querySelectorAll("img")) {
      const image = strip.cloneNode();
      const [width, tileWidth] = [Number(image.getAttribute("width")), Number(row.dataset.tile)];
      box.style.aspectRatio = `${tileWidth} / ${image.getAttribute("height")}`;
      image.removeAttribute("loading");
      image.alt = "";
      box.style.setProperty("--step", `${-100 * (width - tileWidth) / (names.length - 1) / tileWidth}%`);
      box.append(image);
    }
    box.style.setProperty("--place", place);
    return box;
  };
  const photo = (row) => {
    const image = row.closest("details").querySelector("summary img").cloneNode();
    image.alt = "";
    return image;
  };
  const drawFilm = (film) => {
    for (const figure of film.querySelectorAll("figure")) {
      const row = document.getElementById(figure.dataset.row);
      figure.querySelector(".tiles").replaceChildren(photo(row), tile(row, 0), tile(row, 0));
    }
  };
  const cursor = (card, place) => {
    for (const line of card.querySelectorAll(".l-cursor")) {
      const across = line.dataset.x.split(" ");
      const x = across[place - names.length + across.length]; // curves may lack the original
      line.style.transform = `translateX(${x ?? 0}px)`;
      line.classList.toggle("on", x !== undefined);
    }
  };
  const move = (film, slider) => {
    const place = Number(slider.value);
    const said = [];
    for (const figure of film.querySelectorAll("figure")) {
      const word = figure.dataset.words.split("|")[place];
      const tiles = figure.querySelectorAll(".tile");
      tiles[tiles.length - 1].style.setProperty("--place", place);
      figure.querySelector("b").textContent = word && place ? `similarity ${word}` : names[place];
      if (word) said.push(word);
    }
    film.querySelector("output").textContent = names[place];
    slider.setAttribute("aria-valuetext", `${names[place]}${place ? `, similarity ${said.join(", ")}` : ""}`);
    cursor(film.closest(".card"), place);
  };
  for (const film of document.querySelectorAll(".film-slider")) {
    const slider = film.querySelector("input[type=range]");
    const draw = () => { drawFilm(film); move(film, slider); };
    const card = film.closest(".card");
    if (card.open) draw(); // as where there is no verdict
    else card.addEventListener("toggle", draw, { once: true });
    slider.addEventListener("input", () => move(film, slider));
  }

  // the tally shows the methods of one verdict
  const tally = [...document.querySelectorAll(".tally button")];
  const shown = document.getElementById("shown");
  const filter = (pressed) => {
    for (const button of tally) button.setAttribute("aria-pressed", button === pressed);
    for (const card of cards.filter((one) => one.dataset.verdict)) {
      card.hidden = pressed !== null && card.dataset.verdict !== pressed.dataset.verdict;
    }
    shown.textContent = pressed ? `Only: ${pressed.textContent.trim()}` : "All methods";
  };
  for (const button of tally) {
    button.disabled = false;
    button.addEventListener("click", () => filter(button.getAttribute("aria-pressed") === "true" ? null : button));
  }

  // keys
  const folds = cards.filter((card) => card.localName === "details");
  const openAll = document.getElementById("open-all");
  const sayAll = () => { if (openAll) openAll.textContent = folds.some((card) => !card.open) ? "Open all" : "Close all"; };
  const toggleAll = () => {
    const open = folds.some((card) => !card.open);
    for (const card of folds) card.open = open;
  };
  for (const card of folds) card.addEventListener("toggle", sayAll);
  sayAll();
  const step = (by) => {
    const heads = folds.filter((card) => !card.hidden).map((card) => card.querySelector("summary"));
    const now = heads.indexOf(document.activeElement?.closest?.(".card")?.querySelector("summary"));
    heads[now < 0 ? (by > 0 ? 0 : heads.length - 1) : Math.max(0, Math.min(heads.length - 1, now + by))]?.focus();
  };
  const help = document.getElementById("help");
  const letters = document.getElementById("letters");
  const keys = { j: () => step(1), k: () => step(-1), o: toggleAll, "?": () => help.showModal() };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=range], [type=radio], [type=checkbox]), select, dialog");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !letters.checked || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  openAll?.addEventListener("click", toggleAll);
  document.getElementById("keys")?.addEventListener("click", () => help.showModal());
  document.getElementById("close-help").addEventListener("click", () => help.close());
}
