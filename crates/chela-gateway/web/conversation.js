// The state of one conversation: what is written, what is on its way, what runs.

import { uuid } from './ui.js';

const HISTORY = 200;
const HISTORY_MAX = 1000;

/** The blocks of a message's content. */
export function blocksOf({ content } = {}) {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : content ?? [];
}

/** The text of a message. */
export const textOf = (message) => blocksOf(message).filter((b) => b.type === 'text').map((b) => b.text).join('\n').trim();

/** The calls in a message. */
export const callsOf = (message) => blocksOf(message).filter((b) => b.type === 'toolCall');

const seqOf = (message) => message?.__openclaw?.seq ?? 0;

/** One conversation. `changed(conversation)` is called after every change. */
export class Conversation {
  messages = [];
  tools = new Map(); // by call id: {name, args, result, status, startedAt, endedAt}
  sent = new Map(); // own messages that are not in the history yet, by run id: {text, images, state, after, error?}
  runs = new Map(); // running answers, by run id: {runId, text, tools, late, ended?}
  notes = []; // what the gateway said without writing it down: {id, after, message}
  queue = [];
  limit = HISTORY;
  loaded = false;
  error = null;
  remoteActive = false;
  interrupted = false;

  constructor(key, gateway, changed) {
    this.key = key;
    this.gateway = gateway;
    this.changed = () => changed(this);
  }

  /** Whether an answer is under way. */
  get active() {
    const sending = [...this.sent.values()].some((item) => ['sending', 'accepted'].includes(item.state));
    return sending || this.remoteActive || [...this.runs.values()].some((run) => !run.ended);
  }

  get hasMore() { return this.messages.length >= this.limit && this.limit < HISTORY_MAX; }

  get lastSeq() { return seqOf(this.messages.at(-1)); }

  loadEarlier() {
    this.limit = HISTORY_MAX;
    return this.load();
  }

  /** Fetches the history. A fetch that is under way may be too old already, so another one follows it. */
  load() {
    this.nextLoad ??= Promise.resolve(this.loading).then(() => {
      this.loading = this.fetch();
      this.nextLoad = null;
      return this.loading;
    });
    return this.nextLoad;
  }

  async fetch() {
    this.inbox = []; // what arrives meanwhile
    try {
      const { messages = [], sessionId } = await this.gateway.call('chat.history', { sessionKey: this.key, limit: this.limit });
      if (this.sessionId && sessionId !== this.sessionId) this.forget();
      this.sessionId = sessionId;
      this.messages = messages.concat(this.inbox.filter((message) => seqOf(message) > seqOf(messages.at(-1))));
      for (const message of this.messages) this.noteTools(message);
      this.settle();
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
    this.tools.clear();
    this.notes = [];
    for (const item of [...this.sent.values(), ...this.runs.values()]) item.after = 0;
  }

  noteTools(message) {
    if (message.role === 'toolResult') {
      this.tool(message.toolCallId, { name: message.toolName, result: message, status: message.isError ? 'failed' : 'done' });
    }
    for (const call of callsOf(message)) this.tool(call.id, { name: call.name, args: call.arguments });
  }

  tool(id, change) {
    this.tools.set(id, { status: 'running', ...this.tools.get(id), ...change });
  }

  // An own message that the history holds needs no stand-in any more.
  settle() {
    for (const [runId, item] of this.sent) {
      const written = (m) => m.role === 'user' && seqOf(m) > item.after && textOf(m) === item.text.trim();
      if (item.state !== 'failed' && this.messages.some(written)) {
        this.sent.delete(runId);
        this.run(runId).after = item.after;
      }
    }
  }

  /** Sends a message now, or puts it into the queue while an answer is under way. */
  submit(text, images = []) {
    const item = { text, images, runId: uuid() };
    if (this.active && text !== '/stop') this.queue.push(item);
    else this.post(item);
    this.changed();
  }

  unqueue(runId) {
    this.queue = this.queue.filter((item) => item.runId !== runId);
    this.changed();
  }

  post({ text, images, runId }) {
    const item = { text, images, state: 'sending', after: this.lastSeq };
    this.sent.set(runId, item);
    this.changed();
    return this.deliver(runId, item);
  }

  /** Hands a message over; a repeat with the same run id is harmless, the gateway runs it once and tells how it went. */
  async deliver(runId, item) {
    const { text, images } = item;
    const params = { sessionKey: this.key, message: text, idempotencyKey: runId };
    if (images.length) params.attachments = images.map(({ mime, name, data }) => ({ type: 'image', mimeType: mime, fileName: name, content: data }));
    try {
      const { status } = await this.gateway.call('chat.send', params);
      if (item.state !== 'ended') item.state = 'accepted';
      if (status === 'ok') await this.end(runId, {});
      else if (!['started', 'in_flight'].includes(status)) await this.end(runId, { state: 'error', errorMessage: 'The answer was interrupted' });
    } catch (error) {
      // A lost connection says nothing about the message: it is sent again, under the same id, when the gateway is back.
      item.state = error.code === 'UNAVAILABLE' && error.retryable ? 'waiting' : 'failed';
      item.error = error.message;
    }
    this.changed();
  }

  /** Takes a failed message back, to send it anew or not at all. */
  take(runId) {
    const item = this.sent.get(runId);
    this.sent.delete(runId);
    this.changed();
    return item;
  }

  stop() {
    return this.gateway.call('chat.abort', { sessionKey: this.key });
  }

  // A run that is met midway is late: its text is taken from the next snapshot.
  run(runId) {
    if (!this.runs.has(runId)) this.runs.set(runId, { runId, text: '', tools: [], late: true });
    return this.runs.get(runId);
  }

  /** After a gap in the events: texts are put right by the next snapshot, everything else by the history. */
  gap() {
    for (const run of this.runs.values()) run.late = true;
    return this.load();
  }

  /** After a reconnect nobody knows which runs go on; events and the list of conversations tell. */
  async reconnected() {
    const open = [...this.sent].filter(([, item]) => item.state !== 'failed');
    this.runs.clear();
    this.remoteActive = false;
    await this.load();
    for (const [runId, item] of open) this.deliver(runId, item);
  }

  onAgent(payload) {
    const { stream, data = {}, runId } = payload;
    if (stream === 'lifecycle' && data.phase === 'start') {
      this.run(runId).late = false;
    } else if (stream === 'assistant') {
      const run = this.run(runId);
      run.streams = true;
      this.grow(run, data.delta, data.text);
    } else if (stream === 'tool') {
      this.onTool(payload);
    } else if (stream === 'item' && data.toolCallId) {
      const { name, startedAt, endedAt, phase, status } = data;
      const change = Object.fromEntries(Object.entries({ name, startedAt, endedAt }).filter(([, value]) => value !== undefined));
      if (phase === 'end') change.status = status === 'failed' ? 'failed' : 'done';
      this.runTool(runId, data.toolCallId, change);
    }
    this.changed();
  }

  grow(run, delta, snapshot) {
    if (snapshot !== undefined && (run.late || delta === undefined)) {
      run.text = this.unwritten(snapshot);
      run.late = false;
    } else {
      run.text += delta ?? '';
    }
  }

  // A snapshot may hold the texts of the run's earlier messages, which stand above already.
  unwritten(text) {
    const start = this.messages.findLastIndex((m) => m.role === 'user') + 1;
    for (const message of this.messages.slice(start)) {
      const written = message.role === 'assistant' ? textOf(message) : '';
      if (text.startsWith(written)) text = text.slice(written.length);
    }
    return text;
  }

  onTool({ runId, data: { phase, name, toolCallId, args, partialResult, isError, result } }) {
    const change = { name };
    if (phase === 'start') change.args = args;
    if (phase === 'update') change.result = partialResult;
    if (phase === 'result') Object.assign(change, { result, status: isError ? 'failed' : 'done' });
    this.runTool(runId, toolCallId, change);
    this.changed();
  }

  runTool(runId, id, change) {
    const run = this.runs.get(runId);
    if (run && !run.tools.includes(id)) run.tools.push(id);
    this.tool(id, change);
  }

  onMessage({ message, messageSeq: seq, messageId: id }) {
    if (!id) return; // not written yet
    const marked = { ...message, __openclaw: { id, seq } };
    this.inbox?.push(marked);
    if (!this.loaded || seq <= this.lastSeq) return;
    this.messages.push(marked);
    this.noteTools(marked);
    this.settle();
    if (marked.role === 'assistant') for (const run of this.runs.values()) run.text = '';
    this.changed();
  }

  onChat(payload) {
    const { runId, state } = payload;
    if (state !== 'delta') return this.end(runId, payload);
    const run = this.run(runId);
    if (run.streams) return null; // the `agent` events carry the same text, sooner
    this.grow(run, payload.replace ? undefined : payload.deltaText, payload.replace ? payload.deltaText : payload.message && textOf(payload.message));
    return this.changed();
  }

  /** A run is over: the history has the last word, and what it does not hold stays as a note. */
  async end(runId, { state, message, stopReason, errorMessage = 'The run failed', errorKind }) {
    this.remoteActive = false;
    const run = this.runs.get(runId) ?? {};
    const item = this.sent.get(runId) ?? run;
    run.ended = true;
    item.state = 'ended';
    item.after ??= this.lastSeq - 1;
    this.changed();
    await this.load();
    this.runs.delete(runId);
    const fresh = this.messages.filter((m) => m.role === 'assistant' && seqOf(m) > item.after);
    const missing = (reason) => state === reason && !fresh.some((m) => m.stopReason === reason);
    if (this.sent.delete(runId)) {
      this.note({ role: 'user', content: [{ type: 'text', text: item.text }, ...item.images.map(({ data, mime }) => ({ type: 'image', data, mimeType: mime }))] });
    }
    const said = textOf(message);
    if (said && !fresh.some((m) => textOf(m) === said)) this.note({ ...message, stopReason });
    else if (missing('aborted')) this.note({ role: 'assistant', stopReason: state });
    if (missing('error')) this.note({ role: 'assistant', stopReason: state, errorMessage, errorKind });
    this.changed();
    this.next();
  }

  note(message) {
    this.notes.push({ id: uuid(), after: this.lastSeq, message });
  }

  /** Sends the next message of the queue. */
  next() {
    if (!this.active && this.queue.length && this.gateway.connected) this.post(this.queue.shift());
  }

  /** The last user message, for another try. */
  lastQuestion() {
    const message = [...this.messages, ...this.notes.map((note) => note.message)].findLast((m) => m.role === 'user');
    const images = blocksOf(message).filter((b) => b.data).map((b) => ({ data: b.data, mime: b.mimeType, name: 'image' }));
    return { text: textOf(message), images };
  }
}
