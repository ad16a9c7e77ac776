// `api.runtime.channel`.
import { sessionStoreOf } from './agent.js';
import { group } from './group.js';

const CHANNEL = {
  text: {
    local: [
      'chunkByNewline', 'chunkMarkdownText', 'chunkMarkdownTextWithMode', 'chunkText', 'chunkTextWithMode', 'resolveChunkMode',
      'resolveTextChunkLimit', 'hasControlCommand', 'resolveMarkdownTableMode', 'convertMarkdownTables',
    ],
  },
  reply: {
    async: ['dispatchReplyWithBufferedBlockDispatcher', 'dispatchReplyFromConfig', 'withReplyDispatcher', 'settleReplyDispatcher'],
    sync: ['createReplyDispatcherWithTyping'],
    local: [
      'resolveEffectiveMessagesConfig', 'resolveHumanDelayConfig', 'finalizeInboundContext', 'formatAgentEnvelope', 'formatInboundEnvelope',
      'resolveEnvelopeFormatOptions',
    ],
  },
  routing: { local: ['buildAgentSessionKey', 'resolveAgentRoute'] },
  pairing: { async: ['readAllowFromStore', 'upsertPairingRequest'], local: ['buildPairingReply'] },
  media: { local: ['fetchRemoteMedia', 'saveMediaBuffer'] },
  activity: { local: ['record', 'get'] },
  session: {
    async: ['recordSessionMetaFromInbound', 'recordInboundSession', 'updateLastRoute'],
    local: ['readSessionUpdatedAt'],
  },
  mentions: {
    local: ['buildMentionRegexes', 'matchesMentionPatterns', 'matchesMentionWithExplicit', 'implicitMentionKindWhen', 'resolveInboundMentionDecision'],
  },
  reactions: {
    local: ['createAckReactionHandle', 'shouldAckReaction', 'removeAckReactionAfterReply', 'removeAckReactionHandleAfterReply'],
  },
  groups: { local: ['resolveGroupPolicy', 'resolveRequireMention'] },
  debounce: { local: ['createInboundDebouncer', 'resolveInboundDebounceMs'] },
  commands: {
    local: ['isControlCommandMessage', 'shouldComputeCommandAuthorized', 'shouldHandleTextCommands', 'resolveCommandAuthorizedFromAuthorizers'],
  },
  outbound: { async: ['loadAdapter'] },
  turn: { local: ['run', 'runAssembled', 'buildContext', 'runPrepared', 'runResolved', 'dispatchAssembled'] },
  inbound: { local: ['run', 'dispatchReply', 'buildContext', 'runPreparedReply'] },
  threadBindings: { sync: ['setIdleTimeoutBySessionKey', 'setMaxAgeBySessionKey'] },
  runtimeContexts: { local: ['register', 'get', 'watch'] },
};

/** Helpers for channel plugins. */
export function channelGroup(plugin) {
  const channel = Object.fromEntries(Object.entries(CHANNEL).map(([name, members]) => [name, group(plugin, `channel.${name}`, members)]));
  channel.session.resolveStorePath = sessionStoreOf(plugin).resolveStorePath;
  return channel;
}
