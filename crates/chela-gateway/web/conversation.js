// The state of one conversation: what is written, what is on its way, what runs. It knows nothing of the page.

import { uuid } from './ui.js';

const HISTORY = 200;
const HISTORY_MAX = 1000;

/** The text of a message's content. */
export function textOf(message) {
  const { content } = message ?? {};
  if (typeof content === 'string') return content;
  return (content ?? []).filter((block) => block.type === 'text').map((block) => block.text).join('\n');
}

/** The blocks of a message's content. */
export function blocksOf(message) {
  const { content } = message ?? {};
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  return Array.isArray(content) ? content : [];
}

const seqOf = (message) => message.__openclaw?.seq ?? 0;

/** One conversation. `changed(conversation)` is called after every change. */
export class Conversation {
  constructor(key, gateway, changed) {
    this.key = key;
    this.gateway = gateway;
    this.changed = () => changed(this);
    this.messages = [];
    this.tools = new Map(); // by call id: {name, args, result, isError, status, startedAt, endedAt}
    this.sent = new Map(); // own messages that are not in the history yet, by run id
    this.runs = new Map(); // running answers, by run id
    this.notes = []; // what the gateway said without writing it down: {id, after, message}
    this.queue = [];
    this.limit = HISTORY;
    this.loaded = false;
    this.error = null;
    this.remoteActive = false;
  }

  /** Whether an answer is under way. */
  get active() {
    const sending = [...this.sent.values()].some((item) => item.state === 'sending' || item.state === 'accepted');
    return sending || [...this.runs.values()].some((run) => !run.ended) || this.remoteActive;
  }

  get hasMore() { return this.messages.length >= this.limit && this.limit < HISTORY_MAX; }

  loadEarlier() {
    this.limit = HISTORY_MAX;
    return this.load();
  }

  /** Fetches the history; what arrives meanwhile is kept. */
  async load() {
    if (this.loading) {
      this.again = true;
      return this.loading;
    }
    this.loading = this.fetch();
    try {
      await this.loading;
    } finally {
      this.loading = null;
    }
    if (this.again) {
      this.again = false;
      return this.load();
    }
    return undefined;
  }

  async fetch() {
    this.inbox = [];
    try {
      const history = await this.gateway.call('chat.history', { sessionKey: this.key, limit: this.limit });
      const messages = history.messages ?? [];
      if (this.sessionId && history.sessionId !== this.sessionId) this.forget();
      this.sessionId = history.sessionId;
      const last = messages.length ? seqOf(messages.at(-1)) : 0;
      this.messages = messages.concat(this.inbox.filter((message) => seqOf(message) > last));
      for (const message of this.messages) this.noteTools(message);
      this.settleSent();
      this.dropWrittenText();
      this.loaded = true;
      this.error = null;
    } catch (error) {
      this.error = error;
    }
    this.inbox = null;
    this.changed();
  }

  // The session behind the key is another one now.
  forget() {
    this.messages = [];
    this.tools.clear();
    this.notes = this.notes.filter((note) => note.fresh);
    for (const item of [...this.notes, ...this.sent.values(), ...this.runs.values()]) item.after = 0;
  }

  noteTools(message) {
    if (message.role === 'toolResult') {
      this.tool(message.toolCallId, { name: message.toolName, result: message, isError: Boolean(message.isError), status: message.isError ? 'failed' : 'done' });
    }
    for (const block of blocksOf(message)) {
      if (block.type === 'toolCall') this.tool(block.id, { name: block.name, args: block.arguments });
    }
  }

  tool(id, change) {
    const tool = this.tools.get(id) ?? { id, status: 'running' };
    this.tools.set(id, Object.assign(tool, change));
    return tool;
  }

  // An own message that the history holds needs no stand-in any more.
  settleSent() {
    for (const [runId, item] of this.sent) {
      if (item.state === 'failed') continue;
      const found = this.messages.some((m) => m.role === 'user' && seqOf(m) > item.after && textOf(m).trim() === item.text.trim());
      if (found) this.settled(runId, item);
    }
  }

  settled(runId, item) {
    this.sent.delete(runId);
    if (!this.runs.has(runId)) this.run(runId, { startedAt: item.at, after: item.after });
  }

  // After a gap the text of a finished message may still stand below it.
  dropWrittenText() {
    const last = this.messages.at(-1);
    if (last?.role !== 'assistant') return;
    for (const run of this.runs.values()) if (run.text.trim() === textOf(last).trim()) run.text = '';
  }

  get lastSeq() { return this.messages.length ? seqOf(this.messages.at(-1)) : 0; }

  /** Sends a message now, or puts it into the queue while an answer is under way. `/stop` never waits. */
  submit(text, images) {
    if (this.active && text.trim() !== '/stop') {
      this.queue.push({ id: uuid(), text, images });
      this.changed();
    } else {
      this.post({ text, images, runId: uuid() });
    }
  }

  unqueue(id) {
    this.queue = this.queue.filter((item) => item.id !== id);
    this.changed();
  }

  /** Sends; a repeat with the same run id is harmless, the gateway runs it once. */
  async post({ text, images = [], runId }) {
    const item = { text, images, state: 'sending', after: this.lastSeq, at: Date.now() };
    this.sent.set(runId, item);
    this.changed();
    const params = { sessionKey: this.key, message: text, idempotencyKey: runId };
    if (images.length) params.attachments = images.map((image) => ({ type: 'image', mimeType: image.mime, fileName: image.name, content: image.data }));
    try {
      const answer = await this.gateway.call('chat.send', params);
      if (item.state === 'sending') item.state = 'accepted';
      if (answer.status !== 'started' && answer.status !== 'in_flight') await this.end(answer.runId ?? runId, {});
    } catch (error) {
      if (!this.sent.has(runId)) return;
      // A lost connection says nothing about the message: it is sent again, under the same id, when the gateway is back.
      item.state = error.retryable && error.code === 'UNAVAILABLE' ? 'waiting' : 'failed';
      item.error = error.message;
    }
    this.changed();
  }

  /** Sends again what a lost connection left open. */
  resend() {
    for (const [runId, item] of this.sent) {
      if (item.state === 'waiting' || item.state === 'accepted') this.post({ ...item, runId });
    }
  }

  /** Tries a failed message again, as a new one. */
  retry(runId) {
    const item = this.sent.get(runId);
    this.sent.delete(runId);
    if (item) this.submit(item.text, item.images);
  }

  discard(runId) {
    this.sent.delete(runId);
    this.changed();
  }

  async stop() {
    await this.gateway.call('chat.abort', { sessionKey: this.key });
  }

  run(runId, extra = {}) {
    let run = this.runs.get(runId);
    if (!run) {
      run = { runId, text: '', late: true, tools: [], startedAt: Date.now(), ...extra };
      this.runs.set(runId, run);
    }
    return run;
  }

  /** After a gap in the events: texts are put right by the next snapshot, everything else by the history. */
  gap() {
    for (const run of this.runs.values()) run.late = true;
    return this.load();
  }

  /** After a reconnect nobody knows which runs still go on; events and the list of sessions tell. */
  reconnected() {
    this.runs.clear();
    this.remoteActive = false;
    return this.load();
  }

  onAgent(payload) {
    const { stream, data = {}, runId } = payload;
    if (stream === 'lifecycle' && data.phase === 'start') {
      const run = this.run(runId, { late: false, startedAt: data.startedAt ?? Date.now() });
      run.late = false;
    } else if (stream === 'assistant') {
      this.grow(this.run(runId), data);
    } else if (stream === 'tool') {
      this.onTool(payload);
      return;
    } else if (stream === 'item' && data.kind === 'tool' && data.toolCallId) {
      const change = { name: data.name ?? data.title };
      if (data.startedAt) change.startedAt = data.startedAt;
      if (data.endedAt) change.endedAt = data.endedAt;
      if (data.phase === 'end') change.status = data.status === 'failed' ? 'failed' : 'done';
      this.runTool(runId, data.toolCallId, change);
    } else {
      return;
    }
    this.changed();
  }

  grow(run, data) {
    run.streams = true;
    if (run.late && typeof data.text === 'string') {
      run.text = this.unwritten(data.text);
      run.late = false;
    } else if (typeof data.delta === 'string') {
      run.text += data.delta;
    } else if (typeof data.text === 'string') {
      run.text = data.text;
    }
  }

  // A snapshot may hold the texts of the run's earlier messages, which stand above already.
  unwritten(text) {
    let rest = text;
    for (let at = this.messages.findLastIndex((m) => m.role === 'user') + 1; at < this.messages.length; at += 1) {
      const written = this.messages[at].role === 'assistant' ? textOf(this.messages[at]) : '';
      if (written && rest.startsWith(written)) rest = rest.slice(written.length);
    }
    return rest;
  }

  onTool({ runId, data = {} }) {
    const change = { name: data.name };
    if (data.args !== undefined) change.args = data.args;
    if (data.phase === 'update') change.result = data.partialResult;
    if (data.phase === 'result') Object.assign(change, { result: data.result, isError: Boolean(data.isError), status: data.isError ? 'failed' : 'done' });
    if (data.toolCallId) this.runTool(runId, data.toolCallId, change);
    this.changed();
  }

  runTool(runId, id, change) {
    const run = this.runs.get(runId);
    if (run && !run.tools.includes(id)) run.tools.push(id);
    this.tool(id, change);
  }

  onMessage({ message, messageSeq, messageId }) {
    if (!message || !messageId) return; // a message without an id is not written yet
    const marked = message.__openclaw ? message : { ...message, __openclaw: { id: messageId, seq: messageSeq } };
    this.inbox?.push(marked);
    if (!this.loaded || seqOf(marked) <= this.lastSeq) return;
    this.messages.push(marked);
    this.noteTools(marked);
    if (marked.role === 'user') this.settleSent();
    if (marked.role === 'assistant') for (const run of this.runs.values()) run.text = '';
    this.changed();
  }

  onChat(payload) {
    const { runId, state } = payload;
    if (state === 'delta') {
      const run = this.run(runId);
      if (run.streams) return; // the `agent` events carry the same text, sooner
      if (payload.replace) run.text = payload.deltaText ?? '';
      else if (run.late && payload.message) run.text = this.unwritten(textOf(payload.message));
      else run.text += payload.deltaText ?? '';
      run.late = false;
      this.changed();
    } else if (['final', 'aborted', 'error'].includes(state)) {
      this.end(runId, payload);
    }
  }

  /** A run is over: the history has the last word, and what it does not hold stays as a note. */
  async end(runId, payload) {
    this.remoteActive = false;
    const run = this.runs.get(runId);
    if (run) run.ended = true;
    const item = this.sent.get(runId);
    if (item) item.state = 'ended';
    const said = payload.message && textOf(payload.message).trim();
    const before = this.lastSeq;
    this.changed();
    await this.load();
    this.runs.delete(runId);
    const after = this.lastSeq;
    const since = item?.after ?? run?.after ?? before - 1;
    if (this.sent.delete(runId)) this.note({ role: 'user', content: [{ type: 'text', text: item.text }, ...item.images.map(imageBlock)] }, after);
    const fresh = this.messages.filter((m) => m.role === 'assistant' && seqOf(m) > since);
    const missing = (stopReason) => payload.state === stopReason && !fresh.some((m) => m.stopReason === stopReason);
    if (said && !fresh.some((m) => textOf(m).trim() === said)) this.note({ ...payload.message, stopReason: payload.stopReason }, after);
    else if (missing('aborted')) this.note({ role: 'assistant', content: [], stopReason: 'aborted' }, after);
    if (missing('error')) {
      this.note({ role: 'assistant', content: [], stopReason: 'error', errorMessage: payload.errorMessage ?? 'the run failed', errorKind: payload.errorKind }, after);
    }
    for (const note of this.notes) note.fresh = false;
    this.changed();
    this.next();
  }

  note(message, after) {
    this.notes.push({ id: `note-${uuid()}`, after, message, fresh: true });
  }

  /** Sends the next message of the queue. */
  next() {
    if (this.active || !this.queue.length || !this.gateway.connected) return;
    const { text, images, id } = this.queue.shift();
    this.post({ text, images, runId: id });
  }

  /** The text and images of the last user message, for another try. */
  lastQuestion() {
    const messages = [...this.messages, ...this.notes.map((note) => note.message)];
    const message = messages.findLast((m) => m.role === 'user');
    if (!message) return null;
    const images = blocksOf(message).filter((b) => b.type === 'image' && b.data).map((b) => ({ data: b.data, mime: b.mimeType, name: 'image' }));
    return { text: textOf(message), images };
  }
}

const imageBlock = (image) => ({ type: 'image', data: image.data, mimeType: image.mime });
