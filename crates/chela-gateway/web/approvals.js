// What waits for an answer: cards above the composer, from all conversations.

import { $, h, reconcile, toast } from './ui.js';

const WORDS = { 'allow-once': 'Allow once', 'allow-always': 'Always allow', deny: 'Deny' };

export class Approvals {
  constructor(gateway) {
    this.gateway = gateway;
    this.waiting = new Map(); // id -> { kind, id, request, expiresAtMs }
  }

  /** Asks for everything that waits; a page without the scope shows nothing. */
  async load() {
    const lists = await Promise.all(['exec', 'plugin'].map(async (kind) => {
      const rows = await this.gateway.call(`${kind}.approval.list`, {}).catch(() => []);
      return rows.map((row) => ({ ...row, kind }));
    }));
    this.waiting = new Map(lists.flat().map((row) => [row.id, row]));
    this.show();
  }

  onevent(event, payload) {
    const [kind, , what] = event.split('.');
    if (what === 'requested') this.waiting.set(payload.id, { ...payload, kind });
    else this.waiting.delete(payload.id);
    this.show();
  }

  show() {
    clearTimeout(this.timer);
    const now = Date.now();
    for (const [id, { expiresAtMs }] of this.waiting) if (expiresAtMs <= now) this.waiting.delete(id);
    const rows = [...this.waiting.values()];
    reconcile($('approvals'), rows.map((row) => [row.id, () => this.card(row)]));
    $('approvals').hidden = !rows.length;
    if (rows.length) {
      const next = Math.min(...rows.map((row) => row.expiresAtMs)) - now;
      this.timer = setTimeout(() => this.show(), Math.min(next + 50, 2 ** 30));
    }
  }

  card({ id, kind, request }) {
    const exec = kind === 'exec';
    const choices = request.allowedDecisions ?? Object.keys(WORDS);
    const place = [request.toolName, request.pluginId, request.agentId, request.cwd].filter(Boolean).join(' · ');
    const button = (decision) => h(decision === 'deny' ? 'button.danger' : 'button', {
      'data-decision': decision, onclick: () => this.decide(kind, id, decision),
    }, WORDS[decision]);
    return h('li.approval', { 'data-approval': id, 'data-severity': request.severity },
      h('strong', exec ? 'A command waits for you' : request.title),
      request.warningText && h('p.warning', request.warningText),
      exec ? h('pre.code', request.command) : h('p', request.description),
      place && h('p.faint', place),
      h('div.approval-buttons', choices.filter((word) => WORDS[word]).map(button)));
  }

  async decide(kind, id, decision) {
    const card = document.querySelector(`[data-approval="${CSS.escape(id)}"]`);
    const buttons = [...card?.querySelectorAll('button') ?? []];
    for (const one of buttons) one.disabled = true;
    try {
      await this.gateway.call(`${kind}.approval.resolve`, { id, decision });
      this.waiting.delete(id);
    } catch (error) {
      toast(error.message);
      for (const one of buttons) one.disabled = false;
      await this.load();
    }
    this.show();
  }
}
