// The list of conversations: search, new, rename, reset, delete.

import { $, ago, ask, debounce, h, reconcile, toast } from './ui.js';

const PAGE = 100;

/** A name for a session key when nobody gave one. */
export function sessionName(key, row) {
  const label = row?.label || row?.displayName;
  if (label) return label;
  const [, agent, own] = /^agent:([^:]+):(.*)$/.exec(key) ?? [null, 'main', key];
  const name = own === 'main' ? 'Main' : own.startsWith('dashboard:') ? 'New conversation' : own;
  return agent === 'main' ? name : `${name} · ${agent}`;
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
    $('search').addEventListener('input', this.reload);
    $('new-session').addEventListener('click', () => this.create());
  }

  row(key) { return this.rows.get(key); }

  async load() {
    if (!this.gateway.connected) return;
    const search = $('search').value.trim();
    const params = { limit: this.limit, includeLastMessage: true };
    try {
      const { sessions = [], defaults = {}, hasMore } = await this.gateway.call('sessions.list', search ? { ...params, search } : params);
      if (!search) this.rows.clear();
      for (const row of sessions) this.rows.set(row.key, row);
      this.order = sessions.map((row) => row.key);
      Object.assign(this, { defaults, hasMore, search });
      this.show();
      this.callbacks.onrows();
    } catch (error) {
      if (!error.retryable) toast(`The conversations could not be listed: ${error.message}`);
    }
  }

  select(key) {
    this.current = key;
    this.show();
  }

  show() {
    const keys = [...this.order];
    if (!this.search && this.current && !keys.includes(this.current)) keys.unshift(this.current);
    const items = keys.map((key) => [key, () => this.button(key)]);
    if (!keys.length) items.push(['-none', () => h('p.hint', 'Nothing found')]);
    if (this.hasMore) items.push(['-more', () => h('button.quiet', { onclick: () => this.loadMore() }, 'Show more')]);
    reconcile($('session-list'), items);
    for (const key of keys) this.update($('session-list').keyed.get(key), key);
  }

  loadMore() {
    this.limit += PAGE;
    this.load();
  }

  button(key) {
    return h('button.session', { 'data-key': key, title: key, onclick: () => this.callbacks.onopen(key) },
      h('span.session-name'), h('span.session-when'), h('span.session-last'));
  }

  update(button, key) {
    const row = this.row(key) ?? {};
    const [name, when, last] = button.children;
    name.textContent = sessionName(key, row);
    when.textContent = row.hasActiveRun ? 'working' : row.updatedAt ? ago(row.updatedAt) : '';
    when.classList.toggle('busy', Boolean(row.hasActiveRun));
    last.textContent = row.lastMessage ?? '';
    button.setAttribute('aria-current', key === this.current);
  }

  async create() {
    const made = await this.change('sessions.create', {}, 'No new conversation');
    if (made) this.callbacks.onopen(made.key);
  }

  async rename(key) {
    const label = await ask({ title: 'Rename this conversation', input: this.row(key)?.label ?? '', action: 'Rename' });
    if (label !== null) await this.change('sessions.patch', { key, label: label || null }, 'It could not be renamed');
  }

  /** Gives a new conversation its first words as its name, quietly. */
  async nameAfter(key, text) {
    const label = text.replace(/\s+/g, ' ').slice(0, 60);
    if (label.startsWith('/') || !key.includes(':dashboard:') || this.row(key)?.label) return;
    await this.gateway.call('sessions.patch', { key, label }).catch(() => null);
  }

  /** Whether it was reset. */
  async reset(key) {
    const text = 'It starts anew. The messages so far are archived on disk.';
    return await ask({ title: 'Reset this conversation?', text, action: 'Reset' })
      && this.change('sessions.reset', { key, reason: 'reset' }, 'It could not be reset');
  }

  async remove(key) {
    const text = `“${sessionName(key, this.row(key))}” leaves the list. Its transcript is archived on disk.`;
    if (await ask({ title: 'Delete this conversation?', text, action: 'Delete' })
      && await this.change('sessions.delete', { key, deleteTranscript: true }, 'It could not be deleted')) this.callbacks.onremoved(key);
  }

  // The answer, or `null` after telling what went wrong.
  async change(method, params, problem) {
    try {
      const answer = await this.gateway.call(method, params);
      this.reload();
      return answer;
    } catch (error) {
      toast(`${problem}: ${error.message}`);
      return null;
    }
  }
}
