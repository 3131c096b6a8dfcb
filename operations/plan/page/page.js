// Shows the lines of files, searches, follows links to lines, and listens to keys. The page works without, but then files have no lines.
/** @type {{ texts: string[], files: number[][] }} */
const data = JSON.parse(element(":data").textContent ?? "");
/** Unchanged lines that are shown around a change. */
const around = 3;
/** The text that is searched for, in small letters. */
let wanted = "";

const machines = all("#\\:machines > .machine");
const search = /** @type {HTMLInputElement} */ (element(":search"));

/** @param {string} id */
function element(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** @param {string} selector @param {ParentNode} within @returns {HTMLElement[]} */
function all(selector, within = document) {
  return [...within.querySelectorAll(selector)].map((one) => /** @type {HTMLElement} */ (one));
}

/** @param {string} tag @param {string} kind @param {(Node | string)[]} content */
function make(tag, kind, ...content) {
  const made = document.createElement(tag);
  if (kind !== "") made.className = kind;
  made.append(...content);
  return made;
}

/** @param {number} index @returns {string[]} */
function linesOf(index) {
  const text = data.texts[index] ?? "";
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

/** A line of text with what is searched for marked. @param {string} text @returns {(Node | string)[]} */
function marked(text) {
  if (wanted === "") return [text];
  const parts = [];
  const low = text.toLowerCase();
  let end = 0;
  for (let at = low.indexOf(wanted); at >= 0; at = low.indexOf(wanted, end)) {
    parts.push(text.slice(end, at), make("mark", "", text.slice(at, at + wanted.length)));
    end = at + wanted.length;
  }
  return [...parts, text.slice(end)];
}

/** The part of a line that differs from another line, in bold. @param {string} text @param {string | undefined} other */
function differing(text, other) {
  if (other === undefined || wanted !== "") return marked(text);
  const limit = Math.min(text.length, other.length);
  let start = 0;
  while (start < limit && text[start] === other[start]) start++;
  let rest = 0;
  while (rest < limit - start && text.at(-1 - rest) === other.at(-1 - rest)) rest++;
  const end = text.length - rest;
  return [text.slice(0, start), make("b", "", text.slice(start, end)), text.slice(end)];
}

/** The two cells of a line; empty where a side has no line. @param {string} file @param {number | undefined} number @param {string} kind @param {(Node | string)[]} content @param {boolean} isBefore */
function cells(file, number, kind, content, isBefore) {
  if (number === undefined) return [make("td", "number"), make("td", "")];
  const link = make("a", "");
  link.setAttribute("href", `#${encodeURI(file)}:${isBefore ? "-" : ""}${number}`);
  link.setAttribute("data-number", `${number}`);
  link.setAttribute("aria-label", `line ${number}`);
  link.tabIndex = -1;
  return [make("td", "number", link), make("td", kind, ...content)];
}

/** The rows of unchanged lines. @param {string} file @param {string[]} lines @param {number} left @param {number} right */
function sameRows(file, lines, left, right) {
  return lines.map((text, at) =>
    make(
      "tr",
      "same",
      ...cells(file, left + at + 1, "", marked(text), true),
      ...cells(file, right + at + 1, "", marked(text), false),
    ),
  );
}

/** A row that unfolds into unchanged lines. @param {string} file @param {string[]} lines @param {number} left @param {number} right */
function gapRow(file, lines, left, right) {
  const button = make("button", "", `${lines.length} unchanged lines`);
  const cell = make("td", "", button);
  cell.setAttribute("colspan", "4");
  const row = make("tr", "gap", cell);
  button.addEventListener("click", () => row.replaceWith(...sameRows(file, lines, left, right)));
  return row;
}

/** The lines of a file that changes, side by side. @param {HTMLElement} details */
function table(details) {
  const file = details.id;
  const [from, to, ...changes] = data.files[Number(details.dataset.file)] ?? [];
  const [before, after] = [linesOf(from ?? -1), linesOf(to ?? -1)];
  const rows = [];
  if (changes.length === 0) changes.push(0, before.length, after.length);
  let [left, right] = [0, 0];
  for (let at = 0; at < changes.length; at += 3) {
    const [same = 0, removed = 0, added = 0] = changes.slice(at, at + 3);
    const isLast = at + 3 >= changes.length && removed + added === 0;
    const head = left === 0 ? 0 : Math.min(around, same);
    const tail = isLast ? 0 : Math.min(around, same - head);
    const hidden = same - head - tail;
    const part = (/** @type {number} */ start, /** @type {number} */ length) =>
      /** @type {[string, string[], number, number]} */ ([
        file,
        before.slice(left + start, left + start + length),
        left + start,
        right + start,
      ]);
    rows.push(...sameRows(...part(0, head)));
    if (hidden > 1) rows.push(gapRow(...part(head, hidden)));
    else rows.push(...sameRows(...part(head, hidden)));
    rows.push(...sameRows(...part(head + hidden, tail)));
    left += same;
    right += same;
    for (let line = 0; line < Math.max(removed, added); line++) {
      const old = line < removed ? before[left + line] : undefined;
      const now = line < added ? after[right + line] : undefined;
      rows.push(
        make(
          "tr",
          "",
          ...cells(
            file,
            old === undefined ? undefined : left + line + 1,
            "removed",
            differing(old ?? "", now),
            true,
          ),
          ...cells(
            file,
            now === undefined ? undefined : right + line + 1,
            "added",
            differing(now ?? "", old),
            false,
          ),
        ),
      );
    }
    left += removed;
    right += added;
  }
  // A file that is new or goes has one side only.
  const sides = make("colgroup", "", ...Array.from({ length: 4 }, () => make("col", "")));
  const made = make("table", "lines", sides, ...rows);
  if (from === -1 || to === -1)
    for (const cell of all(
      from === -1 ? ":is(td, col):nth-child(-n + 2)" : ":is(td, col):nth-child(n + 3)",
      made,
    ))
      cell.remove();
  return made;
}

/** Shows the lines of a file, if it is unfolded. @param {HTMLDetailsElement} details */
function show(details) {
  const shown = details.querySelector("table");
  if (!details.open) shown?.remove();
  else if (shown === null) details.append(table(details));
}

document.addEventListener(
  "toggle",
  ({ target }) => {
    if (target instanceof HTMLDetailsElement && target.classList.contains("file")) show(target);
  },
  true,
);

/** @param {HTMLElement} details */
function unfold(details) {
  if (!(details instanceof HTMLDetailsElement)) return;
  details.open = true;
  if (details.classList.contains("file")) show(details);
}

function foldAll() {
  for (const details of all("details")) details.removeAttribute("open");
}

// A file that is added is one change as a whole, so that its lines stay folded.
function unfoldAll() {
  for (const machine of machines.filter(({ hidden }) => !hidden)) {
    unfold(machine);
    for (const bundle of all(".bundle", machine)) unfold(bundle);
    for (const file of all(".file:not(:has(> summary > .added))", machine)) unfold(file);
  }
}

/** Texts in small letters, once they are searched. @type {string[] | undefined} */
let searched;

/** Shows only what has the text. */
function find() {
  wanted = search.value.trim().toLowerCase();
  for (const shown of all(".file table")) shown.remove();
  searched ??= data.texts.map((text) => text.toLowerCase());
  const texts = searched;
  const has = (/** @type {HTMLElement} */ one) =>
    (one.textContent ?? "").toLowerCase().includes(wanted);
  const hasIn = (/** @type {HTMLElement} */ one) =>
    (data.files[Number(one.dataset.file)] ?? [])
      .slice(0, 2)
      .some((at) => texts[at]?.includes(wanted));
  let count = 0;
  for (const machine of machines) {
    const items = all(":scope > ul > li", machine).filter((item) => {
      const file = /** @type {HTMLElement | null} */ (item.querySelector(":scope > .file"));
      const within = file !== null && wanted !== "" && hasIn(file);
      item.hidden = !within && !has(item);
      if (file !== null && within) file.dataset.found = "";
      else delete file?.dataset.found;
      return !item.hidden;
    });
    const [title] = all(":scope > summary", machine);
    machine.hidden = items.length === 0 && !has(title ?? machine);
    // A machine whose name is searched for is shown with all that changes on it.
    if (items.length === 0 && !machine.hidden)
      for (const item of all("li", machine)) item.hidden = false;
    count += machine.hidden ? 0 : items.length || 1;
    if (wanted !== "" && items.length > 0) unfold(machine);
  }
  for (const item of all("#\\:order > ol > li, #\\:certificates tbody tr")) {
    item.hidden = !has(item);
    if (!item.hidden) count++;
  }
  for (const file of all(".file[open]")) unfold(file);
  // The lines of a few files are shown at once.
  const files = all(".file[data-found]");
  if (files.length <= 10) for (const file of files) unfold(file);
  element(":found").textContent = wanted === "" ? "" : `${count} found`;
}

search.addEventListener("input", () => {
  find();
  history.replaceState(null, "", wanted === "" ? "#" : `#?${encodeURIComponent(search.value)}`);
});

/** Goes where the address says: to a machine, a file, a line, or what was searched for. */
function follow() {
  for (const row of all("tr.target")) row.classList.remove("target");
  const where = decodeURIComponent(location.hash.slice(1));
  if (where.startsWith("?")) {
    search.value = where.slice(1);
    find();
    return;
  }
  const [, id = "", number] = /^(.+?)(?::(-?\d+))?$/.exec(where) ?? [];
  const target = document.getElementById(id);
  if (target === null) return;
  const machine = /** @type {HTMLElement | null} */ (target.closest(".machine"));
  if (machine !== null) unfold(machine);
  unfold(target);
  if (number === undefined) {
    target.scrollIntoView();
    return;
  }
  const ownLink = () =>
    all("td.number a", target).find((link) => link.getAttribute("href")?.endsWith(`:${number}`));
  if (ownLink() === undefined) for (const button of all(".gap button", target)) button.click();
  const row = ownLink()?.closest("tr");
  row?.classList.add("target");
  row?.scrollIntoView({ block: "center" });
}

window.addEventListener("hashchange", follow);

/** Moves to the next or previous thing that unfolds. @param {number} by */
function step(by) {
  const stops = all("summary").filter((one) => one.checkVisibility());
  const at = stops.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  stops[at < 0 && by < 0 ? stops.length - 1 : at + by]?.focus();
}

/** @type {Record<string, () => void>} */
const keys = {
  "/": () => search.focus(),
  j: () => step(1),
  k: () => step(-1),
  u: unfoldAll,
  f: foldAll,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === search) {
    if (event.key !== "Escape") return;
    search.value = "";
    search.dispatchEvent(new Event("input"));
    search.blur();
    return;
  }
  const act = keys[event.key];
  if (act === undefined) return;
  event.preventDefault();
  act();
});

element(":unfold").addEventListener("click", unfoldAll);
element(":fold").addEventListener("click", foldAll);
follow();
