// `api.runtime.channel`: what a channel plugin needs of the host (RT-129..RT-140). Plain computation is done in the worker.
import { activityOf, noteActivity } from './channel/activity.js';
import { finalizeInboundContext } from '../../plugin-sdk/internal/inbound-finalize.js';
import { dispatchReplyFromConfig, dispatchReplyWithBufferedBlockDispatcher } from './channel/dispatch.js';
import { createReplyDispatcherWithTyping, settleReplyDispatcher, withReplyDispatcher } from './channel/dispatcher.js';
import { loadAdapter } from './channel/outbound.js';
import { sessionGroup } from './channel/session.js';
import { threadBindings } from './channel/threads.js';
import { sessionStoreOf } from './agent.js';
import { ask, group } from './group.js';
import { normalizedEntries } from '../../plugin-sdk/internal/pairing-store.js';

const CHANNEL = {
  text: {
    local: [
      'chunkByNewline', 'chunkMarkdownText', 'chunkMarkdownTextWithMode', 'chunkText', 'chunkTextWithMode', 'resolveChunkMode',
      'resolveTextChunkLimit', 'hasControlCommand', 'resolveMarkdownTableMode', 'convertMarkdownTables',
    ],
  },
  reply: {
    local: [
      'resolveEffectiveMessagesConfig', 'resolveHumanDelayConfig', 'formatAgentEnvelope', 'formatInboundEnvelope', 'resolveEnvelopeFormatOptions',
    ],
  },
  routing: { local: ['resolveAgentRoute', 'buildAgentSessionKey'] },
  pairing: { async: ['upsertPairingRequest'], local: ['buildPairingReply'] },
  media: { local: ['fetchRemoteMedia', 'saveMediaBuffer', 'readRemoteMediaBuffer', 'saveRemoteMedia', 'saveResponseMedia'] },
  mentions: {
    local: [
      'buildMentionRegexes', 'matchesMentionPatterns', 'matchesMentionWithExplicit', 'implicitMentionKindWhen', 'resolveInboundMentionDecision',
    ],
  },
  reactions: {
    local: ['createAckReactionHandle', 'shouldAckReaction', 'removeAckReactionAfterReply', 'removeAckReactionHandleAfterReply'],
  },
  groups: { local: ['resolveGroupPolicy', 'resolveRequireMention'] },
  debounce: { local: ['createInboundDebouncer', 'resolveInboundDebounceMs'] },
  commands: {
    local: [
      'isControlCommandMessage', 'shouldComputeCommandAuthorized', 'shouldHandleTextCommands', 'resolveCommandAuthorizedFromAuthorizers',
    ],
  },
  turn: { local: ['run', 'runAssembled', 'buildContext', 'runPrepared', 'runResolved', 'dispatchAssembled'] },
  inbound: { local: ['run', 'dispatchReply', 'buildContext', 'runPreparedReply'] },
  runtimeContexts: { local: ['register', 'get', 'watch'] },
};

/** Helpers for channel plugins. */
export function channelGroup(plugin) {
  const out = Object.fromEntries(Object.entries(CHANNEL).map(([name, members]) => [name, group(plugin, `channel.${name}`, members)]));
  Object.assign(out.reply, {
    dispatchReplyFromConfig: (params) => dispatchReplyFromConfig(plugin, params),
    dispatchReplyWithBufferedBlockDispatcher: (params) => dispatchReplyWithBufferedBlockDispatcher(plugin, params),
    createReplyDispatcherWithTyping,
    withReplyDispatcher,
    settleReplyDispatcher,
    finalizeInboundContext,
  });
  out.session = { ...sessionGroup(plugin), resolveStorePath: sessionStoreOf(plugin).resolveStorePath };
  out.pairing.readAllowFromStore = async (params) =>
    normalizedEntries(params?.channel, await ask(plugin, 'host.channel.pairing.readAllowFromStore', { args: [params] }));
  out.activity = {
    record: ({ channel, accountId, direction, at }) => noteActivity(plugin, channel, accountId?.trim(), direction, at),
    get: ({ channel, accountId }) => activityOf({ channel, accountId: accountId?.trim() }),
  };
  out.threadBindings = threadBindings(plugin);
  out.turn.dispatchAssembled = out.turn.runAssembled;
  out.outbound = { loadAdapter: (id) => loadAdapter(plugin, id) };
  return out;
}
