// The board: the cards that are there, the ones that come in live, and the form for a new one.

import { ago, counted } from "./format.js";

const list = document.getElementById("notes");
const count = document.getElementById("count");
const lamp = document.getElementById("live");
const lampText = document.getElementById("live-text");
const form = document.getElementById("new-note");
const formError = document.getElementById("form-error");

/** The cards on the page, by number. */
const cards = new Map();

function element(name, className, text) {
  const node = document.createElement(name);
  node.className = className;
  node.textContent = text;
  return node;
}

/** Puts a card on the board unless it is there; newest first. */
function show(note) {
  if (cards.has(note.id)) return;
  const card = document.createElement("li");
  card.dataset.id = note.id;
  card.append(element("p", "text", note.text));
  const by = element("p", "by", "");
  const when = element("time", "when", ago(note.at));
  when.dateTime = new Date(note.at).toISOString();
  by.append(element("span", "author", note.author), when);
  card.append(by);
  const older = [...list.children].find((other) => Number(other.dataset.id) < note.id);
  list.insertBefore(card, older ?? null);
  cards.set(note.id, { card, when, at: note.at });
  count.textContent = counted(cards.size, "card");
}

async function load() {
  const response = await fetch("/api/notes");
  if (!response.ok) throw new Error(`the board answered ${response.status}`);
  const { notes } = await response.json();
  notes.forEach(show);
}

function listen() {
  const events = new EventSource("/api/events");
  events.addEventListener("open", () => {
    // What came while the stream was down is in the list.
    load().catch(() => {});
  });
  events.addEventListener("tick", (event) => {
    const { listeners } = JSON.parse(event.data);
    lamp.dataset.state = "live";
    lampText.textContent = `Live, ${counted(listeners, "guest")} at the table`;
    for (const { when, at } of cards.values()) when.textContent = ago(at);
  });
  events.addEventListener("note", (event) => show(JSON.parse(event.data).note));
  events.addEventListener("error", () => {
    lamp.dataset.state = "waiting";
    lampText.textContent = "The line is down, trying again";
  });
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  const { author, text } = Object.fromEntries(new FormData(form));
  button.disabled = true;
  formError.hidden = true;
  try {
    const response = await fetch("/api/notes", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ author, text }),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    show(answer);
    form.elements.text.value = "";
  } catch (error) {
    formError.textContent = `Not pinned up: ${error.message}`;
    formError.hidden = false;
  } finally {
    button.disabled = false;
  }
});

load().catch((error) => {
  lampText.textContent = error.message;
});
listen();
