// The page as a whole: what is chosen, and what follows from it.
// `look` is what the model of place `model` sees in `photo`: the three change together, or none of them.
const state = { start: null, photo: null, name: "", model: 0, look: null, run: null, turn: 0, ticked: new Set() };
let classes, cards;

const model = () => state.start.models[Number(find("model").value)];
const methods = () => state.start.methods.map((one) => one.name).filter((name) => state.ticked.has(name));
const request = (names) => ({ photo: state.photo, model: state.model, classes: classes.chosen, methods: names });
const stem = () => state.name.replace(/\.[^.]*$/, "") || "photo";
const about = () => ({ look: state.look, stem: stem(), labels: classes.chosen.map((number) => classes.name(number)) });

async function begin() {
  state.start = await askJson("/api/start");
  find("model").replaceChildren(...state.start.models.map((one, place) => make("option", { value: place, textContent: one.name })));
  find("model-part").classList.toggle("single", state.start.models.length === 1);
  state.ticked = new Set(state.start.methods.filter((one) => one.first).map((one) => one.name));
  classes = new Classes(state.start.most, later);
  cards = new Cards(about);
  find("method-list").open = matchMedia("(min-width: 861px)").matches;  // on a phone the maps come first
  drawMethods();
  aboutModel();
}

function countMethods() { find("method-count").textContent = `${state.ticked.size} of ${state.start.methods.length} ticked`; }

function aboutModel() {
  const { count, untrained } = model();
  note("model-note", `${count} classes${untrained ? "; random weights, so its maps explain nothing that was learned" : ""}`, untrained);
}

function drawMethods() {
  find("methods").replaceChildren(...state.start.methods.map((one) => {
    const box = make("input", { type: "checkbox", checked: state.ticked.has(one.name) });
    box.addEventListener("change", () => { state.ticked[box.checked ? "add" : "delete"](one.name); countMethods(); later(); });
    const name = make("span", {}, one.name, ...(one.control ? [make("span", { className: "tag", textContent: "control" })] : []),
      make("small", { textContent: one.line }));
    return make("li", {}, make("label", {}, box, name));
  }));
  countMethods();
}

async function addMethod(event) {
  event.preventDefault();
  const text = find("own").value.trim();
  if (!text) return;
  try {
    const made = await askJson("/api/method", { text });
    if (!state.start.methods.some((one) => one.name === made.name)) state.start.methods.unshift({ ...made, control: false });
    state.ticked.add(made.name);
    find("own").value = "";
    note("own-note", `${made.name} added`);
    drawMethods();
    find("method-list").open = true;
    find("methods").scrollTop = 0;
    later();
  } catch (error) { note("own-note", error.message, true); }
}

async function takePhoto(file) {
  if (!file) return;
  if (file.size > state.start.megabytes * 2 ** 20) {
    note("photo-note", `${file.name} has more than ${state.start.megabytes} MB; save it smaller`, true);
    return;
  }
  const turn = ++state.turn;
  halt();
  note("photo-note", `reading ${file.name} …`);
  try {
    const held = await askJson(`/api/photo?name=${encodeURIComponent(file.name || "pasted")}`, file);
    if (turn !== state.turn) return;
    await look(held.photo, held.name);
  } catch (error) {
    if (turn === state.turn) goOn(error.message.startsWith(file.name) ? error.message : `${file.name}: ${error.message}`);
  }
}

// A photo or a model that cannot be shown: what was shown before stays, and what was stopped for it goes on.
function goOn(why) {
  state.turn += 1;
  find("model").value = state.model;
  aboutModel();
  note("photo-note", state.look ? `${why}${/[.?!]$/.test(why) ? "" : "."} Still shown: ${state.name}` : why, true);
  if (state.look) explain();
}

// What the model sees and says. A new photo is about its own best class; so is another model, whose classes are others.
async function look(photo, name) {
  const turn = ++state.turn, place = Number(find("model").value);
  halt();
  let found;
  try {
    found = await askJson("/api/look", { photo, model: place });
  } catch (error) {
    if (turn === state.turn) goOn(error.message);
    return;
  }
  if (turn !== state.turn) return;
  Object.assign(state, { photo, name, model: place, look: found });
  note("photo-note", name);
  Object.assign(find("seen"), { src: found.picture, alt: "The photo as the model sees it", hidden: false });
  find("seen").classList.toggle("small-map", Math.max(found.width, found.height) <= 72);
  find("cards").style.setProperty("--aspect", `${found.width} / ${found.height}`);
  classes.show(model(), found, false);
  find("empty").hidden = true;
  find("shown").hidden = false;
  explain();
}

let timer;
function later() {
  halt();
  note("progress", "");
  timer = setTimeout(explain, 150);
}

function halt() {
  clearTimeout(timer);
  state.run?.abort();
  ended();
}

function ended() {
  state.run = null;
  cards.stopped();
  find("stop").hidden = true;
}

function explain() {
  halt();
  if (!state.look) return;
  find("go").hidden = true;
  note("test-note", "");
  const names = methods(), asked = request(names), key = JSON.stringify([asked.photo, asked.model, asked.classes]);
  const missing = cards.prepare(classes.chosen.length ? names : [], key, classes.chosen.length);
  if (!classes.chosen.length || !names.length) { note("progress", "Tick at least one class and one method."); return; }
  run("/api/maps", { ...asked, methods: missing }, missing, (event) => {
    if (event.event === "start") cards.started(event.method);
    else if (event.event === "maps") cards.maps(event.method, key, event);
    else if (event.event === "refused") cards.refused(event.method, key, event.why);
  }, () => finished(names, asked));
}

async function run(path, body, names, hear, then) {
  const mine = state.run = new AbortController();
  let done = 0, failed = null, over = !names.length;
  const said = () => note("progress", `${done} of ${names.length} methods`);
  find("stop").hidden = !names.length;
  try {
    said();
    if (names.length) await askEvents(path, body, (event) => {
      if (mine !== state.run) return;
      if (event.event === "waiting") note("progress", "waits for another tab …");
      else if (event.event === "failed") failed = event.why;
      else if (event.event === "done") over = true;
      else hear(event);
      if (["maps", "refused", "tested"].includes(event.event)) { done += 1; said(); }
    }, mine.signal);
    if (!over && !failed) failed = GONE;
  } catch (error) {
    if (error.name !== "AbortError") failed = error.message;
  }
  if (mine === state.run && failed) {
    note("progress", failed, true);
    note("test-note", "");
    cards.abandon();
    find("go").hidden = !names.some((name) => !cards.cards.get(name)?.key);
  } else if (mine === state.run && over) then();
  if (mine === state.run) ended();
}

async function finished(names, asked) {
  note("progress", `${withMaps().length} of ${names.length} methods have a map. ${about().labels.length > 1 ? "The maps of a method share one colour scale." : ""}`);
  try { find("command").textContent = (await askJson("/api/command", asked)).command; } catch (error) { note("progress", error.message, true); }
}

find("file").addEventListener("change", () => { takePhoto(find("file").files[0]); find("file").value = ""; });
addEventListener("dragover", (event) => { event.preventDefault(); find("drop").classList.add("over"); });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) find("drop").classList.remove("over"); });
addEventListener("drop", (event) => {
  event.preventDefault();
  find("drop").classList.remove("over");
  if (event.dataTransfer.files.length) takePhoto(event.dataTransfer.files[0]);
  else note("photo-note", "that is no file; save the picture first, or copy it and paste it here", true);
});
addEventListener("paste", (event) => { if (event.clipboardData.files.length) { event.preventDefault(); takePhoto(event.clipboardData.files[0]); } });
find("model").addEventListener("change", () => {
  aboutModel();
  if (state.photo) look(state.photo, state.name);
  else state.model = Number(find("model").value);
});
find("controls").addEventListener("submit", addMethod);
for (const choice of document.querySelectorAll("input[name=view]")) {
  choice.addEventListener("change", () => { find("results").dataset.view = choice.value; });
  if (choice.checked) find("results").dataset.view = choice.value;
}
find("opacity").addEventListener("input", () => {
  find("results").style.setProperty("--over", find("opacity").value / 100);
  find("opacity-value").textContent = `${find("opacity").value} %`;
});
find("stop").addEventListener("click", () => { halt(); cards.abandon(); note("progress", "stopped"); note("test-note", ""); find("go").hidden = false; });
find("go").addEventListener("click", explain);
begin().catch((error) => note("photo-note", error.message, true));
