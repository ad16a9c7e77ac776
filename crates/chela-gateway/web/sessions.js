// The list of sessions at the left: list, search, new, rename, reset, delete.

import { $, ago, ask, debounce, h, reconcile, toast } from './ui.js';

const PAGE = 100;

/** A name for a session key when nobody gave one. */
export function sessionName(key, row) {
  const label = row?.label || row?.displayName || row?.derivedTitle;
  if (label) return label;
  const rest = key.replace(/^agent:/, '');
  const [agent, ...parts] = rest.split(':');
  const own = parts.join(':') || agent;
  const suffix = agent === 'main' || !parts.length ? '' : ` · ${agent}`;
  if (own === 'main') return `Main${suffix}`;
  if (own.startsWith('dashboard:')) return `New conversation${suffix}`;
  return own + suffix;
}

/** Callbacks: `onopen(key)`, `onremoved(key)`, `onrows()`. */
export class Sessions {
  constructor(gateway, callbacks) {
    this.gateway = gateway;
    this.callbacks = callbacks;
    this.rows = new Map();
    this.order = [];
    this.limit = PAGE;
    this.defaults = {};
    this.reload = debounce(() => this.load(), 300);
    $('search').addEventListener('input', debounce(() => this.load(), 200));
    $('new-session').addEventListener('click', () => this.create());
  }

  row(key) { return this.rows.get(key); }

  async load() {
    if (!this.gateway.connected) return;
    const search = $('search').value.trim();
    const params = { limit: this.limit, includeLastMessage: true, includeDerivedTitles: true };
    if (search) params.search = search;
    try {
      const page = await this.gateway.call('sessions.list', params);
      this.order = (page.sessions ?? []).map((row) => row.key);
      if (!search) this.rows.clear();
      for (const row of page.sessions ?? []) this.rows.set(row.key, row);
      this.defaults = page.defaults ?? {};
      this.more = Boolean(page.hasMore);
      this.searching = search;
      this.show();
      this.callbacks.onrows();
    } catch (error) {
      if (!error.retryable) toast(`The sessions could not be listed: ${error.message}`);
    }
  }

  select(key) {
    this.current = key;
    this.show();
  }

  show() {
    const keys = [...this.order];
    if (!this.searching && this.current && !keys.includes(this.current)) keys.unshift(this.current);
    const items = keys.map((key) => ({ key, build: () => this.button(key) }));
    if (!keys.length) items.push({ key: '-none', build: () => h('p.hint', 'Nothing found') });
    if (this.more) items.push({ key: '-more', build: () => h('button.quiet', { onclick: () => this.loadMore() }, 'Show more') });
    reconcile($('session-list'), items);
    for (const key of keys) this.update($('session-list').keyed.get(key), key);
  }

  loadMore() {
    this.limit += PAGE;
    this.load();
  }

  button(key) {
    return h('button.session', { 'data-key': key, onclick: () => this.callbacks.onopen(key) },
      h('span.session-name'), h('span.session-when'), h('span.session-last'));
  }

  update(button, key) {
    const row = this.rows.get(key);
    const [name, when, last] = button.children;
    name.textContent = sessionName(key, row);
    when.textContent = row?.hasActiveRun ? 'working' : row?.updatedAt ? ago(row.updatedAt) : '';
    when.classList.toggle('busy', Boolean(row?.hasActiveRun));
    last.textContent = row?.lastMessage ?? row?.lastMessagePreview ?? '';
    if (key === this.current) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
    button.title = key;
  }

  async create() {
    try {
      const made = await this.gateway.call('sessions.create', {});
      this.callbacks.onopen(made.key);
      this.reload();
    } catch (error) {
      toast(`No new conversation: ${error.message}`);
    }
  }

  async rename(key) {
    const label = await ask({ title: 'Rename this conversation', input: this.row(key)?.label ?? '', action: 'Rename' });
    if (label !== null) await this.change('sessions.patch', { key, label: label || null }, 'It could not be renamed');
  }

  /** Gives a conversation its first words as its name, quietly. */
  async nameAfter(key, text) {
    const label = text.replace(/\s+/g, ' ').trim().slice(0, 60);
    if (!label || label.startsWith('/') || !key.includes(':dashboard:') || this.row(key)?.label) return;
    await this.gateway.call('sessions.patch', { key, label }).catch(() => null);
    this.reload();
  }

  async reset(key) {
    const sure = await ask({
      title: 'Reset this conversation?', action: 'Reset', danger: true,
      text: 'It starts again from nothing. The messages so far stay on disk as an archive, but no longer show here.',
    });
    return sure ? this.change('sessions.reset', { key, reason: 'reset' }, 'It could not be reset') : false;
  }

  async remove(key) {
    const name = sessionName(key, this.row(key));
    const sure = await ask({ title: 'Delete this conversation?', text: `“${name}” disappears from the list. Its transcript is archived on disk.`, action: 'Delete', danger: true });
    if (sure && await this.change('sessions.delete', { key, deleteTranscript: true }, 'It could not be deleted')) {
      this.rows.delete(key);
      this.order = this.order.filter((other) => other !== key);
      this.callbacks.onremoved(key);
    }
  }

  async change(method, params, problem) {
    try {
      await this.gateway.call(method, params);
      this.reload();
      return true;
    } catch (error) {
      toast(`${problem}: ${error.message}`);
      return false;
    }
  }
}
