// What can be done with maps: test them quickly, take them along, copy the command of an audit.
function withMaps() { return [...cards.cards.values()].filter((card) => card.body.querySelector(".layers") && card.key).map((card) => card.name); }

function quickTest() {
  const names = withMaps();
  if (state.run || !names.length) { note("test-note", "there is no map to test yet"); return; }
  note("test-note", "drawing the maps of a random network …");
  run("/api/test", request(names), names, (event) => {
    if (event.event === "tested") cards.tested(event.method, event.scores);
  }, () => { note("progress", ""); note("test-note", "Below each map: its similarity to that of one random network."); });
}

async function exportAs(kind) {
  const names = withMaps();
  if (!names.length) { note("export-note", "there is no map yet"); return; }
  note("export-note", "writing …");
  try {
    const answer = await ask(`/api/export/${kind}`, request(names));
    const address = URL.createObjectURL(await answer.blob());
    download(address, `${stem().replace(/[^\p{L}\p{N}.=-]+/gu, "_")}.${kind}`);
    setTimeout(() => URL.revokeObjectURL(address), 60000);
    note("export-note", "");
  } catch (error) { note("export-note", error.message, true); }
}

async function copyCommand() {
  try {
    await navigator.clipboard.writeText(find("command").textContent);
    find("copy").textContent = "Copied";
  } catch { getSelection().selectAllChildren(find("command")); }
  setTimeout(() => { find("copy").textContent = "Copy"; }, 2000);
}

find("test").addEventListener("click", quickTest);
find("copy").addEventListener("click", copyCommand);
for (const button of document.querySelectorAll("[data-kind]")) button.addEventListener("click", () => exportAs(button.dataset.kind));
