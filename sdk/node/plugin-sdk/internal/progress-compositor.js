// Keeps one progress draft: collects lines, opens the draft when there is enough to show, and ends with the reply.
import {
  createChannelProgressDraftGate, isChannelProgressDraftWorkToolName, resolveChannelProgressDraftMaxLines, resolveChannelStreamingPreviewToolProgress,
  resolveChannelStreamingProgressCommentary, resolveChannelStreamingSuppressDefaultToolProgressMessages,
} from './streaming.js';
import { formatChannelProgressDraftText, mergeChannelProgressDraftLine, normalizeChannelProgressDraftLineIdentity } from './progress-lines.js';

const THOUGHT_ID = 'chela:reasoning';
const tidy = (text) => text.replace(/^(?:reasoning|thinking)[:.…]*\s*/i, '').replace(/[_*`>#]+/g, ' ').replace(/\s+/g, ' ').trim();

/**
 * @param {{entry: any, active: boolean, mode: string, seed?: string, update: (text: string, options?: any) => any, deleteCurrent?: () => any, formatLine?: (line: string) => string,
 *   isEmptyLine?: (line: any) => boolean, shouldStartNow?: (line: any) => boolean, tryNativeUpdate?: (text: string) => Promise<boolean>}} params
 */
export function createChannelProgressDraftCompositor(params) {
  const { entry, active, mode, seed, update } = params;
  const tools = active && resolveChannelStreamingPreviewToolProgress(entry);
  const commentary = active && resolveChannelStreamingProgressCommentary(entry);
  const suppressDefault = active && resolveChannelStreamingSuppressDefaultToolProgressMessages(entry, { draftStreamActive: true, previewToolProgressEnabled: tools });
  const state = { suppressed: false, lines: [], shown: '', thought: '', replyBegun: false, replyDone: false };
  const open = () => active && !state.replyBegun && !state.replyDone;
  const textOf = (lines, formatLine = params.formatLine) => formatChannelProgressDraftText({ entry, lines, seed, formatLine });
  const show = async (text, options) => {
    if (!text || text === state.shown) return false;
    state.shown = text;
    await update(text, { ...options, lines: [...state.lines] });
    return true;
  };
  const render = async (options) => (mode === 'progress' && open() ? show(textOf(state.lines), options) : false);
  const gate = createChannelProgressDraftGate({ onStart: () => render({ flush: true }) });
  const clear = (suppressed) => Object.assign(state, { suppressed, lines: [], shown: '', thought: '' });
  /** Counts work; renders once the draft is there. */
  const work = async (startNow) => {
    const before = gate.hasStarted;
    if (startNow) {
      await gate.startNow();
      return gate.hasStarted && (before ? render() : true);
    }
    return (await gate.noteWork()) && gate.hasStarted ? render() : false;
  };
  const add = (line) => mergeChannelProgressDraftLine(state.lines, line, { maxLines: resolveChannelProgressDraftMaxLines(entry) });

  async function pushToolProgress(line, options) {
    const identity = normalizeChannelProgressDraftLineIdentity(line);
    const wanted = options?.toolName === undefined || isChannelProgressDraftWorkToolName(options.toolName);
    if (!open() || !wanted || params.isEmptyLine?.(line) || !identity || state.suppressed || (mode !== 'progress' && !tools)) return false;
    if (tools) {
      const next = add(typeof line === 'object' ? line : identity);
      if (next === state.lines) return false;
      const native = params.tryNativeUpdate ? textOf(next, undefined) : '';
      const taken = native && (await params.tryNativeUpdate(native));
      state.lines = next;
      if (taken) {
        state.shown = native;
        return true;
      }
    }
    if (mode !== 'progress') return show(textOf(state.lines));
    return work(options?.startImmediately || params.shouldStartNow?.(line));
  }

  async function pushReasoningProgress(text, options) {
    if (!active || mode !== 'progress' || !text || state.suppressed || state.replyDone) return false;
    state.thought = options?.snapshot === true ? text : state.thought + text;
    const plain = tidy(state.thought);
    if (!plain) return false;
    if (tools) state.lines = add({ id: THOUGHT_ID, kind: 'item', text: `_${plain}_`, label: '', prefix: false });
    return work(false);
  }

  async function pushCommentaryProgress(text, options) {
    if (!open() || mode !== 'progress' || !commentary) return false;
    const plain = (text ?? '').replace(/\s+/g, ' ').trim();
    const own = options?.itemId?.trim() || plain;
    if (!own) return false;
    if (plain) {
      state.lines = add({ id: `commentary:${own}`, kind: 'item', text: plain, label: 'Commentary', prefix: false });
      await gate.startNow();
      return render();
    }
    const rest = state.lines.filter((line) => line?.id !== `commentary:${own}`);
    if (rest.length === state.lines.length) return false;
    state.lines = rest;
    if (gate.hasStarted && textOf(rest)) await render();
    else if (gate.hasStarted) {
      state.shown = '';
      await params.deleteCurrent?.();
    }
    return false;
  }

  return {
    previewToolProgressEnabled: tools,
    commentaryProgressEnabled: commentary,
    suppressDefaultToolProgressMessages: suppressDefault,
    get hasStarted() {
      return gate.hasStarted;
    },
    markFinalReplyStarted() {
      state.replyBegun = true;
      gate.cancel();
    },
    markFinalReplyDelivered() {
      state.replyDone = true;
      gate.cancel();
    },
    reset: () => void clear(false),
    resetReasoningProgress() {
      state.thought = '';
    },
    suppress: () => void clear(true),
    cancel: () => gate.cancel(),
    start: () => gate.startNow(),
    async noteActivity(options) {
      if (!open() || mode !== 'progress' || state.suppressed) return false;
      if (options?.startImmediately) {
        await gate.startNow();
        return gate.hasStarted ? render({ flush: true }) : false;
      }
      return work(false);
    },
    pushToolProgress,
    pushReasoningProgress,
    pushCommentaryProgress,
  };
}
