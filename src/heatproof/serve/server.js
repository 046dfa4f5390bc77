// What the page asks of its server: every request carries the token of the page's address.
const GONE = "the server does not answer; is heatproof serve still running?";
const TOKEN = new URLSearchParams(location.search).get("token") || "";

async function ask(path, body, signal) {
  const given = body === undefined ? {} : { method: "POST", body: body instanceof Blob ? body : JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(path, { ...given, headers: { "X-Heatproof-Token": TOKEN }, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error(GONE);
  }
  if (!answer.ok) throw new Error(await told(answer));
  return answer;
}

async function told(answer) {
  const text = await answer.text();
  try { return JSON.parse(text).error; } catch { return text.trim() || `error ${answer.status}`; }
}

async function askJson(path, body) { return (await ask(path, body)).json(); }

// Calls hear(event) for each line of the answer as it comes.
async function askEvents(path, body, hear, signal) {
  const reader = (await ask(path, body, signal)).body.getReader(), decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read().catch((error) => { throw error.name === "AbortError" ? error : new Error(GONE); });
    if (done) return;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop();
    for (const line of lines) hear(JSON.parse(line));
  }
}

const find = (id) => document.getElementById(id);

// An element with its properties and children; texts are never read as markup.
function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function note(id, text, wrong = false) {
  find(id).textContent = text;
  find(id).classList.toggle("wrong", wrong);
}

function download(address, name) { make("a", { href: address, download: name }).click(); }
