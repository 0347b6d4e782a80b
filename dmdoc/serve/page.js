"use strict";
const $ = (id) => document.getElementById(id);

function request(path, options = {}) {
  const key = sessionStorage.getItem("key");
  const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  return fetch(path, { ...options, headers });
}

async function checked(answer) {
  if (answer.ok) return answer;
  if (answer.status === 401) { $("unlock").hidden = false; $("key").focus(); }
  const body = await answer.json().catch(() => ({}));
  throw new Error(body.error?.message ?? `the server answered ${answer.status}`);
}

/** The JSON of each server-sent event, as it comes. */
async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n\n");
    rest = lines.pop();
    for (const line of lines) if (line !== "data: [DONE]") yield JSON.parse(line.slice("data: ".length));
  }
}

async function listDocuments(chosen) {
  const { documents } = await (await checked(await request("api/documents"))).json();
  const options = [new Option("all documents: the one the question is about", "dmdoc")];
  for (const each of documents) options.push(new Option(each.name, `dmdoc/${each.name}`));
  $("document").replaceChildren(...options);
  if (chosen) $("document").value = `dmdoc/${chosen}`;
}

const VERDICTS = {
  "sure": "Sure: nearly all answers like this one are right.",
  "likely": "Likely: most answers like this one are right.",
  "doubtful": "Doubtful: many answers like this one are wrong; look at the text.",
  "not in the document": "The document does not seem to speak of it.",
};

function showSupport(said) {
  const measured = said.verdict in VERDICTS;
  const share = measured ? ` Probability of being right: ${Math.round(100 * said.probability)} %.` : "";
  $("support").textContent = measured
    ? VERDICTS[said.verdict] + share : "Nobody has measured how far such answers can be trusted.";
  $("support").className = { true: "yes", false: "no" }[said.supported] ?? "";
}

/** The server counts characters, and a string here counts some of them twice. */
const units = (text, characters) => [...text].slice(0, characters).join("").length;

/** A text with a part of it marked. */
function marked(text, start, end) {
  const mark = document.createElement("mark");
  mark.textContent = text.slice(start, end);
  return [text.slice(0, start), mark, text.slice(end)];
}

async function showPage(name, citation) {
  const { text } = await (await checked(await request(`api/documents/${encodeURIComponent(name)}`))).json();
  const page = text[citation.page - 1], start = page.indexOf(citation.text);
  $("page").replaceChildren(...(start < 0 ? [page] : marked(page, start, start + citation.text.length)));
  $("page").hidden = false;
  $("page").focus();
}

function showSources(said) {
  $("sources").replaceChildren(...said.citations.map((citation) => {
    const quote = document.createElement("blockquote");
    const button = document.createElement("button");
    const places = (citation.mark ?? [0, 0]).map((place) => units(citation.text, place));
    quote.append(...marked(citation.text, ...places), document.createElement("br"), button);
    button.textContent = `Show page ${citation.page} of ${said.document}`;
    button.onclick = () => showPage(said.document, citation).catch(fail($("support")));
    return quote;
  }));
}

/** The pieces of an answer. */
async function* answers(asked) {
  const headers = { "Content-Type": "application/json" };
  const options = { method: "POST", headers, body: JSON.stringify(asked) };
  for await (const chunk of events(await checked(await request("v1/chat/completions", options)))) {
    if (chunk.error) throw new Error(chunk.error.message);
    yield chunk;
  }
}

const fail = (place) => (error) => { place.textContent = error.message; place.className = "error"; };

$("ask").onsubmit = async (event) => {
  event.preventDefault();
  $("answered").hidden = false;
  $("page").hidden = true;
  $("answer").textContent = "";
  $("support").textContent = "";
  $("sources").replaceChildren();
  const model = $("document").value, messages = [{ role: "user", content: $("question").value }];
  $("frozen").hidden = !$("compare").checked;
  try {
    for await (const chunk of answers({ model, messages, stream: true })) {
      $("answer").textContent += chunk.choices[0]?.delta.content ?? "";
      if (chunk.dmdoc) { showSupport(chunk.dmdoc); showSources(chunk.dmdoc); }
    }
  } catch (error) { fail($("support"))(error); }
  if ($("frozen").hidden) return;
  $("guess").textContent = "";
  try {
    const frozen = { recall: "frozen", citations: false };
    for await (const chunk of answers({ model, messages, stream: true, max_tokens: 64, dmdoc: frozen }))
      $("guess").textContent += chunk.choices[0]?.delta.content ?? "";
  } catch (error) { fail($("guess"))(error); }
};

async function read(file) {
  $("progress").className = "";
  $("progress").textContent = `${file.name}: sending`;
  const headers = { "Content-Type": "application/octet-stream" };
  const path = `api/documents?file=${encodeURIComponent(file.name)}`;
  const { job } = await (await checked(await request(path, { method: "POST", headers, body: file }))).json();
  for await (const event of events(await checked(await request(`api/jobs/${job}/events`)))) {
    if (event.said) $("progress").textContent = event.said;
    if (event.status === "failed") throw new Error(event.error);
    if (event.status === "done") await listDocuments(event.result.document);
  }
}

$("file").onchange = () => { if ($("file").files[0]) read($("file").files[0]).catch(fail($("progress"))); };
$("drop").ondragover = (event) => { event.preventDefault(); $("drop").classList.add("over"); };
$("drop").ondragleave = () => $("drop").classList.remove("over");
$("drop").ondrop = (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  if (event.dataTransfer.files[0]) read(event.dataTransfer.files[0]).catch(fail($("progress")));
};
$("unlock").onsubmit = (event) => {
  event.preventDefault();
  sessionStorage.setItem("key", $("key").value);
  listDocuments().then(() => { $("unlock").hidden = true; }).catch(fail($("progress")));
};
listDocuments().catch(fail($("progress")));
