// Small helpers for building the page. Text always becomes text nodes, never markup.

/** The element with an id. */
export const $ = (id) => document.getElementById(id);

/** Builds `tag.class`. `on*` members of `props` are listeners, the others attributes; children are nodes or text. */
export function h(name, ...children) {
  const [tag, ...classes] = name.split('.');
  const element = document.createElement(tag);
  element.classList.add(...classes);
  if (tag === 'button') element.type = 'button';
  const props = children[0]?.constructor === Object ? children.shift() : {};
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (key === 'value') element.value = value;
    else element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return element;
}

/**
 * Makes the children of `parent` match `items` in order: elements whose key is known stay, so focus, open details and
 * running text survive. Each item is `{key, build()}`.
 */
export function reconcile(parent, items) {
  const known = parent.keyed ?? new Map();
  const next = new Map();
  let at = parent.firstChild;
  for (const { key, build } of items) {
    const element = known.get(key) ?? build();
    next.set(key, element);
    if (element === at) at = at.nextSibling;
    else parent.insertBefore(element, at);
  }
  for (const [key, element] of known) if (!next.has(key)) element.remove();
  parent.keyed = next;
}

let toastTimer;

/** Shows a short message for a few seconds. */
export function toast(text) {
  const box = $('toast');
  box.textContent = text;
  box.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { box.hidden = true; }, 6000);
}

/**
 * Asks in a dialog. With `input` it answers the text, without it `true`; `null` means cancelled.
 * @param {{title: string, text?: string, input?: string, action: string, danger?: boolean}} options
 */
export function ask(options) {
  const dialog = $('dialog');
  return new Promise((resolve) => {
    const field = options.input === undefined ? null : h('input', { type: 'text', value: options.input, 'aria-label': options.title, maxlength: 200 });
    let answer = null;
    const form = h('form', {
      method: 'dialog',
      onsubmit: () => { answer = field ? field.value.trim() : true; },
    },
      h('h2', options.title),
      options.text && h('p', options.text),
      field,
      h('div.dialog-buttons',
        h('button', { onclick: () => dialog.close() }, 'Cancel'),
        h('button', { type: 'submit', class: options.danger ? 'danger filled' : 'primary', id: 'dialog-ok' }, options.action)));
    dialog.replaceChildren(form);
    dialog.onclose = () => resolve(answer);
    dialog.showModal();
    field?.select();
  });
}

/** Copies text and says so on the button. */
export async function copy(text, button) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = 'Copied';
  } catch {
    button.textContent = 'Not allowed';
  }
  setTimeout(() => { button.textContent = before; }, 1500);
}

/** `3 min`, `2 h 5 min`, `4 d 3 h`. */
export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `just now`, `5 min`, or a date. */
export function ago(ms) {
  const age = Date.now() - ms;
  if (age < 60_000) return 'just now';
  if (age < 86_400_000) return duration(age).replace(/ \d+ min$/, (m) => (age >= 3_600_000 ? '' : m));
  return new Date(ms).toLocaleDateString();
}

/** `12 MB`. */
export function bytes(n) {
  if (n < 1024) return `${n} B`;
  const kilo = n / 1024;
  return kilo < 1024 ? `${Math.round(kilo)} KB` : `${(kilo / 1024).toFixed(kilo < 10240 ? 1 : 0)} MB`;
}

/** Calls `run` once, `wait` ms after the last request, but no later than three times that. */
export function debounce(run, wait) {
  let timer = null;
  let first = 0;
  return () => {
    const now = Date.now();
    if (timer === null) first = now;
    clearTimeout(timer);
    const left = Math.max(0, Math.min(wait, first + 3 * wait - now));
    timer = setTimeout(() => { timer = null; run(); }, left);
  };
}

/** A random id; `crypto.randomUUID` does not exist on pages without HTTPS. */
export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const hex = Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}
