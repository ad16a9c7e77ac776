// Rows for the turns of inbound messages: each side notes what it calls and what it tells.
import { Fresh, later, pick } from './kit.mjs';

const bool = () => pick([true, false]);
const told = ({ error, ...event }) => ({ ...event, error: error?.message });
const history = (kept) => ({ isGroup: true, historyKey: 'h', historyMap: kept, limit: 3 });

/** Messages that are dropped are in the history since 2026.6, which also tells when a message is recorded. */
const dropped = { key: 'h', limit: 2, recordOnDrop: later };

/** One event with an adapter whose answers are drawn once for both sides. */
const event = () => {
  const [input, canStart, judged, admission, prepared, recordFails, dispatchFails, finalizeFails, pipeline] = [
    pick([null, { id: 'm', rawText: 'hi', timestamp: 5 }, { id: 'm', rawText: 'hi', timestamp: 5 }]), pick([undefined, true, true, false]),
    pick([undefined, undefined, { kind: 'drop', reason: 'r', recordHistory: true }, { kind: 'handled', reason: 'x' }, { admission: { kind: 'drop' }, history: dropped, message: { senderLabel: 'Bob' } }]),
    pick([undefined, { kind: 'dispatch' }, { kind: 'observeOnly' }]), bool(), pick([false, false, true]), pick([false, false, true]), pick([false, false, true]), pick([undefined, {}]),
  ];
  return [new Fresh(() => {
    const notes = [];
    const kept = new Map([['h', [{ body: 'old' }]]]);
    const note = (name, value, fails) => async (...args) => {
      notes.push([name, JSON.parse(JSON.stringify(args))]);
      if (fails) throw new Error(`${name} fails`);
      return value;
    };
    const preflight = judged?.history ? { ...judged, history: { ...judged.history, historyMap: kept } } : judged;
    const delivery = { deliver: note('deliver', { visibleReplySent: true }), onDelivered: note('delivered'), preparePayload: (payload) => ({ ...payload, prepared: true }) };
    const dispatch = async ({ dispatcherOptions, replyOptions, ctx }) => {
      notes.push(['dispatch', ctx, Object.keys(replyOptions ?? {})]);
      if (dispatchFails) throw new Error('dispatch fails');
      return { queuedFinal: true, sent: await dispatcherOptions.deliver({ text: 't' }, { kind: 'final' }) };
    };
    const turn = {
      cfg: {}, channel: 'c', accountId: 'a', agentId: 'main', routeSessionKey: 'r', storePath: '/s', ctxPayload: { SessionKey: 'k', Body: 'b' }, admission, history: history(kept), recordInboundSession: note('record', undefined, recordFails),
      ...(later ? { afterRecord: note('after') } : {}), onPreDispatchFailure: note('failed early'), ...(prepared ? { runDispatch: note('run', { queuedFinal: false }, dispatchFails) } : { delivery, replyPipeline: pipeline, dispatchReplyWithBufferedBlockDispatcher: dispatch }),
    };
    return {
      channel: 'c', accountId: 'a', raw: { sender: 'S' }, notes, kept, log: (entry) => notes.push(told(entry)),
      adapter: { ingest: note('ingest', input), ...(canStart === undefined ? {} : { classify: note('classify', { kind: 'reaction', canStartAgentTurn: canStart }) }), preflight: note('preflight', preflight), resolveTurn: async () => turn, onFinalize: note('finalize', undefined, finalizeFails) },
    };
  })];
};
const seen = (out, [{ notes, kept }]) => [out, notes, [...kept]];

const direct = () => {
  const [accountId, extra, fails] = [pick([undefined, 'a']), pick([undefined, { Own: 1 }]), bool()];
  return [new Fresh(() => {
    const notes = [];
    const dispatch = async ({ ctx, dispatcherOptions }) => {
      notes.push(['dispatch', ctx]);
      await dispatcherOptions.deliver({ text: 'answer', mediaUrl: 5, other: 1 }, { kind: 'final' }).catch((error) => dispatcherOptions.onError(error, { kind: 'final' }));
    };
    const channel = {
      routing: { resolveAgentRoute: (query) => ({ agentId: 'main', sessionKey: 's', query, accountId }) },
      session: { resolveStorePath: () => '/s', readSessionUpdatedAt: () => 7, recordInboundSession: async ({ ctx: _ctx, ...row }) => void notes.push(['record', row]) },
      reply: { resolveEnvelopeFormatOptions: () => ({ e: 1 }), formatAgentEnvelope: (params) => JSON.stringify(params), finalizeInboundContext: (ctx) => ctx, dispatchReplyWithBufferedBlockDispatcher: dispatch },
    };
    const deliver = async (payload) => {
      notes.push(['deliver', payload]);
      if (fails) throw new Error('no');
    };
    return {
      cfg: {}, runtime: { channel }, notes, channel: 'c', channelLabel: 'C', accountId: 'x', peer: { kind: 'direct', id: 'p' }, senderId: 'i', senderAddress: 'c:i', recipientAddress: 'c:me', conversationLabel: 'L', rawBody: 'raw', messageId: 'm', timestamp: 9,
      commandAuthorized: true, extraContext: extra, deliver, onRecordError: () => {}, onDispatchError: (error) => notes.push(error.message),
    };
  })];
};

const quote = () => pick([undefined, { id: 'q', body: 'said', sender: 'Bob', isQuote: bool(), senderAllowed: pick([undefined, true, false]) }]);
const facts = () => [{
  channel: 'c', accountId: 'a', provider: pick([undefined, 'p']), surface: pick([undefined, 's']), from: 'c:1', messageId: 'm', messageIdFull: pick([undefined, 'mm']), timestamp: 5,
  message: { rawBody: pick(['hi\r\nthere', '']), body: pick([undefined, '[Ann] hi']), bodyForAgent: pick([undefined, 'agent']), commandBody: pick([undefined, '/x']) },
  sender: { id: '42', displayLabel: 'Ann', name: pick([undefined, 'Anna']), roles: pick([undefined, ['r']]) }, conversation: { kind: pick(['group', 'direct', 'channel']), id: 'g', label: pick([undefined, 'Cooks']), threadId: pick([undefined, 't']) },
  route: { agentId: 'main', routeSessionKey: 'r', dispatchSessionKey: pick([undefined, 'd']) }, reply: { to: 'c:g', originatingTo: 'c:o', replyToId: pick([undefined, 'x']) },
  access: pick([undefined, { commands: { authorized: bool() } }, { mentions: { wasMentioned: bool() }, commands: { authorizers: [{ allowed: bool() }] } }]), contextVisibility: pick([undefined, 'all', 'allowlist', 'allowlist_quote']),
  supplemental: pick([undefined, { quote: quote(), forwarded: pick([undefined, { from: 'F', senderAllowed: bool() }]), thread: pick([undefined, { starterBody: 'S', label: 'L' }]), groupSystemPrompt: pick([undefined, 'G']), untrustedContext: pick([undefined, [{ label: 'u', payload: 1 }]]) }]),
  media: pick([undefined, [], [{ path: '/a', contentType: 'image/png' }, { url: 'http://x/b', kind: 'audio', transcribed: true, ...(later ? {} : { path: '/b' }) }]]), extra: pick([undefined, { Own: 1 }]),
}];
/** Members that came later. */
const older = ({ AgentId: _agent, ChatId: _chat, CommandTurn: _turn, InboundEventKind: _kind, ...context }) => context;

export default [
  ['inbound-reply-dispatch', ['runInboundReplyTurn'], event, seen],
  ['direct-dm', ['dispatchInboundDirectDmWithRuntime'], direct, (out, [{ notes }]) => [out, notes]],
  ...(later ? [['channel-inbound', ['runChannelInboundEvent'], event, seen], ['channel-inbound', ['buildChannelInboundEventContext'], facts]] : [['channel-inbound', ['buildChannelTurnContext'], facts, older]]),
];
