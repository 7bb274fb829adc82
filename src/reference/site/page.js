"use strict";
// What is looked through is what the page shows: it has no index of its own.
const search = document.getElementById("search");
const list = document.getElementById("hits");
const count = document.getElementById("count");
const functions = Array.from(document.querySelectorAll("main article"), (article) => ({
  id: article.id,
  name: article.querySelector("h3").textContent,
  summary: article.querySelector("p").textContent,
  // An example has words of other functions.
  text: Array.from(article.children, (part) => part.tagName === "PRE" ? "" : part.textContent).join(" ").toLowerCase(),
}));
let chosen = -1;

// Names before summaries before all the rest; every word has to be there.
function rank(found, words) {
  let sum = 0;
  for (const word of words) {
    const name = found.name.toLowerCase();
    const last = name.split("::").pop();
    if (name === word || last === word) sum += 100;
    else if (name.startsWith(word) || last.startsWith(word)) sum += 50;
    else if (name.includes(word)) sum += 20;
    else if (found.summary.toLowerCase().includes(word)) sum += 8;
    else if (found.text.includes(word)) sum += 1;
    else return 0;
  }
  return sum;
}

function marked(parent, text, words) {
  const lower = text.toLowerCase();
  let at = 0;
  while (at < text.length) {
    let next = text.length;
    let length = 0;
    for (const word of words) {
      const found = lower.indexOf(word, at);
      if (found >= 0 && found < next) { next = found; length = word.length; }
    }
    parent.append(text.slice(at, next));
    if (length > 0) {
      const mark = document.createElement("mark");
      mark.textContent = text.slice(next, next + length);
      parent.append(mark);
    }
    at = next + length;
  }
}

function show() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  list.replaceChildren();
  chosen = -1;
  const hits = words.length === 0 ? [] : functions
    .map((found) => ({ found, rank: rank(found, words) }))
    .filter((hit) => hit.rank > 0)
    .sort((a, b) => b.rank - a.rank || a.found.name.localeCompare(b.found.name));
  for (const [at, { found }] of hits.entries()) {
    const link = document.createElement("a");
    link.href = "#" + found.id;
    link.id = "hit-" + at;
    link.setAttribute("role", "option");
    link.tabIndex = -1;
    const name = document.createElement("code");
    marked(name, found.name, words);
    const summary = document.createElement("small");
    marked(summary, found.summary, words);
    link.append(name, summary);
    link.addEventListener("click", close);
    list.append(link);
  }
  if (words.length > 0 && hits.length === 0) {
    const none = document.createElement("p");
    none.textContent = "Nothing has all of these words.";
    list.append(none);
  }
  const open = words.length > 0;
  list.hidden = !open;
  search.setAttribute("aria-expanded", String(open));
  count.textContent = open ? hits.length + " found" : "";
  choose(0);
}

function choose(at) {
  const links = list.querySelectorAll("a");
  chosen = links.length === 0 ? -1 : (at + links.length) % links.length;
  for (const [index, link] of links.entries()) {
    link.setAttribute("aria-selected", String(index === chosen));
  }
  if (chosen >= 0) {
    links[chosen].scrollIntoView({ block: "nearest" });
    search.setAttribute("aria-activedescendant", links[chosen].id);
  } else {
    search.removeAttribute("aria-activedescendant");
  }
}

function close() {
  list.hidden = true;
  search.setAttribute("aria-expanded", "false");
  search.removeAttribute("aria-activedescendant");
}

search.addEventListener("input", show);
search.addEventListener("focus", () => { if (search.value) show(); });
search.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") choose(chosen + 1);
  else if (event.key === "ArrowUp") choose(chosen - 1);
  else if (event.key === "Escape") { search.value = ""; show(); search.blur(); }
  else if (event.key === "Enter" && chosen >= 0) {
    const id = list.querySelectorAll("a")[chosen].getAttribute("href");
    close();
    location.hash = id;
    document.getElementById("main").focus({ preventScroll: true });
  } else return;
  event.preventDefault();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== search && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    search.focus();
    search.select();
  }
});
document.addEventListener("click", (event) => {
  if (!list.contains(event.target) && event.target !== search) close();
});

// `index.html?q=words` shows what they find.
const asked = new URLSearchParams(location.search).get("q");
if (asked) {
  search.value = asked;
  show();
}
