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
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child || child === 0));
  return element;
}

/**
 * Makes the children of `parent` match `[key, build]` pairs in order. Elements with a known key stay, so that focus,
 * open details and running text survive.
 */
export function reconcile(parent, items) {
  const known = parent.keyed ?? new Map();
  parent.keyed = new Map();
  let at = parent.firstChild;
  for (const [key, build] of items) {
    const element = known.get(key) ?? build();
    parent.keyed.set(key, element);
    if (element === at) at = at.nextSibling;
    else parent.insertBefore(element, at);
  }
  for (const [key, element] of known) if (!parent.keyed.has(key)) element.remove();
}

let toastTimer;

/** Shows a short message for a few seconds. */
export function toast(text) {
  $('toast').textContent = text;
  $('toast').hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { $('toast').hidden = true; }, 6000);
}

/** Asks in a dialog. With `input` it answers the text, without it `true`; `null` means cancelled. */
export function ask({ title, text, input, action }) {
  const dialog = $('dialog');
  return new Promise((resolve) => {
    const field = input === undefined ? null : h('input', { 'aria-label': title, maxlength: 200 });
    const ok = h(field ? 'button.primary' : 'button.danger.filled', { id: 'dialog-ok' }, action);
    ok.type = 'submit';
    let answer = null;
    dialog.replaceChildren(h('form', { method: 'dialog', onsubmit: () => { answer = field ? field.value.trim() : true; } },
      h('h2', title), h('p', text), field,
      h('div.dialog-buttons', h('button', { onclick: () => dialog.close() }, 'Cancel'), ok)));
    dialog.onclose = () => resolve(answer);
    dialog.showModal();
    if (field) {
      field.value = input;
      field.select();
    }
  });
}

/** A button that copies text and says so. */
export function copyButton(text) {
  const button = h('button.quiet', {
    onclick: async () => {
      const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
      button.textContent = done ? 'Copied' : 'Not allowed';
      setTimeout(() => { button.textContent = 'Copy'; }, 1500);
    },
  }, 'Copy');
  return button;
}

/** `40 s`, `3 min`, `2 h 5 min`, `4 d 3 h`. */
export function duration(ms) {
  const minutes = Math.floor(ms / 60_000);
  const hours = Math.floor(minutes / 60);
  if (minutes < 1) return `${Math.max(0, Math.floor(ms / 1000))} s`;
  if (hours < 1) return `${minutes} min`;
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `just now`, `5 min`, `3 h`, or a date. */
export function ago(ms) {
  const age = Date.now() - ms;
  if (age < 60_000) return 'just now';
  return age < 86_400_000 ? duration(age).replace(/(h) .*/, '$1') : new Date(ms).toLocaleDateString();
}

/** Calls `run` once, `wait` ms after the first of several requests. */
export function debounce(run, wait) {
  let timer = null;
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      run();
    }, wait);
  };
}

/** A random id; `crypto.randomUUID` does not exist on pages without HTTPS. */
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const hex = Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}
